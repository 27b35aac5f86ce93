"""What the style of a layer is, and how far two styles are apart: Gram matrices, Gaussians, or means and deviations.

A statistic is one tensor, so that it can be cached: `gram` (B, C, C); `wasserstein` (B, C, C + 1), the covariance and behind it the
mean; `moments` (B, C, 2), variance and mean. Every one is a mean over positions, or over those that a guide weighs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from sweep.transfer.controls import StyleLoss
from sweep.transfer.losses import EPSILON, energy, gram_matrix, style_bound

_SMALLEST_VARIANCE: Final = 1e-10  # under it a deviation's gradient would be unbounded


def guide_of(mask: Tensor, height: int, width: int) -> Tensor:
    """What a mask (H, W) in [0, 1] divides the features of a layer by: (1, 1, height, width).

    Gatys et al. 2017 (Controlling Perceptual Factors, section 4) multiply features by a guidance channel whose squares sum to
    1; this is one over that channel: sqrt(sum of the mask / mask), so that a mask of ones gives sqrt(H W), the division of
    an unguided Gram matrix. The mask is shrunk by areas: even a small region stays visible at a deep layer.
    """
    weights = torch.nn.functional.adaptive_avg_pool2d(mask[None, None], (height, width))
    return (weights.sum() / weights).sqrt()


def statistic(kind: StyleLoss, features: Tensor, guide: Tensor | None = None) -> Tensor:
    """The statistic of features (B, C, H, W), by positions of equal weight or by those of a guide (see guide_of)."""
    if kind == "gram":
        return gram_matrix(features, guide)
    mean = _mean(features, guide)
    centred = features - mean[..., None, None]
    if kind == "wasserstein":
        return torch.cat([gram_matrix(centred, guide), mean[..., None]], dim=2)
    return torch.stack([_mean(centred.square(), guide), mean], dim=2)


def blended(kind: StyleLoss, parts: Sequence[tuple[Tensor, float]]) -> Tensor:
    """The statistic of a mixture: the weights' mean of Gram matrices, or of first and second moments."""
    if kind != "gram" and len(parts) > 1:
        parts = [(_raw(kind, found, 1), weight) for found, weight in parts]
    total = parts[0][1] * parts[0][0]
    for found, weight in parts[1:]:
        total = total + weight * found
    return _raw(kind, total, -1) if kind != "gram" and len(parts) > 1 else total


def relative_distance(kind: StyleLoss, target: Tensor, start: Tensor) -> "Distance":
    """How far features are from the target's statistics, relative to a bound that is taken at the photograph (`start`).

    gram: |G - A|^2 / (|A|^2 + |G_0|^2). wasserstein: the squared 2-Wasserstein distance of the two Gaussians, as in K. Crowson's
    style-transfer-pytorch, divided by |m_0 - m|^2 + tr S_0 + tr T instead of by the number of channels. moments: |m - m_s|^2 +
    |d - d_s|^2 of means and standard deviations (Li et al. 2017, Demystifying, section 4.2: BN statistics), divided by the
    squares of those of style and photograph instead of by the number of channels. Each is at most 1 at the photograph itself
    (moments of conv layers, whose means may be negative: at most 2).
    """
    if kind == "gram":
        return GramDistance(target, style_bound(target, start))
    if kind == "wasserstein":
        return _Wasserstein.to(target, start)
    goal = _deviations(target)
    return _Moments(goal, energy(goal) + energy(_deviations(start)) + EPSILON)


class Distance:
    """Called with the features (B, C, H, W) of pictures and their guides: (B,), each 0 for its style's own statistics, about 1 at most.

    The fields are tensors with one entry for each picture, or with one for all of them.
    """

    def __call__(self, features: Tensor, guide: Tensor | None) -> Tensor:
        raise NotImplementedError


def stacked(distances: Sequence[Distance]) -> Distance:
    """The distances of several pictures, one after another, as one; of one kind."""
    first = distances[0]
    return type(first)(*(together([vars(one)[name] for one in distances]) for name in vars(first)))


def together(tensors: Sequence[Tensor]) -> Tensor:
    """One batch of tensors (1, ...); the one itself where all are the same, so that what a pack shares is held once."""
    first = tensors[0]
    return first if all(one is first for one in tensors) else torch.cat(list(tensors))


@dataclass(frozen=True, eq=False)
class GramDistance(Distance):
    """|G - A|^2 / bound."""

    target: Tensor  # (B, C, C)
    bound: Tensor  # (B,)

    def __call__(self, features: Tensor, guide: Tensor | None) -> Tensor:
        return energy(gram_matrix(features, guide) - self.target) / self.bound


@dataclass(frozen=True, eq=False)
class _Moments(Distance):
    target: Tensor  # (B, C, 2)
    bound: Tensor  # (B,)

    def __call__(self, features: Tensor, guide: Tensor | None) -> Tensor:
        return energy(_deviations(statistic("moments", features, guide)) - self.target) / self.bound


@dataclass(frozen=True, eq=False)
class _Wasserstein(Distance):
    mean: Tensor  # (B, C)
    root: Tensor  # (B, C, C): the square root of the style's covariance
    trace: Tensor  # (B,)
    bound: Tensor  # (B,)

    @staticmethod
    def to(target: Tensor, start: Tensor) -> "_Wasserstein":
        covariance, mean = target[..., :-1], target[..., -1]
        values, vectors = torch.linalg.eigh(covariance.double())
        root = ((vectors * values.clamp(min=0).sqrt()[:, None]) @ vectors.transpose(1, 2)).to(target.dtype)
        trace = _trace(covariance)
        bound = energy(start[..., -1] - mean) + _trace(start[..., :-1]) + trace + EPSILON
        return _Wasserstein(mean, root, trace, bound)

    def __call__(self, features: Tensor, guide: Tensor | None) -> Tensor:
        mean = _mean(features, guide)
        scaled = _flat(features - mean[..., None, None], guide)  # (B, M, C): its square is the covariance S
        positions, channels = scaled.shape[1:]
        if positions < channels:  # the smaller product has the same eigenvalues
            coloured = scaled @ self.root
            product = coloured @ coloured.transpose(1, 2)
        else:
            product = self.root @ (scaled.transpose(1, 2) @ scaled) @ self.root
        overlap: Tensor = _TraceOfRoot.apply(product)  # type: ignore[no-untyped-call]
        distance = energy(mean - self.mean) + energy(scaled) + self.trace - 2 * overlap
        return distance.clamp(min=0) / self.bound  # rounding may leave a little less than nothing


class _TraceOfRoot(torch.autograd.Function):
    """tr A^1/2 of positive semidefinite matrices (B, n, n); the gradient, A^-1/2 / 2, needs no derivative of eigenvectors."""

    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        # The library refuses a matrix that is not finite; that of one diverged picture must not end the others of its batch.
        finite = torch.isfinite(matrices).all(dim=2).all(dim=1)
        values, vectors = torch.linalg.eigh(torch.where(finite[:, None, None], matrices, 0))
        roots = values.clamp(min=0).sqrt()
        # Directions in which neither varies would get an endless gradient; theirs ends at 1000 times that of the widest.
        floor = (roots[:, -1:] * 1e-3).clamp(min=EPSILON)
        ctx.save_for_backward((vectors / roots.clamp(min=floor)[:, None]) @ vectors.transpose(1, 2) / 2)
        return torch.where(finite, roots.sum(1), torch.nan)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0][:, None, None] * ctx.saved_tensors[0]  # type: ignore[no-any-return]


def _flat(features: Tensor, guide: Tensor | None) -> Tensor:
    """(B, M, C), scaled so that the sum over positions of products is their mean."""
    batch, channels, height, width = features.shape
    scaled = features / ((height * width) ** 0.5 if guide is None else guide)
    return scaled.permute(0, 2, 3, 1).reshape(batch, height * width, channels)


def _mean(features: Tensor, guide: Tensor | None) -> Tensor:
    if guide is None:
        return features.mean(dim=(2, 3))
    return (features / guide.square()).sum(dim=(2, 3))


def _deviations(moments: Tensor) -> Tensor:
    """(B, C, 2): standard deviation and mean."""
    return torch.stack([moments[..., 0].clamp(min=_SMALLEST_VARIANCE).sqrt(), moments[..., 1]], dim=2)


def _raw(kind: StyleLoss, found: Tensor, sign: int) -> Tensor:
    """Central second moments to raw ones (sign 1) or back (-1); the mean stays."""
    mean = found[..., -1:]
    square = mean @ mean.transpose(1, 2) if kind == "wasserstein" else mean.square()
    return torch.cat([found[..., :-1] + sign * square, mean], dim=2)


def _trace(covariance: Tensor) -> Tensor:
    return covariance.diagonal(dim1=1, dim2=2).sum(1)

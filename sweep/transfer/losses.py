"""The losses, as pure functions of features and pictures: a value for each picture of a batch (docs/design.md, section 4)."""

from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-12  # keeps a loss finite for features that are all zero; far under any real |P|^2


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """G = F F^T / M for features (B, C, H, W) with M = H W positions; (B, C, C).

    Gatys et al. 2016, equation 3, except that the paper's Gram matrix is not divided by M: the relative style loss compares
    pictures of different sizes. With a guide (B or 1, 1, H, W), each position is weighed by 1 / guide^2 instead of by 1 / M
    (style_losses.guide_of). Differentiable once, by the features. Features of 16 bits are widened: sums over positions overflow them.
    """
    features = features.float() if features.element_size() == 2 else features
    gram: Tensor = _Gram.apply(features, guide)  # type: ignore[no-untyped-call]
    return gram


class _Gram(torch.autograd.Function):
    """G = F W F^T with W = 1 / M or a guide's weights; dF = (dG + dG^T) F W.

    By hand, as autograd would keep a scaled copy of the features and multiply twice on the way back: G is symmetric.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, guide: Tensor | None) -> Tensor:
        ctx.save_for_backward(features, guide)
        flat = _flat(features)
        if guide is None:
            return (flat.transpose(1, 2) @ flat).div_(flat.shape[1])
        return flat.transpose(1, 2) @ (flat / _flat(guide).square())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        features, guide = ctx.saved_tensors
        both = gradients[0] + gradients[0].transpose(1, 2)
        batch, channels, height, width = features.shape
        back = _flat(features) @ (both if guide is not None else both / (height * width))
        if guide is not None:
            back /= _flat(guide).square()
        return back.reshape(batch, height, width, channels).permute(0, 3, 1, 2), None


def _flat(features: Tensor) -> Tensor:
    """(B, M, C): a view of features in channels_last, no copy."""
    batch, channels, height, width = features.shape
    return features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)


def relative_content_loss(features: Tensor, target: Tensor, bound: Tensor | None = None) -> Tensor:
    """|F - P|^2 / (|P|^2 + eps), (B,): 0 for the photograph itself, 1 for features that are all zero.

    The paper's content loss is 1/2 |F - P|^2 (Gatys et al. 2016, equation 1); ours is divided by the photograph's own
    energy instead, so that one alpha means the same for every layer, size and network. `bound` is content_bound(target), for
    callers that have it at hand.
    """
    return energy(features - target) / (content_bound(target) if bound is None else bound)


def content_bound(target: Tensor) -> Tensor:
    """|P|^2 + eps, (B,)."""
    return energy(target) + EPSILON


def relative_style_loss(gram: Tensor, target: Tensor, start: Tensor) -> Tensor:
    """|G - A|^2 / (|A|^2 + |G_0|^2 + eps), (B,), for the Gram matrix of the picture, of the style and of the photograph (G_0).

    At most 1 for the photograph itself, as Gram matrices have a non-negative inner product; 0 for the style's statistics.
    The paper divides by 4 N^2 M^2 (Gatys et al. 2016, equation 4); the bound |A|^2 + |G|^2 is that of Cheng et al. 2021
    (arXiv:2104.10064), taken at the photograph so that it is a constant.
    """
    return energy(gram - target) / style_bound(target, start)


def style_bound(target: Tensor, start: Tensor) -> Tensor:
    """|A|^2 + |G_0|^2 + eps, (B,)."""
    return energy(target) + energy(start) + EPSILON


def tv_loss(image: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down plus across, of each picture (B, 3, H, W); (B,)."""
    down = image[..., 1:, :] - image[..., :-1, :]
    across = image[..., :, 1:] - image[..., :, :-1]
    return down.square().mean(dim=(1, 2, 3)) + across.square().mean(dim=(1, 2, 3))


def energy(values: Tensor) -> Tensor:
    """The sum of squares of each of a batch, (B,)."""
    total: Tensor = values.square().flatten(1).sum(1)
    return total

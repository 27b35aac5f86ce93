"""What the yardsticks compute from features: distances of Gram matrices, of Gaussians and of self-similarities."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

MOST_POSITIONS: Final = 1024
BLOCK: Final = 512
_NEGLIGIBLE: Final = 1e-12  # eigenvalues under this share of the largest are rounding errors of float64


def distance(a: Tensor, b: Tensor) -> float:
    """|a - b|^2 / (|a|^2 + |b|^2): 0 for equal, at most 1 where no product is negative; 0 for two zeros."""
    energy = float(a.square().sum() + b.square().sum())
    return float((a - b).square().sum()) / energy if energy else 0.0


def first_moment(features: Tensor) -> Tensor:
    """Mean over the positions of features (1, C, H, W): (C,) float64 on the CPU."""
    return _positions(features).mean(0).cpu()


def covariance(features: Tensor) -> Tensor:
    """Covariance over the positions of features (1, C, H, W): (C, C) float64 on the CPU.

    In float64, as the square roots that follow would turn a relative error of 1e-7 into one of 3e-4 per channel. Of many positions
    only the sums over blocks are: within a block float32 is exact enough (measured: it moves a Gaussian distance by under 3e-8) and
    takes half the time.
    """
    flat = features[0].flatten(1).T
    # The mean goes before the product: features after a relu lie far from 0, and the difference of two large matrices is inexact.
    mean = flat.sum(0, dtype=torch.float64) / len(flat)
    kind = torch.float64 if len(flat) <= BLOCK else flat.dtype
    near = mean.to(kind)
    total = torch.zeros(2 * (flat.shape[1],), dtype=torch.float64, device=flat.device)
    for block in torch.split(flat, BLOCK):
        apart = block.to(kind) - near
        total += apart.T @ apart
    return (total / len(flat)).cpu()


def mixture(moments: Sequence[tuple[Tensor, Tensor, float]]) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a mixture, from the (mean, covariance, share) of its parts; shares sum to 1."""
    mean = torch.stack([share * part for part, _, share in moments]).sum(0)
    squares = [share * (spread + torch.outer(part - mean, part - mean)) for part, spread, share in moments]
    return mean, torch.stack(squares).sum(0)


def root(spread: Tensor) -> Tensor:
    """R (C, K) with R R^T the covariance (C, C), without the directions in which nothing varies."""
    values, vectors = torch.linalg.eigh(spread)
    kept = values > _NEGLIGIBLE * values[-1].clamp(min=0)
    found: Tensor = vectors[:, kept] * values[kept].sqrt()
    return found


def gaussian_distance(mean: Tensor, spread: Tensor, other_mean: Tensor, other_root: Tensor) -> float:
    """Wasserstein-2 distance of two Gaussians, squared, over its value for two that share nothing: from 0 to 1.

    W^2 = |m - n|^2 + tr S + tr T - 2 tr (T^1/2 S T^1/2)^1/2 (Dowson and Landau 1982), divided by |m - n|^2 + tr S + tr T.
    The other Gaussian is given by its mean and the `root` R of its covariance T = R R^T: R^T S R has the eigenvalues of the
    product above that are not 0. Two equal points have distance 0; a point and anything that varies have distance 1.
    """
    between = float((mean - other_mean).square().sum())
    most = between + float(spread.trace()) + float(other_root.square().sum())
    if not most:
        return 0.0
    shared = torch.linalg.eigvalsh(other_root.T @ spread @ other_root).clamp(min=0).sqrt().sum()
    return max(0.0, 1 - 2 * float(shared) / most)


def directions(features: Tensor) -> Tensor:
    """Features (1, C, H, W) as unit vectors (positions, C) on a fixed grid of at most MOST_POSITIONS; a zero stays zero."""
    _, _, height, width = features.shape
    stride = 1
    while -(-height // stride) * -(-width // stride) > MOST_POSITIONS:
        stride += 1
    grid = features[0, :, ::stride, ::stride].flatten(1).T
    lengths: Tensor = grid.norm(dim=1, keepdim=True)
    return grid / lengths.clamp(min=torch.finfo(grid.dtype).tiny)


def similarities(features: Tensor) -> Tensor:
    """Cosines between the features (1, C, H, W) at all pairs of positions of the grid of `directions`, (positions, positions)."""
    unit = directions(features)
    return unit @ unit.T


def structure_distance(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference of the cosine distances between all pairs of positions, from the `similarities` of two pictures.

    After the content loss of STROTSS (Kolkin et al. 2019), with two departures: distances are not divided by
    their column sums, so that 1 is a bound and a flat picture is no special case, and all positions are taken, not a draw.
    It sees which places are alike, not what they look like: another palette leaves it alone. From 0 to 1 for relu layers.
    """
    return float((a - b).abs_().mean())


def _positions(features: Tensor) -> Tensor:
    """(positions, C) in float64, a copy."""
    return features[0].flatten(1).T.to(torch.float64, copy=True)

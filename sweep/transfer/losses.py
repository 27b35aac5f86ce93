"""The losses, as pure functions of features and pictures (docs/design.md, section 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor

EPSILON = 1e-12  # keeps a loss finite for features that are all zero; far under any real |P|^2


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """G = F F^T / M for features (B, C, H, W) with M = H W positions; (B, C, C).

    Gatys et al. 2016, equation 3, except that the paper's Gram matrix is not divided by M: the relative style loss compares
    pictures of different sizes. Each factor is divided by sqrt(M) before the product, so that large features do not overflow;
    or, position by position, by a guide (1, 1, H, W) that stands for a region (style_losses.guide_of).
    """
    batch, channels, height, width = features.shape
    # (B, M, C): a view for features in channels_last, no copy.
    flat = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
    flat = flat / ((height * width) ** 0.5 if guide is None else guide.reshape(1, height * width, 1))
    gram: Tensor = flat.transpose(1, 2) @ flat
    return gram


def relative_content_loss(features: Tensor, target: Tensor, bound: Tensor | None = None) -> Tensor:
    """|F - P|^2 / (|P|^2 + eps): 0 for the photograph itself, 1 for features that are all zero.

    The paper's content loss is 1/2 |F - P|^2 (Gatys et al. 2016, equation 1); ours is divided by the photograph's own
    energy instead, so that one alpha means the same for every layer, size and network. `bound` is content_bound(target), for
    callers that have it at hand.
    """
    return energy(features - target) / (content_bound(target) if bound is None else bound)


def content_bound(target: Tensor) -> Tensor:
    """|P|^2 + eps."""
    return energy(target) + EPSILON


def relative_style_loss(gram: Tensor, target: Tensor, start: Tensor) -> Tensor:
    """|G - A|^2 / (|A|^2 + |G_0|^2 + eps) for the Gram matrix of the picture, of the style and of the photograph (G_0).

    At most 1 for the photograph itself, as Gram matrices have a non-negative inner product; 0 for the style's statistics.
    The paper divides by 4 N^2 M^2 (Gatys et al. 2016, equation 4); the bound |A|^2 + |G|^2 is that of Cheng et al. 2021
    (arXiv:2104.10064), taken at the photograph so that it is a constant.
    """
    return energy(gram - target) / style_bound(target, start)


def style_bound(target: Tensor, start: Tensor) -> Tensor:
    """|A|^2 + |G_0|^2 + eps."""
    return energy(target) + energy(start) + EPSILON


def tv_loss(image: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down plus across, of a picture (B, 3, H, W)."""
    down = image[..., 1:, :] - image[..., :-1, :]
    across = image[..., :, 1:] - image[..., :, :-1]
    return down.square().mean() + across.square().mean()


def weighted_mean(losses: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Mean of scalar losses; only the proportions of the weights matter."""
    total = float(sum(weights))
    return torch.stack([loss * (weight / total) for loss, weight in zip(losses, weights, strict=True)]).sum()


def energy(values: Tensor) -> Tensor:
    """The sum of squares."""
    total: Tensor = values.square().sum()
    return total

"""The losses of K. Crowson's style-transfer-pytorch (2023), written out from their formulas: what `benchmarks/ahead.py` runs against.

alpha * mean (F - P)^2 at relu4_2 + sum over layers of w * W2 + tv * nine-point total variation, with the layer weights
256:64:16:4:1 of relu1_1..relu5_1 and W2 = mean |m - n|^2 + mean diag(S + T - 2 (T^1/2 S T^1/2)^1/2) of mean and covariance, to
which 1e-4 is added on the diagonal. Its features are those of a network whose input is divided by its deviation: features of
0-255 networks are divided by 57.6, so that its numbers (content 0.015, tv 2) mean what they mean there. Replicate padding is
before the first convolution only, as there.
"""

from collections.abc import Collection
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from sweep.transfer.networks import Features
from sweep.transfer.objective import caffe_units
from sweep.transfer.targets import Source, as_image, resized_to

STYLE_WEIGHTS: Final = {"relu1_1": 256.0, "relu2_1": 64.0, "relu3_1": 16.0, "relu4_1": 4.0, "relu5_1": 1.0}
CONTENT_LAYER: Final = "relu4_2"
TV: Final = 2.0
_RIDGE: Final = 1e-4  # on the diagonal of every covariance
_UNITS: Final = caffe_units("vgg19")


class EdgeFeatures(Features):
    """A network whose first convolution, and no other, sees the edge repeated."""

    def _convolved(self, name: str, hidden: Tensor) -> Tensor:
        if name != "conv1_1":
            return super()._convolved(name, hidden)
        repeated = pad(hidden, (1, 1, 1, 1), mode="replicate").contiguous(memory_format=torch.channels_last)
        return conv2d(repeated, self.convs[name].weight, self.convs[name].bias)  # type: ignore[arg-type]


class WassersteinObjective:
    """Called with a picture (1, 3, H, W): the value to minimise, and the unweighted losses (content, style, tv)."""

    def __init__(self, features: EdgeFeatures, sources: tuple[Source, Source], size: tuple[int, int], alpha: float) -> None:
        self._features, self._alpha = features, alpha
        content, style = sources
        height, width = style.pixels.shape[:2]
        scale = min(1.0, max(size) / max(height, width))
        with torch.no_grad():
            self._content = self._read(content, size, [CONTENT_LAYER])[CONTENT_LAYER]
            painted = self._read(style, (round(height * scale), round(width * scale)), STYLE_WEIGHTS)
            self._style = {layer: _moments(painted[layer]) for layer in STYLE_WEIGHTS}
            self._roots = {layer: _root(spread) for layer, (_, spread) in self._style.items()}

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        taps = {layer: tap / _UNITS for layer, tap in self._features(image, {CONTENT_LAYER, *STYLE_WEIGHTS}).items()}
        content = (taps[CONTENT_LAYER] - self._content).square().mean()
        total = sum(STYLE_WEIGHTS.values())
        style = torch.stack([self._apart(layer, taps[layer]) * (weight / total) for layer, weight in STYLE_WEIGHTS.items()]).sum()
        losses = torch.stack([content, style, nine_point_variation(image)])
        return (self._alpha * content + style + TV * losses[2]).reshape(1), losses.detach().reshape(1, 3)

    def _read(self, source: Source, size: tuple[int, int], layers: Collection[str]) -> dict[str, Tensor]:
        image = as_image(resized_to(source.pixels, *size), torch.device("cpu"))
        return {layer: tap / _UNITS for layer, tap in self._features(image, layers).items()}

    def _apart(self, layer: str, features: Tensor) -> Tensor:
        (mean, spread), (goal, wanted), root = _moments(features), self._style[layer], self._roots[layer]
        overlap = _root_trace(root @ spread @ root)
        return (mean - goal).square().mean() + (spread.trace() + wanted.trace() - 2 * overlap) / len(mean)


def nine_point_variation(image: Tensor) -> Tensor:
    """Mean squared differences of neighbours, 2/3 of those beside and below, 1/6 of the diagonal ones; edges repeated."""
    wide = pad(image, (1, 1, 1, 1), mode="replicate")
    inner = wide[..., 1:-1, 1:-1]
    straight = (wide[..., 1:-1, 2:] - inner).square().mean() + (wide[..., 2:, 1:-1] - inner).square().mean()
    falling, rising = wide[..., 1:, 1:] - wide[..., :-1, :-1], wide[..., 1:, :-1] - wide[..., :-1, 1:]
    return straight * 2 / 3 + (falling.square().mean() + rising.square().mean()) / 6


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C), the ridge on its diagonal."""
    flat = features[0].permute(1, 2, 0).flatten(0, 1)
    mean = flat.mean(0)
    centred = flat - mean
    return mean, centred.T @ centred / len(flat) + _RIDGE * torch.eye(len(mean))


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix.double())
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root.float()


def _root_trace(matrix: Tensor) -> Tensor:
    """tr A^1/2. The ridge bounds the eigenvalues from below, so the gradient of their roots needs no floor."""
    values: Tensor = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    return values.clamp(min=_RIDGE**2).sqrt().sum()

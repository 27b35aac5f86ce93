"""Yardsticks of a finished picture, protocol y1 (docs/design.md, section 4): the same whatever the run's settings were."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.images import resized, resized_to
from sweep.transfer.networks import Features
from sweep.transfer.recipe import SMALLEST_SIDE
from sweep.transfer.targets import Source, TargetCache, Targets

PROTOCOL: Final = "y1"
NETWORK: Final = "vgg16-hed"
LONG_SIDE: Final = 256
CONTENT_LAYER: Final = "relu4_2"
STYLE_LAYERS: Final = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
DEEPEST: Final = "relu5_1"
SMALLEST_ANCHOR: Final = 1e-6
NAMES: Final = ("content_kept", "style_gained", "balance", "d_content", "d_style")


class YardstickMeter:
    """Measures pictures with the features of vgg16-hed (up to relu5_1 at least)."""

    def __init__(self, features: Features, cache: TargetCache | None = None, device: str = "cpu") -> None:
        assert features.network == NETWORK, "protocol y1 is defined by vgg16-hed"
        place = torch.device(device)
        self._inputs = Targets(features.to(place), TargetCache(64 * 2**20) if cache is None else cache, place)
        self._once = Targets(features, TargetCache(0), place)  # a measured picture is not seen again

    def measure(self, picture: np.ndarray, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]]) -> dict[str, float | None]:
        """The yardsticks of a saved picture, by NAMES; all pixels (H, W, 3) uint8, style weights of any sum.

        A value is None where its anchor distance is under 1e-6 (nothing to be gained or lost), and all are where a picture
        is so thin that nothing is left of it at relu5_1.
        """
        small = resized(picture, LONG_SIDE)
        size = small.shape[0], small.shape[1]
        # The style at the picture's own long side, as a run sees it: strokes are compared at one scale.
        own = [(resized(pixels, max(size)), weight / sum(w for _, w in styles)) for pixels, weight in styles]
        if min(*size, *(min(pixels.shape[:2]) for pixels, _ in own)) < SMALLEST_SIDE:
            return dict.fromkeys(NAMES)
        photograph = _source(resized_to(content, *size))
        d_content, content_anchor = self._content(_source(small), photograph, [(_source(p), w) for p, w in styles], size)
        d_style, style_anchor = self._style(_source(small), photograph, [(_source(p), w) for p, w in own])
        kept = None if content_anchor < SMALLEST_ANCHOR else 1 - d_content / content_anchor
        gained = None if style_anchor < SMALLEST_ANCHOR else 1 - d_style / style_anchor
        balance = None if kept is None or gained is None else max(0.0, kept) ** 0.4 * max(0.0, gained) ** 0.6
        return dict(zip(NAMES, (kept, gained, balance, d_content, d_style), strict=True))

    def _content(
        self, picture: Source, photograph: Source, styles: list[tuple[Source, float]], size: tuple[int, int]
    ) -> tuple[float, float]:
        """d_content of the picture, and its anchor: that of the style pasted in (the weighted mean over a blend)."""
        target = self._inputs.features(photograph, size, [CONTENT_LAYER])[CONTENT_LAYER]
        found = self._once.features(picture, size, [CONTENT_LAYER])[CONTENT_LAYER]
        total = sum(weight for _, weight in styles)
        anchor = 0.0
        for style, weight in styles:
            pasted = self._inputs.features(style, size, [CONTENT_LAYER])[CONTENT_LAYER]
            anchor += weight / total * distance(pasted, target)
        return distance(found, target), anchor

    def _style(self, picture: Source, photograph: Source, styles: list[tuple[Source, float]]) -> tuple[float, float]:
        """d_style of the picture, and its anchor: that of the untouched photograph."""
        target: dict[str, Tensor] = {}
        for style, weight in styles:
            for layer, gram in self._grams(self._inputs, style).items():
                target[layer] = target[layer] + weight * gram if layer in target else weight * gram
        found, start = self._grams(self._once, picture), self._grams(self._inputs, photograph)
        return _mean_distance(found, target), _mean_distance(start, target)

    @staticmethod
    def _grams(targets: Targets, source: Source) -> dict[str, Tensor]:
        return targets.grams(source, (source.pixels.shape[0], source.pixels.shape[1]), STYLE_LAYERS)


def distance(a: Tensor, b: Tensor) -> float:
    """|a - b|^2 / (|a|^2 + |b|^2): 0 for equal, at most 1 where no product is negative; 0 for two zeros."""
    energy = float(a.square().sum() + b.square().sum())
    return float((a - b).square().sum()) / energy if energy else 0.0


def _mean_distance(found: dict[str, Tensor], target: dict[str, Tensor]) -> float:
    return sum(distance(found[layer], target[layer]) for layer in STYLE_LAYERS) / len(STYLE_LAYERS)


def _source(pixels: np.ndarray) -> Source:
    return Source(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(), pixels)

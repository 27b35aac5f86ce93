"""Reads all that the yardsticks ask of a picture from one pass through the network, and remembers what is asked again."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.images import resized, resized_to
from sweep.transfer.losses import gram_matrix
from sweep.transfer.measures import covariance, first_moment, similarities
from sweep.transfer.measures_pixels import palette
from sweep.transfer.networks import Features
from sweep.transfer.recipe import SMALLEST_SIDE
from sweep.transfer.targets import Key, Source, TargetCache, as_image

Kind = Literal["features", "gram", "similarities", "mean", "covariance", "palette"]
_FROM_FEATURES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "features": lambda tensor: tensor,
    "gram": gram_matrix,
    "similarities": similarities,
    "mean": first_moment,
    "covariance": covariance,
}
_LARGE: Final = ("covariance",)  # not kept: it is asked for once, on the way to something smaller


@dataclass(frozen=True)
class Want:
    """Something to be read: `kind` at `layer` (a palette has none)."""

    kind: Kind
    layer: str = ""


class Reader:
    """Reads pictures through a network; `cache` is None where no picture comes twice."""

    def __init__(self, features: Features, cache: TargetCache | None, device: torch.device) -> None:
        self._features, self._cache, self._device = features, cache, device

    def read(self, source: Source, size: tuple[int, int], wants: Collection[Want]) -> dict[Want, Tensor]:
        """What is wanted of the source scaled to size (height, width), in one pass at most."""
        found = {want: self.recall(source.key, size, want.kind, want.layer) for want in wants}
        missing = [want for want, tensor in found.items() if tensor is None]
        if missing:
            pixels = resized_to(source.pixels, *size)
            layers = {want.layer for want in missing if want.layer}
            with torch.no_grad():
                taps = self._features(as_image(pixels, self._device), layers) if layers else {}
                for want in missing:
                    read = _FROM_FEATURES[want.kind](taps[want.layer]) if want.layer else torch.from_numpy(palette(pixels))
                    found[want] = read
                    if want.kind not in _LARGE:
                        self.remember(source.key, size, (want.kind, want.layer), read)
        return {want: tensor for want, tensor in found.items() if tensor is not None}

    def recall(self, name: str, size: tuple[int, int], kind: str, layer: str = "") -> Tensor | None:
        """What was remembered under that name, size, kind and layer, if anything."""
        return None if self._cache is None else self._cache.get(self._key(name, size, kind, layer))

    def remember(self, name: str, size: tuple[int, int], what: tuple[str, str], tensor: Tensor) -> None:
        """Remember a tensor under a name, size and (kind, layer)."""
        if self._cache is not None:
            self._cache.put(self._key(name, size, *what), tensor)

    def _key(self, name: str, size: tuple[int, int], kind: str, layer: str) -> Key:
        return name, size, self._features.content_hash, kind, f"{layer}@{self._device}"


@dataclass(frozen=True)
class Question:
    """A picture and what it is compared with, at the size that is measured."""

    size: tuple[int, int]
    picture: Source
    photograph: Source
    pasted: list[tuple[Source, float]]  # the styles, to be scaled to the picture's shape
    own: list[tuple[Source, float]]  # the styles at the picture's long side, as a run sees them: strokes are compared at one scale

    @property
    def style_key(self) -> str:
        """The name of the blend."""
        return "+".join(f"{style.key}*{share!r}" for style, share in self.own)

    @property
    def thin(self) -> bool:
        """Whether nothing is left of a picture at relu5_1."""
        return min(*self.size, *(side for style, _ in self.own for side in shape(style))) < SMALLEST_SIDE


def asked(picture: np.ndarray, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], long_side: int) -> Question:
    """The question that a meter answers: at long side `long_side`, or the picture's own where that is less."""
    small = resized(picture, long_side)
    size = small.shape[0], small.shape[1]
    total = sum(weight for _, weight in styles)
    shares = [(pixels, weight / total) for pixels, weight in styles]
    return Question(
        size,
        _source(small),
        _source(resized_to(content, *size)),
        [(_source(pixels), share) for pixels, share in shares],
        [(_source(resized(pixels, max(size))), share) for pixels, share in shares],
    )


def shape(source: Source) -> tuple[int, int]:
    """(height, width) of a source."""
    return source.pixels.shape[0], source.pixels.shape[1]


def _source(pixels: np.ndarray) -> Source:
    return Source(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(), pixels)

"""What the losses compare with: features of the photograph, Gram matrices of styles, computed once and kept."""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.controls import StyleLoss
from sweep.transfer.images import resized_to
from sweep.transfer.losses import gram_matrix
from sweep.transfer.networks import Features
from sweep.transfer.style_losses import guide_of, statistic

Key = tuple[str, tuple[int, int], str, str, str]


@dataclass(frozen=True)
class Source:
    """An input picture: `pixels` (H, W, 3) uint8 sRGB, and a `key` (its content hash) under which targets are remembered."""

    key: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Mask:
    """Where a region is: `weights` (H, W) float32 in [0, 1], and a `key` of its own."""

    key: str
    weights: np.ndarray

    def at(self, size: tuple[int, int], device: torch.device) -> Tensor:
        """(height, width), each value the mean of the mask over its area."""
        whole = torch.from_numpy(self.weights)[None, None]
        return torch.nn.functional.interpolate(whole, size, mode="area")[0, 0].to(device)


class TargetCache:
    """Features and Gram matrices by image, size, network and layer; the least recently used go first.

    One per process; not for use by several threads at once.
    """

    def __init__(self, limit_bytes: int = 512 * 2**20) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._entries: OrderedDict[Key, Tensor] = OrderedDict()

    def get(self, key: Key) -> Tensor | None:
        """The tensor of that key, or None."""
        tensor = self._entries.get(key)
        if tensor is not None:
            self._entries.move_to_end(key)
        return tensor

    def put(self, key: Key, tensor: Tensor) -> None:
        """Remember a tensor, unless it alone is over the limit."""
        size = tensor.nbytes
        if size > self.limit_bytes or key in self._entries:
            return
        self._entries[key] = tensor
        self.held_bytes += size
        while self.held_bytes > self.limit_bytes:
            _, dropped = self._entries.popitem(last=False)
            self.held_bytes -= dropped.nbytes

    def __len__(self) -> int:
        return len(self._entries)


class Targets:
    """Computes what is asked of a source at a size, through the cache. `device` is where the tensors lie."""

    def __init__(self, features: Features, cache: TargetCache, device: torch.device) -> None:
        self.network = features
        self._cache = cache
        self.device = device

    def features(self, source: Source, size: tuple[int, int], layers: Collection[str]) -> dict[str, Tensor]:
        """Features (1, C, H, W) of the source scaled to size (height, width)."""
        return self._cached(source, size, layers, "features", lambda tensor: tensor)

    def grams(self, source: Source, size: tuple[int, int], layers: Collection[str]) -> dict[str, Tensor]:
        """Gram matrices (1, C, C) of the source scaled to size (height, width)."""
        return self._cached(source, size, layers, "gram", gram_matrix)

    def statistics(
        self, source: Source, size: tuple[int, int], layers: Collection[str], kind: StyleLoss, region: Mask | None = None
    ) -> dict[str, Tensor]:
        """Style statistics (see style_losses) of the source scaled to size (height, width); of a region of it, if given."""
        if region is None:
            return self._cached(source, size, layers, kind, lambda tensor: statistic(kind, tensor))
        mask = region.at(size, self.device)

        def made(tensor: Tensor) -> Tensor:
            return statistic(kind, tensor, guide_of(mask, tensor.shape[-2], tensor.shape[-1]))

        return self._cached(source, size, layers, f"{kind}/{region.key}", made)

    def _cached(
        self,
        source: Source,
        size: tuple[int, int],
        layers: Collection[str],
        kind: str,
        made: Callable[[Tensor], Tensor],
    ) -> dict[str, Tensor]:
        keys = {layer: (source.key, size, self.network.content_hash, kind, f"{layer}@{self.device}") for layer in layers}
        found = {layer: self._cache.get(key) for layer, key in keys.items()}
        missing = [layer for layer, tensor in found.items() if tensor is None]
        if missing:
            with torch.no_grad():
                taps = self.network(as_image(resized_to(source.pixels, *size), self.device), missing)
                for layer in missing:
                    # A copy: a conv layer's features may not be shared with what runs on through the network.
                    found[layer] = made(taps[layer]).clone()
                    self._cache.put(keys[layer], found[layer])  # type: ignore[arg-type]
        return {layer: tensor for layer, tensor in found.items() if tensor is not None}


def as_image(pixels: np.ndarray, device: torch.device) -> Tensor:
    """(H, W, 3) uint8 as (1, 3, H, W) float in [0, 1]."""
    return torch.from_numpy(pixels.copy()).to(device).permute(2, 0, 1).unsqueeze(0).contiguous().float().div_(255)


def as_pixels(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) float in [0, 1] as (H, W, 3) uint8."""
    levels = image.detach().clamp(0, 1).mul(255).round_().to(torch.uint8)
    return np.ascontiguousarray(levels[0].permute(1, 2, 0).cpu().numpy())

"""What a worker is asked: a run, and where its pictures and weights come from. Without torch, which the driver does not need."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sweep.combination import RunSettings
from sweep.transfer.recipe import Recipe
from sweep.transfer.weights import Weights


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One run for a worker. device: 'auto' (CUDA where gpus were asked for and are there), 'cpu' or 'cuda'.

    text: what is written into the picture's file. threads: of the CPU; part of what makes a picture bit-equal.
    content_size: (height, width) of the photograph's file, which a size by area needs. snapshots: how many, or after which steps.
    start_step: the step after which it goes on, from the state that `Inputs.checkpoint` gives; 0: from the beginning.
    gpu: the number of its GPU among those that the process sees; said on the node.
    """

    run_key: str
    attempt: int
    settings: RunSettings
    device: str = "auto"
    gpus: float = 0.0
    threads: int = 1
    text: Mapping[str, str] = field(default_factory=dict)
    content_size: tuple[int, int] | None = None
    snapshots: int | frozenset[int] = 0
    start_step: int = 0
    gpu: int = 0


class Inputs(Protocol):
    """Where a worker gets pictures and weights from."""

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W, 3) uint8 sRGB, shrunk to the long side."""

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W) uint8, 255 inside, shrunk to the long side."""

    def weights(self, network: str, network_hash: str) -> Weights:
        """The weights of that identity."""

    def checkpoint(self, run_key: str) -> bytes:
        """The state that a run goes on from; asked for only where a request has a start_step. Raises StorageError without one."""


def picture_side(request: RunRequest) -> int:
    """The long side, in pixels, of the picture of a run, where its photograph is that large."""
    settings = request.settings.settings
    if settings.size_by == "long_side":
        return settings.size
    assert request.content_size is not None, "a size by area needs the photograph's own"
    return Recipe.of(vars(settings)).long_side(*request.content_size)


def style_side(request: RunRequest) -> int:
    """The long side, in pixels, at which a run reads its styles."""
    return max(1, math.ceil(picture_side(request) * request.settings.settings.style_scale))


def pictures_of(request: RunRequest) -> set[tuple[str, int]]:
    """(SHA-256, long side) of every picture a run reads; the yardsticks measure the styles at the run's own size."""
    styles = [sha256 for sha256, _ in request.settings.style]
    side = picture_side(request)
    sizes = {side, style_side(request)}
    return {(request.settings.content, side), *((sha256, size) for sha256 in styles for size in sizes)}


def masks_of(request: RunRequest) -> set[tuple[str, int]]:
    """(SHA-256, long side) of every mask a run reads."""
    return {(mask, picture_side(request)) for mask, _ in request.settings.regions}

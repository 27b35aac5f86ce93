"""What a worker is asked: a run, where its pictures and weights come from, and the problem that it means."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sweep.combination import RunSettings, normalised_weights
from sweep.combination import Weights as Weighted
from sweep.transfer.images import resized_to
from sweep.transfer.problem import Problem, Region, Styles
from sweep.transfer.recipe import Recipe
from sweep.transfer.targets import Source
from sweep.transfer.weights import Weights


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One run for a worker. device: 'auto' (CUDA where gpus were asked for and are there), 'cpu' or 'cuda'.

    text: what is written into the picture's file. threads: of the CPU; part of what makes a picture bit-equal.
    content_size: (height, width) of the photograph's file, which a size by area needs. snapshots: how many, or after which steps.
    start_step: the step after which it goes on, from the state that `Inputs.checkpoint` gives; 0: from the beginning.
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


def style_shares(request: RunRequest, problem: Problem) -> Weighted:
    """Each style with its share of the picture, which for a region is one of its area."""
    if not problem.regions:
        return request.settings.style
    weighed: dict[str, float] = {}
    for (_, styles), region in zip(request.settings.regions, problem.regions, strict=True):
        for sha256, share in styles:
            weighed[sha256] = weighed.get(sha256, 0.0) + share * region.area
    return normalised_weights(weighed)


_CONTROLS = ("style_scale", "pooling", "padding", "colors", "style_loss", "loss", "dtype")


def problem_of(request: RunRequest, inputs: Inputs) -> Problem:
    """What a run minimises, with its pictures at hand. Raises InputError, or what the inputs raise."""
    run_settings, settings = request.settings, request.settings.settings
    side = picture_side(request)

    def source(sha256: str, long_side: int) -> Source:
        # Shrunk twice a picture is not quite the same as shrunk once, so targets are kept apart by what they were made from.
        pixels = inputs.pixels(sha256, long_side)
        return Source(key=f"{sha256} {pixels.shape[0]}x{pixels.shape[1]}", pixels=pixels)

    def sources(shares: Weighted) -> Styles:
        return tuple((source(sha256, style_side(request)), share) for sha256, share in shares)

    content = source(run_settings.content, side)
    # To the photograph's shape: two pictures of nearly one aspect may differ by more than the engine allows once they are tiny.
    masks = [resized_to(inputs.mask(sha256, side), *content.pixels.shape[:2]) for sha256, _ in run_settings.regions]
    regions = zip(masks, (shares for _, shares in run_settings.regions), strict=True)
    return Problem(
        content=content,
        styles=() if run_settings.regions else sources(run_settings.style),
        regions=tuple(Region(mask=mask, styles=sources(shares)) for mask, shares in regions),
        **{name: getattr(settings, name) for name in _CONTROLS},
        alpha=run_settings.alpha,
        beta=run_settings.beta,
        tv=run_settings.tv,
        content_layers=dict(run_settings.content_layers),
        style_layers=dict(run_settings.style_layers),
        # By area too the side is fixed here: the photograph that is at hand was shrunk, and its rounded shape would give another.
        recipe=Recipe.of({**vars(settings), "size": side, "size_by": "long_side"}),
    )

"""One process's side of a run: requests in, events out. Knows no Ray, no database and no network (of cables).

Caches live as long as the process: each network is built once, targets and yardstick anchors are computed once.
"""

import math
import os
import platform
import resource
import socket
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Protocol

import numpy as np
import torch

from sweep import __version__
from sweep.combination import RunSettings, normalised_weights
from sweep.combination import Weights as Weighted
from sweep.errors import InputError, StylesweepError, SurroundingsError
from sweep.events import Diverged, Event, Failed, Finished, PictureFile, Progress, Snapshot, Started
from sweep.transfer import yardsticks
from sweep.transfer.images import encode_png, encode_thumbnail, mean_colour, resized_to
from sweep.transfer.networks import Features
from sweep.transfer.presets import NETWORKS, layer_names
from sweep.transfer.problem import Region, Styles
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Problem, Shot, Source, TargetCache, stylize
from sweep.transfer.weights import Weights

NETWORKS_KEPT = 2
"""The run's network and the yardsticks'."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One run for a worker. device: 'auto' (CUDA where gpus were asked for and are there), 'cpu' or 'cuda'.

    text: what is written into the picture's file. threads: of the CPU; part of what makes a picture bit-equal.
    content_size: (height, width) of the photograph's file, which a size by area needs. snapshots: how many, or after which steps.
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


class Inputs(Protocol):
    """Where a worker gets pictures and weights from."""

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W, 3) uint8 sRGB, shrunk to the long side."""

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W) uint8, 255 inside, shrunk to the long side."""

    def weights(self, network: str, network_hash: str) -> Weights:
        """The weights of that identity."""


def run(requests: Sequence[RunRequest], inputs: Inputs) -> Iterator[Event]:
    """Optimise each request and tell of it: Started, Progress..., then one of Finished, Diverged or Failed.

    The failure of one leaves the others alone. Closing the iterator stops the run it is in.
    """
    for request in requests:
        began = time.monotonic()
        try:
            yield from _run_one(request, inputs, began)
        except Exception as error:
            yield failure(request, error)


def _run_one(request: RunRequest, inputs: Inputs, began: float) -> Iterator[Event]:
    device = _device(request)
    torch.set_num_threads(request.threads)
    yield Started(
        run_key=request.run_key,
        attempt=request.attempt,
        node=socket.gethostname(),
        pid=os.getpid(),
        device=_device_name(device),
        versions=_versions(),
    )
    problem = _problem(request, inputs)
    features = _features(request.settings.settings.network, request.settings.settings.network_hash, inputs, device)
    outcome: Outcome | None = None
    try:
        for news in stylize(features, problem, _targets(), device, request.snapshots):
            if isinstance(news, Outcome):
                outcome = news
            elif isinstance(news, Shot):
                yield _snapshot(request, news)
            else:  # also without points: a sign of life, and where a back end in this process gets its turn
                yield Progress(run_key=request.run_key, attempt=request.attempt, points=tuple(news))
        assert outcome is not None
        yield _ending(request, problem, outcome, inputs, began)
    finally:
        if device.startswith("cuda"):  # a crashed or cancelled run must not keep its neighbours' memory
            torch.cuda.empty_cache()


def _ending(request: RunRequest, problem: Problem, outcome: Outcome, inputs: Inputs, began: float) -> Event:
    if not outcome.moved:
        message = "the picture did not move although its gradient was not zero: the optimiser stopped at once. Please report this run."
        return Failed(run_key=request.run_key, attempt=request.attempt, kind="stuck", error=message)
    picture = _picture_file(outcome.pixels, request.text)
    if outcome.diverged:
        return Diverged(
            run_key=request.run_key,
            attempt=request.attempt,
            step=outcome.steps,
            picture=picture,
            seconds=time.monotonic() - began,
            peak_memory=_peak_memory(outcome),
        )
    measured = _meter(inputs, _device(request)).measure(
        outcome.pixels,
        problem.content.pixels,
        [(inputs.pixels(sha256, picture_side(request)), share) for sha256, share in _shares(request, problem)],
    )
    return Finished(
        run_key=request.run_key,
        attempt=request.attempt,
        picture=picture,
        yardsticks=measured,
        protocol=yardsticks.PROTOCOL,
        steps=outcome.steps,
        seconds=time.monotonic() - began,
        optimise_seconds=outcome.optimise_seconds,
        peak_memory=_peak_memory(outcome),
    )


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


def _shares(request: RunRequest, problem: Problem) -> Weighted:
    """Each style with its share of the picture, which for a region is one of its area."""
    if not problem.regions:
        return request.settings.style
    weighed: dict[str, float] = {}
    for (_, styles), region in zip(request.settings.regions, problem.regions, strict=True):
        for sha256, share in styles:
            weighed[sha256] = weighed.get(sha256, 0.0) + share * region.area
    return normalised_weights(weighed)


_CONTROLS = ("style_scale", "pooling", "padding", "colors", "style_loss", "loss", "dtype")


def _problem(request: RunRequest, inputs: Inputs) -> Problem:
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


def _snapshot(request: RunRequest, shot: Shot) -> Snapshot:
    """Without a recipe in its file: that would make the finished picture, not this one."""
    return Snapshot(run_key=request.run_key, attempt=request.attempt, step=shot.step, picture=_picture_file(shot.pixels, {}))


def _picture_file(pixels: np.ndarray, text: Mapping[str, str]) -> PictureFile:
    return PictureFile(
        data=encode_png(pixels, text),
        format="png",
        width=pixels.shape[1],
        height=pixels.shape[0],
        mean_colour=mean_colour(pixels),
        thumbnail=encode_thumbnail(pixels),
    )


def failure(request: RunRequest, error: Exception) -> Failed:
    """What went wrong with a request, by whose fault it is. Called while the error is handled: its traceback is recorded."""
    kind = "bug"
    if isinstance(error, InputError):
        kind = "input"
    elif isinstance(error, SurroundingsError | OSError):
        kind = "surroundings"
    elif isinstance(error, torch.OutOfMemoryError | MemoryError):
        kind = "oom"
    message = str(error) if isinstance(error, StylesweepError) else f"{type(error).__name__}: {error}"
    return Failed(
        run_key=request.run_key,
        attempt=request.attempt,
        kind=kind,  # type: ignore[arg-type]
        error=message,
        traceback="" if isinstance(error, StylesweepError) else traceback.format_exc(),
    )


# Caches of this process.
_NETWORKS: OrderedDict[tuple[str, str], Features] = OrderedDict()


def _features(network: str, network_hash: str, inputs: Inputs, device: str) -> Features:
    """The whole network, once per process and device; a run computes it only as deep as it needs."""
    key = (network_hash, device)
    if key not in _NETWORKS:
        deepest = [name for name in layer_names(network) if name.startswith("relu")][-1]
        _NETWORKS[key] = Features(inputs.weights(network, network_hash), deepest).to(device)
        while len(_NETWORKS) > NETWORKS_KEPT:
            _NETWORKS.popitem(last=False)
    _NETWORKS.move_to_end(key)
    return _NETWORKS[key]


@cache
def _targets() -> TargetCache:
    return TargetCache()


@cache
def _anchors() -> TargetCache:
    return TargetCache(64 * 2**20)


def _meter(inputs: Inputs, device: str) -> yardsticks.YardstickMeter:
    info = NETWORKS[yardsticks.NETWORK]
    return yardsticks.YardstickMeter(_features(info.name, info.source_hash, inputs, device), _anchors(), device)


def _device(request: RunRequest) -> str:
    """Chosen explicitly: a task without a GPU must not touch one, though Ray may let it see all of them."""
    if request.device == "cpu" or (request.device == "auto" and not (request.gpus > 0 and torch.cuda.is_available())):
        return "cpu"
    if not torch.cuda.is_available():
        raise SurroundingsError(f"resources.device is 'cuda', but torch {torch.__version__} on {socket.gethostname()} finds no GPU.")
    return "cuda"


def _device_name(device: str) -> str:
    return f"cuda {torch.cuda.get_device_name()}" if device == "cuda" else f"cpu {platform.machine()}"


@cache
def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("numpy", "pillow")}
    cuda = {"cuda": torch.version.cuda} if torch.version.cuda else {}
    return {"stylesweep": __version__, "python": platform.python_version(), "torch": str(torch.__version__), **packages, **cuda}


def _peak_memory(outcome: Outcome) -> int:
    """Bytes: of the GPU where one was used, else the most this process has held (it may be from an earlier run)."""
    if outcome.peak_bytes is not None:
        return outcome.peak_bytes
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale

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
from collections.abc import Generator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from sweep.transfer.cost import peak_bytes
from sweep.transfer.images import encode_png, encode_thumbnail, mean_colour, resized_to
from sweep.transfer.networks import Features
from sweep.transfer.presets import NETWORKS, deepest_layer, layer_names
from sweep.transfer.problem import Region, Styles
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import News, Outcome, Problem, Shot, Source, TargetCache, check_problem, pack_key, stylize_pack
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


@dataclass(eq=False)
class _Member:
    """A request under way. notes: what had to be done differently to get it through; for the attempt's record."""

    request: RunRequest
    problem: Problem
    features: Features
    device: str
    began: float
    notes: list[str] = field(default_factory=list)
    freed: bool = False  # everything that was cached was dropped for it
    ended: bool = False


def run(requests: Sequence[RunRequest], inputs: Inputs) -> Iterator[Event]:
    """Optimise each request and tell of it: Started, Progress and Snapshots, then one of Finished, Diverged or Failed.

    Those that make one pack (stylize.pack_key) go through the network together: that fills a GPU with small pictures. The failure
    of one leaves the others alone. A pack that does not fit into memory goes on in halves. Closing the iterator stops all.
    """
    packs: dict[Hashable, list[_Member]] = {}
    for request in requests:
        try:
            device = _device(request)
            torch.set_num_threads(request.threads)
            yield _started(request, device)
            member = _member(request, inputs, device)
            packs.setdefault((device, request.threads, id(member.features), pack_key(member.problem)), []).append(member)
        except Exception as error:
            yield failure(request, error)
    for members in packs.values():
        torch.set_num_threads(members[0].request.threads)
        yield from _run_pack(members, inputs)


def _started(request: RunRequest, device: str) -> Started:
    return Started(
        run_key=request.run_key,
        attempt=request.attempt,
        node=socket.gethostname(),
        pid=os.getpid(),
        device=_device_name(device),
        versions=_versions(),
    )


def _member(request: RunRequest, inputs: Inputs, device: str) -> _Member:
    began = time.monotonic()
    problem = _problem(request, inputs)
    settings = request.settings.settings
    features = _features(settings.network, settings.network_hash, inputs, device)
    check_problem(features, problem)
    return _Member(request, problem, features, device, began)


def _run_pack(members: Sequence[_Member], inputs: Inputs) -> Iterator[Event]:
    trouble = yield from _try_pack(members, inputs)
    left = [member for member in members if not member.ended]
    if trouble is None or not left:
        return
    parts = [left]
    alone = len(members) == 1
    if alone and (left[0].freed or not trouble.out_of_memory):
        yield trouble.failures[0]
        return
    if alone:
        _forget_everything()
        left[0].freed = True
        left[0].notes.append("Memory ran out; it was tried again after everything that was kept for other runs had been dropped.")
    elif trouble.out_of_memory:
        for member in left:
            member.notes.append(f"Memory ran out in a pack of {len(members)}; it went on in halves.")
        parts = [left[: len(left) // 2], left[len(left) // 2 :]]
    else:
        parts = [[member] for member in left]  # whose fault it was shows when each is alone
    for part in parts:
        yield from _run_pack(part, inputs) if part else ()


@dataclass(frozen=True)
class _Trouble:
    out_of_memory: bool
    failures: list[Failed]


def _try_pack(members: Sequence[_Member], inputs: Inputs) -> Generator[Event, None, _Trouble | None]:
    """Run a pack; what ended it before its time, without the exception: that would hold on to every tensor of the pack."""
    first = members[0]
    problems, snapshots = [member.problem for member in members], [member.request.snapshots for member in members]
    try:
        for place, news in stylize_pack(first.features, problems, _targets(), first.device, snapshots):
            yield _event(members[place], news, len(members), inputs)
    except Exception as error:
        failures = [failure(member.request, error) for member in members if not member.ended]
        if not is_out_of_memory(error):
            return _Trouble(False, failures)
        return _Trouble(True, [replace(one, kind="oom", error=_too_large(first), traceback="") for one in failures])
    finally:
        if first.device.startswith("cuda"):  # a crashed or cancelled run must not keep its neighbours' memory
            torch.cuda.empty_cache()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of a device or of the host; torch raises a plain RuntimeError for the latter."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(mark in said for mark in ("can't allocate memory", "out of memory", "std::bad_alloc"))
    )


def _too_large(member: _Member) -> str:
    settings, problem = member.request.settings.settings, member.problem
    deepest = deepest_layer(settings.network, problem.content_layers, problem.style_layers)
    height, width = problem.content.pixels.shape[:2]
    bytes_needed = peak_bytes(settings.network, deepest, height, width, problem.recipe)
    ways = "lower `size`" + (", or lower `history`" if settings.recipe == "gatys" else "")
    ways += ", or set `dtype: bfloat16`" if settings.dtype == "float32" and member.device != "cpu" else ""
    return (
        f"{_device_name(member.device)} on {socket.gethostname()} has no memory for it: it needs about {bytes_needed / 2**30:.1f} GiB. "
        f"In the sweep's file, {ways}; or let fewer runs share a device (`resources`)."
    )


def _event(member: _Member, news: News, together: int, inputs: Inputs) -> Event:
    """What the optimiser told of a member, as an event. `together`: how many shared its time."""
    request = member.request
    if isinstance(news, Shot):
        return _snapshot(request, news)
    if not isinstance(news, Outcome):  # also without points: a sign of life, and where a back end in this process gets its turn
        return Progress(run_key=request.run_key, attempt=request.attempt, points=tuple(news))
    member.ended = True
    try:
        return _ending(member, news, (time.monotonic() - member.began) / together, inputs)
    except Exception as error:  # of this one alone: measuring, encoding
        return failure(request, error)


def _ending(member: _Member, outcome: Outcome, seconds: float, inputs: Inputs) -> Event:
    request, problem = member.request, member.problem
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
            seconds=seconds,
            peak_memory=_peak_memory(outcome),
            notes=tuple(member.notes),
        )
    measured = _meter(inputs, _device(request)).measure_all(
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
        seconds=seconds,
        optimise_seconds=outcome.optimise_seconds,
        peak_memory=_peak_memory(outcome),
        notes=tuple(member.notes),
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
    elif is_out_of_memory(error):
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


def _forget_everything() -> None:
    _targets.cache_clear()
    _anchors.cache_clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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

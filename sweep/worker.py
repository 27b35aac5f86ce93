"""One process's side of a run: requests in, events out. Knows no Ray, no database and no network (of cables)."""

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Generator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from sweep import process
from sweep.errors import InputError, StylesweepError, SurroundingsError
from sweep.events import Checkpoint, Diverged, Event, Failed, Finished, PictureFile, Preview, Progress, Snapshot, Started, Stopped
from sweep.pacing import AttemptKey, Pace, StopAsked
from sweep.problem import problem_of, style_shares
from sweep.request import Inputs, RunRequest, picture_side
from sweep.transfer import yardsticks
from sweep.transfer.cost import peak_bytes
from sweep.transfer.images import encode_png, encode_thumbnail, mean_colour
from sweep.transfer.networks import Features
from sweep.transfer.presets import deepest_layer
from sweep.transfer.problem import Problem
from sweep.transfer.signatures import signature
from sweep.transfer.stylize import (
    Along,
    News,
    Outcome,
    Saved,
    Shot,
    State,
    UnusableState,
    View,
    check_problem,
    opened,
    pack_key,
    stylize_pack,
)

__all__ = ["Inputs", "RunRequest", "failure", "run"]

PREVIEW_SIDE = 384
"""Long side of a preview, in pixels."""


def _nobody() -> frozenset[AttemptKey]:
    return frozenset()


@dataclass(eq=False)
class _Member:
    """A request under way. saved: where it goes on from. notes: what had to be done differently to get it through; for the record."""

    request: RunRequest
    problem: Problem
    features: Features
    device: str
    began: float
    saved: Saved | None = None
    notes: list[str] = field(default_factory=list)
    freed: bool = False  # everything that was cached was dropped for it
    ended: bool = False

    @property
    def key(self) -> AttemptKey:
        return self.request.run_key, self.request.attempt

    @property
    def steps(self) -> int:
        """Of the whole run, unless it stops early."""
        return self.problem.recipe.total_steps(*self.problem.content.pixels.shape[:2])


def run(requests: Sequence[RunRequest], inputs: Inputs, stop: StopAsked = _nobody) -> Iterator[Event]:
    """Optimise each request and tell of it: Started, what happens on the way, then one of Finished, Diverged, Failed or Stopped.

    On the way: Progress, Snapshots; a Preview every few seconds, and Checkpoints of a long run (see pacing). A request with a
    start_step goes on from its state; where that cannot be used it begins again, with a second Started and a note that say so.

    Those that make one pack (stylize.pack_key, and one scale to go on at) go through the network together: that fills a GPU with
    small pictures. The failure of one leaves the others alone. A pack that does not fit into memory goes on in halves.
    `stop` is asked between steps: an attempt that it names leaves its pack. Closing the iterator stops all.
    """
    packs: dict[Hashable, list[_Member]] = {}
    for request in requests:
        try:
            device = process.device_of(request)
            torch.set_num_threads(request.threads)
            yield _started(request, device)
            member = _member(request, inputs, device)
            if request.start_step and member.saved is None:
                yield replace(_started(request, device), start_step=0)
            at = member.saved and member.saved.scale
            packs.setdefault((device, request.threads, id(member.features), pack_key(member.problem), at), []).append(member)
        except Exception as error:
            yield failure(request, error)
    for members in packs.values():
        torch.set_num_threads(members[0].request.threads)
        yield from _run_pack(members, inputs, stop)


def _started(request: RunRequest, device: str) -> Started:
    return Started(
        run_key=request.run_key,
        attempt=request.attempt,
        node=socket.gethostname(),
        pid=os.getpid(),
        device=process.device_name(device),
        versions=process.versions(),
        start_step=request.start_step,
    )


def _member(request: RunRequest, inputs: Inputs, device: str) -> _Member:
    began = time.monotonic()
    problem = problem_of(request, inputs)
    settings = request.settings.settings
    features = process.features_of(settings.network, settings.network_hash, inputs, device)
    check_problem(features, problem)
    member = _Member(request, problem, features, device, began)
    if request.start_step:
        _take_up(member, inputs)
    return member


def _take_up(member: _Member, inputs: Inputs) -> None:
    """Go on from the request's state, if it is there and sound; else from the beginning, with a note."""
    step = member.request.start_step
    try:
        member.saved = opened(inputs.checkpoint(member.request.run_key), member.problem)
    except (UnusableState, SurroundingsError, OSError) as error:
        member.notes.append(f"It was to go on from step {step}, but began again: {str(error).rstrip('.')}.")
        return
    if member.request.settings.settings.recipe == "gatys":
        member.notes.append(f"It went on from step {step}; there the history of L-BFGS began anew.")


def _run_pack(members: Sequence[_Member], inputs: Inputs, stop: StopAsked) -> Iterator[Event]:
    trouble = yield from _try_pack(members, inputs, stop)
    left = [member for member in members if not member.ended]
    if trouble is None or not left:
        return
    parts = [left]
    alone = len(members) == 1
    if alone and (left[0].freed or not trouble.out_of_memory):
        yield trouble.failures[0]
        return
    if alone:
        process.forget_targets(left[0].device)
        left[0].freed = True
        left[0].notes.append("Memory ran out; it was tried again after everything that was kept for other runs had been dropped.")
    elif trouble.out_of_memory:
        for member in left:
            member.notes.append(f"Memory ran out in a pack of {len(members)}; it went on in halves.")
        parts = [left[: len(left) // 2], left[len(left) // 2 :]]
    else:
        parts = [[member] for member in left]  # whose fault it was shows when each is alone
    for part in parts:
        yield from _run_pack(part, inputs, stop) if part else ()


@dataclass(frozen=True)
class _Trouble:
    out_of_memory: bool
    failures: list[Failed]


def _try_pack(members: Sequence[_Member], inputs: Inputs, stop: StopAsked) -> Generator[Event, None, _Trouble | None]:
    """Run a pack; what ended it before its time, without the exception: that would hold on to every tensor of the pack."""
    first = members[0]
    pace = Pace([member.key for member in members], stop)
    snapshots, states = [member.request.snapshots for member in members], [member.saved for member in members]
    along = Along(snapshots=snapshots, states=states, companion=pace)
    problems = [member.problem for member in members]
    try:
        for place, news in stylize_pack(first.features, problems, process.kept_on(first.device).targets, first.device, along):
            member = members[place]
            if isinstance(news, Outcome):
                yield _end(member, news, len(members), inputs)
            elif isinstance(news, State) and news.left:
                member.ended = True
                yield _stopped(member, news, pace.worth_keeping(place))
            else:
                yield _event(member, news)
    except Exception as error:
        failures = [failure(member.request, error) for member in members if not member.ended]
        if not process.is_out_of_memory(error):
            return _Trouble(False, failures)
        return _Trouble(True, [replace(one, kind="oom", error=_too_large(first), traceback="") for one in failures])
    finally:
        if first.device.startswith("cuda"):  # a crashed or cancelled run must not keep its neighbours' memory
            with contextlib.suppress(torch.AcceleratorError):  # a GPU that has failed has told so before
                torch.cuda.empty_cache()
    return None


def _too_large(member: _Member) -> str:
    settings, problem = member.request.settings.settings, member.problem
    deepest = deepest_layer(settings.network, problem.content_layers, problem.style_layers)
    height, width = problem.content.pixels.shape[:2]
    bytes_needed = peak_bytes(settings.network, deepest, (height, width), problem.recipe, problem.dtype)
    ways = "lower `size`" + (", or lower `history`" if settings.recipe == "gatys" else "")
    ways += ", or set `dtype: bfloat16`" if settings.dtype == "float32" and member.device != "cpu" else ""
    return (
        f"{process.device_name(member.device)} on {socket.gethostname()} has no memory for it: "
        f"it needs about {bytes_needed / 2**30:.1f} GiB. "
        f"In the sweep's file, {ways}; or let fewer runs share a device (`resources`)."
    )


def _event(member: _Member, news: News) -> Event:
    """What the optimiser told on the way of a run, as an event."""
    this: dict[str, Any] = {"run_key": member.request.run_key, "attempt": member.request.attempt}
    if isinstance(news, Shot):  # without a recipe in its file: that would make the finished picture, not this one
        return Snapshot(step=news.step, picture=_picture_file(news.pixels, {}), **this)
    if isinstance(news, View):
        return Preview(step=news.step, picture=encode_thumbnail(news.pixels, PREVIEW_SIDE), **this)
    if isinstance(news, State):
        assert news.data is not None, "no state is wished for before the first step"
        return Checkpoint(step=news.step, state=news.data, **this)
    assert isinstance(news, list)
    # Also without points: a sign of life, and where a back end here gets its turn.
    return Progress(points=tuple(news), last=bool(news) and news[-1].step == member.steps, **this)


def _stopped(member: _Member, state: State, worth_keeping: bool) -> Stopped:
    request = member.request
    return Stopped(run_key=request.run_key, attempt=request.attempt, step=state.step, state=state.data if worth_keeping else None)


def _end(member: _Member, outcome: Outcome, together: int, inputs: Inputs) -> Event:
    """The end of a run. `together`: how many shared its time."""
    member.ended = True
    try:
        return _ending(member, outcome, (time.monotonic() - member.began) / together, inputs)
    except Exception as error:  # of this one alone: measuring, encoding
        return failure(member.request, error)


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
            peak_memory=process.peak_memory(outcome.peak_bytes),
            notes=tuple(member.notes),
        )
    measured = process.meter(inputs, member.device).measure_all(
        outcome.pixels,
        problem.content.pixels,
        [(inputs.pixels(sha256, picture_side(request)), share) for sha256, share in style_shares(request, problem)],
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
        peak_memory=process.peak_memory(outcome.peak_bytes),
        notes=tuple(member.notes),
    )


def _picture_file(pixels: np.ndarray, text: Mapping[str, str]) -> PictureFile:
    return PictureFile(
        data=encode_png(pixels, text),
        format="png",
        width=pixels.shape[1],
        height=pixels.shape[0],
        mean_colour=mean_colour(pixels),
        thumbnail=encode_thumbnail(pixels),
        signature=signature(pixels),
    )


def failure(request: RunRequest, error: Exception) -> Failed:
    """What went wrong with a request, by whose fault it is. Called while the error is handled: its traceback is recorded."""
    kind = "bug"
    if isinstance(error, InputError):
        kind = "input"
    elif isinstance(error, SurroundingsError | OSError):
        kind = "surroundings"
    elif process.is_out_of_memory(error):
        kind = "oom"
    message = str(error) if isinstance(error, StylesweepError) else f"{type(error).__name__}: {error}"
    if kind == "bug" and (gpu := process.gpu_failure(error)):
        kind, message = "gpu", gpu
    return Failed(
        run_key=request.run_key,
        attempt=request.attempt,
        kind=kind,  # type: ignore[arg-type]
        error=message,
        traceback="" if isinstance(error, StylesweepError) else traceback.format_exc(),
    )

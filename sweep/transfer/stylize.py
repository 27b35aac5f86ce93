"""Runs: pictures and settings in, loss curves and pictures out."""

import time
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch

from sweep.errors import InputError
from sweep.transfer.checkpoint import Saved, UnusableState, identity, opened
from sweep.transfer.companion import Companion, State, View, Wish
from sweep.transfer.controls import Stop
from sweep.transfer.curve import LossPoint
from sweep.transfer.member import Ended, Member
from sweep.transfer.networks import Features
from sweep.transfer.pack import Pack, Shot, pack_key
from sweep.transfer.presets import check_layers
from sweep.transfer.problem import Problem, Region
from sweep.transfer.recipe import Recipe, log_spaced
from sweep.transfer.targets import Source, TargetCache, Targets

__all__ = [
    "Along",
    "Companion",
    "Outcome",
    "Problem",
    "Recipe",
    "Region",
    "Saved",
    "Shot",
    "Source",
    "State",
    "Stop",
    "TargetCache",
    "UnusableState",
    "View",
    "Wish",
    "check_problem",
    "opened",
    "pack_key",
    "stylize",
    "stylize_pack",
]
Snapshots = Set[int] | int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a run. `pixels` (H, W, 3) uint8 sRGB; of a diverged run, the last finite picture.

    `moved` is False for a picture equal to its start although the objective had a gradient there: a failed run.
    `peak_bytes` is the most that was allocated on an accelerator, by the whole pack; None on a CPU. `optimise_seconds` is the
    run's share of the pack's time.
    """

    pixels: np.ndarray
    steps: int
    diverged: bool
    moved: bool
    peak_bytes: int | None
    optimise_seconds: float


@dataclass(frozen=True, kw_only=True)
class Along:
    """What goes along with the problems of a pack. snapshots, states: one entry for each, or none at all.

    snapshots: see `stylize`. states: where each goes on from (checkpoint.opened), all at one scale; None where it begins, then
    all of them do. companion: asked before every step what it wishes to have; see Companion, View and State.
    """

    snapshots: Sequence[Snapshots] = ()
    states: Sequence[Saved | None] = ()
    companion: Companion | None = None


News = list[LossPoint] | Shot | View | State | Outcome


@overload
def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu"
) -> Iterator[list[LossPoint] | Outcome]: ...


@overload
def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu", snapshots: Snapshots = frozenset()
) -> Iterator[News]: ...


def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu", snapshots: Snapshots = frozenset()
) -> Iterator[News]:
    """Optimise a picture: yields pieces of the loss curve (about every half second; maybe empty), last one Outcome.

    `features` must reach the deepest layer of the problem; it is moved to `device`. The curve has about 200 points whatever
    the number of steps. The losses stay on the device until a piece is read, so that no step waits for the host (a step of L-BFGS
    does: its line search decides there). The same problem gives the same picture, bit by bit, on the same hardware, thread
    count and pack size. Closing the generator stops the run.

    `snapshots`: after these steps (from 1, over all scales) a Shot is yielded; or a number of them, spaced evenly by the
    logarithm of the step. They change nothing else. A step that is not reached, or whose picture is not finite, has none.
    Raises InputError for layers that the network lacks, a picture too small for them, and a snapshot before step 1.
    """
    for _, news in stylize_pack(features, [problem], cache, device, Along(snapshots=[snapshots])):
        yield news


def stylize_pack(
    features: Features,
    problems: Sequence[Problem],
    cache: TargetCache | None = None,
    device: str = "cpu",
    along: Along | None = None,
) -> Iterator[tuple[int, News]]:
    """Optimise pictures of one pack_key together: yields (place among the problems, news), the news of each as in `stylize`.

    The pictures are those of separate runs, but for the order in which floating-point numbers are added up. One that diverges,
    stops early or has fewer steps leaves the others alone. One that goes on from a state ends as if it had never been disturbed,
    bit by bit, if the pack is as large as it was (L-BFGS: see checkpoint); what it tells begins with the step after the state's.
    Raises InputError as `stylize`, and for problems of several keys or at several scales.
    """
    along = along or Along()
    states = along.states or [None] * len(problems)
    if len({pack_key(problem) for problem in problems}) != 1:
        raise InputError("Runs of one pack must have one picture size, recipe, pooling, padding and precision; run them one by one.")
    for problem in problems:
        check_problem(features, problem)
    if len({saved and saved.scale for saved in states}) != 1:
        raise InputError("Runs of one pack must all begin, or all go on at one scale; run them one by one.")
    wanted = [_snapshot_steps(one, asked) for one, asked in zip(problems, along.snapshots or [frozenset()] * len(problems), strict=True)]
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    began = time.monotonic()
    first = problems[0]
    features = features.to(place).variant(first.pooling, first.padding, first.dtype)
    # `is None`, as an empty cache is false.
    targets = Targets(features, TargetCache() if cache is None else cache, place)
    members = [Member(at, problem.prepared(), wanted[at], identity(problem)) for at, problem in enumerate(problems)]
    for member, saved in zip(members, states, strict=True):
        if saved is not None:
            member.go_on(saved, place)
    for number, news in Pack(targets, members, along.companion).run():
        if not isinstance(news, Ended):
            yield number, news
            continue
        seconds = (time.monotonic() - began) / len(problems)
        peak = torch.cuda.max_memory_allocated(place) if place.type == "cuda" else None
        yield number, Outcome(**vars(news), peak_bytes=peak, optimise_seconds=seconds)


def check_problem(features: Features, problem: Problem) -> None:
    """Raise InputError for layers that the network lacks, and for a picture too small for them."""
    for layers in (problem.content_layers, problem.style_layers):
        check_layers(features.network, {*layers})
    height, width, _ = problem.recipe.scales(*problem.content.pixels.shape[:2])[0]
    features.check({*problem.content_layers, *problem.style_layers}, (height, width))


def _snapshot_steps(problem: Problem, snapshots: Snapshots) -> Set[int]:
    if isinstance(snapshots, int):
        if snapshots < 0:
            raise InputError(f"There cannot be {snapshots} snapshots; give 0 or more.")
        return log_spaced(snapshots, problem.recipe.total_steps(*problem.content.pixels.shape[:2]))
    if any(step < 1 for step in snapshots):
        raise InputError(f"A snapshot was asked for after step {min(snapshots)}; steps count from 1.")
    return snapshots

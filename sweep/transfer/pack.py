"""A pack of runs: pictures of one size that go through the network together, each with its own weights, targets, state and end."""

import math
import time
from collections.abc import Hashable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.colours import with_colours_of
from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized_to
from sweep.transfer.lbfgs import PackLBFGS
from sweep.transfer.objective import PackObjective, value_of
from sweep.transfer.optimizers import PackAdam
from sweep.transfer.outside import with_photograph_outside
from sweep.transfer.problem import Problem
from sweep.transfer.recipe import kept_steps
from sweep.transfer.start import first_picture, resampled
from sweep.transfer.targets import Targets, as_image, as_pixels

CHUNK_STEPS: Final = 25
CHUNK_SECONDS = 0.5
_MATERIAL_GRADIENT: Final = 1e-4  # of the objective per pixel value; under it, not moving is right
State = PackAdam | PackLBFGS


@dataclass(frozen=True)
class Shot:
    """A snapshot: the picture after a step of the run, (H, W, 3) uint8 sRGB, at the size of its scale."""

    step: int
    pixels: np.ndarray


@dataclass(frozen=True)
class Ended:
    """The end of a member. `pixels` as in stylize.Outcome."""

    pixels: np.ndarray
    steps: int
    diverged: bool
    moved: bool


News = list[LossPoint] | Shot | Ended


def pack_key(problem: Problem) -> Hashable:
    """Problems of equal key can be optimised together: the same scales, recipe, optimiser's numbers and way through the network."""
    recipe = problem.recipe
    sizes = tuple((height, width) for height, width, _ in recipe.scales(*problem.content.pixels.shape[:2]))
    numbers = recipe.pyramid if recipe.name == "pyramid" else recipe.gatys
    return recipe.name, sizes, numbers, problem.pooling, problem.padding, problem.dtype


@dataclass(eq=False)
class _Member:
    """One run of the pack. `place` is its number among those that were asked for."""

    place: int
    problem: Problem
    snapshots: Set[int]
    steps: int = 0  # of the run
    number: int = 0  # of the scale
    last: int = 0  # the scale's steps
    kept: Set[int] = frozenset()
    seen: list[list[float]] = field(default_factory=list)  # losses of the scale's steps, as far as they were read
    state: State | None = None
    begun: Tensor | None = None  # the picture that the present scale started from, (1, 3, H, W)
    finite: Tensor | None = None  # the last finite picture
    diverged: bool = False
    done: bool = False  # with this scale

    def enter(self, steps: int, kept: Set[int], start: Tensor) -> None:
        self.number, self.last, self.kept, self.seen, self.done = 0, steps, kept, [], False
        self.begun = self.finite = start

    @property
    def due(self) -> bool:
        """Whether its picture is to be kept now: every so many steps, never by the clock, so that a diverged run repeats bit by bit."""
        return self.number % CHUNK_STEPS == 0 or self.number == self.last

    def plateau(self) -> bool:
        """Whether the scale's own objective says that it may end."""
        stop = self.problem.recipe.stop
        return stop is not None and stop.reached([value_of(self.problem, losses) for losses in self.seen])

    def finished(self, picture: Tensor) -> np.ndarray:
        """The picture to show or save, in the colours that were asked for."""
        pixels = as_pixels(picture)
        if self.problem.colors == "content":
            pixels = with_colours_of(pixels, resized_to(self.problem.content.pixels, pixels.shape[0], pixels.shape[1]))
        return with_photograph_outside(pixels, self.problem)

    def moved(self) -> bool:
        """Whether the saved picture differs from the start of its scale, or had no reason to."""
        assert self.state is not None and self.begun is not None and self.finite is not None
        gradient = self.state.start_gradient
        if gradient is None or not float(gradient) > _MATERIAL_GRADIENT:
            return True
        return not np.array_equal(as_pixels(self.begun), as_pixels(self.finite))

    def ending(self) -> Ended:
        assert self.finite is not None
        return Ended(self.finished(self.finite), self.steps, self.diverged, self.diverged or self.moved())


@dataclass(kw_only=True)
class _Chunk:
    """Losses that are still on the device, with the members and the steps that they belong to."""

    losses: list[Tensor] = field(default_factory=list)
    steps: list[list[tuple[int, _Member, int, int]]] = field(default_factory=list)  # (row, member, step of the run, of the scale)
    began: float = field(default_factory=time.monotonic)

    def add(self, losses: Tensor, rows: Sequence[int], members: Sequence[_Member]) -> None:
        """Count a step of those rows, and note its losses."""
        steps = []
        for row in rows:
            member = members[row]
            steps.append((row, member, member.steps + 1, member.number))
            member.steps, member.number = member.steps + 1, member.number + 1
        self.losses.append(losses)
        self.steps.append(steps)

    def late(self) -> bool:
        """Whether somebody may be waiting for news."""
        return time.monotonic() - self.began >= CHUNK_SECONDS

    def read(self, size: int) -> dict[int, list[LossPoint]]:
        """The points of each member by its place; one whose losses were not finite is marked as diverged at that step."""
        points: dict[int, list[LossPoint]] = {}
        for steps, rows in zip(self.steps, torch.stack(self.losses).tolist(), strict=True):
            for row, member, step, number in steps:
                if member.diverged:
                    continue
                if not all(map(math.isfinite, rows[row])):
                    member.diverged, member.steps = True, step
                    continue
                member.seen.append(rows[row])
                if number in member.kept:
                    points.setdefault(member.place, []).append(LossPoint(step, size, *rows[row]))
        self.losses, self.steps, self.began = [], [], time.monotonic()
        return points


class Pack:
    """The runs of a pack, from the first scale to the last. All problems are prepared and of one pack_key."""

    def __init__(self, targets: Targets, problems: Sequence[Problem], snapshots: Sequence[Set[int]]) -> None:
        self._targets, self._device = targets, targets.device
        self._members = [_Member(place, problem, snapshots[place]) for place, problem in enumerate(problems)]

    def run(self) -> Iterator[tuple[int, News]]:
        """(place, news) of each: pieces of its loss curve (also empty ones, as a sign of life), Shots, last one Ended."""
        plans = [member.problem.recipe.scales(*member.problem.content.pixels.shape[:2]) for member in self._members]
        kept = [[frozenset(steps) for steps in kept_steps(plan)] for plan in plans]
        for number, (height, width, _) in enumerate(plans[0]):
            members = [member for member in self._members if not member.diverged]
            if not members:
                return
            optimizer = self._enter(members, (height, width))
            picture = optimizer.picture()
            for row, member in enumerate(members):
                member.enter(plans[member.place][number][2], kept[member.place][number], picture[row : row + 1])
            yield from self._scale(members, optimizer, (height, width))
        for member in self._members:
            if not member.diverged:
                yield member.place, member.ending()

    def _scale(self, members: list[_Member], optimizer: State, size: tuple[int, int]) -> Iterator[tuple[int, News]]:
        while members:
            objective = PackObjective([member.problem for member in members], self._targets, size)
            chunk = _Chunk()
            while not any(member.done for member in members):
                losses, ended = optimizer.advance(objective)
                chunk.add(losses, ended, members)
                yield from _shots([(row, members[row]) for row in ended if members[row].steps in members[row].snapshots], optimizer)
                due = [row for row in ended if members[row].due]
                if due or chunk.late():
                    points = chunk.read(max(size))
                    if due:
                        _look(members, due, optimizer.picture(), points)
                    for member in members:
                        member.done = member.done or member.diverged
                        yield member.place, points.get(member.place, [])
            parts: Sequence[State] = optimizer.parts()
            for row, member in enumerate(members):
                member.state = parts[row]
            for member in members:
                if member.diverged:
                    yield member.place, member.ending()
            members = [member for member in members if not member.done]
            if members:
                optimizer = _joined([member.state for member in members if member.state is not None])

    def _enter(self, members: Sequence[_Member], size: tuple[int, int]) -> State:
        """Set the optimiser up for a scale."""
        recipe = members[0].problem.recipe
        states = [member.state for member in members if isinstance(member.state, PackAdam)]
        if states:
            starts = [self._enlarged(member.problem, state.picture(), *size) for member, state in zip(members, states, strict=True)]
            adam = PackAdam.joined(states)
            adam.move_to(torch.cat(starts))
            return adam
        images = torch.cat([first_picture(member.problem, *size, self._device) for member in members])
        return PackAdam(images, recipe.pyramid) if recipe.name == "pyramid" else PackLBFGS.at(images, recipe.gatys)

    def _enlarged(self, problem: Problem, picture: Tensor, height: int, width: int) -> Tensor:
        """The picture at the next scale. From content, only what was changed is enlarged, so that the photograph stays sharp."""
        if problem.recipe.init != "content":
            return resampled(picture, height, width).clamp(0, 1)
        photograph, larger = (
            as_image(resized_to(problem.content.pixels, *at), self._device) for at in (picture.shape[-2:], (height, width))
        )
        return (larger + resampled(picture - photograph, height, width)).clamp(0, 1)


def _look(members: Sequence[_Member], due: Sequence[int], picture: Tensor, points: dict[int, list[LossPoint]]) -> None:
    """Keep the pictures that are due, and see who is done with the scale; one that stops early has its last step on the curve."""
    finite = torch.isfinite(picture).flatten(1).all(1).tolist()
    for row in due:
        member = members[row]
        if not member.diverged and not finite[row]:
            member.diverged = True
        if not member.diverged:
            member.finite = picture[row : row + 1]
            stopped = member.number < member.last and member.plateau()
            member.done = stopped or member.number == member.last
            if stopped and member.number - 1 not in member.kept:
                points.setdefault(member.place, []).append(LossPoint(member.steps, max(picture.shape[-2:]), *member.seen[-1]))


def _shots(wanted: Sequence[tuple[int, _Member]], optimizer: State) -> Iterator[tuple[int, News]]:
    """Snapshots, unless there is nothing to be seen: of pictures that are no longer finite."""
    if wanted:
        picture = optimizer.picture()
        for row, member in wanted:
            if bool(torch.isfinite(picture[row]).all()):
                yield member.place, Shot(member.steps, member.finished(picture[row : row + 1]))


def _joined(states: Sequence[State]) -> State:
    adams = [state for state in states if isinstance(state, PackAdam)]
    return PackAdam.joined(adams) if adams else PackLBFGS.joined([state for state in states if isinstance(state, PackLBFGS)])

"""One run of a pack: where it is, what it has told, how it ends; and the losses that are still on the device."""

import math
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.checkpoint import Optimizer, Saved, taken_up
from sweep.transfer.colours import with_colours_of
from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized_to
from sweep.transfer.objective import value_of
from sweep.transfer.outside import with_photograph_outside
from sweep.transfer.problem import Problem
from sweep.transfer.recipe import kept_steps
from sweep.transfer.targets import as_image, as_pixels

CHUNK_STEPS: Final = 25
CHUNK_SECONDS = 0.5
_MATERIAL_GRADIENT: Final = 1e-4  # of the objective per pixel value; under it, not moving is right


@dataclass(frozen=True)
class Ended:
    """The end of a member. `pixels` as in stylize.Outcome."""

    pixels: np.ndarray
    steps: int
    diverged: bool
    moved: bool


@dataclass(eq=False)
class Member:
    """One run of the pack. `place` is its number among those that were asked for; `identity`: see checkpoint.identity."""

    place: int
    problem: Problem
    snapshots: Set[int]
    identity: str
    scale: int = 0
    steps: int = 0  # of the run
    number: int = 0  # of the scale
    last: int = 0  # the scale's steps
    kept: Set[int] = frozenset()
    seen: list[list[float]] = field(default_factory=list)  # losses of the scale's steps, as far as they were read
    state: Optimizer | None = None
    begun: Tensor | None = None  # the picture that the present scale started from, (1, 3, H, W)
    finite: Tensor | None = None  # the last finite picture
    diverged: bool = False
    done: bool = False  # with this scale
    gone: bool = False  # its end was told

    def __post_init__(self) -> None:
        self.plan = self.problem.recipe.scales(*self.problem.content.pixels.shape[:2])
        self._kept = [frozenset(steps) for steps in kept_steps(self.plan)]

    def enter(self, scale: int, start: Tensor) -> None:
        """Begin a scale at a picture."""
        self.scale, self.number, self.last, self.kept = scale, 0, self.plan[scale][2], self._kept[scale]
        self.seen, self.done = [], False
        self.begun = self.finite = start

    def go_on(self, saved: Saved, device: torch.device) -> None:
        """Be where that state was taken."""
        self.enter(saved.scale, as_image(saved.begun, device))
        self.finite = as_image(saved.finite, device)
        self.number, self.steps, self.done, self.seen = saved.number, saved.steps, saved.done, saved.seen.tolist()
        self.state = taken_up(saved, self.problem.recipe, device)

    def saved(self, optimizer: Optimizer) -> Saved:
        """Where it is now, with its own part of the pack's optimiser. Its losses have been read."""
        assert self.begun is not None and self.finite is not None
        return Saved(
            scale=self.scale,
            number=self.number,
            steps=self.steps,
            done=self.done,
            seen=np.asarray(self.seen, dtype=np.float64).reshape(-1, 3),
            begun=as_pixels(self.begun),
            finite=as_pixels(self.finite),
            held=optimizer.held(),
        )

    @property
    def share(self) -> float:
        """How much of its work is done, 0 to 1, by pixels times steps; a scale that ended early is a whole one."""
        works = [height * width * steps for height, width, steps in self.plan]
        height, width, steps = self.plan[self.scale]
        return (sum(works[: self.scale]) + height * width * (steps if self.done else self.number)) / sum(works)

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

    @property
    def ended(self) -> bool:
        """Whether it has come to its end, and the end was not told yet."""
        return not self.gone and (self.diverged or (self.done and self.scale == len(self.plan) - 1))

    def ending(self) -> Ended:
        assert self.finite is not None
        return Ended(self.finished(self.finite), self.steps, self.diverged, self.diverged or self.moved())


@dataclass(kw_only=True)
class Chunk:
    """Losses that are still on the device, with the members and the steps that they belong to."""

    losses: list[Tensor] = field(default_factory=list)
    steps: list[list[tuple[int, Member, int, int]]] = field(default_factory=list)  # (row, member, step of the run, of the scale)
    began: float = field(default_factory=time.monotonic)

    def add(self, losses: Tensor, rows: Sequence[int], members: Sequence[Member]) -> None:
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
        if not self.losses:
            return points
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

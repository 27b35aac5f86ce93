"""One run: pictures and settings in, a loss curve and a picture out."""

import math
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import overload

import numpy as np
import torch
from torch import Tensor

from sweep.errors import InputError
from sweep.transfer.colours import with_colours_of
from sweep.transfer.controls import Stop
from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized_to
from sweep.transfer.networks import Features
from sweep.transfer.objective import PictureObjective
from sweep.transfer.optimizers import PyramidAdam, WolfeLBFGS
from sweep.transfer.outside import with_photograph_outside
from sweep.transfer.presets import check_layers
from sweep.transfer.problem import Problem, Region
from sweep.transfer.recipe import Recipe, kept_steps, log_spaced
from sweep.transfer.start import first_picture, resampled
from sweep.transfer.targets import Source, TargetCache, Targets, as_image, as_pixels

__all__ = ["Outcome", "Problem", "Recipe", "Region", "Shot", "Source", "Stop", "TargetCache", "stylize"]

_CHUNK_STEPS = 25
_CHUNK_SECONDS = 0.5
_MATERIAL_GRADIENT = 1e-4  # of the objective per pixel value; under it, not moving is right


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of a run. `pixels` (H, W, 3) uint8 sRGB; of a diverged run, the last finite picture.

    `moved` is False for a picture equal to its start although the objective had a gradient there: a failed run.
    `peak_bytes` is the most that was allocated on an accelerator; None on a CPU.
    """

    pixels: np.ndarray
    steps: int
    diverged: bool
    moved: bool
    peak_bytes: int | None
    optimise_seconds: float


@dataclass(frozen=True)
class Shot:
    """A snapshot: the picture after a step of the run, (H, W, 3) uint8 sRGB, at the size of its scale."""

    step: int
    pixels: np.ndarray


@dataclass(kw_only=True)
class _Chunk:
    """Losses that are still on the device, with the steps that they belong to; and those of the scale that were read."""

    size: int
    seen: list[list[float]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)
    steps: list[tuple[int, bool]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, step: int, keep: bool, losses: Tensor) -> None:
        """Note the losses of a step of the run, and whether they become a point of the curve."""
        self.losses.append(losses)
        self.steps.append((step, keep))

    def late(self) -> bool:
        """Whether somebody may be waiting for news."""
        return time.monotonic() - self.began >= _CHUNK_SECONDS

    def read(self) -> tuple[list[LossPoint], int | None]:
        """The kept points, and the step of the first loss that is not finite, if any (no points from there on); empties it."""
        points, failed = [], None
        rows = torch.stack(self.losses).tolist()
        self.seen += rows
        for (step, keep), losses in zip(self.steps, rows, strict=True):
            if not all(map(math.isfinite, losses)):
                failed = step
                break
            if keep:
                points.append(LossPoint(step, self.size, *losses))
        self.losses, self.steps, self.began = [], [], time.monotonic()
        return points, failed


class _Run:
    """The state of one run between chunks."""

    def __init__(self, targets: Targets, problem: Problem, snapshots: Set[int]) -> None:
        self.targets, self.problem, self.snapshots = targets, problem, snapshots
        self.device, self.stop = targets.device, problem.recipe.stop
        self.scales = problem.recipe.scales(*problem.content.pixels.shape[:2])
        self.optimizer: PyramidAdam | WolfeLBFGS | None = None
        self.begun: Tensor | None = None  # the picture that the present scale started from
        self.finite: Tensor | None = None  # the last finite picture
        self.steps = 0
        self.diverged = False

    def optimise(self) -> Iterator[list[LossPoint] | Shot]:
        for (height, width, steps), kept in zip(self.scales, map(frozenset, kept_steps(self.scales)), strict=True):
            objective = PictureObjective(self.problem, self.targets, (height, width))
            optimizer = self._enter(height, width)
            yield from self._scale(objective, optimizer, steps, kept)
            if self.diverged:
                return

    def _scale(
        self, objective: PictureObjective, optimizer: PyramidAdam | WolfeLBFGS, steps: int, kept: Set[int]
    ) -> Iterator[list[LossPoint] | Shot]:
        chunk = _Chunk(size=max(objective.size))
        for number in range(steps):
            losses = optimizer.step(objective)
            self.steps += 1
            chunk.add(self.steps, number in kept, losses)
            if self.steps in self.snapshots:
                yield from self._shot(optimizer.picture())
            # A picture is kept every so many steps, never by the clock: a diverged run repeats bit by bit too.
            due = (number + 1) % _CHUNK_STEPS == 0 or number == steps - 1
            if due or chunk.late():
                points, failed = chunk.read()
                self._look(optimizer.picture(), failed, due)
                ended = due and not self.diverged and self._plateau(chunk, objective)
                if ended and number not in kept:
                    points.append(LossPoint(self.steps, chunk.size, *chunk.seen[-1]))
                yield points
                if ended or self.diverged:
                    return

    def _plateau(self, chunk: _Chunk, objective: PictureObjective) -> bool:
        """Whether the scale's own objective says that it may end."""
        return self.stop is not None and self.stop.reached([objective.value_of(losses) for losses in chunk.seen])

    def _shot(self, picture: Tensor) -> Iterator[Shot]:
        """A snapshot, unless there is nothing to be seen: of a picture that is no longer finite."""
        if bool(torch.isfinite(picture).all()):
            yield Shot(self.steps, self.finished(picture))

    def finished(self, picture: Tensor) -> np.ndarray:
        """The picture to show or save, in the colours that were asked for."""
        pixels = as_pixels(picture)
        if self.problem.colors == "content":
            pixels = with_colours_of(pixels, resized_to(self.problem.content.pixels, pixels.shape[0], pixels.shape[1]))
        return with_photograph_outside(pixels, self.problem)

    def _look(self, picture: Tensor, failed: int | None, due: bool) -> None:
        """Note that the run diverged, or keep the picture where it is due."""
        if failed is not None:
            self.diverged, self.steps = True, failed
        elif due and not bool(torch.isfinite(picture).all()):
            self.diverged = True
        elif due:
            self.finite = picture

    def _enter(self, height: int, width: int) -> PyramidAdam | WolfeLBFGS:
        """Set the optimiser up for a scale."""
        if isinstance(self.optimizer, PyramidAdam):
            start = self._enlarged(self.optimizer.picture(), height, width)
            self.optimizer.move_to(start)
        else:
            start = first_picture(self.problem, height, width, self.device)
            recipe = self.problem.recipe
            self.optimizer = PyramidAdam(start, recipe.pyramid) if recipe.name == "pyramid" else WolfeLBFGS(start, recipe.gatys)
        self.begun = self.finite = start
        return self.optimizer

    def _enlarged(self, picture: Tensor, height: int, width: int) -> Tensor:
        """The picture at the next scale. From content, only what was changed is enlarged, so that the photograph stays sharp."""
        if self.problem.recipe.init != "content":
            return resampled(picture, height, width).clamp(0, 1)
        change = picture - self._photograph(*picture.shape[-2:])
        return (self._photograph(height, width) + resampled(change, height, width)).clamp(0, 1)

    def _photograph(self, height: int, width: int) -> Tensor:
        return as_image(resized_to(self.problem.content.pixels, height, width), self.device)

    def moved(self) -> bool:
        """Whether the saved picture differs from the start of its scale, or had no reason to."""
        assert self.optimizer is not None and self.begun is not None and self.finite is not None
        gradient = self.optimizer.start_gradient
        if gradient is None or not float(gradient) > _MATERIAL_GRADIENT:
            return True
        return not np.array_equal(as_pixels(self.begun), as_pixels(self.finite))


@overload
def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu"
) -> Iterator[list[LossPoint] | Outcome]: ...


@overload
def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu", snapshots: Set[int] | int = frozenset()
) -> Iterator[list[LossPoint] | Shot | Outcome]: ...


def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu", snapshots: Set[int] | int = frozenset()
) -> Iterator[list[LossPoint] | Shot | Outcome]:
    """Optimise a picture: yields pieces of the loss curve (about every half second; maybe empty), last one Outcome.

    `features` must reach the deepest layer of the problem; it is moved to `device`. The curve has about 200 points whatever
    the number of steps. The losses stay on the device until a piece is read, so that no step waits for the host. The same
    problem gives the same picture, bit by bit, on the same hardware and thread count. Closing the generator stops the run.

    `snapshots`: after these steps (from 1, over all scales) a Shot is yielded; or a number of them, spaced evenly by the
    logarithm of the step. They change nothing else. A step that is not reached, or whose picture is not finite, has none.
    Raises InputError for layers that the network lacks, a picture too small for them, and a snapshot before step 1.
    """
    check_layers(features.network, {*problem.content_layers})
    check_layers(features.network, {*problem.style_layers})
    steps = _snapshot_steps(problem, snapshots)
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    began = time.monotonic()
    features = features.to(place).variant(problem.pooling, problem.padding)
    # `is None`, as an empty cache is false.
    targets = Targets(features, TargetCache() if cache is None else cache, place)
    run = _Run(targets, problem.prepared(), steps)
    yield from run.optimise()
    assert run.finite is not None
    yield Outcome(
        pixels=run.finished(run.finite),
        steps=run.steps,
        diverged=run.diverged,
        moved=run.diverged or run.moved(),
        peak_bytes=torch.cuda.max_memory_allocated(place) if place.type == "cuda" else None,
        optimise_seconds=time.monotonic() - began,
    )


def _snapshot_steps(problem: Problem, snapshots: Set[int] | int) -> Set[int]:
    if isinstance(snapshots, int):
        if snapshots < 0:
            raise InputError(f"There cannot be {snapshots} snapshots; give 0 or more.")
        return log_spaced(snapshots, problem.recipe.total_steps(*problem.content.pixels.shape[:2]))
    if any(step < 1 for step in snapshots):
        raise InputError(f"A snapshot was asked for after step {min(snapshots)}; steps count from 1.")
    return snapshots

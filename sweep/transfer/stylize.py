"""One run: pictures and settings in, a loss curve and a picture out."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized_to
from sweep.transfer.losses import gram_matrix, relative_content_loss, relative_style_loss, tv_loss, weighted_mean
from sweep.transfer.networks import Features
from sweep.transfer.optimizers import PyramidAdam, WolfeLBFGS
from sweep.transfer.presets import check_layers
from sweep.transfer.recipe import Recipe, fitted, kept_steps
from sweep.transfer.targets import Source, TargetCache, Targets, as_image, as_pixels

__all__ = ["Outcome", "Problem", "Recipe", "Source", "TargetCache", "stylize"]

_CHUNK_STEPS = 25
BLOT = 4  # pixels across a blot of the start `style_noise`
NOISE = 0.02  # standard deviation of the start `noise`, of [0, 1]
_CHUNK_SECONDS = 0.5
_MATERIAL_GRADIENT = 1e-4  # of the objective per pixel value; under it, not moving is right


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What one run minimises: alpha * E_content + beta * E_style + tv * E_tv, and how.

    `styles` are (source, weight) with weights that sum to 1; several are blended by the weighted mean of their Gram
    matrices. `alpha` or `beta` may be 0. Of the layers' weights only the proportions matter.
    """

    content: Source
    styles: tuple[tuple[Source, float], ...]
    alpha: float
    beta: float
    content_layers: Mapping[str, float]
    style_layers: Mapping[str, float]
    recipe: Recipe
    tv: float = 0.0


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


class _Objective:
    """The objective at one scale, with its constant targets."""

    def __init__(self, features: Features, problem: Problem, targets: Targets, size: tuple[int, int]) -> None:
        self._features, self._problem = features, problem
        self._pixels = size[0] * size[1]
        self._content = targets.features(problem.content, size, problem.content_layers)
        self._start = targets.grams(problem.content, size, problem.style_layers)
        self._style = _blended(problem, targets, size)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The value to minimise and the three unweighted losses of a picture (1, 3, H, W)."""
        problem = self._problem
        taps = self._features(image, {*problem.content_layers, *problem.style_layers})
        content = weighted_mean(
            [relative_content_loss(taps[layer], self._content[layer]) for layer in problem.content_layers],
            list(problem.content_layers.values()),
        )
        style = weighted_mean(
            [relative_style_loss(gram_matrix(taps[layer]), self._style[layer], self._start[layer]) for layer in problem.style_layers],
            list(problem.style_layers.values()),
        )
        losses = (content, style, tv_loss(image))
        weights = (problem.alpha, problem.beta, problem.tv)
        # A term of weight 0 is left out rather than multiplied by 0: it costs no backward pass and its NaN stays its own.
        total = torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=True) if weight]).sum()
        # Times the number of pixels: the gradient of a relative loss falls as 1/pixels, and L-BFGS would stand still.
        return total * self._pixels, torch.stack(losses).detach()


def _blended(problem: Problem, targets: Targets, size: tuple[int, int]) -> dict[str, Tensor]:
    """The style's Gram matrices: each style at the long side of this scale, its aspect its own."""
    mean: dict[str, Tensor] = {}
    for source, weight in problem.styles:
        own = fitted(source.pixels.shape[0], source.pixels.shape[1], max(size))
        for layer, gram in targets.grams(source, own, problem.style_layers).items():
            mean[layer] = mean[layer] + weight * gram if layer in mean else weight * gram
    return mean


@dataclass(kw_only=True)
class _Chunk:
    """Losses that are still on the device, with the steps that they belong to."""

    size: int
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
        for (step, keep), losses in zip(self.steps, torch.stack(self.losses).tolist(), strict=True):
            if not all(map(math.isfinite, losses)):
                failed = step
                break
            if keep:
                points.append(LossPoint(step, self.size, *losses))
        self.losses, self.steps, self.began = [], [], time.monotonic()
        return points, failed


class _Run:
    """The state of one run between chunks."""

    def __init__(self, features: Features, problem: Problem, targets: Targets, device: torch.device) -> None:
        self.features, self.problem, self.targets, self.device = features, problem, targets, device
        self.scales = problem.recipe.scales(*problem.content.pixels.shape[:2])
        self.optimizer: PyramidAdam | WolfeLBFGS | None = None
        self.begun: Tensor | None = None  # the picture that the present scale started from
        self.finite: Tensor | None = None  # the last finite picture
        self.steps = 0
        self.diverged = False

    def optimise(self) -> Iterator[list[LossPoint]]:
        for (height, width, steps), kept in zip(self.scales, map(frozenset, kept_steps(self.scales)), strict=True):
            objective = _Objective(self.features, self.problem, self.targets, (height, width))
            optimizer = self._enter(height, width)
            chunk = _Chunk(size=max(height, width))
            for number in range(steps):
                losses = optimizer.step(objective)
                self.steps += 1
                chunk.add(self.steps, number in kept, losses)
                # A picture is kept every so many steps, never by the clock: a diverged run repeats bit by bit too.
                due = (number + 1) % _CHUNK_STEPS == 0 or number == steps - 1
                if due or chunk.late():
                    points, failed = chunk.read()
                    self._look(optimizer.picture(), failed, due)
                    yield points
                    if self.diverged:
                        return

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
            start = _first_picture(self.problem, height, width, self.device)
            self.optimizer = (PyramidAdam if self.problem.recipe.name == "pyramid" else WolfeLBFGS)(start)
        self.begun = self.finite = start
        return self.optimizer

    def _enlarged(self, picture: Tensor, height: int, width: int) -> Tensor:
        """The picture at the next scale. From content, only what was changed is enlarged, so that the photograph stays sharp."""
        if self.problem.recipe.init != "content":
            return _resampled(picture, height, width).clamp(0, 1)
        change = picture - self._photograph(*picture.shape[-2:])
        return (self._photograph(height, width) + _resampled(change, height, width)).clamp(0, 1)

    def _photograph(self, height: int, width: int) -> Tensor:
        return as_image(resized_to(self.problem.content.pixels, height, width), self.device)

    def moved(self) -> bool:
        """Whether the saved picture differs from the start of its scale, or had no reason to."""
        assert self.optimizer is not None and self.begun is not None and self.finite is not None
        gradient = self.optimizer.start_gradient
        if gradient is None or not float(gradient) > _MATERIAL_GRADIENT:
            return True
        return not np.array_equal(as_pixels(self.begun), as_pixels(self.finite))


def stylize(
    features: Features, problem: Problem, cache: TargetCache | None = None, device: str = "cpu"
) -> Iterator[list[LossPoint] | Outcome]:
    """Optimise a picture: yields pieces of the loss curve (about every half second; maybe empty), last one Outcome.

    `features` must reach the deepest layer of the problem; it is moved to `device`. The curve has about 200 points whatever
    the number of steps. The losses stay on the device until a piece is read, so that no step waits for the host. The same
    problem gives the same picture, bit by bit, on the same hardware and thread count. Closing the generator stops the run.
    Raises InputError for layers that the network lacks and for a picture too small for them.
    """
    check_layers(features.network, {*problem.content_layers})
    check_layers(features.network, {*problem.style_layers})
    place = torch.device(device)
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    began = time.monotonic()
    features = features.to(place)
    # `is None`, as an empty cache is false.
    targets = Targets(features, TargetCache() if cache is None else cache, place)
    run = _Run(features, problem, targets, place)
    yield from run.optimise()
    assert run.finite is not None
    yield Outcome(
        pixels=as_pixels(run.finite),
        steps=run.steps,
        diverged=run.diverged,
        moved=run.diverged or run.moved(),
        peak_bytes=torch.cuda.max_memory_allocated(place) if place.type == "cuda" else None,
        optimise_seconds=time.monotonic() - began,
    )


def _first_picture(problem: Problem, height: int, width: int, device: torch.device) -> Tensor:
    """Where the optimisation starts: the photograph, noise in the styles' colours, or noise.

    Noise is drawn on the CPU, so that a seed means the same on every device.
    """
    if problem.recipe.init == "content":
        return as_image(resized_to(problem.content.pixels, height, width), device)
    generator = torch.Generator().manual_seed(problem.recipe.seed)
    if problem.recipe.init == "noise":
        # Faint, as in neural-style: the losses hardly see single pixels, so strong noise would stay in the picture as grain.
        return (0.5 + NOISE * torch.randn((1, 3, height, width), generator=generator)).to(device)
    mean, spread = _colours(problem)
    # Blots of a few pixels, for the same reason.
    blots = torch.randn((1, 3, -(-height // BLOT), -(-width // BLOT)), generator=generator)
    flat = _resampled(blots, height, width).reshape(3, -1).T
    flat = (flat - flat.mean(0)) / flat.std(0, correction=0).clamp(min=1e-6)
    noise = flat @ spread.T + mean
    return noise.clamp_(0, 1).T.reshape(1, 3, height, width).contiguous().to(device)


def _colours(problem: Problem) -> tuple[Tensor, Tensor]:
    """Mean colour of the styles' mixture, and a square root of its covariance."""
    weights = [weight for _, weight in problem.styles]
    colours = [torch.from_numpy(source.pixels.reshape(-1, 3) / 255.0) for source, _ in problem.styles]
    mean = sum((w * c.mean(0) for w, c in zip(weights, colours, strict=True)), torch.zeros(3, dtype=torch.float64))
    square = sum((w * (c.T @ c) / len(c) for w, c in zip(weights, colours, strict=True)), torch.zeros((3, 3), dtype=torch.float64))
    values, vectors = torch.linalg.eigh(square - torch.outer(mean, mean))
    return mean.float(), (vectors * values.clamp(min=0).sqrt()).float()


def _resampled(image: Tensor, height: int, width: int) -> Tensor:
    return interpolate(image, (height, width), mode="bicubic", align_corners=False)

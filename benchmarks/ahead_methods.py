"""Three ways to make a picture from a photograph and a painting, each stopped at the same work: network passes x pixels.

A pass is one forward and backward through the network; L-BFGS's line searches cost passes too, and are counted. Targets
are not: every method computes them once. All start from the photograph, and nothing is random.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from ahead_rival import EdgeFeatures, WassersteinObjective
from torch import Tensor
from torch.nn.functional import interpolate

from sweep.transfer.images import resized_to
from sweep.transfer.lbfgs import PackLBFGS
from sweep.transfer.networks import Features
from sweep.transfer.objective import PackObjective
from sweep.transfer.optimizers import Objective, PackAdam
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS, PYRAMID
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Problem, Source, TargetCache, stylize
from sweep.transfer.targets import Targets, as_image, as_pixels
from sweep.transfer.weights import Weights

NETWORK: Final = "vgg16-hed"
OURS: Final = "pyramid"
GATYS: Final = "gatys, neural-style's losses"
WASSERSTEIN: Final = "pyramid, style-transfer-pytorch's losses"
CONTENT_WEIGHT: Final = 5.0  # neural-style's default; its style weight is 100
_CPU: Final = torch.device("cpu")


class Spent(Exception):
    """Raised inside an optimiser where the work is used up."""


class Counted:
    """An objective that counts passes x pixels, and raises Spent instead of going over `most`."""

    def __init__(self, objective: Objective, most: float, spent: float = 0.0) -> None:
        self._objective, self._most, self.spent = objective, most, spent

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        pixels = image.shape[-2] * image.shape[-1]
        if self.spent + pixels > self._most:
            raise Spent
        self.spent += pixels
        return self._objective(image)


@dataclass(frozen=True)
class Pair:
    """A photograph at the size of the picture, and a painting."""

    name: str
    content: Source
    style: Source


@dataclass(frozen=True)
class Made:
    """A picture (H, W, 3) uint8, and the work that it took of the work that was allowed."""

    pixels: np.ndarray
    work: float
    allowed: float


class Methods:
    """The three methods by name, with the network that they share."""

    def __init__(self, weights: Weights) -> None:
        self._features, self._edges = Features(weights, "relu5_1"), EdgeFeatures(weights, "relu5_1")
        self._cache = TargetCache()
        self.all: dict[str, Callable[[Pair, float, Sequence[float]], Iterator[Made]]] = {
            OURS: self.pyramid,
            GATYS: self.gatys,
            WASSERSTEIN: self.wasserstein,
        }

    def pyramid(self, pair: Pair, strength: float, allowed: Sequence[float]) -> Iterator[Made]:
        """Ours as a user gets it: recipe `pyramid` and the default layer set; only the steps are fitted to the work."""
        for most in allowed:
            problem = self._problem(pair, LAYER_SETS[DEFAULT_LAYER_SET], strength, fitted_recipe(pair, most))
            *_, outcome = stylize(self._features, problem, self._cache)
            assert isinstance(outcome, Outcome) and not outcome.diverged
            yield Made(outcome.pixels, work_of(problem.recipe.scales(*pair.content.pixels.shape[:2])), most)

    def gatys(self, pair: Pair, strength: float, allowed: Sequence[float]) -> Iterator[Made]:
        """L-BFGS at one scale; the picture is that of the last finished step. One run serves every amount of work."""
        problem = self._problem(pair, LAYER_SETS["gatys"], strength, Recipe(name="gatys", size=max(pair.content.pixels.shape)))
        height, width = pair.content.pixels.shape[:2]
        problem = dataclasses.replace(problem, loss="johnson", alpha=CONTENT_WEIGHT, beta=strength * CONTENT_WEIGHT)
        inner = PackObjective([problem], Targets(self._features, self._cache, _CPU), (height, width))
        optimizer = PackLBFGS.at(as_image(pair.content.pixels, _CPU), problem.recipe.gatys)
        spent, finished = 0.0, optimizer.picture()
        for most in sorted(allowed):
            counted = Counted(inner, most, spent)
            with contextlib.suppress(Spent):  # a line search that is cut short goes on with the next allowance
                while True:
                    if optimizer.advance(counted)[1]:
                        finished = optimizer.picture()
            spent = counted.spent
            yield Made(as_pixels(finished), spent, most)

    def wasserstein(self, pair: Pair, strength: float, allowed: Sequence[float]) -> Iterator[Made]:
        """Adam from small to large with the numbers of style-transfer-pytorch; `strength` is 1 over its content weight.

        Its first scale has twice the steps of the later ones. Its smallest scale (128 pixels there, for pictures of 512) is
        that of `pyramid`: with its own, small pictures would have one scale only.
        """
        numbers = dataclasses.replace(
            PYRAMID, learning_rate=0.02, levels=1, momentum=0.9, variance_decay=0.99, epsilon=1e-8, averaging=0.99
        )
        for most in allowed:
            optimizer: PackAdam | None = None
            spent = 0.0
            for height, width, steps in first_twice(fitted_recipe(pair, most), pair, most):
                counted = Counted(WassersteinObjective(self._edges, (pair.content, pair.style), (height, width), 1 / strength), most, spent)
                if optimizer is None:
                    optimizer = PackAdam(as_image(resized_to(pair.content.pixels, height, width), _CPU), numbers)
                else:
                    larger = interpolate(optimizer.picture(), (height, width), mode="bicubic", align_corners=False)
                    optimizer.move_to(larger.clamp(0, 1))
                for _ in range(steps):
                    optimizer.advance(counted)
                spent = counted.spent
            assert optimizer is not None
            yield Made(as_pixels(optimizer.picture()), spent, most)

    def _problem(self, pair: Pair, layers: tuple[dict[str, float], dict[str, float]], ratio: float, recipe: Recipe) -> Problem:
        return Problem(
            content=pair.content, styles=((pair.style, 1.0),), alpha=1 / (1 + ratio), beta=ratio / (1 + ratio),
            content_layers=layers[0], style_layers=layers[1], recipe=recipe,
        )  # fmt: skip


def work_of(scales: Sequence[tuple[int, int, int]]) -> float:
    """Passes x pixels of (height, width, steps) per scale."""
    return float(sum(height * width * steps for height, width, steps in scales))


def fitted_recipe(pair: Pair, most: float) -> Recipe:
    """The recipe `pyramid` with as many steps as the work allows."""
    height, width = pair.content.pixels.shape[:2]
    recipe = Recipe(size=max(height, width), steps=2)
    while work_of(recipe.scales(height, width)) <= most:
        recipe = dataclasses.replace(recipe, steps=recipe.first_steps + 1)
    return dataclasses.replace(recipe, steps=max(1, recipe.first_steps - 1))


def first_twice(recipe: Recipe, pair: Pair, most: float) -> list[tuple[int, int, int]]:
    """The scales of style-transfer-pytorch, sqrt(2) apart, with as many steps as the work allows, twice as many in the first."""
    recipe = dataclasses.replace(recipe, factor=2**0.5)
    sizes = [(height, width) for height, width, _ in recipe.scales(*pair.content.pixels.shape[:2])]
    each = work_of([(height, width, 2 if number == 0 else 1) for number, (height, width) in enumerate(sizes)])
    steps = max(1, int(most // each))
    return [(height, width, steps * 2 if number == 0 else steps) for number, (height, width) in enumerate(sizes)]

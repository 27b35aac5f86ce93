"""How a picture is optimised: the recipe, its scales and its steps. Standard library only, for the planner."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from sweep.errors import InputError
from sweep.transfer.controls import Init, SizeBy, Stop, check_choice, check_number
from sweep.transfer.presets import GATYS, PYRAMID, RECIPES, GatysNumbers, PyramidNumbers

__all__ = ["CURVE_POINTS", "NUMBERS", "SMALLEST_SIDE", "Init", "Number", "Recipe", "SizeBy", "Stop", "fitted", "kept_steps", "log_spaced"]

CURVE_POINTS: Final = 200
SMALLEST_SIDE: Final = 16  # relu5_1 comes after four pools: under 16 pixels nothing is left of a side


def fitted(height: int, width: int, long_side: int) -> tuple[int, int]:
    """(height, width) shrunk to the long side; the aspect is kept, no side is under 1, nothing is enlarged."""
    longest = max(height, width)
    if longest <= long_side:
        return height, width
    return max(1, round(height * long_side / longest)), max(1, round(width * long_side / longest))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Optimiser, picture size and start of a run.

    `size` is the long side in pixels, or with `size_by` 'area' the side of a square of as many pixels, so that pictures of any
    aspect cost the same; a smaller photograph is not enlarged. `steps`: for `pyramid` those of the smallest
    scale, for `gatys` the L-BFGS steps. `seed` is used by the two noise starts only.
    `later_steps` (of each later scale; None: half of the first's), `learning_rate`, `momentum`, `variance_decay`, `levels` and `epsilon`
    (Adam's, in [0, 1] pixel units), `averaging` (decay of the averaged iterate; 0: none), `smallest` (long side of the first
    scale, pixels) and `factor` (from scale to scale) belong to `pyramid`; `history` (of L-BFGS) to `gatys`; None is the
    recipe's own number. See NUMBERS.
    `stop` ends scales early. Raises InputError for values outside these and for a number that the recipe does not have.
    """

    name: str = "pyramid"
    size: int = 512
    steps: int | None = None
    init: Init = "content"
    seed: int = 0
    learning_rate: float | None = None
    averaging: float | None = None
    smallest: int | None = None
    history: int | None = None
    stop: Stop | None = None
    size_by: SizeBy = "long_side"
    factor: float | None = None
    epsilon: float | None = None
    later_steps: int | None = None
    momentum: float | None = None
    variance_decay: float | None = None
    levels: int | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Recipe":
        """From the settings of a run, where the recipe's name is called `recipe`; what is no part of a recipe is passed over."""
        return cls(name=settings["recipe"], **{one.name: settings[one.name] for one in fields(cls) if one.name in settings})

    def __post_init__(self) -> None:
        if self.name not in RECIPES:
            raise InputError(f"There is no recipe {self.name!r}; choose one of {', '.join(RECIPES)}.")
        check_choice(self.init, Init, "A run cannot start from {}")
        check_choice(self.size_by, SizeBy, "A size cannot be given by {}")
        if self.size < SMALLEST_SIDE:
            raise InputError(f"The size {self.size} is too small; give at least {SMALLEST_SIDE} pixels.")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"A run needs at least 1 step, not {self.steps}.")
        self._check_numbers()

    def _check_numbers(self) -> None:
        for field, number in NUMBERS.items():
            value = getattr(self, field)
            if value is None:
                continue
            if self.name != number.recipe:
                raise InputError(
                    f"The recipe {self.name} has no {field} (it belongs to {number.recipe}); leave it out or take {number.recipe}."
                )
            check_number(value, field, number.low, number.high)

    @property
    def pyramid(self) -> PyramidNumbers:
        """The numbers of `pyramid`, with this recipe's own in their place."""
        own = {field: getattr(self, field) for field, number in NUMBERS.items() if number.recipe == "pyramid"}
        return replace(PYRAMID, **{field: value for field, value in own.items() if value is not None})

    @property
    def gatys(self) -> GatysNumbers:
        """The numbers of `gatys`, with this recipe's own in their place."""
        return GATYS if self.history is None else replace(GATYS, history=self.history)

    @property
    def first_steps(self) -> int:
        """Steps of the smallest (for `gatys`: the only) scale."""
        return RECIPES[self.name].steps if self.steps is None else self.steps

    def long_side(self, height: int, width: int) -> int:
        """The picture's long side for a photograph of that many pixels, if that is large enough."""
        if self.size_by == "long_side":
            return self.size
        return round(self.size * math.sqrt(max(height, width) / min(height, width)))

    def scales(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """(height, width, steps) of each scale, small to large, for a photograph of that many pixels."""
        height, width = fitted(height, width, self.long_side(height, width))
        if self.name == "gatys":
            return [(height, width, self.first_steps)]
        later = self.pyramid.later_steps or max(1, self.first_steps // 2)
        sizes = [fitted(height, width, side) for side in _long_sides(height, width, self.pyramid)]
        return [(h, w, later if index else self.first_steps) for index, (h, w) in enumerate(sizes)]

    def total_steps(self, height: int, width: int) -> int:
        """Steps of the whole run for a photograph of that many pixels (fewer where `stop` ends a scale)."""
        return sum(steps for _, _, steps in self.scales(height, width))


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number of one recipe: what it is, and what it may be, both ends included."""

    recipe: str
    kind: type[int] | type[float]
    low: float
    high: float
    meaning: str


def _of_pyramid(kind: type[int] | type[float], low: float, high: float, meaning: str) -> Number:
    return Number(recipe="pyramid", kind=kind, low=low, high=high, meaning=meaning)


NUMBERS: Final[dict[str, Number]] = {
    "later_steps": _of_pyramid(int, 1, 1_000_000, "steps of every scale after the first"),
    "learning_rate": _of_pyramid(float, 1e-6, 1.0, "Adam's, in pixel values from 0 to 1"),
    "momentum": _of_pyramid(float, 0.0, 0.9999, "Adam's decay of the gradient's mean"),
    "variance_decay": _of_pyramid(float, 0.0, 0.999999, "Adam's decay of the mean of the gradient's squares"),
    "levels": _of_pyramid(int, 1, 8, "resolutions that a step is composed of"),
    "epsilon": _of_pyramid(float, 1e-12, 1e3, "Adam's, added to the root of that mean"),
    "averaging": _of_pyramid(float, 0.0, 0.9999, "decay of the averaged iterate, 0 for none"),
    "smallest": _of_pyramid(int, SMALLEST_SIDE, 1_000_000, "long side of the first scale in pixels"),
    "factor": _of_pyramid(float, 1.05, 16.0, "from one scale to the next"),
    "history": Number(recipe="gatys", kind=int, low=1, high=1000, meaning="steps that L-BFGS remembers"),
}
"""The numbers of the recipes that a run may have of its own (`steps` belongs to both and is not here)."""


def log_spaced(count: int, steps: int) -> frozenset[int]:
    """At most `count` steps between 1 and `steps` (both included, for a count over 1), evenly spaced by their logarithm."""
    if count < 1:
        return frozenset()
    if count == 1:
        return frozenset({steps})
    return frozenset(round(steps ** (index / (count - 1))) for index in range(count))


def _long_sides(height: int, width: int, numbers: PyramidNumbers) -> list[int]:
    """The pyramid's long sides, small to large; the last is the picture's own, the others are `factor` apart."""
    longest = max(height, width)
    sides = [longest]
    while True:
        side = round(longest / numbers.factor ** len(sides))
        short = min(fitted(height, width, side))
        if side < numbers.smallest or short < numbers.shortest or side == sides[0]:
            return sides
        sides.insert(0, side)


def kept_steps(scales: list[tuple[int, int, int]]) -> list[list[int]]:
    """Per scale the steps (from 0) whose losses are kept: evenly thinned, always the first and the last.

    About CURVE_POINTS together, and a pure function of the scales, so that a repeated run has the same curve.
    """
    budget = max(2, CURVE_POINTS // len(scales))
    kept = []
    for _, _, steps in scales:
        stride = max(1, -(-(steps - 1) // (budget - 1)))
        kept.append(sorted({*range(0, steps, stride), steps - 1}))
    return kept

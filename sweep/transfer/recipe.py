"""How a picture is optimised: the recipe, its scales and its steps. Standard library only, for the planner."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from sweep.errors import InputError
from sweep.transfer.presets import PYRAMID, RECIPES

Init = Literal["content", "style_noise", "noise"]
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

    `size` is the long side in pixels; a smaller photograph is not enlarged. `steps`: for `pyramid` those of the smallest
    scale (each later scale takes half), for `gatys` the L-BFGS steps; None is the recipe's default. `seed` is used by the
    two noise starts only. Raises InputError for values outside these.
    """

    name: str = "pyramid"
    size: int = 512
    steps: int | None = None
    init: Init = "content"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in RECIPES:
            raise InputError(f"There is no recipe {self.name!r}; choose one of {', '.join(RECIPES)}.")
        if self.init not in get_args(Init):
            raise InputError(f"A run cannot start from {self.init!r}; choose one of {', '.join(get_args(Init))}.")
        if self.size < SMALLEST_SIDE:
            raise InputError(f"The size {self.size} is too small; give at least {SMALLEST_SIDE} pixels.")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"A run needs at least 1 step, not {self.steps}.")

    @property
    def first_steps(self) -> int:
        """Steps of the smallest (for `gatys`: the only) scale."""
        return RECIPES[self.name].steps if self.steps is None else self.steps

    def scales(self, height: int, width: int) -> list[tuple[int, int, int]]:
        """(height, width, steps) of each scale, small to large, for a photograph of that many pixels."""
        height, width = fitted(height, width, self.size)
        if self.name == "gatys":
            return [(height, width, self.first_steps)]
        later = max(1, self.first_steps // 2)
        sizes = [fitted(height, width, side) for side in _long_sides(height, width)]
        return [(h, w, later if index else self.first_steps) for index, (h, w) in enumerate(sizes)]

    def total_steps(self, height: int, width: int) -> int:
        """Steps of the whole run for a photograph of that many pixels."""
        return sum(steps for _, _, steps in self.scales(height, width))


def _long_sides(height: int, width: int) -> list[int]:
    """The pyramid's long sides, small to large; the last is the picture's own, the others are `factor` apart."""
    longest = max(height, width)
    sides = [longest]
    while True:
        side = round(longest / PYRAMID.factor ** len(sides))
        short = min(fitted(height, width, side))
        if side < PYRAMID.smallest or short < PYRAMID.shortest or side == sides[0]:
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

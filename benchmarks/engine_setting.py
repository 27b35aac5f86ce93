"""What all parts of the engine's benchmark share: a row of the table, how much is measured, and the pictures."""

from dataclasses import dataclass

import numpy as np

from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import resized_to
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Problem, Source

RATIO = 10.0  # beta / alpha
LAYERS = LAYER_SETS[DEFAULT_LAYER_SET]


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, at what, the value and its unit, and the most that it should be, if there is a goal."""

    what: str
    at: str
    value: float
    unit: str
    goal: float | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    network: str
    device: str
    sizes: tuple[int, ...]
    memory_sizes: tuple[int, ...]
    turns: int
    turn_seconds: float
    recipe: str = "pyramid"


def pictures(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A photograph and a drawn style of exactly size x 3/4 size pixels (enlarged if need be)."""
    height = size * 3 // 4
    return resized_to(sample_photograph("cat"), height, size), resized_to(drawn_style("woodcut", max(size, 96)), height, size)


def single_scale(size: int, steps: int) -> Recipe:
    """The recipe `pyramid` without its smaller scales."""
    return Recipe(size=size, steps=steps, smallest=size)


def problem(size: int, recipe: Recipe) -> Problem:
    """The default layers on the sample pictures."""
    photograph, style = pictures(size)
    return Problem(
        content=Source("photograph", photograph), styles=((Source("style", style), 1.0),), alpha=1.0, beta=RATIO,
        content_layers=LAYERS[0], style_layers=LAYERS[1], recipe=recipe,
    )  # fmt: skip

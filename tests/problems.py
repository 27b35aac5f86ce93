"""The quick problem that tests of the engine start from."""

from collections.abc import Callable

from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Problem, Source

Sources = Callable[..., Source]


def problem_of(source: Sources, **changes: object) -> Problem:
    """A problem for features up to relu2_1; whatever is changed takes the place of the usual."""
    usual: dict = {
        "content": source(1),
        "styles": ((source(2), 1.0),),
        "alpha": 0.5,
        "beta": 0.5,
        "content_layers": {"relu2_1": 1.0},
        "style_layers": {"relu1_1": 2.0, "relu2_1": 1.0},
        "recipe": Recipe(size=64, steps=6),
    }
    return Problem(**{**usual, **changes})

"""The quick problem that tests of the engine start from."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from sweep.transfer.objective import PackObjective
from sweep.transfer.optimizers import Objective
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Problem, Source
from sweep.transfer.targets import Targets
from sweep.transfer.yardsticks import NAMES, YardstickMeter

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


def objective_of(problem: Problem, targets: Targets, size: tuple[int, int]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The objective of one picture: its value (a scalar) and its losses (3,)."""
    pack = PackObjective([problem], targets, size)

    def objective(image: Tensor) -> tuple[Tensor, Tensor]:
        totals, losses = pack(image)
        return totals[0], losses[0]

    return objective


def bowls(targets: Tensor, steepness: Tensor) -> Objective:
    """A quadratic for each picture, with its minimum at `targets`."""

    def objective(images: Tensor) -> tuple[Tensor, Tensor]:
        values = (steepness * (images - targets).square()).sum(dim=(1, 2, 3))
        return values, torch.stack([values, values, values], dim=1).detach()

    return objective


def torch_s_adam(start: Tensor, objective: Objective, **numbers: Any) -> Iterator[Tensor]:
    """The pictures after each step of torch's Adam, clamped."""
    picture = start.clone().requires_grad_()
    adam = torch.optim.Adam([picture], **numbers)
    while True:
        adam.zero_grad()
        objective(picture)[0].sum().backward()
        adam.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
        yield picture.detach().clone()


def y1_of(meter: YardstickMeter, *asked: Any) -> dict[str, float | None]:
    """The five of protocol y1 alone."""
    found = meter.measure_all(*asked)
    return {name: found[name] for name in NAMES}

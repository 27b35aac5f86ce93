"""The names that a run's controls may take, and when a scale may end early. Standard library only: the planner reads them."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from sweep.errors import InputError

Init = Literal["content", "style_noise", "noise"]
SizeBy = Literal["long_side", "area"]
Pooling = Literal["max", "average", "l2"]
Padding = Literal["zero", "replicate"]
Colors = Literal["style", "content", "matched"]
StyleLoss = Literal["gram", "wasserstein", "moments"]
Loss = Literal["relative", "gatys", "johnson"]
Dtype = Literal["float32", "bfloat16"]
STYLE_SCALES = (0.05, 20.0)


def check_choice(value: object, choices: object, sentence: str) -> None:
    """Raise InputError unless the value is one of a Literal's. The sentence has one `{}` for the value, and no full stop."""
    if value not in get_args(choices):
        raise InputError(f"{sentence.format(repr(value))}; choose one of {', '.join(get_args(choices))}.")


def check_number(value: float, what: str, low: float, high: float) -> None:
    """Raise InputError unless low <= value <= high (so never for NaN)."""
    if not low <= value <= high:
        raise InputError(f"{what} must lie between {low:g} and {high:g}, not {value!r}.")


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End a scale on a plateau of its own objective: when it fell by less than the fraction `below` per `per` steps.

    Compared are the means of the objective over the last `per` steps and over the `per` steps before (single steps of Adam
    are too restless to be compared), so a scale has at least 2 * `per` steps. It is looked at every 25 steps of the scale, when
    the losses are read anyway. Raises InputError for a fraction outside 0 to 1 or fewer than 1 step.
    """

    below: float = 0.005
    per: int = 25

    def __post_init__(self) -> None:
        if not 0 < self.below < 1:
            raise InputError(f"stop.below must be a fraction between 0 and 1 (0.005 is half a percent), not {self.below!r}.")
        if self.per < 1:
            raise InputError(f"stop.per must be at least 1 step, not {self.per!r}.")

    def __str__(self) -> str:
        """'0.5 % per 25 steps', exactly: two that differ read differently."""
        percent = (Decimal(repr(self.below)) * 100).normalize()
        return f"{percent if percent < 1 else format(percent, 'f')} % per {self.per} step{'' if self.per == 1 else 's'}"

    def reached(self, objective: list[float]) -> bool:
        """Whether to stop after these values of a scale's objective, one per step."""
        if len(objective) < 2 * self.per:
            return False
        last = math.fsum(objective[-self.per :])
        before = math.fsum(objective[-2 * self.per : -self.per])
        return before - last < self.below * before

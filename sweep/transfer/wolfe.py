"""A line search for the strong Wolfe conditions, one evaluation at a time.

Nocedal and Wright, Numerical Optimization (2nd edition), algorithms 3.5 and 3.6, with the cubic interpolation of equation 3.59. It is a
generator, so that whoever evaluates may do so for many searches at once.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

SUFFICIENT: Final = 1e-4  # c1: the decrease that is asked for, as a share of what the slope promises
FLAT: Final = 0.9  # c2: the slope that is asked for, as a share of that at the start; the book's value for quasi-Newton methods
MOST_EVALUATIONS: Final = 25
_GROWTH: Final = 10.0  # at most, from one trial to the next
_MARGIN: Final = 0.1  # of an interval, that a trial keeps from its ends
_NARROW: Final = 1e-9  # relative width under which an interval holds nothing more


@dataclass(frozen=True)
class Evaluation:
    """The objective at `length` along the direction, and its derivative along it."""

    length: float
    value: float
    slope: float

    @property
    def finite(self) -> bool:
        return math.isfinite(self.value) and math.isfinite(self.slope)


Search = Generator[float, tuple[float, float], Evaluation]


def strong_wolfe(value: float, slope: float, first: float) -> Search:
    """Search from a point of that value along a direction of that (negative) slope; `first` is the first length to try.

    Yields lengths, is sent (value, slope) of each, and returns the evaluation to take: one that meets both conditions, or after
    MOST_EVALUATIONS the lowest one seen, which may be the start (length 0). A value that is not finite counts as too high.
    """
    start = Evaluation(0.0, value, slope)
    lower, length, ceiling = start, first, math.inf
    for number in range(MOST_EVALUATIONS):
        here = Evaluation(length, *(yield length))
        if not here.finite:
            ceiling = length
            length = lower.length + (length - lower.length) * _MARGIN
            continue
        if not _enough(start, here) or (number > 0 and here.value >= lower.value):
            return (yield from _zoom(start, lower, here, MOST_EVALUATIONS - number - 1))
        if abs(here.slope) <= -FLAT * slope:
            return here
        if here.slope >= 0:
            return (yield from _zoom(start, here, lower, MOST_EVALUATIONS - number - 1))
        length = _further(lower, here, ceiling)
        lower = here
    return lower


def _zoom(start: Evaluation, low: Evaluation, high: Evaluation, left: int) -> Search:
    """Algorithm 3.6: between the lowest point so far and one that lies on the other side of a minimum."""
    for _ in range(left):
        width = high.length - low.length
        if abs(width) <= _NARROW * max(low.length, high.length):
            break
        length = _between(low, high)
        here = Evaluation(length, *(yield length))
        if not here.finite or not _enough(start, here) or here.value >= low.value:
            high = here
            continue
        if abs(here.slope) <= -FLAT * start.slope:
            return here
        if here.slope * width >= 0:
            high = low
        low = here
    return low


def _enough(start: Evaluation, here: Evaluation) -> bool:
    """The first condition: a decrease in proportion to the length."""
    return here.value <= start.value + SUFFICIENT * here.length * start.slope


def _between(low: Evaluation, high: Evaluation) -> float:
    """The cubic's minimum, but not next to either end: there the interval would hardly shrink."""
    least, most = sorted((low.length, high.length))
    margin = _MARGIN * (most - least)
    minimum = _cubic(low, high) if high.finite else math.nan
    if not math.isfinite(minimum):
        return (least + most) / 2
    return min(max(minimum, least + margin), most - margin)


def _further(before: Evaluation, here: Evaluation, ceiling: float) -> float:
    """Where the cubic through the last two points has its minimum ahead, within bounds; half-way to a ceiling, if there is one."""
    if math.isfinite(ceiling):
        return (here.length + ceiling) / 2
    minimum = _cubic(before, here)
    if not minimum > here.length:  # also where there is none (NaN)
        return _GROWTH * here.length
    return min(max(minimum, (1 + _MARGIN) * here.length), _GROWTH * here.length)


def _cubic(a: Evaluation, b: Evaluation) -> float:
    """The minimum of the cubic that has both points' values and slopes (equation 3.59); NaN if it has none."""
    if a.length == b.length:
        return math.nan
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.length - b.length)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return math.nan
    d2 = math.copysign(math.sqrt(square), b.length - a.length)
    below = b.slope - a.slope + 2 * d2
    return b.length - (b.length - a.length) * (b.slope + d2 - d1) / below if below else math.nan

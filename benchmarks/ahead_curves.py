"""What a method trades: the style distance that it reaches at each content distance, from some strengths of the style."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Values = dict[str, float]


@dataclass(frozen=True)
class Reached:
    """One finished picture: its strength (beta / alpha in the method's own units), the work, and all yardsticks."""

    method: str
    strength: float
    work: float  # network passes x pixels
    values: Values


def at_content(points: Sequence[Reached], content: float, yardstick: str) -> float:
    """A yardstick of the method at a content distance (y1), between the two neighbouring strengths.

    A straight line between neighbours by content distance, over its logarithm; distances (`d_...`) by their logarithm too, as
    the curves are hollow and a chord would lie over them. Raises ValueError outside the content distances that were reached.
    """
    ordered = sorted(points, key=lambda point: point.values["d_content"])
    for left, right in pairwise(ordered):
        low, high = left.values["d_content"], right.values["d_content"]
        if low <= content <= high:
            share = math.log(content / low) / math.log(high / low) if high > low else 0.0
            start, end = left.values[yardstick], right.values[yardstick]
            if yardstick.startswith("d_"):
                return math.exp((1 - share) * math.log(start) + share * math.log(end))
            return (1 - share) * start + share * end
    raise ValueError(f"no two strengths have the content distance {content:g} between them")


def common_range(curves: Sequence[Sequence[Reached]]) -> tuple[float, float] | None:
    """The content distances that all methods reached, lowest and highest; None where there are none."""
    reached = [[point.values["d_content"] for point in curve] for curve in curves]
    low, high = max(map(min, reached)), min(map(max, reached))
    return (low, high) if low < high else None


def spread(low: float, high: float, count: int) -> list[float]:
    """`count` content distances inside the range, its ends left out, evenly spaced by their logarithm."""
    return [low * (high / low) ** ((number + 1) / (count + 1)) for number in range(count)]

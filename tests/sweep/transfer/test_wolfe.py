"""The line search against functions of one variable."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.transfer.wolfe import FLAT, MOST_EVALUATIONS, SUFFICIENT, Evaluation, strong_wolfe

Curve = Callable[[float], tuple[float, float]]


def run(curve: Curve, first: float) -> tuple[Evaluation, int]:
    search = strong_wolfe(*curve(0.0), first)
    length, count = next(search), 1
    while True:
        try:
            length = search.send(curve(length))
            count += 1
        except StopIteration as end:
            return end.value, count


def meets(curve: Curve, found: Evaluation) -> bool:
    """Nocedal and Wright, equations 3.7."""
    value, slope = curve(0.0)
    lower = found.value <= value + SUFFICIENT * found.length * slope
    return lower and abs(found.slope) <= FLAT * abs(slope) and (found.value, found.slope) == curve(found.length)


# Moré and Thuente 1994 (Line search algorithms with guaranteed sufficient decrease), functions 1 and 2, with their derivatives.
def more_1(a: float, b: float = 2.0) -> tuple[float, float]:
    return -a / (a * a + b), (a * a - b) / (a * a + b) ** 2


def more_2(a: float, b: float = 0.004) -> tuple[float, float]:
    return (a + b) ** 5 - 2 * (a + b) ** 4, 5 * (a + b) ** 4 - 8 * (a + b) ** 3


@pytest.mark.parametrize("first", [1e-3, 1e-1, 10.0, 1e3])
@pytest.mark.parametrize("curve", [more_1, more_2])
def test_both_conditions_hold_on_the_functions_of_more_and_thuente(curve: Curve, first: float) -> None:
    found, count = run(curve, first)
    assert meets(curve, found) and count <= 15


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(1e-2, 1e2), st.floats(-5, 5), st.floats(1e-4, 1e4))
def test_both_conditions_hold_on_wavy_bowls(steep: float, minimum: float, phase: float, first: float) -> None:
    def curve(x: float) -> tuple[float, float]:
        wave = 0.3 * math.sin(3 * (x - minimum) / minimum + phase)
        slope = 0.9 * math.cos(3 * (x - minimum) / minimum + phase) / minimum
        u = (x - minimum) / minimum
        return steep * (u * u + wave), steep * (2 * u / minimum + slope)

    if curve(0.0)[1] >= 0:
        return
    found, count = run(curve, first * minimum)
    assert count <= MOST_EVALUATIONS and meets(curve, found)


def test_a_length_that_suits_is_taken_at_once() -> None:
    found, count = run(lambda x: ((x - 1) ** 2, 2 * (x - 1)), 1.2)
    assert (found.length, count) == (1.2, 1)


def test_values_that_are_not_finite_are_walls() -> None:
    def walled(x: float) -> tuple[float, float]:
        return ((x - 1) ** 2, 2 * (x - 1)) if x < 1.3 else (math.nan, math.nan)

    for first in (1e-3, 1.0, 2.0, 1e4):
        found, _ = run(walled, first)
        assert meets(walled, found)


def test_where_nothing_is_lower_the_start_is_returned() -> None:
    for curve in (lambda x: (x, -1.0), lambda x: (0.0 if x == 0 else math.inf, -1.0)):  # slopes that promise what is not there
        found, count = run(curve, 1.0)
        assert found.length == 0 and count <= MOST_EVALUATIONS

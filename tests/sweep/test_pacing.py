"""When a worker shows its pictures, leaves states and stops, on a clock of the test's own."""

import itertools

import pytest

from sweep import pacing
from sweep.pacing import Pace
from sweep.transfer.companion import Wish

KEY = ("r1-a", 1)


class Clock:
    """Stands until it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(pacing.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def wishes(
    clock: Clock, *, step_seconds: float, steps: int, start: int = 0, stop: frozenset[tuple[str, int]] = frozenset()
) -> list[tuple[float, Wish]]:
    """(Seconds from the beginning, wish) of a run of equal steps, wherever there was one."""
    pace, began, found = Pace([KEY], lambda: stop), clock.now, []
    for step in range(start, steps):
        wish = pace.wish(0, step, step / steps)
        if wish:
            found.append((clock.now - began, wish))
        clock.now += step_seconds
    return found


def times(found: list[tuple[float, Wish]], which: Wish) -> list[float]:
    return [at for at, wish in found if which in wish]


def test_the_first_preview_comes_after_three_seconds_and_the_others_every_five(clock: Clock) -> None:
    shown = times(wishes(clock, step_seconds=0.125, steps=400), Wish.VIEW)
    assert shown == [3 + 5 * n for n in range(10)]


def test_a_step_that_takes_longer_is_shown_each_time(clock: Clock) -> None:
    assert times(wishes(clock, step_seconds=8.0, steps=6), Wish.VIEW) == [8.0 * n for n in range(1, 6)]


def test_nothing_is_shown_twice_while_a_step_goes_on(clock: Clock) -> None:
    pace = Pace([KEY], frozenset)
    steps = [0, 1, 1, 1, 2, 2]  # of L-BFGS, whose searches ask more than once
    seen = []
    for step in steps:
        seen.append(Wish.VIEW in pace.wish(0, step, step / 10))
        clock.now += 6
    assert seen == [False, True, False, False, True, False]


def test_a_run_of_over_a_minute_leaves_a_state_every_thirty_seconds_and_a_shorter_one_none(clock: Clock) -> None:
    assert times(wishes(clock, step_seconds=0.5, steps=100), Wish.STATE) == []  # 50 s
    assert times(wishes(clock, step_seconds=0.5, steps=300), Wish.STATE) == [30.0, 60.0, 90.0, 120.0]
    kept = times(wishes(clock, step_seconds=0.7, steps=300), Wish.STATE)
    assert all(b - a >= 30 for a, b in itertools.pairwise([0.0, *kept]))


def test_what_is_expected_of_a_run_that_goes_on_is_the_whole_of_it(clock: Clock) -> None:
    """The last fifth of 250 seconds takes 50."""
    assert times(wishes(clock, step_seconds=0.5, steps=500, start=400), Wish.STATE) == [30.0]


def test_who_is_to_stop_is_asked_about_each_half_second(clock: Clock) -> None:
    asked = []

    def stop() -> frozenset[tuple[str, int]]:
        asked.append(clock.now)
        return frozenset({KEY}) if len(asked) == 5 else frozenset()

    pace, said = Pace([KEY, ("r1-b", 1)], stop), []
    for step in range(40):
        said.append([Wish.STOP in pace.wish(place, step, step / 40) for place in (0, 1)])
        clock.now += 0.125
    assert [at - asked[0] for at in asked] == [0.5 * n for n in range(10)]
    assert not any(other for _, other in said)
    assert [own for own, _ in said].index(True) == 16


def test_less_than_a_second_s_work_is_not_worth_keeping(clock: Clock) -> None:
    pace = Pace([KEY], frozenset)
    assert not pace.worth_keeping(0)
    pace.wish(0, 0, 0.0)
    clock.now += 0.9
    assert not pace.worth_keeping(0)
    clock.now += 0.2
    assert pace.worth_keeping(0)

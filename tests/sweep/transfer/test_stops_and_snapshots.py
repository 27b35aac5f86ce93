"""Snapshots, and scales that end early on a plateau."""

import dataclasses
from functools import partial

import numpy as np
import problems
import pytest
from problems import Sources

from sweep.errors import InputError
from sweep.transfer import member
from sweep.transfer.curve import LossPoint
from sweep.transfer.networks import Features
from sweep.transfer.recipe import Recipe, log_spaced
from sweep.transfer.stylize import Outcome, Problem, Shot, Stop, stylize

problem_of = partial(problems.problem_of, recipe=Recipe(size=64, steps=3))


def finish(features: Features, problem: Problem, **how: object) -> tuple[list[LossPoint], list[Shot], Outcome]:
    *news, outcome = stylize(features, problem, **how)  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    points = [point for piece in news if isinstance(piece, list) for point in piece]
    return points, [shot for shot in news if isinstance(shot, Shot)], outcome


def picture(features: Features, problem: Problem) -> np.ndarray:
    return finish(features, problem)[2].pixels


def test_snapshots_are_the_pictures_of_their_steps_and_change_nothing(random_features: Features, source: Sources) -> None:
    recipe = Recipe(size=64, smallest=40, steps=8)  # two scales of 8 and 4 steps
    problem = problem_of(source, recipe=recipe)
    points, shots, outcome = finish(random_features, problem, snapshots={1, 8, 10, 12, 99})
    plain = finish(random_features, problem)
    assert plain[1] == [] and points == plain[0]
    np.testing.assert_array_equal(outcome.pixels, plain[2].pixels)
    assert [shot.step for shot in shots] == [1, 8, 10, 12]
    assert [max(shot.pixels.shape) for shot in shots] == [45, 45, 64, 64]
    np.testing.assert_array_equal(shots[-1].pixels, outcome.pixels)
    # The eighth step is the last of the first scale: a run of that scale alone ends there.
    small = dataclasses.replace(problem, recipe=Recipe(size=45, smallest=40, steps=8))
    np.testing.assert_array_equal(shots[1].pixels, picture(random_features, small))


def test_snapshots_by_number_are_spaced_by_the_logarithm(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, recipe=Recipe(size=32, steps=100))
    assert [shot.step for shot in finish(random_features, problem, snapshots=3)[1]] == [1, 10, 100]
    assert log_spaced(0, 50) == frozenset() and log_spaced(1, 50) == {50} and log_spaced(9, 3) == {1, 2, 3}
    for wrong in (-1, {0, 3}):
        with pytest.raises(InputError, match="snapshot"):
            next(stylize(random_features, problem, snapshots=wrong))


def test_snapshots_of_luminance_only_runs_have_the_photograph_s_colours(random_features: Features, source: Sources) -> None:
    _, shots, outcome = finish(random_features, problem_of(source, colors="content"), snapshots={3})
    np.testing.assert_array_equal(shots[0].pixels, outcome.pixels)


def falling(rate: float, steps: int) -> list[float]:
    return [rate**step for step in range(steps)]


def test_a_plateau_is_a_fall_of_less_than_the_fraction_from_one_stretch_to_the_next() -> None:
    stop = Stop(below=0.05, per=10)
    assert not stop.reached(falling(0.99, 19))
    # 0.99^10 = 0.904: a fall of 9.6 % per 10 steps. 0.996^10 = 0.961: 3.9 %.
    assert not stop.reached(falling(0.99, 40))
    assert stop.reached(falling(0.996, 40))
    assert stop.reached([1.0] * 20) and stop.reached([1.0] * 10 + [2.0] * 10)
    assert not stop.reached([0.0] * 40)  # nothing left to gain is no plateau: such a run ends by its steps


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
def test_a_run_that_stops_early_is_the_beginning_of_the_one_that_does_not(name: str, random_features: Features, source: Sources) -> None:
    recipe = Recipe(name=name, size=32, steps=300, stop=Stop(below=0.02, per=10))
    points, _, outcome = finish(random_features, problem_of(source, recipe=recipe))
    assert 20 <= outcome.steps < 300 and outcome.steps % 25 == 0
    assert points[-1].step == outcome.steps
    assert outcome.moved and not outcome.diverged
    full = problem_of(source, recipe=dataclasses.replace(recipe, steps=outcome.steps + 5, stop=None))
    every, shots, _ = finish(random_features, full, snapshots={outcome.steps})
    np.testing.assert_array_equal(shots[0].pixels, outcome.pixels)
    by_step = {point.step: point for point in every}
    assert all(by_step[point.step] == point for point in points[:-1])


def test_stopping_does_not_look_at_the_clock(random_features: Features, source: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(size=32, steps=150, stop=Stop(below=0.02, per=15))
    expected = finish(random_features, problem_of(source, recipe=recipe))
    monkeypatch.setattr(member, "CHUNK_SECONDS", 0.0)
    found = finish(random_features, problem_of(source, recipe=recipe))
    assert found[0] == expected[0] and found[2].steps == expected[2].steps < 150
    np.testing.assert_array_equal(found[2].pixels, expected[2].pixels)


def test_every_scale_has_a_plateau_of_its_own(random_features: Features, source: Sources) -> None:
    recipe = Recipe(size=64, smallest=40, steps=400, stop=Stop(below=0.3, per=10))
    points, _, outcome = finish(random_features, problem_of(source, recipe=recipe))
    assert {point.size for point in points} == {45, 64}
    assert outcome.pixels.shape == (48, 64, 3) and outcome.steps < 200


def test_a_stop_that_cannot_be_is_refused() -> None:
    for wrong in ({"below": 0.0}, {"below": 1.0}, {"below": float("nan")}, {"per": 0}):
        with pytest.raises(InputError, match=f"stop.{next(iter(wrong))}"):
            Stop(**wrong)  # type: ignore[arg-type]

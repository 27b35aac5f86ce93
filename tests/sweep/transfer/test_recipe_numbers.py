"""The numbers of the recipes that a run may have of its own."""

import itertools
from dataclasses import fields
from functools import partial

import numpy as np
import problems
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from problems import Sources, bowls, torch_s_adam

from sweep.errors import InputError
from sweep.transfer.networks import Features
from sweep.transfer.optimizers import PackAdam
from sweep.transfer.presets import GATYS, PYRAMID, GatysNumbers, PyramidNumbers
from sweep.transfer.recipe import NUMBERS, Recipe
from sweep.transfer.stylize import Outcome, Problem, Stop, stylize

problem_of = partial(problems.problem_of, recipe=Recipe(size=64, steps=4))
stops = st.none() | st.builds(Stop, below=st.floats(1e-12, 0.999999), per=st.integers(1, 10**6))


def picture(features: Features, problem: Problem) -> np.ndarray:
    *_, outcome = stylize(features, problem)
    assert isinstance(outcome, Outcome)
    return outcome.pixels


def test_every_number_of_a_recipe_may_be_given_but_its_steps_and_what_is_no_number_of_it() -> None:
    ours = {recipe: {name for name, number in NUMBERS.items() if number.recipe == recipe} for recipe in ("pyramid", "gatys")}
    # `steps` is a setting of both; `shortest` is a limit of the network, `evaluations_per_step` a measurement.
    assert ours["pyramid"] == {one.name for one in fields(PyramidNumbers)} - {"steps", "shortest"}
    assert ours["gatys"] == {one.name for one in fields(GatysNumbers)} - {"steps", "evaluations_per_step"}
    assert set(NUMBERS) <= {one.name for one in fields(Recipe)}


@pytest.mark.parametrize("name", list(NUMBERS))
def test_a_number_takes_its_ends_and_nothing_beyond_and_not_the_other_recipe(name: str) -> None:
    number = NUMBERS[name]
    for end in (number.low, number.high):
        made = Recipe(name=number.recipe, **{name: end})
        assert getattr(made.pyramid if number.recipe == "pyramid" else made.gatys, name) == end
    for beyond in (number.low - 1, number.high * 1.01 + 1, float("nan")):
        with pytest.raises(InputError, match=f"{name} must lie between"):
            Recipe(name=number.recipe, **{name: beyond})
    other = "gatys" if number.recipe == "pyramid" else "pyramid"
    with pytest.raises(InputError, match=f"{other} has no {name}"):
        Recipe(name=other, **{name: number.low})


def test_the_recipe_s_own_numbers_spelt_out_give_the_bit_equal_picture(random_features: Features, source: Sources) -> None:
    own = {name: getattr(PYRAMID, name) for name, number in NUMBERS.items() if number.recipe == "pyramid"} | {"later_steps": 2}
    content = source(1, 108, 144)  # two scales, of 4 and 2 steps
    problem = problem_of(source, content=content, recipe=Recipe(size=144, steps=4))
    spelt_out = problem_of(source, content=content, recipe=Recipe(size=144, steps=4, **own))
    np.testing.assert_array_equal(picture(random_features, problem), picture(random_features, spelt_out))
    assert Recipe(name="gatys", history=GATYS.history).gatys == Recipe(name="gatys").gatys


@pytest.mark.parametrize("changed", [{"momentum": 0.5}, {"variance_decay": 0.9}, {"later_steps": 5}, {"levels": 2}])
def test_another_number_gives_another_picture(changed: dict[str, float], random_features: Features, source: Sources) -> None:
    content = source(1, 108, 144)
    usual, other = (
        picture(random_features, problem_of(source, content=content, recipe=Recipe(size=144, steps=4, **numbers)))
        for numbers in ({}, changed)
    )
    assert not np.array_equal(usual, other)


def test_every_scale_after_the_first_takes_the_later_steps() -> None:
    assert [steps for *_, steps in Recipe(size=512, steps=40).scales(512, 512)] == [40, 20, 20, 20, 20]
    assert [steps for *_, steps in Recipe(size=512, steps=40, later_steps=7).scales(512, 512)] == [40, 7, 7, 7, 7]
    assert Recipe(size=512, steps=40, later_steps=7).total_steps(512, 512) == 68
    assert Recipe(size=512, later_steps=7).total_steps(512, 512) == PYRAMID.steps + 4 * 7


@pytest.mark.parametrize(("momentum", "variance_decay"), list(itertools.product([0.0, 0.5], [0.0, 0.9])))
def test_the_two_decays_are_those_of_torch_s_adam(momentum: float, variance_decay: float) -> None:
    goal = torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = PackAdam(torch.full_like(goal, 0.5), Recipe(momentum=momentum, variance_decay=variance_decay, levels=1).pyramid)
    objective = bowls(goal, torch.ones_like(goal))
    start = torch.full_like(goal, 0.5)
    theirs = torch_s_adam(start, objective, lr=PYRAMID.learning_rate, betas=(momentum, variance_decay), eps=PYRAMID.epsilon)
    for _ in range(6):
        ours.advance(objective)
        torch.testing.assert_close(ours.images, next(theirs), rtol=1e-9, atol=1e-12)


def test_a_recipe_is_read_from_settings_by_name() -> None:
    settings = {"recipe": "gatys", "size": 300, "history": 3, "tv": 0.5, "network": "vgg19", "stop": Stop(per=9)}
    assert Recipe.of(settings) == Recipe(name="gatys", size=300, history=3, stop=Stop(per=9))


@given(stops, stops)
def test_stops_that_differ_read_differently(one: Stop | None, other: Stop | None) -> None:
    assert (str(one) == str(other)) == (one == other)


def test_a_stop_reads_as_people_write_it() -> None:
    assert str(Stop(below=0.005, per=25)) == "0.5 % per 25 steps"
    assert str(Stop(below=0.5, per=1)) == "50 % per 1 step"
    assert str(Stop(below=0.003, per=2)) == "0.3 % per 2 steps"

"""Every control in whole runs: neutral values change nothing, others do what they say."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.errors import InputError
from sweep.transfer import stylize as engine
from sweep.transfer.colours import to_lab
from sweep.transfer.curve import LossPoint
from sweep.transfer.networks import Features
from sweep.transfer.presets import GATYS, PYRAMID
from sweep.transfer.recipe import Recipe, log_spaced
from sweep.transfer.stylize import Outcome, Problem, Shot, Source, Stop, TargetCache, stylize

Sources = Callable[..., Source]


def problem_of(source: Sources, **changes: object) -> Problem:
    usual: dict = {
        "content": source(1),
        "styles": ((source(2), 1.0),),
        "alpha": 0.5,
        "beta": 0.5,
        "content_layers": {"relu2_1": 1.0},
        "style_layers": {"relu1_1": 2.0, "relu1_2": 1.5, "relu2_1": 1.0},
        "recipe": Recipe(size=64, steps=3),
    }
    return Problem(**{**usual, **changes})


def finish(features: Features, problem: Problem, **how: object) -> tuple[list[LossPoint], list[Shot], Outcome]:
    *news, outcome = stylize(features, problem, **how)  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    points = [point for piece in news if isinstance(piece, list) for point in piece]
    return points, [shot for shot in news if isinstance(shot, Shot)], outcome


def picture(features: Features, problem: Problem, **how: object) -> np.ndarray:
    return finish(features, problem, **how)[2].pixels


CHANGES = {
    "style_scale": 0.5,
    "pooling": "average",
    "padding": "replicate",
    "colors": "content",
    "style_loss": "wasserstein",
    "loss": "johnson",
}
NEUTRAL = {
    "style_scale": 1.0,
    "pooling": "max",
    "padding": "zero",
    "colors": "style",
    "style_loss": "gram",
    "loss": "relative",
    "regions": (),
}


def test_neutral_values_give_the_bit_equal_picture(random_features: Features, source: Sources) -> None:
    spelt_out = Recipe(size=64, steps=3, learning_rate=PYRAMID.learning_rate, averaging=PYRAMID.averaging, smallest=PYRAMID.smallest)
    spelt_out = dataclasses.replace(spelt_out, factor=PYRAMID.factor, epsilon=PYRAMID.epsilon, size_by="long_side")
    usual = picture(random_features, problem_of(source))
    np.testing.assert_array_equal(usual, picture(random_features, problem_of(source, recipe=spelt_out, **NEUTRAL)))
    lbfgs = Recipe(name="gatys", size=64, steps=3)
    both = [problem_of(source, recipe=recipe) for recipe in (lbfgs, dataclasses.replace(lbfgs, history=GATYS.history))]
    np.testing.assert_array_equal(*[picture(random_features, problem) for problem in both])


@pytest.mark.parametrize("control", list(CHANGES))
def test_every_other_value_gives_another_picture_and_the_same_one_twice(control: str, random_features: Features, source: Sources) -> None:
    cache = TargetCache()  # one for all: targets of one setting must not be taken for those of another
    usual = picture(random_features, problem_of(source), cache=cache)
    changed = [picture(random_features, problem_of(source, **{control: CHANGES[control]}), cache=cache) for _ in range(2)]
    assert not np.array_equal(usual, changed[0])
    np.testing.assert_array_equal(*changed)
    np.testing.assert_array_equal(changed[0], picture(random_features, problem_of(source, **{control: CHANGES[control]})))
    np.testing.assert_array_equal(usual, picture(random_features, problem_of(source), cache=cache))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(style=st.permutations(["relu1_1", "relu1_2", "relu2_1", "conv2_1"]), content=st.permutations(["conv1_1", "relu1_1", "relu2_1"]))
def test_permuted_layers_give_the_bit_equal_picture(
    style: list[str], content: list[str], random_features: Features, source: Sources
) -> None:
    def of(style: list[str], content: list[str]) -> np.ndarray:
        weights = {layer: 1.0 + index / 3 for index, layer in enumerate(sorted({*style, *content}))}
        layers = {"style_layers": {name: weights[name] for name in style}, "content_layers": {name: weights[name] for name in content}}
        recipe = Recipe(size=24, steps=2)
        return picture(random_features, problem_of(source, recipe=recipe, **layers))

    np.testing.assert_array_equal(of(style, content), of(sorted(style), sorted(content)))


@pytest.mark.parametrize("style_loss", ["gram", "wasserstein", "moments"])
def test_a_blend_with_one_style_at_weight_1_is_that_style(style_loss: str, random_features: Features, source: Sources) -> None:
    blends = [((source(2), 1.0),), ((source(2), 1.0), (source(3), 0.0)), ((source(2), 0.5), (source(2), 0.5))]
    alone, with_none, halves = [
        picture(random_features, problem_of(source, styles=blend, style_loss=style_loss)).astype(int) for blend in blends
    ]
    np.testing.assert_array_equal(alone, with_none)
    # Equal but for the rounding of sums, which Adam's first steps make visible where a gradient is nearly nothing.
    assert np.abs(alone - halves).mean() < 0.1


def test_only_the_proportions_of_layer_weights_matter(random_features: Features, source: Sources) -> None:
    for loss in ("relative", "gatys", "johnson"):
        weights = [{"relu1_1": 2.0 * k, "relu2_1": 1.0 * k} for k in (1, 8)]
        pair = [picture(random_features, problem_of(source, style_layers=layers, loss=loss)) for layers in weights]
        np.testing.assert_array_equal(*pair)


@pytest.mark.parametrize(
    ("scale", "style", "long_side", "expected"),
    [
        (1.0, (300, 400), 200, (150, 200)),
        (0.5, (300, 400), 200, (75, 100)),
        (2.0, (300, 400), 150, (225, 300)),
        (2.0, (300, 400), 300, (300, 400)),  # never enlarged
        (0.1, (300, 400), 100, (16, 22)),  # at least 16 pixels of the short side
        (0.1, (16, 300), 100, (16, 300)),
    ],
)
def test_a_style_has_its_own_size_beside_the_picture(
    scale: float, style: tuple[int, int], long_side: int, expected: tuple[int, int], source: Sources
) -> None:
    assert problem_of(source, style_scale=scale).style_size(source(2, *style), long_side) == expected


def test_luminance_only_keeps_the_photograph_s_colours_and_the_run_s_lightness(random_features: Features, source: Sources) -> None:
    usual, found = (picture(random_features, problem_of(source, colors=colors)) for colors in ("style", "content"))
    np.testing.assert_allclose(to_lab(found)[..., 0], to_lab(usual)[..., 0], atol=1.0)
    photograph = to_lab(source(1).pixels)[..., 1:]
    assert np.abs(to_lab(found)[..., 1:] - photograph).mean() < 0.5 * np.abs(to_lab(usual)[..., 1:] - photograph).mean()


def test_matched_colours_are_those_of_recoloured_styles(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, colors="matched")
    style = problem.prepared().styles[0][0]
    by_hand = problem_of(source, styles=((Source("by hand", style.pixels), 1.0),))
    np.testing.assert_array_equal(picture(random_features, problem), picture(random_features, by_hand))
    assert np.abs(style.pixels.reshape(-1, 3).mean(0) - source(1).pixels.reshape(-1, 3).mean(0)).max() < 4


def test_snapshots_are_the_pictures_of_their_steps_and_change_nothing(random_features: Features, source: Sources) -> None:
    recipe = Recipe(size=144, steps=8)  # two scales of 8 and 4 steps
    problem = problem_of(source, content=source(1, 108, 144), recipe=recipe)
    points, shots, outcome = finish(random_features, problem, snapshots={1, 8, 10, 12, 99})
    plain = finish(random_features, problem)
    assert plain[1] == [] and points == plain[0]
    np.testing.assert_array_equal(outcome.pixels, plain[2].pixels)
    assert [shot.step for shot in shots] == [1, 8, 10, 12]
    assert [max(shot.pixels.shape) for shot in shots] == [102, 102, 144, 144]
    np.testing.assert_array_equal(shots[-1].pixels, outcome.pixels)
    # The eighth step is the last of the first scale: a run of that scale alone ends there.
    small = dataclasses.replace(problem, recipe=Recipe(size=102, steps=8))
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
    recipe = Recipe(name=name, size=64, steps=300, stop=Stop(below=0.02, per=10))
    points, _, outcome = finish(random_features, problem_of(source, recipe=recipe))
    assert 20 <= outcome.steps < 300 and outcome.steps % 25 == 0
    assert points[-1].step == outcome.steps
    assert outcome.moved and not outcome.diverged
    full = problem_of(source, recipe=dataclasses.replace(recipe, stop=None))
    every, shots, _ = finish(random_features, full, snapshots={outcome.steps})
    np.testing.assert_array_equal(shots[0].pixels, outcome.pixels)
    by_step = {point.step: point for point in every}
    assert all(by_step[point.step] == point for point in points[:-1])


def test_stopping_does_not_look_at_the_clock(random_features: Features, source: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(size=64, steps=150, stop=Stop(below=0.02, per=15))
    expected = finish(random_features, problem_of(source, recipe=recipe))
    monkeypatch.setattr(engine, "_CHUNK_SECONDS", 0.0)
    found = finish(random_features, problem_of(source, recipe=recipe))
    assert found[0] == expected[0] and found[2].steps == expected[2].steps < 150
    np.testing.assert_array_equal(found[2].pixels, expected[2].pixels)


def test_every_scale_has_a_plateau_of_its_own(random_features: Features, source: Sources) -> None:
    recipe = Recipe(size=144, steps=400, stop=Stop(below=0.3, per=10))
    points, _, outcome = finish(random_features, problem_of(source, content=source(1, 108, 144), recipe=recipe))
    assert {point.size for point in points} == {102, 144}
    assert outcome.pixels.shape == (108, 144, 3) and outcome.steps < 200


def test_recipe_numbers_reach_the_optimiser(random_features: Features, source: Sources) -> None:
    def of(**numbers: object) -> np.ndarray:
        return picture(random_features, problem_of(source, recipe=Recipe(size=64, steps=8, **numbers))).astype(int)  # type: ignore[arg-type]

    usual = of()
    start = source(1).pixels
    assert np.abs(of(learning_rate=0.001) - start).mean() < 0.2 * np.abs(usual - start).mean()
    assert not np.array_equal(of(averaging=0.0), usual)
    # With a large epsilon Adam's step is nearly its mean gradient, which is far from one level per step.
    assert not np.array_equal(of(epsilon=1.0), usual)
    longer = [Recipe(name="gatys", size=64, steps=12, history=history) for history in (1, 20)]
    pictures = [picture(random_features, problem_of(source, recipe=recipe)) for recipe in longer]
    assert not np.array_equal(*pictures)


def test_without_averaging_the_picture_is_the_last_iterate(random_features: Features, source: Sources) -> None:
    recipe = Recipe(size=64, steps=5, averaging=0.0)
    problem = problem_of(source, recipe=recipe)
    runs: list[torch.Tensor] = []

    class Watched(engine.PyramidAdam):
        def picture(self) -> torch.Tensor:
            runs.append(self.image.clone())
            return super().picture()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "PyramidAdam", Watched)
        found = picture(random_features, problem)
    np.testing.assert_array_equal(found, engine.as_pixels(runs[-1]))


@given(st.integers(16, 3000), st.integers(16, 3000), st.integers(16, 600))
def test_a_size_by_area_gives_pictures_of_that_many_pixels(height: int, width: int, size: int) -> None:
    found = Recipe(size=size, size_by="area").scales(height, width)[-1][:2]
    if height * width <= size**2:
        assert found == (height, width)
    else:
        # Each side is rounded to whole pixels, the long one first.
        slack = size * (1 / found[0] + 1 / found[1]) * size
        assert abs(found[0] * found[1] - size**2) <= slack + 1
        assert abs(found[0] * width - found[1] * height) <= max(height, width)


def test_the_smallest_scale_can_be_chosen() -> None:
    assert [max(h, w) for h, w, _ in Recipe(size=512, factor=2.0).scales(512, 512)] == [128, 256, 512]
    assert [max(h, w) for h, w, _ in Recipe(size=512, smallest=250).scales(512, 512)] == [256, 362, 512]
    assert [max(h, w) for h, w, _ in Recipe(size=512, smallest=5000).scales(512, 512)] == [512]
    assert [max(h, w) for h, w, _ in Recipe(size=128, smallest=40).scales(128, 128)] == [45, 64, 91, 128]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must lie between"),
        ({"learning_rate": float("nan")}, "learning_rate must lie between"),
        ({"averaging": 1.0}, "averaging must lie between"),
        ({"smallest": 8}, "smallest must lie between 16"),
        ({"factor": 1.0}, "factor must lie between 1.05"),
        ({"epsilon": 0.0}, "epsilon must lie between"),
        ({"name": "gatys", "epsilon": 1e-8}, "gatys has no epsilon"),
        ({"size_by": "width"}, "size cannot be given by 'width'; choose one of long_side, area"),
        ({"history": 10}, "pyramid has no history"),
        ({"name": "gatys", "averaging": 0.5}, "gatys has no averaging"),
        ({"name": "gatys", "learning_rate": 0.5}, "gatys has no learning_rate"),
        ({"name": "gatys", "smallest": 64}, "gatys has no smallest"),
        ({"name": "gatys", "history": 0}, "history must lie between 1"),
    ],
    ids=str,
)
def test_a_recipe_number_that_cannot_be_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe(**wrong)


def test_a_stop_that_cannot_be_is_refused() -> None:
    for wrong in ({"below": 0.0}, {"below": 1.0}, {"below": float("nan")}, {"per": 0}):
        with pytest.raises(InputError, match=f"stop.{next(iter(wrong))}"):
            Stop(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"style_scale": 0.0},
        {"style_scale": float("inf")},
        {"pooling": "mean"},
        {"padding": "reflect"},
        {"colors": "photo"},
        {"style_loss": "cosine"},
        {"loss": "caffe"},
    ],
    ids=str,
)
def test_a_control_that_cannot_be_is_refused_with_its_name(wrong: dict, source: Sources) -> None:
    with pytest.raises(InputError, match=next(iter(wrong)).split("_")[0]):
        problem_of(source, **wrong)

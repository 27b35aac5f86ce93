"""Every control in whole runs: neutral values change nothing, others do what they say."""

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
import problems
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import Sources, objective_of

from sweep.errors import InputError
from sweep.transfer import checkpoint
from sweep.transfer.colours import to_lab
from sweep.transfer.networks import Features
from sweep.transfer.objective import value_of
from sweep.transfer.presets import GATYS, PYRAMID
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Problem, Region, Source, TargetCache, stylize
from sweep.transfer.targets import Targets, as_image, as_pixels
from sweep.transfer.weights import Weights

LAYERS = {"relu1_1": 2.0, "relu1_2": 1.5, "relu2_1": 1.0}
problem_of = partial(problems.problem_of, style_layers=LAYERS, recipe=Recipe(size=64, steps=3))


def picture(features: Features, problem: Problem, cache: TargetCache | None = None) -> np.ndarray:
    *_, outcome = stylize(features, problem, cache)
    assert isinstance(outcome, Outcome)
    return outcome.pixels


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


@pytest.mark.parametrize(
    "controls",
    [
        {"pooling": "average", "padding": "replicate"},
        {"pooling": "l2"},
        {"style_loss": "wasserstein"},
        {"style_loss": "moments", "style_scale": 0.8},
        {"loss": "gatys"},
        {"loss": "johnson"},
        {"masked": True},
        {"masked": True, "style_loss": "wasserstein"},
    ],
    ids=str,
)
def test_the_gradient_of_the_objective_is_that_of_finite_differences(
    controls: dict, random_weights: Callable[..., Weights], source: Sources
) -> None:
    controls = dict(controls)
    styles, regions = ((source(2, 18, 20), 0.7), (source(3, 16, 24), 0.3)), ()
    if controls.pop("masked", False):
        mask = np.random.default_rng(0).random((32, 32))
        regions, styles = (Region(mask=mask, styles=styles), Region(mask=1 - mask, styles=((source(4, 20, 20), 1.0),))), ()
    problem = problem_of(source, content=source(1, 16, 16), styles=styles, regions=regions, tv=0.3, **controls)
    features = Features(random_weights(), "relu2_1").double().variant(problem.pooling, problem.padding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.transfer.targets.as_image", lambda pixels, device: as_image(pixels, device).double())
        objective = objective_of(problem, Targets(features, TargetCache(), torch.device("cpu")), (16, 16))
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, 3, 16, 16), generator=generator, dtype=torch.float64).requires_grad_()
    total, losses = objective(image)
    (gradient,) = torch.autograd.grad(total, image)
    pixels = 1 if problem.loss == "gatys" else 256
    assert total.item() == pytest.approx(pixels * value_of(problem, losses.tolist()), rel=1e-9)
    step = 1e-6
    for _ in range(3):
        direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            ahead, behind = (objective(image + sign * step * direction)[0].item() for sign in (1, -1))
        # Directions of nearly no variance have a bounded gradient by design (see style_losses); they weigh little.
        near = 2e-2 if problem.style_loss == "wasserstein" else 2e-4
        numeric = (ahead - behind) / (2 * step)
        assert (gradient * direction).sum().item() == pytest.approx(numeric, rel=near, abs=1e-5 * gradient.norm().item())


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


def test_recipe_numbers_reach_the_optimiser(random_features: Features, source: Sources) -> None:
    def of(**numbers: object) -> np.ndarray:
        return picture(random_features, problem_of(source, recipe=Recipe(size=64, steps=8, **numbers))).astype(int)  # type: ignore[arg-type]

    usual = of()
    start = source(1).pixels
    assert np.abs(of(learning_rate=0.001) - start).mean() < 0.3 * np.abs(usual - start).mean()
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

    class Watched(checkpoint.PackAdam):
        def picture(self) -> torch.Tensor:
            runs.append(self.images.clone())
            return super().picture()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "PackAdam", Watched)
        found = picture(random_features, problem)
    np.testing.assert_array_equal(found, as_pixels(runs[-1]))


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

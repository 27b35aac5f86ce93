"""Styles confined to regions by masks."""

from functools import partial

import numpy as np
import problems
import pytest
import torch
from problems import Sources, objective_of

from sweep.errors import InputError
from sweep.transfer.networks import Features
from sweep.transfer.problem import Problem, Region
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Source, TargetCache, stylize
from sweep.transfer.targets import Targets

problem_of = partial(problems.problem_of, styles=(), recipe=Recipe(size=64, steps=8))


def picture(features: Features, problem: Problem) -> np.ndarray:
    *_, outcome = stylize(features, problem)
    assert isinstance(outcome, Outcome)
    return outcome.pixels.astype(int)


def left_half(height: int = 48, width: int = 64) -> np.ndarray:
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[:, : width // 2] = 255
    return mask


def style_loss(features: Features, problem: Problem, image: torch.Tensor) -> float:
    targets = Targets(features, TargetCache(), torch.device("cpu"))
    return objective_of(problem, targets, (48, 64))(image)[1][1].item()


@pytest.mark.parametrize("style", ["gram", "wasserstein", "moments"])
@pytest.mark.parametrize("ones", [np.full((48, 64), 255, np.uint8), np.ones((96, 128)), np.ones((24, 32), bool)], ids=str)
def test_one_region_of_ones_is_the_run_without_masks_bit_by_bit(
    style: str, ones: np.ndarray, random_features: Features, source: Sources
) -> None:
    plain = problem_of(source, styles=((source(2), 1.0),), style_loss=style, recipe=Recipe(size=64, steps=3))
    region = Region(mask=ones, styles=((source(2), 1.0),))
    masked = problem_of(source, regions=(region,), style_loss=style, recipe=Recipe(size=64, steps=3))
    np.testing.assert_array_equal(picture(random_features, plain), picture(random_features, masked))


@pytest.mark.parametrize("style", ["gram", "wasserstein", "moments"])
def test_an_even_mask_is_the_whole_picture_at_its_share_of_the_weight(style: str, random_features: Features, source: Sources) -> None:
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(0))
    plain = style_loss(random_features, problem_of(source, styles=((source(2), 1.0),), style_loss=style), image)
    even = Region(mask=np.full((48, 64), 0.5), styles=((source(2), 1.0),))
    assert style_loss(random_features, problem_of(source, regions=(even,), style_loss=style), image) == pytest.approx(plain / 2, rel=1e-4)


@pytest.mark.parametrize("loss", ["relative", "gatys", "johnson"])
def test_a_style_does_nothing_outside_its_region(loss: str, random_features: Features, source: Sources) -> None:
    region = Region(mask=left_half(), styles=((source(2), 1.0),))
    problem = problem_of(source, regions=(region,), alpha=0.0, beta=1.0, loss=loss)
    moved = np.abs(picture(random_features, problem) - problem.content.pixels)
    assert moved[:, :28].mean() > 5
    # The kernels of two convolutions, a pool and another see at most 7 pixels past the edge.
    assert moved[:, 40:].max() == 0


def test_each_region_gets_its_own_style(random_features: Features, source: Sources) -> None:
    red, blue = (Source(name, np.full((48, 64, 3), colour, np.uint8)) for name, colour in (("r", (220, 30, 30)), ("b", (30, 30, 220))))
    regions = (Region(mask=left_half(), styles=((red, 1.0),)), Region(mask=255 - left_half(), styles=((blue, 1.0),)))
    layers = {"relu1_1": 1.0}
    recipe = Recipe(name="gatys", size=64, steps=60)
    problem = problem_of(source, regions=regions, alpha=0.0, beta=1.0, style_layers=layers, recipe=recipe)
    found = picture(random_features, problem)
    left, right = found[:, :28].mean((0, 1)), found[:, 36:].mean((0, 1))
    assert left[0] - left[2] > 30 and right[2] - right[0] > 30


def test_a_pixel_inside_feels_beta_as_without_masks(random_features: Features, source: Sources) -> None:
    """Two regions that together are the picture, of one style, pull as hard as the picture: by area, not region by region."""

    def gradient(**how: object) -> torch.Tensor:
        problem = problem_of(source, alpha=0.0, beta=1.0, **how)
        objective = objective_of(problem, Targets(random_features, TargetCache(), torch.device("cpu")), (48, 64))
        image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(0)).requires_grad_()
        return torch.autograd.grad(objective(image)[0], image)[0]

    style = ((source(2), 1.0),)
    small = np.zeros((48, 64), np.uint8)
    small[:, :16] = 255
    whole, parts = gradient(styles=style), gradient(regions=(Region(mask=small, styles=style), Region(mask=255 - small, styles=style)))
    for columns in (slice(0, 12), slice(24, 64)):
        assert 0.5 < (parts[..., columns].abs().mean() / whole[..., columns].abs().mean()).item() < 2


def test_the_styles_of_regions_count_by_area(source: Sources) -> None:
    quarter = np.zeros((48, 64), np.uint8)
    quarter[:, :16] = 255
    regions = (Region(mask=quarter, styles=((source(2), 0.5), (source(3), 0.5))), Region(mask=255 - quarter, styles=((source(4), 1.0),)))
    shares = {style.key: share for style, share in problem_of(source, regions=regions).all_styles}
    assert list(shares.values()) == pytest.approx([0.125, 0.125, 0.75])


def test_a_cache_does_not_take_one_mask_for_another_or_for_none(random_features: Features, source: Sources) -> None:
    # relu1_1 alone, no content: what the photograph's own region was is all that the bound knows.
    layers = {"style_layers": {"relu1_1": 1.0}, "recipe": Recipe(size=64, steps=2)}
    style = ((source(2), 1.0),)
    problems = [problem_of(source, styles=style, **layers)]
    problems += [problem_of(source, regions=(Region(mask=mask, styles=style),), **layers) for mask in (left_half(), 255 - left_half())]
    image = torch.rand((1, 3, 48, 64), generator=torch.Generator().manual_seed(0))
    shared = Targets(random_features, TargetCache(), torch.device("cpu"))
    for problem in problems:
        assert objective_of(problem, shared, (48, 64))(image)[1][1].item() == style_loss(random_features, problem, image)


def test_regions_go_with_noise_and_with_matched_colours(random_features: Features, source: Sources) -> None:
    regions = (Region(mask=left_half(), styles=((source(2), 1.0),)), Region(mask=255 - left_half(), styles=((source(3), 1.0),)))
    recipe = Recipe(size=64, steps=2, init="style_noise")
    assert picture(random_features, problem_of(source, regions=regions, recipe=recipe)).shape == (48, 64, 3)
    matched = problem_of(source, regions=regions, colors="matched").prepared()
    for region, part in zip(matched.regions, (np.s_[:, :32], np.s_[:, 32:]), strict=True):
        wanted = matched.content.pixels[part].reshape(-1, 3).mean(0)
        np.testing.assert_allclose(region.styles[0][0].pixels.reshape(-1, 3).mean(0), wanted, atol=12)
    assert matched.regions[0].styles[0][0].key != problem_of(source, regions=regions).regions[0].styles[0][0].key


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((48, 64), np.uint8), "black everywhere"),
        (np.zeros((48, 64, 3), np.uint8), r"grey picture.*\(48, 64, 3\)"),
        (np.full((48, 64), 2.0), "between 0 and 1"),
        (np.full((48, 64), np.nan), "between 0 and 1"),
        (np.full((48, 64), 7, np.int32), "int32"),
    ],
    ids=["empty", "colour", "over 1", "nan", "int32"],
)
def test_a_mask_that_cannot_be_used_is_refused(mask: np.ndarray, message: str, source: Sources) -> None:
    with pytest.raises(InputError, match=message):
        Region(mask=mask, styles=((source(2), 1.0),))


def test_a_mask_of_another_shape_and_styles_beside_regions_are_refused(source: Sources) -> None:
    region = Region(mask=left_half(), styles=((source(2), 1.0),))
    with pytest.raises(InputError, match="no style"):
        Region(mask=left_half(), styles=())
    with pytest.raises(InputError, match="64 x 64 pixels has another shape"):
        problem_of(source, regions=(Region(mask=left_half(64, 64), styles=((source(2), 1.0),)),))
    with pytest.raises(InputError, match="both styles and regions"):
        problem_of(source, styles=((source(2), 1.0),), regions=(region,))
    with pytest.raises(InputError, match="neither a style nor regions"):
        problem_of(source)

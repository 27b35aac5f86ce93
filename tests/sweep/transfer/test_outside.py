"""What no mask covers is the photograph."""

import numpy as np
import pytest
from problems import Sources, problem_of

from sweep.transfer.networks import Features
from sweep.transfer.problem import Region
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, stylize

ENGINE = {"styles": (), "recipe": Recipe(size=64, steps=8)}


def picture(features: Features, source: Sources, masks: list[np.ndarray], **how: object) -> np.ndarray:
    regions = tuple(Region(mask=mask, styles=((source(2 + number), 1.0),)) for number, mask in enumerate(masks))
    *_, outcome = stylize(features, problem_of(source, **{**ENGINE, "regions": regions, **how}))
    assert isinstance(outcome, Outcome)
    return outcome.pixels


def ramp() -> np.ndarray:
    """Black on the left, white on the right, grey between."""
    return np.tile(np.clip(np.linspace(-255, 510, 64), 0, 255).astype(np.uint8), (48, 1))


@pytest.mark.parametrize("init", ["content", "noise"])
@pytest.mark.parametrize("alpha", [0.5, 0.001])
def test_outside_the_masks_every_pixel_is_the_photographs(init: str, alpha: float, random_features: Features, source: Sources) -> None:
    photograph = source(1).pixels
    found = picture(random_features, source, [ramp()], alpha=alpha, recipe=Recipe(size=64, steps=8, init=init))
    np.testing.assert_array_equal(found[:, :20], photograph[:, :20])
    assert np.abs(found[:, -16:].astype(int) - photograph[:, -16:]).mean() > 3


def test_masks_that_complete_each_other_leave_nothing_of_the_photograph(random_features: Features, source: Sources) -> None:
    one, other = ramp(), 255 - ramp()
    found = picture(random_features, source, [one, other], alpha=0.0, beta=1.0, recipe=Recipe(size=64, steps=8, init="noise"))
    grey = np.s_[:, 24:40]
    # Had the photograph been mixed in, noise would not be as far from it where both masks are grey as where one is white.
    apart = np.abs(found.astype(int) - source(1).pixels).mean(axis=2)
    assert apart[grey].mean() > 0.7 * apart[:, :12].mean()


def test_colours_of_the_photograph_and_masks_go_together(random_features: Features, source: Sources) -> None:
    found = picture(random_features, source, [ramp()], colors="content")
    np.testing.assert_array_equal(found[:, :20], source(1).pixels[:, :20])

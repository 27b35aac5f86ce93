"""bfloat16 for the convolutions only: what is rounded, what is not, and what it does to a picture."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from problems import problem_of

from sweep.errors import InputError
from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized
from sweep.transfer.networks import Features
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, Source, TargetCache, stylize
from sweep.transfer.weights import Weights


def test_features_in_bfloat16_are_those_of_float32_to_a_few_parts_in_a_hundred(random_weights: Callable[..., Weights]) -> None:
    features = Features(random_weights(), "relu2_1")
    image = torch.rand((1, 3, 24, 32), generator=torch.Generator().manual_seed(1))
    exact, rounded = (features.variant("max", "zero", dtype)(image, {"relu1_1", "relu2_1"}) for dtype in ("float32", "bfloat16"))
    for layer, tap in exact.items():
        off = float((rounded[layer] - tap).norm() / tap.norm())
        assert rounded[layer].dtype is torch.float32
        assert 0 < off < 0.02, layer


def test_the_network_that_a_bfloat16_variant_came_from_is_left_alone(random_weights: Callable[..., Weights]) -> None:
    features = Features(random_weights(), "relu1_2")
    image = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(2))
    before = features(image, {"relu1_2"})["relu1_2"].clone()
    features.variant("max", "zero", "bfloat16")(image, {"relu1_2"})
    assert torch.equal(features(image, {"relu1_2"})["relu1_2"], before)
    assert features.convs["conv1_1"].weight.dtype is torch.float32


def test_targets_of_the_two_precisions_are_remembered_apart(random_weights: Callable[..., Weights], source: Callable[..., Source]) -> None:
    features = Features(random_weights(), "relu2_1")

    def curve(dtype: str, cache: TargetCache) -> list[LossPoint]:
        # Another pooling, so that float32 is a variant of the network too.
        problem = problem_of(source, dtype=dtype, pooling="average", recipe=Recipe(size=32, steps=2))
        *points, _ = stylize(features, problem, cache)
        return [point for news in points for point in news]  # type: ignore[union-attr]

    shared = TargetCache()
    rounded = curve("bfloat16", shared)
    exact = curve("float32", shared)
    assert exact == curve("float32", TargetCache())
    assert exact != rounded


@pytest.mark.weights
def test_a_picture_made_in_bfloat16_is_nearly_that_of_float32(hed_features: Features, source: Callable[..., Source]) -> None:
    layers = {"content_layers": {"relu3_1": 1.0}, "style_layers": {"relu1_1": 2.0, "relu2_1": 1.0, "relu3_1": 1.0}}
    pictures = {}
    for dtype in ("float32", "bfloat16"):
        *_, outcome = stylize(hed_features, problem_of(source, dtype=dtype, recipe=Recipe(size=32, steps=10), beta=5.0, **layers))
        assert isinstance(outcome, Outcome)
        pictures[dtype] = outcome.pixels.astype(float)
    apart = np.abs(pictures["float32"] - pictures["bfloat16"]).mean()
    moved = np.abs(pictures["float32"] - resized(source(1).pixels, 32)).mean()
    assert 0 < apart < 0.1 * moved


def test_another_precision_is_refused_by_name(source: Callable[..., Source]) -> None:
    with pytest.raises(InputError, match=r"float16.*float32, bfloat16"):
        problem_of(source, dtype="float16")

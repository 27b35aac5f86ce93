"""Pooling and padding of a network against loops."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from sweep.errors import InputError
from sweep.transfer.networks import POOLING_SCALES, Features
from sweep.transfer.stylize import Source
from sweep.transfer.targets import as_image
from sweep.transfer.weights import Weights


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand((1, 3, 10, 7), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_a_pool_is_its_loop_over_2_by_2_positions(pooling: str, random_weights: Callable[..., Weights], image: torch.Tensor) -> None:
    weights = random_weights()
    taps = Features(weights, "conv2_1").variant(pooling, "zero")(image, {"relu1_2", "conv2_1"})  # type: ignore[arg-type]
    before = taps["relu1_2"][0].double().numpy()
    pooled = np.zeros((64, 5, 3))
    for channel in range(64):
        for row in range(5):
            for column in range(3):
                four = before[channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                pooled[channel, row, column] = {
                    "max": four.max(),
                    "average": four.sum() / 4 * POOLING_SCALES["average"],
                    "l2": (four**2).mean() ** 0.5 * POOLING_SCALES["l2"],
                }[pooling]
    kernel, bias = (torch.from_numpy(weights.arrays[f"conv2_1.{part}"]).double() for part in ("weight", "bias"))
    expected = functional.conv2d(torch.from_numpy(pooled)[None], kernel, bias, padding=1)
    torch.testing.assert_close(taps["conv2_1"].double(), expected, rtol=0, atol=1e-4 * expected.abs().max().item())


def test_replicate_padding_repeats_the_edge_at_every_convolution(random_weights: Callable[..., Weights], image: torch.Tensor) -> None:
    weights = random_weights()
    features = Features(weights, "conv1_2").variant("max", "replicate")
    hidden = features._normalised(image).double().numpy()
    for name in ("conv1_1", "conv1_2"):
        padded = torch.from_numpy(np.pad(hidden, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge"))
        kernel, bias = (torch.from_numpy(weights.arrays[f"{name}.{part}"]).double() for part in ("weight", "bias"))
        expected = functional.conv2d(padded, kernel, bias)
        hidden = expected.clamp(min=0).numpy()
    found = features(image, {"conv1_2"})["conv1_2"]
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4 * expected.abs().max().item())


def test_replicate_padding_shows_a_plain_picture_no_edge(random_weights: Callable[..., Weights]) -> None:
    plain = torch.full((1, 3, 12, 12), 0.6)
    features = Features(random_weights(), "relu2_1")
    spread = {
        padding: features.variant("max", padding)(plain, {"relu2_1"})["relu2_1"].std(dim=(2, 3)).max().item()  # type: ignore[arg-type]
        for padding in ("zero", "replicate")
    }
    assert spread["replicate"] < 1e-3 * spread["zero"]


@pytest.mark.parametrize("pooling", ["average", "l2"])
def test_the_gradient_through_a_pool_is_finite_where_a_relu_left_nothing(pooling: str, random_weights: Callable[..., Weights]) -> None:
    weights = random_weights()
    arrays = {**weights.arrays, "conv1_2.bias": np.full(64, -1e6, dtype=np.float32)}
    features = Features(Weights(weights.network, arrays, "dead"), "relu2_1").variant(pooling, "zero")  # type: ignore[arg-type]
    image = torch.rand((1, 3, 8, 8)).requires_grad_()
    (gradient,) = torch.autograd.grad(features(image, {"relu2_1"})["relu2_1"].square().sum(), image)
    assert torch.isfinite(gradient).all()


def test_a_variant_shares_the_weights_and_is_told_apart(random_features: Features) -> None:
    others = [random_features.variant("average", "zero"), random_features.variant("max", "replicate")]
    assert random_features.variant("max", "zero") is random_features
    assert len({random_features.content_hash, *(other.content_hash for other in others)}) == 3
    for other in others:
        assert other.convs["conv1_1"].weight.data_ptr() == random_features.convs["conv1_1"].weight.data_ptr()
        assert other.variant("max", "zero").pooling == "max"
    assert (random_features.pooling, random_features.padding) == ("max", "zero")


def test_unknown_variants_are_refused(random_features: Features) -> None:
    with pytest.raises(InputError, match="no pooling 'median'; choose one of max, average, l2"):
        random_features.variant("median", "zero")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no padding 'mirror'; choose one of zero, replicate"):
        random_features.variant("max", "mirror")  # type: ignore[arg-type]


@pytest.mark.weights
@pytest.mark.parametrize("pooling", ["average", "l2"])
def test_rescaled_pools_keep_the_features_about_as_large_as_max_pooling_does(
    pooling: str, hed_features: Features, source: Callable[..., Source]
) -> None:
    # Drawn pictures are smoother than the photographs that the factors were fitted to; unscaled, relu5_1 is 3 to 4 times smaller.
    layers = {f"relu{block}_1" for block in (2, 3, 4, 5)}
    grain = np.random.default_rng(0).normal(0, 12, (96, 128, 3))
    pixels = (source(1, 96, 128).pixels + grain).clip(0, 255).astype(np.uint8)
    with torch.no_grad():
        image = as_image(pixels, torch.device("cpu"))
        usual, other = hed_features(image, layers), hed_features.variant(pooling, "zero")(image, layers)  # type: ignore[arg-type]
    for layer in layers:
        assert 0.6 < (other[layer].norm() / usual[layer].norm()).item() < 1.6, layer

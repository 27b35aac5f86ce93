"""Features against a naive forward pass that shares no code with it."""

import io
from collections.abc import Callable

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional

from sweep.errors import InputError
from sweep.transfer.networks import Features
from sweep.transfer.presets import layer_names
from sweep.transfer.weights import Weights


@pytest.fixture(scope="module")
def tiny_image() -> torch.Tensor:
    return torch.rand((1, 3, 40, 32), generator=torch.Generator().manual_seed(3))


@pytest.mark.weights
def test_hed_features_are_those_of_a_naive_forward_pass_over_the_h5_file(
    hed_weights: Weights, hed_file: bytes, tiny_image: torch.Tensor
) -> None:
    bgr = tiny_image.double().numpy()[0, ::-1] * 255 - np.array([103.939, 116.779, 123.68])[:, None, None]
    hidden = torch.from_numpy(bgr.copy())[None]
    expected = {}
    with h5py.File(io.BytesIO(hed_file), "r") as opened:
        for block, convs in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 1)):
            for conv in range(convs):
                stem = f"block{block}/layers/conv2d" + (f"_{conv}" if conv else "") + "/vars"
                kernel = torch.from_numpy(np.moveaxis(opened[stem + "/0"][:], (2, 3), (1, 0)).astype(np.float64))
                hidden = functional.conv2d(hidden, kernel, torch.from_numpy(opened[stem + "/1"][:]).double(), padding=1)
                expected[f"conv{block}_{conv + 1}"] = hidden
                hidden = hidden.clamp(min=0)
                expected[f"relu{block}_{conv + 1}"] = hidden
            rows, columns = hidden.shape[2] // 2 * 2, hidden.shape[3] // 2 * 2
            blocks = hidden[..., :rows, :columns].reshape(1, -1, rows // 2, 2, columns // 2, 2)
            hidden = blocks.amax(dim=(3, 5))
    taps = Features(hed_weights, "relu5_1")(tiny_image, expected)
    assert set(taps) == set(expected)
    for name, tap in taps.items():
        scale = expected[name].abs().max().item()
        torch.testing.assert_close(tap.double(), expected[name], rtol=0, atol=1e-4 * scale, msg=name)


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_torchvision_networks_normalise_as_torchvision_documents(
    network: str, random_weights: Callable[..., Weights], tiny_image: torch.Tensor
) -> None:
    weights = random_weights(network)
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if network == "vgg19" else ([0.48235, 0.45882, 0.40784], [1 / 255] * 3)
    normal = (tiny_image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    kernel, bias = (torch.from_numpy(weights.arrays[f"conv1_1.{part}"]) for part in ("weight", "bias"))
    expected = functional.conv2d(normal, kernel, bias, padding=1)
    found = Features(weights, "conv1_1")(tiny_image, ["conv1_1"])["conv1_1"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_a_conv_tap_is_not_rectified_by_the_relu_that_follows(random_features: Features, tiny_image: torch.Tensor) -> None:
    taps = random_features(tiny_image, ["conv1_2", "relu1_2", "relu2_1"])
    assert taps["conv1_2"].min() < 0
    torch.testing.assert_close(taps["conv1_2"].clamp(min=0), taps["relu1_2"], rtol=0, atol=0)
    alone = random_features(tiny_image, ["relu2_1"])["relu2_1"]
    torch.testing.assert_close(alone, taps["relu2_1"], rtol=0, atol=0)


def test_the_gradient_of_a_conv_tap_flows(random_features: Features, tiny_image: torch.Tensor) -> None:
    image = tiny_image.clone().requires_grad_()
    taps = random_features(image, ["conv1_1", "relu1_1"])
    (taps["conv1_1"].square().mean() + taps["relu1_1"].sum()).backward()
    assert image.grad is not None and image.grad.abs().max() > 0


def test_nothing_past_the_deepest_asked_layer_is_computed(random_features: Features, tiny_image: torch.Tensor) -> None:
    computed = []
    handles = [conv.register_forward_hook(lambda *_, name=name: computed.append(name)) for name, conv in random_features.convs.items()]
    random_features(tiny_image, ["relu1_1"])
    for handle in handles:
        handle.remove()
    assert computed == ["conv1_1"]
    assert list(random_features.convs) == ["conv1_1", "conv1_2", "conv2_1"]


def test_weights_are_frozen(random_features: Features) -> None:
    assert not any(parameter.requires_grad for parameter in random_features.parameters())


def test_all_layers_of_the_network_can_be_tapped(random_weights: Callable[..., Weights], tiny_image: torch.Tensor) -> None:
    names = [name for name in layer_names("vgg19") if not name.startswith("pool")]
    taps = Features(random_weights("vgg19"), "relu5_4")(tiny_image, names)
    assert list(taps) == names
    assert taps["relu5_4"].shape == (1, 512, 2, 2)


def test_an_unknown_or_too_deep_layer_is_refused_with_what_is_available(random_features: Features, tiny_image: torch.Tensor) -> None:
    for layer in ("relu3_1", "relu9_9", "pool1"):
        with pytest.raises(InputError, match=rf"{layer}.*conv2_1, relu2_1"):
            random_features(tiny_image, [layer])
    with pytest.raises(InputError, match="none"):
        random_features(tiny_image, [])


def test_a_picture_too_small_for_the_deepest_layer_is_refused(random_features: Features) -> None:
    assert random_features(torch.zeros(1, 3, 2, 9), ["relu2_1"])["relu2_1"].shape == (1, 128, 1, 4)
    with pytest.raises(InputError, match=r"9 x 1 pixels is too small for layer relu2_1.*at least 2"):
        random_features(torch.zeros(1, 3, 1, 9), ["relu2_1"])

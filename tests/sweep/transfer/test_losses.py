"""The losses against double loops, values by hand and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.transfer.losses import gram_matrix, relative_content_loss, relative_style_loss, tv_loss
from sweep.transfer.objective import shares


def features_of(seed: int, channels: int = 3, height: int = 4, width: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((1, channels, height, width), generator=generator, dtype=torch.float64)


def test_gram_matrix_is_the_double_loop_over_channels_and_positions() -> None:
    features = features_of(0)
    values = features[0].numpy()
    channels, height, width = values.shape
    expected = np.zeros((channels, channels))
    for i in range(channels):
        for j in range(channels):
            for row in range(height):
                for column in range(width):
                    expected[i, j] += values[i, row, column] * values[j, row, column] / (height * width)
    np.testing.assert_allclose(gram_matrix(features)[0].numpy(), expected, rtol=1e-12)


def test_gram_matrix_does_not_care_about_memory_format() -> None:
    features = features_of(1)
    torch.testing.assert_close(
        gram_matrix(features), gram_matrix(features.contiguous(memory_format=torch.channels_last)), rtol=1e-12, atol=0
    )


def test_gram_matrix_of_a_picture_tiled_twice_is_the_same() -> None:
    features = features_of(2)
    torch.testing.assert_close(gram_matrix(torch.cat([features, features], dim=3)), gram_matrix(features))


def test_gram_matrix_of_large_half_precision_features_does_not_overflow() -> None:
    features = torch.full((1, 2, 64, 64), 100.0, dtype=torch.bfloat16)
    assert torch.isfinite(gram_matrix(features)).all()
    features = torch.full((1, 2, 64, 64), 30.0, dtype=torch.float16)
    assert torch.isfinite(gram_matrix(features)).all()


def test_content_loss_by_hand() -> None:
    target = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    assert relative_content_loss(target, target).item() == 0
    assert relative_content_loss(torch.zeros((1, 2), dtype=torch.float64), target).item() == pytest.approx(1)
    # |(4, 6) - (3, 4)|^2 = 5; |(3, 4)|^2 = 25
    assert relative_content_loss(torch.tensor([[4.0, 6.0]], dtype=torch.float64), target).item() == pytest.approx(0.2)


def test_style_loss_by_hand() -> None:
    style, start = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    assert relative_style_loss(style, style, start).item() == 0
    # |G - A|^2 = 1 + 1 for the photograph itself; |A|^2 + |G_0|^2 = 5 + 5
    assert relative_style_loss(start, style, start).item() == pytest.approx(0.2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_style_loss_of_the_photograph_is_between_0_and_1_for_any_two_pictures(a: int, b: int, scale: float) -> None:
    photograph, style = gram_matrix(features_of(a)), gram_matrix(features_of(b) * scale)
    loss = relative_style_loss(photograph, style, photograph).item()
    assert 0 <= loss <= 1 + 1e-12


def test_relative_losses_do_not_depend_on_the_scale_of_the_features() -> None:
    f, p, a = features_of(3), features_of(4), features_of(5)
    content = [relative_content_loss(f * k, p * k).item() for k in (1, 255)]
    style = [relative_style_loss(gram_matrix(f * k), gram_matrix(a * k), gram_matrix(p * k)).item() for k in (1, 255)]
    assert content[0] == pytest.approx(content[1], rel=1e-9)
    assert style[0] == pytest.approx(style[1], rel=1e-9)


def test_losses_of_black_features_are_finite() -> None:
    black = torch.zeros((1, 2, 2, 2))
    gram = gram_matrix(black)
    assert relative_content_loss(black, black).item() == 0
    assert relative_style_loss(gram, gram, gram).item() == 0


def test_tv_loss_by_hand() -> None:
    image = torch.tensor([[0.0, 1.0], [0.5, 1.0]]).expand(1, 3, 2, 2)
    # down: 0.5^2, 0; across: 1, 0.5^2; the mean of each, summed
    assert tv_loss(image).item() == pytest.approx(0.125 + 0.625)


def test_layer_weights_are_taken_in_proportion_and_in_one_order() -> None:
    assert list(shares({"relu2_1": 2.0, "relu1_1": 6.0}).items()) == [("relu1_1", 0.75), ("relu2_1", 0.25)]
    assert shares({"relu1_1": 60.0, "relu2_1": 20.0}) == shares({"relu2_1": 1.0, "relu1_1": 3.0})


@pytest.mark.parametrize("guided", [False, True])
def test_the_gradient_of_a_gram_matrix_is_that_of_finite_differences(guided: bool) -> None:
    guide = features_of(7, channels=1).abs() + 0.5 if guided else None
    features = features_of(6).repeat(2, 1, 1, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda found: gram_matrix(found, guide), features)


def test_each_picture_of_a_batch_has_a_loss_of_its_own() -> None:
    pair = torch.cat([features_of(8), features_of(9)])
    target = features_of(10)
    for loss in (
        lambda x: relative_content_loss(x, target),
        lambda x: relative_style_loss(gram_matrix(x), gram_matrix(target), gram_matrix(target)),
    ):
        torch.testing.assert_close(loss(pair), torch.cat([loss(pair[:1]), loss(pair[1:])]))
    torch.testing.assert_close(tv_loss(pair), torch.cat([tv_loss(pair[:1]), tv_loss(pair[1:])]))

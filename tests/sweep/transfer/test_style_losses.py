"""Style statistics and their distances against double loops, scipy's matrix square root and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from sweep.transfer.losses import gram_matrix
from sweep.transfer.style_losses import blended, guide_of, relative_distance, statistic

KINDS = ("gram", "wasserstein", "moments")


def features_of(seed: int, channels: int = 3, height: int = 4, width: int = 5) -> torch.Tensor:
    """Like what a relu leaves: not negative, with zeros."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((1, channels, height, width), generator=generator, dtype=torch.float64).add(0.5).clamp(min=0)


def gaussian(features: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance over positions, by numpy."""
    values = features[0].flatten(1).numpy()
    return values.mean(1), np.cov(values, bias=True)


def test_the_gaussian_of_features_is_numpy_s() -> None:
    found = statistic("wasserstein", features_of(1))[0].numpy()
    mean, covariance = gaussian(features_of(1))
    np.testing.assert_allclose(found[:, -1], mean, rtol=1e-12)
    np.testing.assert_allclose(found[:, :-1], covariance, rtol=1e-9, atol=1e-12)
    found = statistic("moments", features_of(1))[0].numpy()
    np.testing.assert_allclose(found[:, 1], mean, rtol=1e-12)
    np.testing.assert_allclose(found[:, 0], np.diag(covariance), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 4, 5), (6, 3, 3), (12, 2, 4)], ids=["many positions", "some", "fewer than channels"])
def test_the_wasserstein_distance_is_that_of_scipy_s_matrix_roots(shape: tuple[int, int, int]) -> None:
    picture, style, photograph = features_of(1, *shape), features_of(2, shape[0], 7, 9), features_of(3, *shape)
    (m, s), (n, t), (k, u) = gaussian(picture), gaussian(style), gaussian(photograph)
    root = np.real(sqrtm(t))
    squared = ((m - n) ** 2).sum() + np.trace(s + t - 2 * np.real(sqrtm(root @ s @ root + 1e-14 * np.eye(len(s)))))
    bound = ((k - n) ** 2).sum() + np.trace(u) + np.trace(t)
    distance = relative_distance("wasserstein", statistic("wasserstein", style), statistic("wasserstein", photograph))
    assert distance(picture, None).item() == pytest.approx(squared / bound, rel=1e-5)


def test_the_moments_distance_is_its_double_loop() -> None:
    picture, style, photograph = features_of(1), features_of(2, 3, 7, 9), features_of(3)
    (m, s), (n, t), (k, u) = gaussian(picture), gaussian(style), gaussian(photograph)
    above = sum((m[i] - n[i]) ** 2 + (s[i, i] ** 0.5 - t[i, i] ** 0.5) ** 2 for i in range(3))
    below = sum(k[i] ** 2 + u[i, i] + n[i] ** 2 + t[i, i] for i in range(3))
    distance = relative_distance("moments", statistic("moments", style), statistic("moments", photograph))
    assert distance(picture, None).item() == pytest.approx(above / below, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("guided", [False, True], ids=["whole", "region"])
def test_the_gradient_is_that_of_finite_differences(kind: str, guided: bool) -> None:
    picture, style, photograph = features_of(1, 4, 6, 7), features_of(2, 4, 5, 5), features_of(3, 4, 6, 7)
    guide = guide_of(torch.rand((12, 14), generator=torch.Generator().manual_seed(0), dtype=torch.float64), 6, 7) if guided else None
    distance = relative_distance(kind, statistic(kind, style), statistic(kind, photograph, guide))  # type: ignore[arg-type]
    assert torch.autograd.gradcheck(lambda found: distance(found, guide), (picture + 0.01).requires_grad_(), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_finite_where_features_are_flat_or_few(kind: str) -> None:
    style, photograph = features_of(2, 6, 5, 5), features_of(3, 6, 2, 2)
    distance = relative_distance(kind, statistic(kind, style), statistic(kind, photograph))  # type: ignore[arg-type]
    for picture in (torch.zeros((1, 6, 2, 2)), torch.ones((1, 6, 4, 4)), features_of(4, 6, 2, 2), style):
        picture = picture.double().requires_grad_()
        (gradient,) = torch.autograd.grad(distance(picture, None), picture)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_distance_of_the_style_to_itself_is_nothing(kind: str) -> None:
    style, photograph = features_of(2, 5, 8, 8), features_of(3, 5, 8, 8)
    distance = relative_distance(kind, statistic(kind, style), statistic(kind, photograph))  # type: ignore[arg-type]
    assert distance(style, None).item() == pytest.approx(0, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.integers(0, 10**6), st.floats(1e-2, 1e2))
def test_the_distance_of_the_photograph_is_between_0_and_1_whatever_the_features_size(kind: str, a: int, b: int, scale: float) -> None:
    photograph, style = features_of(a), features_of(b) * scale
    distance = relative_distance(kind, statistic(kind, style), statistic(kind, photograph))  # type: ignore[arg-type]
    assert 0 <= distance(photograph, None).item() <= 1 + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 10**6), st.sampled_from([0.02, 58.0]))
def test_distances_do_not_depend_on_the_scale_of_the_features(kind: str, seed: int, scale: float) -> None:
    def value(factor: float) -> float:
        picture, style, photograph = (features_of(seed + i) * factor for i in range(3))
        return relative_distance(kind, statistic(kind, style), statistic(kind, photograph))(picture, None).item()  # type: ignore[arg-type]

    assert value(scale) == pytest.approx(value(1.0), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mixture_of_two_pictures_of_one_size_is_that_of_the_two_side_by_side(kind: str) -> None:
    a, b = features_of(1), features_of(2)
    parts = [(statistic(kind, a), 0.5), (statistic(kind, b), 0.5)]  # type: ignore[arg-type]
    together = statistic(kind, torch.cat([a, b], dim=3))  # type: ignore[arg-type]
    torch.testing.assert_close(blended(kind, parts), together, rtol=1e-9, atol=1e-12)  # type: ignore[arg-type]
    torch.testing.assert_close(blended(kind, [(parts[0][0], 0.25), (parts[0][0], 0.75)]), parts[0][0])  # type: ignore[arg-type]
    assert torch.equal(blended(kind, [(parts[0][0], 1.0)]), parts[0][0])  # type: ignore[arg-type]


def test_a_guided_gram_matrix_is_the_double_loop_weighted_by_the_mask() -> None:
    features = features_of(1)
    mask = torch.rand((4, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mask[0] = 0
    expected = np.zeros((3, 3))
    values, weights = features[0].numpy(), (mask / mask.sum()).numpy()
    for i in range(3):
        for j in range(3):
            for row in range(4):
                for column in range(5):
                    expected[i, j] += weights[row, column] * values[i, row, column] * values[j, row, column]
    np.testing.assert_allclose(gram_matrix(features, guide_of(mask, 4, 5))[0].numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_statistic_of_a_region_is_that_of_the_region_cut_out(kind: str) -> None:
    features = features_of(1, 3, 8, 8)
    mask = torch.zeros((16, 16), dtype=torch.float64)
    mask[:, :6] = 1
    found = statistic(kind, features, guide_of(mask, 8, 8))  # type: ignore[arg-type]
    torch.testing.assert_close(found, statistic(kind, features[..., :3]), rtol=1e-9, atol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_a_guide_of_ones_changes_little_more_than_nothing(kind: str) -> None:
    features = features_of(1).float()
    for ones in (torch.ones((8, 10)), torch.full((8, 10), 0.25)):
        found = statistic(kind, features, guide_of(ones, 4, 5))  # type: ignore[arg-type]
        torch.testing.assert_close(found, statistic(kind, features), rtol=1e-5, atol=1e-6)  # type: ignore[arg-type]


def test_a_small_region_is_still_seen_at_a_deep_layer() -> None:
    mask = torch.zeros((256, 256))
    mask[100:103, 7:9] = 1
    guide = guide_of(mask, 16, 16)
    assert torch.isfinite(guide).any()
    assert guide.square().reciprocal().sum().item() == pytest.approx(1)

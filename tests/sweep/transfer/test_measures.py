"""The measures written out again: double loops, scipy's matrix square root and its transport distances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from sweep.transfer.measures import (
    MOST_POSITIONS,
    covariance,
    directions,
    first_moment,
    gaussian_distance,
    mixture,
    root,
    similarities,
    structure_distance,
)


def _features(seed: int, channels: int = 5, height: int = 6, width: int = 7) -> torch.Tensor:
    """As after a relu, with correlated channels that lie far from 0."""
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(channels, channels))
    values = np.maximum(0, np.einsum("ij,jhw->ihw", mixing, generator.normal(size=(channels, height, width))) + 3)
    return torch.from_numpy(values).float()[None]


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return gaussian_distance(first_moment(a), covariance(a), first_moment(b), root(covariance(b)))


def _by_scipy(a: torch.Tensor, b: torch.Tensor) -> float:
    flat = [x[0].flatten(1).double().numpy() for x in (a, b)]
    (m, n), (s, t) = [x.mean(1) for x in flat], [np.cov(x, bias=True) for x in flat]
    half = sqrtm(t)
    most = ((m - n) ** 2).sum() + np.trace(s) + np.trace(t)
    return float((most - 2 * np.trace(sqrtm(half @ s @ half)).real) / most)


def test_moments_are_those_of_numpy() -> None:
    features = _features(1)
    flat = features[0].flatten(1).double().numpy()
    np.testing.assert_allclose(first_moment(features).numpy(), flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(covariance(features).numpy(), np.cov(flat, bias=True), rtol=1e-9, atol=1e-12)


def test_of_many_positions_the_covariance_is_summed_in_blocks_and_still_exact() -> None:
    features = _features(1, channels=7, height=97, width=61) * 30 + 1000  # far from 0: where a single float32 product fails
    exact = np.cov(features[0].flatten(1).double().numpy(), bias=True)
    found = covariance(features).numpy()
    np.testing.assert_allclose(found, exact, atol=2e-7 * exact.max())
    flat = features[0].flatten(1)
    naive = (flat @ flat.T / flat.shape[1] - torch.outer(flat.mean(1), flat.mean(1))).numpy()
    assert np.abs(naive - exact).max() > 100 * np.abs(found - exact).max()


def test_moments_do_not_depend_on_memory_layout_and_leave_the_features_alone() -> None:
    features = _features(1)
    before = features.clone()
    last = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(covariance(features), covariance(last))
    assert torch.equal(features, before) and torch.equal(last, before)


@pytest.mark.parametrize("seeds", [(1, 2), (3, 4), (5, 6)])
def test_the_moment_distance_is_the_wasserstein_distance_of_gaussians(seeds: tuple[int, int]) -> None:
    a, b = map(_features, seeds)
    assert _distance(a, b) == pytest.approx(_by_scipy(a, b), abs=1e-6)
    assert _distance(a, b) == pytest.approx(_distance(b, a), abs=1e-9)


def test_along_one_channel_it_is_the_distance_of_means_and_deviations() -> None:
    a, b = torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), torch.tensor([4.0, 4.0, 10.0, 10.0]).view(1, 1, 2, 2)
    # Means 2 and 7, deviations 1 and 3.
    assert _distance(a, b) == pytest.approx(((7 - 2) ** 2 + (3 - 1) ** 2) / ((7 - 2) ** 2 + 1 + 9))


def test_the_moment_distance_of_features_to_themselves_is_0_even_where_most_directions_do_not_vary() -> None:
    few_positions = _features(1, channels=64, height=3, width=4)
    assert _distance(few_positions, few_positions) == pytest.approx(0, abs=1e-6)


def test_a_flat_picture_shares_nothing_with_one_that_varies_and_all_with_itself() -> None:
    flat, varied = torch.full((1, 5, 6, 7), 2.0), _features(1)
    assert _distance(flat, varied) == _distance(varied, flat) == 1
    assert _distance(flat, flat) == 0
    assert _distance(flat, flat + 1) == 1
    assert _distance(flat * 0, flat * 0) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_moment_distance_lies_from_0_to_1(first: int, second: int) -> None:
    assert 0 <= _distance(_features(first), _features(second)) <= 1


def test_a_mixture_has_the_moments_of_all_positions_together() -> None:
    a, b = _features(1, height=6, width=7), _features(2, height=3, width=7)
    together = torch.cat([a.flatten(2), b.flatten(2)], dim=2)[:, :, None]
    mean, spread = mixture([(first_moment(a), covariance(a), 2 / 3), (first_moment(b), covariance(b), 1 / 3)])
    torch.testing.assert_close(mean, first_moment(together))
    torch.testing.assert_close(spread, covariance(together))


def _self_similarity_by_loops(a: torch.Tensor, b: torch.Tensor) -> float:
    x, y = (t[0].flatten(1).T.double().numpy() for t in (a, b))

    def cosine(p: np.ndarray, q: np.ndarray) -> float:
        return 1 - float(p @ q) / float(np.linalg.norm(p) * np.linalg.norm(q))

    places = range(len(x))
    return float(np.mean([abs(cosine(x[i], x[j]) - cosine(y[i], y[j])) for i in places for j in places]))


def test_the_structure_distance_is_that_of_a_double_loop() -> None:
    a, b = _features(1), _features(2)
    assert structure_distance(similarities(a), similarities(b)) == pytest.approx(_self_similarity_by_loops(a, b), abs=1e-6)


def test_structure_is_blind_to_which_channel_says_it_and_how_loudly() -> None:
    a = _features(1)
    assert structure_distance(similarities(a), similarities(3 * a[:, [4, 2, 0, 1, 3]])) == pytest.approx(0, abs=1e-6)
    assert structure_distance(similarities(a), similarities(a.flip(3))) > 0.01


def test_structure_of_nothing_is_finite() -> None:
    a = _features(1)
    assert structure_distance(similarities(a * 0), similarities(a * 0)) == 0
    assert 0 < structure_distance(similarities(a * 0), similarities(a)) <= 1


@pytest.mark.parametrize("size", [(32, 32), (33, 32), (64, 64), (7, 900), (1, 1)])
def test_the_grid_has_at_most_1024_positions_and_all_where_they_fit(size: tuple[int, int]) -> None:
    found = len(directions(torch.ones(1, 2, *size)))
    assert found <= MOST_POSITIONS
    assert found == size[0] * size[1] or size[0] * size[1] > MOST_POSITIONS

"""The benchmark against the others: that it interpolates and counts as it says, and that the rival's losses are the published ones."""

import itertools
import json
import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sweep.transfer.targets import Source
from sweep.transfer.weights import Weights

pytestmark = pytest.mark.usefixtures("benchmarks_importable")


def reached(*pairs: tuple[float, float]) -> list:
    from ahead_curves import Reached

    return [Reached("m", 1.0, 1.0, {"d_content": x, "d_style": y, "balance_y2": y}) for x, y in pairs]


def test_a_power_law_is_read_off_exactly_between_its_points() -> None:
    from ahead_curves import at_content

    law = [(x, 0.01 * x**-1.5) for x in (0.4, 0.05, 0.2)]  # in no order
    assert at_content(reached(*law), 0.1, "d_style") == pytest.approx(0.01 * 0.1**-1.5)
    assert at_content(reached(*law), 0.4, "d_style") == pytest.approx(0.01 * 0.4**-1.5)
    halfway = math.sqrt(0.05 * 0.2)
    assert at_content(reached((0.05, 2.0), (0.2, 3.0)), halfway, "balance_y2") == pytest.approx(2.5)


def test_nothing_is_read_off_outside_what_was_reached() -> None:
    from ahead_curves import at_content, common_range, spread

    a, b = reached((0.1, 1.0), (0.3, 0.5)), reached((0.2, 1.0), (0.9, 0.5))
    for outside in (0.05, 0.31):
        with pytest.raises(ValueError, match="no two strengths"):
            at_content(a, outside, "d_style")
    assert common_range([a, b]) == (0.2, 0.3)
    assert common_range([a, reached((0.4, 1.0), (0.9, 0.5))]) is None
    inside = spread(0.2, 0.3, 3)
    assert inside[0] > 0.2 and inside[-1] < 0.3
    ratios = [b / a for a, b in itertools.pairwise([0.2, *inside, 0.3])]
    assert ratios == pytest.approx([ratios[0]] * 4)


@pytest.fixture
def pair(source: Callable[..., Source]):
    from ahead_methods import Pair

    return Pair("smooth", source(1, 72, 96), source(2, 64, 96))


@pytest.fixture
def methods(random_weights: Callable[..., Weights], monkeypatch: pytest.MonkeyPatch):
    """On a random network; with every forward pass that has a gradient counted where it happens, in the first convolution."""
    import ahead_methods

    built = ahead_methods.Methods(random_weights())
    built.passes = []

    def counted(module: object, inputs: tuple[Tensor, ...]) -> None:
        if inputs[0].requires_grad:
            built.passes.append(inputs[0].shape[-2] * inputs[0].shape[-1])

    for network in (built._features, built._edges):
        network.convs["conv1_1"].register_forward_pre_hook(counted)
    return built


@pytest.mark.parametrize("name", ["pyramid", "gatys, neural-style's losses"])
def test_the_work_is_what_passed_through_the_network(name: str, methods, pair) -> None:
    allowed = [6 * 72 * 96.0, 12 * 72 * 96.0]
    before = 0
    for most, made in zip(allowed, methods.all[name](pair, 10.0, allowed), strict=True):
        seen = sum(methods.passes)
        expected = seen if name.startswith("gatys") else seen - before  # one run of L-BFGS serves both
        assert made.work == expected <= most
        assert made.work > 0.8 * most
        assert made.pixels.shape == (72, 96, 3)
        assert not np.array_equal(made.pixels, pair.content.pixels)
        before = seen


def test_the_first_scale_of_the_rival_has_twice_the_steps_and_all_fit(source: Callable[..., Source]) -> None:
    from ahead_methods import Pair, first_twice, fitted_recipe, work_of

    pair, most = Pair("larger", source(1, 144, 192), source(2, 144, 192)), 40 * 144 * 192.0
    scales = first_twice(fitted_recipe(pair, most), pair, most)
    assert len(scales) == 3
    assert [steps for *_, steps in scales] == [scales[-1][2] * 2, *[scales[-1][2]] * (len(scales) - 1)]
    assert work_of(scales) <= most < work_of([(height, width, steps + 2) for height, width, steps in scales])


def test_the_rivals_variation_is_the_nine_point_sum_over_neighbours() -> None:
    from ahead_rival import nine_point_variation

    image = torch.rand(1, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wide = np.pad(image[0].numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    straight = [np.mean((wide[:, 1:6, 2:6] - image[0].numpy()) ** 2), np.mean((wide[:, 2:7, 1:5] - image[0].numpy()) ** 2)]
    diagonal = [[], []]
    for row, column in itertools.product(range(6), range(5)):
        diagonal[0].append((wide[:, row + 1, column + 1] - wide[:, row, column]) ** 2)
        diagonal[1].append((wide[:, row + 1, column] - wide[:, row, column + 1]) ** 2)
    expected = 2 * (sum(straight) / 3 + sum(np.mean(part) for part in diagonal) / 12)
    assert float(nine_point_variation(image)) == pytest.approx(expected)


def test_the_rivals_style_distance_is_the_wasserstein_distance_of_gaussians_per_channel() -> None:
    from ahead_rival import _moments, _root, _root_trace

    generator = torch.Generator().manual_seed(1)
    one, other = (torch.rand(1, 6, 9, 9, generator=generator) * scale for scale in (1.0, 2.0))
    spreads = [np.cov(part[0].flatten(1).numpy().astype(float), bias=True) + 1e-4 * np.eye(6) for part in (one, other)]
    (_, found), (_, wanted) = _moments(one), _moments(other)
    np.testing.assert_allclose(found.numpy(), spreads[0], rtol=1e-4, atol=1e-6)
    root = _root(wanted)
    expected = np.sqrt(np.linalg.eigvals(spreads[0] @ spreads[1]).real).sum()  # similar matrices: the same eigenvalues
    assert float(_root_trace(root @ found @ root)) == pytest.approx(expected, rel=1e-4)


def test_half_a_pair_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import ahead

    monkeypatch.setattr(sys, "argv", ["ahead.py", "--content", "photograph.jpg"])
    with pytest.raises(SystemExit) as refused:
        ahead.main()
    assert refused.value.code == 2 and "give both, or neither" in capsys.readouterr().err


def test_the_verdict_names_the_least_style_distance() -> None:
    from ahead import SHOWN, STRENGTHS, compared
    from ahead_curves import Reached

    def points(styles: dict[str, float]) -> list[Reached]:
        return [
            Reached(method, strength, 1.0, dict.fromkeys(SHOWN, style) | {"d_content": content})
            for method, style in styles.items()
            for strength, content in ((1.0, 0.1), (2.0, 0.4))
        ]

    ours, *others = STRENGTHS
    better = compared("a pair", 1.0, points({ours: 0.05, **dict.fromkeys(others, 0.06)}), 2)
    worse = compared("a pair", 1.0, points({ours: 0.05, **dict.fromkeys(others, 0.04)}), 2)
    assert [row.ahead for row in better] == [True, True] and [row.ahead for row in worse] == [False, False]
    assert json.loads(json.dumps(better[0].values))["d_style"][ours] == pytest.approx(0.05)

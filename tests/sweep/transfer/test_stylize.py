"""One run from end to end, against finite differences, repeats and things that go wrong."""

import dataclasses
import gc
import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from problems import Sources, objective_of, problem_of

from sweep.errors import InputError
from sweep.transfer import checkpoint
from sweep.transfer.curve import LossPoint
from sweep.transfer.images import resized
from sweep.transfer.lbfgs import PackLBFGS
from sweep.transfer.networks import Features
from sweep.transfer.objective import style_target
from sweep.transfer.optimizers import Objective
from sweep.transfer.recipe import CURVE_POINTS, Recipe
from sweep.transfer.start import first_picture
from sweep.transfer.stylize import Outcome, Problem, Source, TargetCache, stylize
from sweep.transfer.targets import Targets, as_image
from sweep.transfer.weights import Weights


def finish(features: Features, problem: Problem, cache: TargetCache | None = None) -> tuple[list[LossPoint], Outcome]:
    *pieces, outcome = stylize(features, problem, cache)
    assert isinstance(outcome, Outcome)
    return [point for piece in pieces for point in piece], outcome


@pytest.mark.parametrize("weights", [(0.5, 0.5, 0.0), (0.2, 0.8, 3.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)], ids=str)
def test_the_gradient_of_the_objective_is_that_of_finite_differences(
    weights: tuple[float, float, float], random_weights: Callable[..., Weights], source: Sources
) -> None:
    features = Features(random_weights(), "relu2_1").double()
    problem = problem_of(
        source,
        content=source(1, 16, 16),
        styles=((source(2, 18, 20), 0.7), (source(3, 16, 24), 0.3)),
        alpha=weights[0],
        beta=weights[1],
        tv=weights[2],
    )
    cast = Targets(features, TargetCache(), torch.device("cpu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.transfer.targets.as_image", lambda pixels, device: as_image(pixels, device).double())
        objective = objective_of(problem, cast, (16, 16))
    generator = torch.Generator().manual_seed(0)
    image = torch.rand((1, 3, 16, 16), generator=generator, dtype=torch.float64).requires_grad_()
    total, losses = objective(image)
    (gradient,) = torch.autograd.grad(total, image)
    terms = sum(weight * loss for weight, loss in zip(weights, losses.tolist(), strict=True))
    assert total.item() == pytest.approx(256 * terms, rel=1e-9)
    step = 1e-6
    for _ in range(4):
        direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            ahead, behind = (objective(image + sign * step * direction)[0].item() for sign in (1, -1))
        numeric = (ahead - behind) / (2 * step)
        assert (gradient * direction).sum().item() == pytest.approx(numeric, rel=2e-4, abs=1e-6 * abs(total.item()))


def test_a_run_ends_in_a_picture_of_the_asked_size_with_a_falling_curve(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, content=source(1, 120, 160), recipe=Recipe(size=144, steps=20))
    curve, outcome = finish(random_features, problem)
    assert outcome.pixels.shape == (108, 144, 3) and outcome.pixels.dtype == np.uint8
    assert (outcome.diverged, outcome.moved, outcome.peak_bytes) == (False, True, None)
    assert outcome.steps == problem.recipe.total_steps(120, 160) == curve[-1].step == 30
    assert [point.size for point in curve] == [102] * 20 + [144] * 10
    totals = [0.5 * point.content_loss + 0.5 * point.style_loss for point in curve]
    assert totals[19] < 0.7 * totals[0]
    assert curve[0].content_loss == pytest.approx(0, abs=1e-9)


def test_a_long_curve_is_thinned(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, content=source(1, 16, 16), recipe=Recipe(size=16, steps=250))
    curve, _ = finish(random_features, problem)
    steps = [point.step for point in curve]
    assert len(curve) <= CURVE_POINTS and steps[0] == 1 and steps[-1] == 250
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
@pytest.mark.parametrize("init", ["content", "style_noise", "noise"])
def test_the_same_problem_gives_the_same_bits(name: str, init: str, random_features: Features, source: Sources) -> None:
    problem = problem_of(source, recipe=Recipe(name=name, size=64, steps=5, init=init, seed=3))
    first, second = finish(random_features, problem), finish(random_features, problem)
    np.testing.assert_array_equal(first[1].pixels, second[1].pixels)
    assert first[0] == second[0]


def test_the_seed_matters_where_noise_is_the_start_and_only_there(random_features: Features, source: Sources) -> None:
    def picture(init: str, seed: int) -> np.ndarray:
        recipe = Recipe(size=64, steps=3, init=init, seed=seed)
        return finish(random_features, problem_of(source, recipe=recipe))[1].pixels

    assert not np.array_equal(picture("noise", 0), picture("noise", 1))
    np.testing.assert_array_equal(picture("content", 0), picture("content", 1))


def test_style_noise_has_the_colours_of_the_style(random_features: Features, source: Sources) -> None:
    style = Source("dusk", np.random.default_rng(0).normal((160, 80, 40), (20, 10, 5), (64, 64, 3)).astype(np.uint8))
    problem = problem_of(source, styles=((style, 1.0),), recipe=Recipe(size=64, init="style_noise"))
    start = first_picture(problem, 64, 64, torch.device("cpu"))
    noise = start[0].permute(1, 2, 0).reshape(-1, 3).numpy() * 255
    np.testing.assert_allclose(noise.mean(0), style.pixels.reshape(-1, 3).mean(0), atol=1.5)
    np.testing.assert_allclose(noise.std(0), style.pixels.reshape(-1, 3).std(0), rtol=0.1)


def test_a_cache_changes_time_and_not_bits(random_features: Features, source: Sources) -> None:
    cache = TargetCache()
    others = problem_of(source, content=source(2), styles=((source(1), 1.0),), content_layers={"conv1_2": 1.0})
    problem = problem_of(source)
    without = finish(random_features, problem)[1].pixels
    finish(random_features, others, cache)
    filled = len(cache)
    first = finish(random_features, problem, cache)[1].pixels
    assert len(cache) > filled > 0
    held = len(cache)
    again = finish(random_features, problem, cache)[1].pixels
    assert len(cache) == held
    np.testing.assert_array_equal(without, first)
    np.testing.assert_array_equal(without, again)


def test_the_cache_keeps_to_its_bytes_and_forgets_the_oldest() -> None:
    def key(name: str) -> tuple:
        return (name, (1, 1), "hash", "gram", "relu1_1")

    cache = TargetCache(limit_bytes=3 * 400)
    for name in "abc":
        cache.put(key(name), torch.zeros(100))
    assert cache.get(key("a")) is not None  # used: now the youngest
    cache.put(key("d"), torch.zeros(100))
    assert [cache.get(key(name)) is not None for name in "abcd"] == [True, False, True, True]
    cache.put(key("huge"), torch.zeros(1000))
    assert cache.get(key("huge")) is None
    assert cache.held_bytes == 1200 and len(cache) == 3


def test_without_style_the_photograph_stays_and_that_is_no_failure(random_features: Features, source: Sources) -> None:
    for name in ("pyramid", "gatys"):
        problem = problem_of(source, alpha=1.0, beta=0.0, recipe=Recipe(name=name, size=64, steps=4))
        _, outcome = finish(random_features, problem)
        assert outcome.moved
        assert np.abs(outcome.pixels.astype(int) - problem.content.pixels).max() <= 1


def test_without_style_noise_becomes_the_photograph(random_features: Features, source: Sources) -> None:
    recipe = Recipe(name="gatys", size=64, steps=40, init="noise")
    problem = problem_of(source, alpha=1.0, beta=0.0, content_layers={"relu1_1": 1.0}, recipe=recipe)
    curve, outcome = finish(random_features, problem)
    assert curve[-1].content_loss < 0.01 * curve[0].content_loss
    assert np.abs(outcome.pixels.astype(int) - problem.content.pixels).mean() < 12


def test_without_content_the_style_s_statistics_are_reached(random_features: Features, source: Sources) -> None:
    recipe = Recipe(name="gatys", size=64, steps=60)
    curve, outcome = finish(random_features, problem_of(source, alpha=0.0, beta=1.0, recipe=recipe))
    assert outcome.moved and curve[-1].style_loss < 0.02 * curve[0].style_loss
    assert curve[-1].content_loss > 0.01


def test_a_style_of_the_photograph_itself_leaves_it_alone(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, styles=((source(1), 1.0),))
    curve, outcome = finish(random_features, problem)
    assert max(point.style_loss for point in curve) == pytest.approx(0, abs=1e-9)
    assert outcome.moved
    np.testing.assert_array_equal(outcome.pixels, problem.content.pixels)


def test_a_blend_lies_between_its_styles(random_features: Features, source: Sources) -> None:
    def target(*styles: tuple[Source, float]) -> torch.Tensor:
        targets = Targets(random_features, TargetCache(), torch.device("cpu"))
        return style_target(problem_of(source), targets, 64, styles)["relu1_1"]

    a, b = source(2), source(3)
    torch.testing.assert_close(target((a, 0.25), (b, 0.75)), 0.25 * target((a, 1.0)) + 0.75 * target((b, 1.0)))
    torch.testing.assert_close(target((a, 1.0)), target((a, 0.5), (a, 0.5)))


def test_more_tv_means_smoother(random_features: Features, source: Sources) -> None:
    def roughness(tv: float) -> float:
        recipe = Recipe(size=64, steps=15, init="noise")
        return finish(random_features, problem_of(source, tv=tv, recipe=recipe))[0][-1].tv_loss

    assert roughness(20.0) < 0.7 * roughness(0.0)


class _Failing(Features):
    """Turns to NaN at its n-th forward pass with gradients."""

    def __init__(self, weights: Weights, after: int) -> None:
        super().__init__(weights, "relu2_1")
        self.left = after

    def forward(self, image: torch.Tensor, layers: set[str]) -> dict[str, torch.Tensor]:
        taps = super().forward(image, layers)
        if torch.is_grad_enabled():
            self.left -= 1
            if self.left < 0:
                taps = {name: tap * float("nan") for name, tap in taps.items()}
        return taps


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
@pytest.mark.parametrize("after", [0, 30])
def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(
    name: str, after: int, random_weights: Callable[..., Weights], source: Sources
) -> None:
    problem = problem_of(source, recipe=Recipe(name=name, size=64, steps=60))
    curve, outcome = finish(_Failing(random_weights(), after), problem)
    assert outcome.diverged and outcome.steps < 60
    assert all(np.isfinite([point.content_loss, point.style_loss, point.tv_loss]).all() for point in curve)
    if after:
        # Adam evaluates once a step; L-BFGS up to 25 times in a bad one.
        assert curve[-1].step == outcome.steps - 1 and outcome.steps <= 31
        assert np.array_equal(outcome.pixels, problem.content.pixels) == (outcome.steps <= 25)
    else:
        assert curve == [] and outcome.steps == 1
        np.testing.assert_array_equal(outcome.pixels, problem.content.pixels)


def test_an_optimiser_that_stands_still_is_reported(random_features: Features, source: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asleep(PackLBFGS):
        def advance(self, objective: Objective) -> tuple[torch.Tensor, Sequence[int]]:
            before = self._runs[0].at
            told = super().advance(objective)
            self._runs[0].at = before
            return told

    monkeypatch.setattr(checkpoint, "PackLBFGS", Asleep)
    _, outcome = finish(random_features, problem_of(source, recipe=Recipe(name="gatys", size=64, steps=3)))
    assert not outcome.moved and not outcome.diverged


@pytest.mark.weights
@pytest.mark.parametrize("size", [64, 256, 512])
def test_lbfgs_really_moves_at_every_size(size: int, hed_weights: Weights, smooth_picture: Callable) -> None:
    content, style = (Source(f"{seed}", smooth_picture(seed, size // 4, size)) for seed in (1, 2))
    problem = Problem(
        content=content,
        styles=((style, 1.0),),
        alpha=1 / 11,
        beta=10 / 11,
        content_layers={"relu2_1": 1.0},
        style_layers={"relu1_1": 2.0, "relu2_1": 1.0},
        recipe=Recipe(name="gatys", size=size, steps=8),
    )
    curve, outcome = finish(Features(hed_weights, "relu2_1"), problem)
    assert outcome.moved and outcome.steps == 8
    assert np.abs(outcome.pixels.astype(int) - resized(content.pixels, size)).mean() > 4
    totals = [point.content_loss / 11 + 10 * point.style_loss / 11 for point in curve]
    assert totals[-1] < 0.6 * totals[0]
    assert len({round(total, 9) for total in totals}) >= 7


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
def test_closing_the_generator_stops_the_run_and_frees_it(name: str, random_features: Features, source: Sources) -> None:
    run = stylize(random_features, problem_of(source, recipe=Recipe(name=name, size=64, steps=1000)))
    piece = next(run)
    assert isinstance(piece, list) and piece
    held = weakref.ref(run)
    run.close()
    assert next(run, None) is None
    before = gc.isenabled()
    gc.disable()
    try:
        del run
        assert held() is None  # nothing else holds it: no cycle, no leak
    finally:
        if before:
            gc.enable()


def test_layers_that_the_network_lacks_are_refused_before_anything_runs(random_features: Features, source: Sources) -> None:
    with pytest.raises(InputError, match="relu7_1"):
        next(stylize(random_features, problem_of(source, style_layers={"relu7_1": 1.0})))
    with pytest.raises(InputError, match="relu3_1"):
        next(stylize(random_features, problem_of(source, style_layers={"relu3_1": 1.0})))
    with pytest.raises(InputError, match="no layer at all"):
        next(stylize(random_features, problem_of(source, content_layers={})))


def test_problems_are_frozen(source: Sources) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem_of(source).alpha = 1.0  # type: ignore[misc]

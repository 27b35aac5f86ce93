"""Packs: every picture as if it were alone, whoever it shares the network with."""

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from problems import Sources, problem_of
from torch.utils._python_dispatch import TorchDispatchMode

from sweep.errors import InputError
from sweep.transfer.curve import LossPoint
from sweep.transfer.networks import Features
from sweep.transfer.objective import PackObjective
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Along, Outcome, Problem, Region, Shot, Stop, TargetCache, pack_key, stylize, stylize_pack
from sweep.transfer.targets import Targets, as_image
from sweep.transfer.weights import Weights

CPU = torch.device("cpu")


class Told:
    """What one member of a pack told."""

    def __init__(self) -> None:
        self.points: list[LossPoint] = []
        self.shots: list[Shot] = []
        self.outcome: Outcome | None = None

    def hear(self, news: Any) -> None:
        assert self.outcome is None, "news after the end"
        if isinstance(news, Outcome):
            self.outcome = news
        elif isinstance(news, Shot):
            self.shots.append(news)
        else:
            self.points += news

    @property
    def end(self) -> Outcome:
        assert self.outcome is not None
        return self.outcome


def run_pack(features: Features, problems: list[Problem], **how: Any) -> list[Told]:
    told = [Told() for _ in problems]
    for place, news in stylize_pack(features, problems, **how):
        told[place].hear(news)
    return told


def run_alone(features: Features, problem: Problem, **how: Any) -> Told:
    told = Told()
    for news in stylize(features, problem, **how):
        told.hear(news)
    return told


def left_half() -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    mask[:, :32] = 255
    return mask


def mixed(source: Sources, recipe: Recipe) -> list[Problem]:
    """Contents, styles, weights, layer sets, losses, colours, style sizes and regions all differ."""
    halves = (Region(mask=left_half(), styles=((source(2), 1.0),)), Region(mask=255 - left_half(), styles=((source(3), 1.0),)))
    return [
        problem_of(source, recipe=recipe),
        problem_of(source, recipe=recipe, content=source(4), styles=((source(5), 0.3), (source(2), 0.7)), alpha=0.1, beta=0.9, tv=2.0),
        problem_of(source, recipe=recipe, content_layers={"conv2_1": 1.0}, style_layers={"relu1_2": 1.0}, colors="content"),
        problem_of(source, recipe=recipe, style_loss="wasserstein", style_scale=0.5),
        problem_of(source, recipe=recipe, style_loss="moments", beta=0.0, alpha=1.0),
        problem_of(source, recipe=recipe, loss="johnson", alpha=0.05, beta=0.95, colors="matched"),
        problem_of(source, recipe=recipe, styles=(), regions=halves),
    ]


def test_each_picture_s_gradient_and_losses_in_a_pack_are_its_own(random_weights: Callable[..., Weights], source: Sources) -> None:
    features = Features(random_weights(), "relu2_1").double()
    problems = [problem.prepared() for problem in mixed(source, Recipe(size=64))]
    images = torch.rand((len(problems), 3, 48, 64), generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.transfer.targets.as_image", lambda pixels, device: as_image(pixels, device).double())
        targets = Targets(features, TargetCache(), CPU)
        pack = PackObjective(problems, targets, (48, 64))
        alone = [PackObjective([problem], Targets(features, TargetCache(), CPU), (48, 64)) for problem in problems]
    totals, losses = pack(images)
    (gradients,) = torch.autograd.grad(totals.sum(), images)
    for row, objective in enumerate(alone):
        image = images[row : row + 1].detach().requires_grad_()
        total, own = objective(image)
        (gradient,) = torch.autograd.grad(total.sum(), image)
        torch.testing.assert_close(totals[row : row + 1], total, rtol=1e-9, atol=0)
        torch.testing.assert_close(losses[row : row + 1], own, rtol=1e-9, atol=1e-15)
        torch.testing.assert_close(gradients[row : row + 1], gradient, rtol=1e-6, atol=1e-9 * gradient.abs().max().item())


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
def test_the_pictures_of_a_pack_are_those_of_separate_runs(name: str, random_features: Features, source: Sources) -> None:
    problems = mixed(source, Recipe(name=name, size=64, steps=6))
    for problem, told in zip(problems, run_pack(random_features, problems), strict=True):
        alone = run_alone(random_features, problem)
        assert told.end.steps == alone.end.steps == 6
        assert [point.step for point in told.points] == [point.step for point in alone.points]
        for ours, theirs in zip(told.points, alone.points, strict=True):
            both = zip(astuple(ours), astuple(theirs), strict=True)
            # A line search that ends elsewhere by a digit takes another way to the same valley.
            assert all(a == pytest.approx(b, rel=2e-3 if name == "pyramid" else 0.05, abs=1e-7) for a, b in both)
        apart = np.abs(told.end.pixels.astype(int) - alone.end.pixels).mean()
        moved = np.abs(alone.end.pixels.astype(int) - problem.content.pixels).mean()
        assert apart <= 0.06 * moved, "only sums in another order"


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["pyramid", "gatys"]), seed=st.integers(1, 9), beta=st.floats(0.0, 1.0))
def test_a_pack_of_one_is_the_run_alone_bit_by_bit(name: str, seed: int, beta: float, random_features: Features, source: Sources) -> None:
    problem = problem_of(source, content=source(seed), beta=beta, alpha=1 - beta, recipe=Recipe(name=name, size=32, steps=4))
    (packed,), alone = run_pack(random_features, [problem]), run_alone(random_features, problem)
    assert packed.points == alone.points
    np.testing.assert_array_equal(packed.end.pixels, alone.end.pixels)


def test_the_same_pack_gives_the_same_bits_in_whatever_order_it_was_asked_for(random_features: Features, source: Sources) -> None:
    problems = mixed(source, Recipe(size=64, steps=4))
    first, again = run_pack(random_features, problems), run_pack(random_features, problems)
    turned = run_pack(random_features, problems[::-1])[::-1]
    for one, two, three in zip(first, again, turned, strict=True):
        assert one.points == two.points
        np.testing.assert_array_equal(one.end.pixels, two.end.pixels)
        assert np.abs(one.end.pixels.astype(int) - three.end.pixels).mean() < 0.02


class Spoilt(Features):
    """Turns the features of the second picture of three to NaN from a forward pass on."""

    def __init__(self, weights: Weights, after: int) -> None:
        super().__init__(weights, "relu2_1")
        self.left = after

    def forward(self, image: torch.Tensor, layers: set[str]) -> dict[str, torch.Tensor]:
        taps = super().forward(image, layers)
        if torch.is_grad_enabled() and len(image) == 3:
            self.left -= 1
            if self.left < 0:
                spoilt = torch.ones((len(image), 1, 1, 1))
                spoilt[1] = torch.nan
                taps = {name: tap * spoilt for name, tap in taps.items()}
        return taps


@pytest.mark.parametrize(("name", "style_loss"), [("pyramid", "gram"), ("pyramid", "wasserstein"), ("gatys", "gram")])
def test_a_picture_that_diverges_leaves_the_others_alone(
    name: str, style_loss: str, random_weights: Callable[..., Weights], source: Sources
) -> None:
    recipe = Recipe(name=name, size=32, steps=60)
    problems = [problem_of(source, recipe=recipe, content=source(seed), style_loss=style_loss) for seed in (1, 4, 5)]
    told = run_pack(Spoilt(random_weights(), after=30), problems)
    whole = run_pack(Features(random_weights(), "relu2_1"), problems)
    assert [one.end.diverged for one in told] == [False, True, False]
    assert 25 < told[1].end.steps < 60 and told[1].points[-1].step == told[1].end.steps - 1
    for place in (0, 2):
        assert told[place].end.steps == 60 and told[place].end.moved
        start = [point for point in told[place].points if point.step <= 25]
        assert start == [point for point in whole[place].points if point.step <= 25]
        # From there on the pack is smaller: sums in another order.
        ends = [sum(astuple(one[place].points[-1])) for one in (told, whole)]
        assert ends[0] == pytest.approx(ends[1], rel=0.02)


def test_members_end_a_scale_by_their_own_steps_and_plateaus_and_go_on_together(random_features: Features, source: Sources) -> None:
    content = source(1)  # two scales, where the smallest is 40
    recipes = [
        Recipe(size=64, smallest=40, steps=40),
        Recipe(size=64, smallest=40, steps=80, stop=Stop(below=0.05, per=10)),
        Recipe(size=64, smallest=40, steps=20),
    ]
    problems = [
        problem_of(source, content=content, beta=beta, recipe=recipe) for beta, recipe in zip((0.5, 0.7, 0.9), recipes, strict=True)
    ]
    told = run_pack(random_features, problems)
    for one, problem in zip(told, problems, strict=True):
        alone = run_alone(random_features, problem)
        assert {point.size for point in one.points} == {45, 64}
        assert one.end.steps == alone.end.steps
        assert one.points[-1].style_loss == pytest.approx(alone.points[-1].style_loss, rel=0.02)
    assert [one.end.steps for one in told[::2]] == [60, 30] and told[1].end.steps < 120


def test_each_member_has_snapshots_of_its_own(random_features: Features, source: Sources) -> None:
    problems = [problem_of(source, content=source(seed), recipe=Recipe(size=64, steps=10)) for seed in (1, 4)]
    plain, told = (run_pack(random_features, problems, along=Along(snapshots=asked)) for asked in ((), [{1, 10}, 3]))
    assert [[shot.step for shot in one.shots] for one in told] == [[1, 10], [1, 3, 10]]
    for one, other in zip(told, plain, strict=True):
        np.testing.assert_array_equal(one.end.pixels, other.end.pixels)
        np.testing.assert_array_equal(one.shots[-1].pixels, one.end.pixels)


def test_problems_of_several_sizes_recipes_or_networks_are_no_pack(random_features: Features, source: Sources) -> None:
    plain = problem_of(source)
    others = [
        problem_of(source, content=source(1, 64, 48)),
        problem_of(source, recipe=Recipe(name="gatys", size=64, steps=6)),
        problem_of(source, recipe=Recipe(size=64, steps=6, learning_rate=0.1)),
        problem_of(source, pooling="average"),
        problem_of(source, dtype="bfloat16"),
    ]
    for other in others:
        assert pack_key(other) != pack_key(plain)
        with pytest.raises(InputError, match="one picture size"):
            run_pack(random_features, [plain, other])
    alike = [replace(plain, content=source(7)), replace(plain, beta=0.9), replace(plain, recipe=Recipe(size=64, steps=9, seed=4))]
    assert {pack_key(problem) for problem in alike} == {pack_key(plain)}


def test_one_photograph_of_a_whole_pack_is_held_once(random_features: Features, source: Sources) -> None:
    problems = [problem_of(source, beta=beta) for beta in (0.2, 0.5, 0.9)]
    pack = PackObjective(problems, Targets(random_features, TargetCache(), CPU), (48, 64))
    terms = [term.distance for term in (*pack._content, *pack._style)]
    held = [cell.cell_contents for distance in terms for cell in distance.__closure__]  # type: ignore[attr-defined]
    large = [
        tensor
        for tensor in (*held, *(getattr(one, "target", None) for one in held))
        if isinstance(tensor, torch.Tensor) and tensor.ndim > 1
    ]
    assert len(large) == 3 and all(tensor.shape[0] == 1 for tensor in large)


class Reads(TorchDispatchMode):
    """Counts the times when the host waits for a number of the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


def test_the_host_reads_nothing_between_two_looks_at_the_curve(random_features: Features, source: Sources, monkeypatch: Any) -> None:
    monkeypatch.setattr("sweep.transfer.member.CHUNK_SECONDS", 1e9)
    whole = torch.Tensor.tolist

    def reads(steps: int) -> int:
        with Reads() as counted, monkeypatch.context() as patch:

            def tolist(tensor: torch.Tensor) -> Any:  # on a CPU it goes past the dispatcher
                counted.count += 1
                return whole(tensor)

            patch.setattr(torch.Tensor, "tolist", tolist)
            run_pack(random_features, [problem_of(source, recipe=Recipe(size=32, steps=steps), beta=beta) for beta in (0.3, 0.6)])
        return counted.count

    assert reads(24) == reads(2)
    assert reads(49) > reads(25) >= reads(24)

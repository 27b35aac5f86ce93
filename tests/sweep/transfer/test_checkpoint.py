"""Runs that are stopped and go on from their state, held against the same runs undisturbed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

import numpy as np
import pytest
import torch
from problems import Sources, problem_of

from sweep.errors import InputError
from sweep.transfer import checkpoint
from sweep.transfer.curve import LossPoint
from sweep.transfer.networks import Features
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import (
    Along,
    Outcome,
    Problem,
    Region,
    Saved,
    Shot,
    State,
    Stop,
    UnusableState,
    View,
    Wish,
    opened,
    stylize_pack,
)
from sweep.transfer.weights import Weights

TWO_SCALES = Recipe(size=64, smallest=40, steps=8, later_steps=6)  # 45 and 64 pixels: 14 steps


class At:
    """A companion with wishes for certain steps: (place, step) -> wish; each is told once."""

    def __init__(self, wishes: Mapping[tuple[int, int], Wish]) -> None:
        self.wishes = dict(wishes)
        self.shares: list[tuple[int, int, float]] = []

    def wish(self, place: int, step: int, share: float) -> Wish:
        self.shares.append((place, step, share))
        return self.wishes.pop((place, step), Wish.NOTHING)


class Told:
    """All that was told of one run, over all its lives."""

    def __init__(self) -> None:
        self.points: list[LossPoint] = []
        self.shots: list[Shot] = []
        self.views: list[View] = []
        self.states: list[State] = []
        self.end: Outcome | None = None

    def hear(self, news: Any) -> None:
        assert self.end is None, "news after the end"
        if isinstance(news, list):
            self.points += news
        elif isinstance(news, Outcome):
            self.end = news
        else:
            {Shot: self.shots, View: self.views, State: self.states}[type(news)].append(news)

    @property
    def last_state(self) -> bytes:
        data = self.states[-1].data
        assert data is not None
        return data


def live(features: Features, problems: Sequence[Problem], told: Sequence[Told], wishes: Mapping[tuple[int, int], Wish], **how: Any) -> At:
    """One life of a pack, from the states that its runs left in the life before."""
    companion = At(wishes)
    states: list[Saved | None] = [
        opened(one.last_state, problem) if one.states else None for one, problem in zip(told, problems, strict=True)
    ]
    for place, news in stylize_pack(features, problems, along=Along(states=states, companion=companion, **how)):
        told[place].hear(news)
    return companion


def in_lives(features: Features, problem: Problem, stops: Sequence[int], **how: Any) -> Told:
    """A run that is stopped after those steps, and each time goes on."""
    told = Told()
    for step in stops:
        live(features, [problem], [told], {(0, step): Wish.STOP}, **how)
        assert told.end is None and told.states[-1].step == step and told.states[-1].left
    live(features, [problem], [told], {}, **how)
    return told


def left_half() -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    mask[:, :32] = 255
    return mask


def same(found: Told, expected: Told) -> None:
    """Bit by bit."""
    assert found.end is not None and expected.end is not None
    assert found.points == expected.points
    assert (found.end.steps, found.end.moved, found.end.diverged) == (expected.end.steps, expected.end.moved, expected.end.diverged)
    np.testing.assert_array_equal(found.end.pixels, expected.end.pixels)
    assert [shot.step for shot in found.shots] == [shot.step for shot in expected.shots]
    for one, other in zip(found.shots, expected.shots, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_run_that_was_stopped_anywhere_ends_as_if_it_had_not_been(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, recipe=TWO_SCALES)
    undisturbed = in_lives(random_features, problem, [], snapshots=[{2, 8, 12}])
    assert undisturbed.end is not None and undisturbed.end.steps == 14 and {point.size for point in undisturbed.points} == {45, 64}
    for step in range(1, 14):
        same(in_lives(random_features, problem, [step], snapshots=[{2, 8, 12}]), undisturbed)
    same(in_lives(random_features, problem, [1, 2, 7, 8, 9, 13], snapshots=[{2, 8, 12}]), undisturbed)


VARIANTS: dict[str, Callable[[Sources], Problem]] = {
    "tv": lambda source: problem_of(source, recipe=TWO_SCALES, tv=3.0),
    "noise": lambda source: problem_of(source, recipe=replace(TWO_SCALES, init="noise", seed=3)),
    "style_noise": lambda source: problem_of(source, recipe=replace(TWO_SCALES, init="style_noise", seed=3)),
    "one level, no averaging": lambda source: problem_of(source, recipe=replace(TWO_SCALES, levels=1, averaging=0.0)),
    "bfloat16": lambda source: problem_of(source, recipe=Recipe(size=32, steps=14), dtype="bfloat16"),
    "matched, wasserstein": lambda source: problem_of(source, recipe=TWO_SCALES, colors="matched", style_loss="wasserstein"),
    "photograph's colours, johnson": lambda source: problem_of(source, recipe=TWO_SCALES, colors="content", loss="johnson"),
    "regions": lambda source: problem_of(
        source,
        recipe=TWO_SCALES,
        styles=(),
        regions=tuple(Region(mask=mask, styles=((source(seed), 1.0),)) for mask, seed in ((left_half(), 2), (255 - left_half(), 3))),
    ),
}


@pytest.mark.parametrize("name", list(VARIANTS))
def test_whatever_a_run_minimises_it_goes_on_bit_by_bit(name: str, random_features: Features, source: Sources) -> None:
    problem = VARIANTS[name](source)
    same(in_lives(random_features, problem, [5, 11]), in_lives(random_features, problem, []))


def test_a_plateau_is_seen_at_the_same_step_by_a_run_that_was_stopped(random_features: Features, source: Sources) -> None:
    recipe = Recipe(size=56, smallest=36, factor=1.25, steps=300, stop=Stop(below=0.05, per=20))
    problem = problem_of(source, recipe=recipe)
    undisturbed = in_lives(random_features, problem, [])
    assert undisturbed.end is not None and 80 <= undisturbed.end.steps < 300
    first = max(point.step for point in undisturbed.points if point.size < 56)
    same(in_lives(random_features, problem, [13, 39, first, first + 30]), undisturbed)


def test_a_state_on_the_way_changes_nothing_and_is_gone_on_from_after_a_crash(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, recipe=TWO_SCALES)
    undisturbed, watched, later = Told(), Told(), Told()
    live(random_features, [problem], [undisturbed], {})
    live(random_features, [problem], [watched], {(0, 3): Wish.STATE | Wish.VIEW, (0, 10): Wish.STATE, (0, 12): Wish.VIEW})
    assert [(state.step, state.left) for state in watched.states] == [(3, False), (10, False)]
    later.states.append(watched.states.pop())
    same(watched, undisturbed)
    assert [(view.step, view.pixels.shape) for view in watched.views] == [(3, (34, 45, 3)), (12, (48, 64, 3))]
    live(random_features, [problem], [later], {})
    assert later.end is not None and undisturbed.end is not None
    np.testing.assert_array_equal(later.end.pixels, undisturbed.end.pixels)
    assert later.points == [point for point in undisturbed.points if point.step > 10]


def test_all_that_a_state_tells_of_was_told_before(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, recipe=TWO_SCALES)
    told: list[Any] = []
    along = Along(companion=At({(0, 5): Wish.STATE}))
    for _, news in stylize_pack(random_features, [problem], along=along):
        if isinstance(news, State):
            assert [point.step for piece in told if isinstance(piece, list) for point in piece] == [1, 2, 3, 4, 5]
        told.append(news)
    assert any(isinstance(news, State) for news in told)


def test_a_run_that_is_stopped_before_its_first_step_has_no_state(random_features: Features, source: Sources) -> None:
    told = Told()
    live(random_features, [problem_of(source)], [told], {(0, 0): Wish.STOP})
    assert told.end is None and told.states == [State(0, None, True)]


def test_the_share_of_the_work_rises_to_one_by_pixels_and_steps(random_features: Features, source: Sources) -> None:
    companion = live(random_features, [problem_of(source, recipe=TWO_SCALES)], [Told()], {})
    shares = [share for _, _, share in companion.shares]
    assert [step for _, step, _ in companion.shares] == list(range(14))
    small, large = 34 * 45, 48 * 64
    whole = 8 * small + 6 * large
    assert shares == pytest.approx([*(n * small / whole for n in range(8)), *((8 * small + n * large) / whole for n in range(6))])


def three(source: Sources) -> list[Problem]:
    recipes = [TWO_SCALES, replace(TWO_SCALES, steps=4), TWO_SCALES]
    return [
        problem_of(source, content=source(seed), beta=beta, alpha=1 - beta, recipe=recipe)
        for seed, beta, recipe in zip((1, 4, 5), (0.5, 0.7, 0.9), recipes, strict=True)
    ]


def test_a_pack_that_was_stopped_as_a_whole_goes_on_bit_by_bit(random_features: Features, source: Sources) -> None:
    problems = three(source)
    undisturbed, told = [Told() for _ in problems], [Told() for _ in problems]
    live(random_features, problems, undisturbed, {})
    # The second has fewer steps at the first scale: at the second stop it waits for the others.
    for steps in ((2, 2, 2), (6, 4, 6), (11, 7, 11)):
        live(random_features, problems, told, {(place, step): Wish.STOP for place, step in enumerate(steps)})
        assert [one.states[-1].step for one in told] == list(steps)
    live(random_features, problems, told, {})
    for one, other in zip(told, undisturbed, strict=True):
        same(one, other)


@pytest.mark.parametrize(("place", "step"), [(0, 3), (1, 4), (2, 8), (1, 6)])
def test_one_that_leaves_its_pack_leaves_the_others_alone(place: int, step: int, random_features: Features, source: Sources) -> None:
    problems = three(source)
    undisturbed, told = [Told() for _ in problems], [Told() for _ in problems]
    live(random_features, problems, undisturbed, {})
    live(random_features, problems, told, {(place, step): Wish.STOP})
    assert [one.end is None for one in told] == [at == place for at in range(3)]
    assert [len(one.states) for one in told] == [at == place for at in range(3)]
    live(random_features, [problems[place]], [told[place]], {})
    for one, other in zip(told, undisturbed, strict=True):
        assert one.end is not None and other.end is not None
        assert [point.step for point in one.points] == [point.step for point in other.points]
        # The pack was smaller for a while: sums in another order.
        assert astuple(one.points[-1]) == pytest.approx(astuple(other.points[-1]), rel=2e-3)
        assert np.abs(one.end.pixels.astype(int) - other.end.pixels).mean() < 0.2


def test_runs_that_are_not_at_one_scale_are_no_pack(random_features: Features, source: Sources) -> None:
    problems = [problem_of(source, recipe=TWO_SCALES, beta=beta) for beta in (0.4, 0.6)]
    told = [Told(), Told()]
    live(random_features, problems, told, {(0, 3): Wish.STOP, (1, 9): Wish.STOP})
    with pytest.raises(InputError, match="one scale"):
        live(random_features, problems, told, {})


def test_l_bfgs_goes_on_from_its_picture_and_ends_as_low(random_features: Features, source: Sources) -> None:
    problem = problem_of(source, recipe=Recipe(name="gatys", size=40, steps=60))
    undisturbed, stopped = in_lives(random_features, problem, []), in_lives(random_features, problem, [20, 40])

    def objective(point: LossPoint) -> float:
        return problem.alpha * point.content_loss + problem.beta * point.style_loss

    assert stopped.end is not None and stopped.end.steps == 60 and stopped.end.moved and not stopped.end.diverged
    assert [point.step for point in stopped.points] == [point.step for point in undisturbed.points]
    assert stopped.points[:20] == undisturbed.points[:20]
    assert all(np.isfinite(astuple(point)).all() for point in stopped.points)
    fallen = objective(undisturbed.points[0]) - objective(undisturbed.points[-1])
    assert objective(undisturbed.points[0]) - objective(stopped.points[-1]) > 0.97 * fallen
    assert objective(stopped.points[20]) == pytest.approx(objective(undisturbed.points[20]), rel=1e-5), "it goes on where it was"


class Spoilt(Features):
    """Turns features to NaN from a forward pass on."""

    left = 10**9

    def forward(self, image: torch.Tensor, layers: set[str]) -> dict[str, torch.Tensor]:
        taps = super().forward(image, layers)
        if torch.is_grad_enabled():
            self.left -= 1
            if self.left < 0:
                taps = {name: tap * torch.nan for name, tap in taps.items()}
        return taps


@pytest.mark.parametrize("name", ["pyramid", "gatys"])
def test_a_picture_that_is_no_longer_finite_is_not_kept_and_ends_as_one_that_diverged(
    name: str, random_weights: Callable[..., Weights], source: Sources
) -> None:
    features = Spoilt(random_weights(), "relu2_1")
    features.left = 4
    told = Told()
    live(
        features,
        [problem_of(source, recipe=Recipe(name=name, size=32, steps=60))],
        [told],
        dict.fromkeys([(0, n) for n in range(5, 60)], Wish.STOP | Wish.VIEW),
    )
    assert told.states == [] and told.views == []
    assert told.end is not None and told.end.diverged


def test_a_state_that_cannot_be_gone_on_from_is_refused_with_a_reason(
    random_features: Features, source: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, told = problem_of(source, recipe=TWO_SCALES), Told()
    live(random_features, [problem], [told], {(0, 5): Wish.STOP})
    data = told.last_state
    saved = opened(data, problem)
    assert (saved.scale, saved.number, saved.steps) == (0, 5, 5)
    for damaged in (b"", b"x", data[:-1], data[: len(data) // 2], data[:8] + b"[" * 50, b"\xff" * len(data), data[:7] + b"\xff" + data[8:]):
        with pytest.raises(UnusableState, match="damaged"):
            opened(damaged, problem)
    for other in (
        problem_of(source, recipe=TWO_SCALES, beta=0.6),
        problem_of(source, recipe=replace(TWO_SCALES, steps=9)),
        problem_of(source, recipe=TWO_SCALES, content=source(7)),
        problem_of(source, recipe=Recipe(name="gatys", size=64, steps=8)),
    ):
        with pytest.raises(UnusableState, match="another problem"):
            opened(data, other)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "VERSION", checkpoint.VERSION + 1)
        with pytest.raises(UnusableState, match="another version"):
            opened(data, problem)
    own = checkpoint.identity(problem)
    fewer = {name: tensor for name, tensor in saved.held.items() if name != "second.1"}
    for wrong, why in (
        (replace(saved, scale=2), "step that the run does not have"),
        (replace(saved, number=9), "step that the run does not have"),
        (replace(saved, scale=1), "shape"),
        (replace(saved, number=4), "shape"),
        (replace(saved, held=fewer), "shape"),
        (replace(saved, held=saved.held | {"images": saved.held["images"].double()}), "shape"),
    ):
        with pytest.raises(UnusableState, match=why):
            opened(checkpoint.encoded(wrong, own), problem)

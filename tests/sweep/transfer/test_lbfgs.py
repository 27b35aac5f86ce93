"""L-BFGS: its directions against the recursion on vectors, its runs against torch's, each picture of a pack against itself alone."""

import numpy as np
import pytest
import torch
from problems import bowls
from scipy.optimize import minimize

from sweep.transfer.lbfgs import Memory, PackLBFGS
from sweep.transfer.optimizers import Objective
from sweep.transfer.presets import GatysNumbers


def solve(lbfgs: PackLBFGS, objective: Objective, steps: int) -> list[float]:
    """Each picture's losses at the start of its steps, of the first picture; until that has taken so many."""
    losses: list[float] = []
    while len(losses) < steps:
        found, ended = lbfgs.advance(objective)
        losses += [found[0, 0].item()] if 0 in ended else []
    return losses


def two_loops(steps: list[np.ndarray], rises: list[np.ndarray], gradient: np.ndarray) -> np.ndarray:
    """Nocedal and Wright, algorithm 7.4, on vectors."""
    q, taken = gradient.copy(), []
    for s, y in zip(reversed(steps), reversed(rises), strict=True):
        taken.append(s @ q / (s @ y))
        q = q - taken[-1] * y
    if steps:
        q = q * (steps[-1] @ rises[-1]) / (rises[-1] @ rises[-1])
    for s, y, a in zip(steps, rises, reversed(taken), strict=True):
        q = q + s * (a - y @ q / (s @ y))
    return -q


def test_the_direction_is_that_of_the_recursion_on_vectors() -> None:
    generator = np.random.default_rng(0)
    curvature = np.diag(generator.uniform(0.5, 4.0, 12))
    gradient = generator.standard_normal(12)
    memory = Memory(3, torch.zeros(12, dtype=torch.float64))
    memory.learn(memory.look(torch.from_numpy(gradient)).tolist())
    steps: list[np.ndarray] = []
    rises: list[np.ndarray] = []
    for _ in range(8):  # more than it remembers
        direction, slope = memory.direction()
        expected = two_loops(steps[-3:], rises[-3:], gradient)
        np.testing.assert_allclose(direction.numpy(), expected, rtol=1e-9, atol=1e-12)
        assert slope == pytest.approx(gradient @ expected) and slope < 0
        step = 0.3 * expected + 0.02 * generator.standard_normal(12)
        steps.append(step)
        rises.append(curvature @ step)
        before, gradient = gradient, gradient + curvature @ step
        memory.learn(memory.look(torch.from_numpy(gradient), torch.from_numpy(step), torch.from_numpy(before)).tolist())


def test_a_step_along_which_the_gradient_falls_is_not_remembered() -> None:
    memory = Memory(3, torch.zeros(2, dtype=torch.float64))
    gradient, after = torch.tensor([1.0, 0.0]).double(), torch.tensor([3.0, 0.0]).double()
    memory.learn(memory.look(gradient).tolist())
    memory.learn(memory.look(after, -gradient, gradient).tolist())
    assert memory.empty
    assert memory.direction()[0].tolist() == [-3.0, 0.0]


def test_it_solves_an_ill_conditioned_quadratic(target: torch.Tensor, steepness: torch.Tensor) -> None:
    lbfgs = PackLBFGS.at(torch.zeros_like(target))
    solve(lbfgs, bowls(target, steepness * 1e-3), 60)
    torch.testing.assert_close(lbfgs.picture(), target, rtol=0, atol=1e-5)


def rosenbrock(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A curved valley, of the pixels in pairs; its minimum is 0 where all are 1."""
    flat = images.flatten(1)
    values = (100 * (flat[:, 1::2] - flat[:, ::2].square()).square() + (1 - flat[:, ::2]).square()).sum(1)
    return values, torch.stack([values] * 3, dim=1).detach()


@pytest.mark.parametrize("start", [-0.5, 0.2])
def test_it_needs_about_as_many_evaluations_as_scipy_s_in_a_curved_valley(start: float) -> None:
    place = torch.linspace(start, start + 0.3, 48, dtype=torch.float64).reshape(1, 3, 4, 4)
    lbfgs = PackLBFGS.at(place, GatysNumbers(history=10))
    values = [1.0]
    while values[-1] > 1e-10 and len(values) < 500:
        values.append(lbfgs.advance(rosenbrock)[0][0, 0].item())
    seen: list[float] = []

    def watched(flat: np.ndarray) -> tuple[float, np.ndarray]:
        image = torch.from_numpy(flat).reshape(place.shape).requires_grad_()
        value = rosenbrock(image)[0].sum()
        seen.append(value.item())
        return seen[-1], torch.autograd.grad(value, image)[0].numpy().ravel()

    minimize(watched, place.numpy().ravel(), jac=True, method="L-BFGS-B", options={"maxcor": 10, "ftol": 0, "gtol": 0, "maxiter": 500})
    theirs = next(number for number, value in enumerate(seen, start=1) if value <= 1e-10)
    assert len(values) <= 1.3 * theirs


def test_it_is_not_clamped_while_it_works_but_its_picture_is(steepness: torch.Tensor) -> None:
    lbfgs = PackLBFGS.at(torch.full_like(steepness, 0.5))
    solve(lbfgs, bowls(torch.full_like(steepness, 1.5), steepness), 30)
    assert lbfgs._runs[0].at.max() > 1.4 and lbfgs.picture().max() == 1


def test_a_step_takes_little_more_than_one_evaluation_and_never_rises(target: torch.Tensor, steepness: torch.Tensor) -> None:
    calls = 0
    inner = bowls(target, steepness)

    def objective(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal calls
        calls += 1
        return inner(images)

    losses = solve(PackLBFGS.at(torch.zeros_like(target)), objective, 12)
    assert losses == sorted(losses, reverse=True)
    assert calls < 2 * 12


def test_in_a_pack_each_picture_takes_the_steps_that_it_takes_alone() -> None:
    starts = torch.rand((3, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 0.5
    starts[1] = 0.98  # next to the minimum: searches of its own
    numbers = GatysNumbers(history=5)

    def alone(row: int) -> list[list[float]]:
        lbfgs, seen = PackLBFGS.at(starts[row : row + 1], numbers), []
        while len(seen) < 12:
            losses, ended = lbfgs.advance(rosenbrock)
            seen += [losses[0].tolist()] if ended else []
        return seen

    pack, seen = PackLBFGS.at(starts, numbers), [[], [], []]  # type: ignore[var-annotated]
    evaluations = 0
    while min(map(len, seen)) < 12:
        losses, ended = pack.advance(rosenbrock)
        evaluations += 1
        for row in ended:
            seen[row].append(losses[row].tolist())
    for row in range(3):
        np.testing.assert_allclose(seen[row][:12], alone(row), rtol=1e-9)
    # Nobody waits for a longer search: the pack is through as soon as its slowest member would be alone.
    assert len(set(map(len, seen))) > 1 and evaluations < 12 * 3


def test_a_search_in_which_nothing_is_finite_ends_its_step_with_losses_that_are_not(target: torch.Tensor, steepness: torch.Tensor) -> None:
    goals = torch.cat([target, target + 0.1])
    left = 6

    def objective(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal left
        left -= 1
        values, losses = bowls(goals, steepness)(images)
        spoilt = torch.tensor([torch.nan if left < 0 else 1.0, 1.0], dtype=torch.float64)
        return values * spoilt, losses * spoilt[:, None]

    pack = PackLBFGS.at(torch.zeros_like(goals))
    for _ in range(60):
        losses, ended = pack.advance(objective)
        if 0 in ended and not torch.isfinite(losses[0]).all():
            break
    else:
        pytest.fail("the step never ended")
    assert torch.isfinite(pack.picture()).all()
    solve(PackLBFGS.joined(pack.parts()[1:]), bowls(goals[1:], steepness), 30)
    torch.testing.assert_close(pack.picture()[1:], goals[1:].clamp(0, 1), rtol=0, atol=1e-3)


def test_a_start_that_is_not_finite_ends_the_first_step_at_once(target: torch.Tensor) -> None:
    pack = PackLBFGS.at(target)
    losses, ended = pack.advance(bowls(target * torch.nan, torch.ones_like(target)))
    assert list(ended) == [0] and torch.isnan(losses[0]).all()

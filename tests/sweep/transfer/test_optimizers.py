"""The optimisers against formulas written out again, and against problems with known answers."""

from dataclasses import replace

import pytest
import torch

from sweep.transfer.optimizers import PyramidAdam, WolfeLBFGS
from sweep.transfer.presets import PYRAMID


def bowl(target: torch.Tensor, steepness: torch.Tensor):
    """A quadratic with its minimum at `target`."""

    def objective(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value = (steepness * (image - target).square()).sum()
        return value, torch.stack([value, value, value]).detach()

    return objective


@pytest.fixture
def target() -> torch.Tensor:
    return torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def steepness() -> torch.Tensor:
    return torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 10 + 0.1


def test_adam_of_one_level_takes_the_steps_of_torch_s_adam(target: torch.Tensor, steepness: torch.Tensor) -> None:
    start = torch.full_like(target, 0.5)
    ours = PyramidAdam(start, replace(PYRAMID, levels=1))
    theirs = start.clone().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=PYRAMID.learning_rate, betas=PYRAMID.betas, eps=PYRAMID.epsilon)
    objective = bowl(target, steepness)
    average = torch.zeros_like(start)
    for number in range(1, 13):
        ours.step(objective)
        adam.zero_grad()
        objective(theirs)[0].backward()
        adam.step()
        with torch.no_grad():
            theirs.clamp_(0, 1)
        torch.testing.assert_close(ours.image, theirs.detach(), rtol=1e-9, atol=1e-12)
        average = PYRAMID.averaging * average + (1 - PYRAMID.averaging) * theirs.detach()
        expected = average / (1 - PYRAMID.averaging**number)
        torch.testing.assert_close(ours.picture(), expected, rtol=1e-9, atol=1e-12)


def test_a_step_is_the_sum_of_adams_on_ever_coarser_gradients() -> None:
    generator = torch.Generator().manual_seed(3)
    target, steepness = (torch.rand((1, 3, 8, 12), generator=generator, dtype=torch.float64) for _ in range(2))
    objective = bowl(target, steepness)
    ours = PyramidAdam(torch.full_like(target, 0.5), replace(PYRAMID, levels=3))
    levels = [torch.zeros(1, 3, 8 // size, 12 // size, dtype=torch.float64, requires_grad=True) for size in (1, 2, 4)]
    adam = torch.optim.Adam(levels, lr=PYRAMID.learning_rate / 3, betas=PYRAMID.betas, eps=PYRAMID.epsilon)
    image = torch.full_like(target, 0.5)
    for _ in range(12):
        gradient = 2 * steepness * (image - target)
        before = [level.detach().clone() for level in levels]
        for level, size in zip(levels, (1, 2, 4), strict=True):
            level.grad = gradient.unfold(2, size, size).unfold(3, size, size).mean((-1, -2))
        adam.step()
        for level, old in zip(levels, before, strict=True):
            image = image + enlarged(level.detach() - old, image.shape)
        image = image.clamp(0, 1)
        ours.step(objective)
        torch.testing.assert_close(ours.image, image, rtol=1e-9, atol=1e-12)


def enlarged(values: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Linear interpolation between the middles of pixels, edges repeated, one axis after the other."""
    rows, columns = (line_weights(values.shape[axis], shape[axis]) for axis in (2, 3))
    return torch.einsum("ry,bcyx,sx->bcrs", rows, values, columns)


def line_weights(few: int, many: int) -> torch.Tensor:
    weights = torch.zeros(many, few, dtype=torch.float64)
    for place in range(many):
        at = min(max((place + 0.5) * few / many - 0.5, 0), few - 1)
        left = min(int(at), few - 1)
        weights[place, left] += 1 - (at - left)
        weights[place, min(left + 1, few - 1)] += at - left
    return weights


def test_what_all_pixels_agree_on_moves_faster_than_what_they_differ_in() -> None:
    flat = torch.full((1, 3, 16, 16), 0.5, dtype=torch.float64)
    noise = torch.where(torch.rand(flat.shape, generator=torch.Generator().manual_seed(4)) < 0.5, -1.0, 1.0).double()
    moved = []
    for pull in (torch.ones_like(flat), noise):
        adam = PyramidAdam(flat)
        adam.step(bowl(flat + 0.4 * pull, torch.ones_like(flat)))
        moved.append(float(((adam.image - flat) * pull).mean()))
    assert moved[0] == pytest.approx(PYRAMID.learning_rate, rel=1e-6)
    assert moved[1] < 0.75 * moved[0]


def test_adam_stays_between_black_and_white(steepness: torch.Tensor) -> None:
    adam = PyramidAdam(torch.full_like(steepness, 0.5))
    for _ in range(60):
        adam.step(bowl(torch.full_like(steepness, 3.0), steepness))
    assert adam.image.max() == 1
    assert adam.picture().max() <= 1 and adam.picture().min() > 0.5


def test_adam_carries_its_moments_to_the_next_scale(target: torch.Tensor, steepness: torch.Tensor) -> None:
    adam = PyramidAdam(torch.full_like(target, 0.5))
    for _ in range(5):
        adam.step(bowl(target, steepness))
    larger = torch.full((1, 3, 8, 10), 0.4, dtype=torch.float64)
    adam.move_to(larger)
    torch.testing.assert_close(adam.picture(), larger)
    for level, (first, second) in enumerate(zip(adam._first, adam._second, strict=True)):
        assert first.shape == second.shape == (1, 3, -(-8 // 2**level), -(-10 // 2**level))
        assert second.min() >= 0 and first.abs().max() > 0
    adam.step(bowl(torch.ones_like(larger), torch.ones_like(larger)))
    assert torch.isfinite(adam.picture()).all()


def test_lbfgs_solves_an_ill_conditioned_quadratic(target: torch.Tensor, steepness: torch.Tensor) -> None:
    lbfgs = WolfeLBFGS(torch.zeros_like(target))
    for _ in range(60):
        lbfgs.step(bowl(target, steepness * 1e-3))
    torch.testing.assert_close(lbfgs.picture(), target, rtol=0, atol=1e-4)


def test_lbfgs_is_not_clamped_while_it_works_but_its_picture_is(steepness: torch.Tensor) -> None:
    lbfgs = WolfeLBFGS(torch.full_like(steepness, 0.5))
    for _ in range(30):
        lbfgs.step(bowl(torch.full_like(steepness, 1.5), steepness))
    assert lbfgs.image.max() > 1.4 and lbfgs.picture().max() == 1


def test_lbfgs_reuses_the_evaluation_at_which_a_step_ended(target: torch.Tensor, steepness: torch.Tensor) -> None:
    calls = 0
    inner = bowl(target, steepness)

    def objective(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal calls
        calls += 1
        return inner(image)

    lbfgs = WolfeLBFGS(torch.zeros_like(target))
    losses = [lbfgs.step(objective)[0].item() for _ in range(12)]
    assert losses == sorted(losses, reverse=True)
    assert calls < 2 * 12


def test_the_start_gradient_is_that_of_the_first_step(target: torch.Tensor, steepness: torch.Tensor) -> None:
    start = torch.zeros_like(target)
    expected = (2 * steepness * target).abs().max()
    for optimizer in (PyramidAdam(start), WolfeLBFGS(start)):
        for _ in range(3):
            optimizer.step(bowl(target, steepness))
        assert optimizer.start_gradient is not None
        torch.testing.assert_close(optimizer.start_gradient, expected)

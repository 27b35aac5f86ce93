"""Adam against torch's, alone and in packs."""

from collections.abc import Callable

import pytest
import torch
from problems import bowls

from sweep.transfer.optimizers import PackAdam
from sweep.transfer.presets import PYRAMID


@pytest.fixture
def target() -> torch.Tensor:
    return torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def steepness() -> torch.Tensor:
    return torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 10 + 0.1


def test_adam_takes_the_steps_of_torch_s_adam(target: torch.Tensor, steepness: torch.Tensor) -> None:
    start = torch.full_like(target, 0.5)
    ours = PackAdam(start)
    theirs = start.clone().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=PYRAMID.learning_rate, betas=PYRAMID.betas, eps=PYRAMID.epsilon)
    objective = bowls(target, steepness)
    average = torch.zeros_like(start)
    for number in range(1, 13):
        ours.advance(objective)
        adam.zero_grad()
        objective(theirs)[0].sum().backward()
        adam.step()
        with torch.no_grad():
            theirs.clamp_(0, 1)
        torch.testing.assert_close(ours.images, theirs.detach(), rtol=1e-9, atol=1e-12)
        average = PYRAMID.averaging * average + (1 - PYRAMID.averaging) * theirs.detach()
        expected = average / (1 - PYRAMID.averaging**number)
        torch.testing.assert_close(ours.picture(), expected, rtol=1e-9, atol=1e-12)


def test_adam_stays_between_black_and_white(steepness: torch.Tensor) -> None:
    adam = PackAdam(torch.full_like(steepness, 0.5))
    for _ in range(60):
        adam.advance(bowls(torch.full_like(steepness, 3.0), steepness))
    assert adam.images.max() == 1
    assert adam.picture().max() <= 1 and adam.picture().min() > 0.5


def test_adam_carries_its_moments_to_the_next_scale(target: torch.Tensor, steepness: torch.Tensor) -> None:
    adam = PackAdam(torch.full_like(target, 0.5))
    for _ in range(5):
        adam.advance(bowls(target, steepness))
    larger = torch.full((1, 3, 8, 10), 0.4, dtype=torch.float64)
    adam.move_to(larger)
    torch.testing.assert_close(adam.picture(), larger)
    assert adam._first.shape == adam._second.shape == larger.shape
    assert adam._second.min() >= 0 and adam._first.abs().max() > 0
    adam.advance(bowls(torch.ones_like(larger), torch.ones_like(larger)))
    assert torch.isfinite(adam.picture()).all()


def test_the_start_gradient_is_that_of_the_first_step(target: torch.Tensor, steepness: torch.Tensor) -> None:
    start = torch.zeros_like(target)
    adam = PackAdam(start)
    for _ in range(3):
        adam.advance(bowls(target, steepness))
    torch.testing.assert_close(adam.start_gradient, (2 * steepness * target).abs().max().reshape(1))


def several(like: torch.Tensor, seed: int, change: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    return change(torch.rand((3, *like.shape[1:]), generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def test_in_a_pack_each_picture_is_optimised_as_if_alone_whenever_it_joined(target: torch.Tensor) -> None:
    goals, steep = several(target, 1, lambda x: x), several(target, 2, lambda x: x * 10 + 0.1)
    alone = [PackAdam(torch.full_like(target, 0.2)) for _ in range(3)]
    for row, steps in enumerate((4, 1, 2)):  # that many steps are behind each when they meet
        for _ in range(steps):
            alone[row].advance(bowls(goals[row : row + 1], steep[row : row + 1]))
    pack = PackAdam.joined(alone)
    alone = [*PackAdam.joined(alone).parts()]
    for _ in range(5):
        _, ended = pack.advance(bowls(goals, steep))
        assert list(ended) == [0, 1, 2]
        for row, adam in enumerate(alone):
            adam.advance(bowls(goals[row : row + 1], steep[row : row + 1]))
    torch.testing.assert_close(pack.picture(), torch.cat([adam.picture() for adam in alone]), rtol=1e-12, atol=1e-12)
    for part, adam in zip(pack.parts(), alone, strict=True):
        torch.testing.assert_close(part.picture(), adam.picture(), rtol=1e-12, atol=1e-12)
        assert part.start_gradient is not None and part.start_gradient.shape == (1,)


def test_a_picture_that_is_no_longer_finite_leaves_the_others_alone(target: torch.Tensor) -> None:
    goals, steep = several(target, 1, lambda x: x), several(target, 2, lambda x: x + 0.1)
    broken = goals.clone()
    broken[1] = torch.nan
    whole, hurt = PackAdam(torch.zeros_like(goals)), PackAdam(torch.zeros_like(goals))
    for _ in range(3):
        whole.advance(bowls(goals, steep))
        hurt.advance(bowls(broken, steep))
    assert torch.equal(hurt.picture()[[0, 2]], whole.picture()[[0, 2]])
    assert not torch.isfinite(hurt.picture()[1]).any()

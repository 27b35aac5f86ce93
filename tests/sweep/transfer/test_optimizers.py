"""Adam against torch's, alone and in packs."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from problems import bowls, torch_s_adam

from sweep.transfer.optimizers import PackAdam
from sweep.transfer.presets import PYRAMID


def test_adam_of_one_level_takes_the_steps_of_torch_s_adam(target: torch.Tensor, steepness: torch.Tensor) -> None:
    start = torch.full_like(target, 0.5)
    ours = PackAdam(start, replace(PYRAMID, levels=1))
    objective = bowls(target, steepness)
    theirs = torch_s_adam(start, objective, lr=PYRAMID.learning_rate, betas=PYRAMID.betas, eps=PYRAMID.epsilon)
    average = torch.zeros_like(start)
    for number in range(1, 13):
        ours.advance(objective)
        picture = next(theirs)
        torch.testing.assert_close(ours.images, picture, rtol=1e-9, atol=1e-12)
        average = PYRAMID.averaging * average + (1 - PYRAMID.averaging) * picture
        expected = average / (1 - PYRAMID.averaging**number)
        torch.testing.assert_close(ours.picture(), expected, rtol=1e-9, atol=1e-12)


def test_a_step_is_the_sum_of_adams_on_ever_coarser_gradients() -> None:
    generator = torch.Generator().manual_seed(3)
    target, steepness = (torch.rand((1, 3, 8, 12), generator=generator, dtype=torch.float64) for _ in range(2))
    objective = bowls(target, steepness)
    ours = PackAdam(torch.full_like(target, 0.5), replace(PYRAMID, levels=3))
    levels = [torch.zeros(1, 3, 8 // size, 12 // size, dtype=torch.float64, requires_grad=True) for size in (1, 2, 4)]
    adam = torch.optim.Adam(levels, lr=PYRAMID.learning_rate / 3, betas=PYRAMID.betas, eps=PYRAMID.epsilon)
    image = torch.full_like(target, 0.5)
    for _ in range(12):
        gradient = 2 * steepness * (image - target)
        before = [level.detach().clone() for level in levels]
        for level in levels:
            gradient = level.grad = across(gradient, level.shape, triangle)
        adam.step()
        for level, old in zip(levels, before, strict=True):
            image = image + across(level.detach() - old, image.shape, keys_cubic)
        image = image.clamp(0, 1)
        ours.advance(objective)
        torch.testing.assert_close(ours.images, image, rtol=1e-9, atol=1e-12)


def across(values: torch.Tensor, shape: torch.Size, kernel: Callable[[float, float], float]) -> torch.Tensor:
    """Resampled along one axis after the other; pixels are squares, positions their middles, edges repeated or left out."""
    rows, columns = (line_weights(values.shape[axis], shape[axis], kernel) for axis in (2, 3))
    return torch.einsum("ry,bcyx,sx->bcrs", rows, values, columns)


def line_weights(before: int, after: int, kernel: Callable[[float, float], float]) -> torch.Tensor:
    if before == after:
        return torch.eye(before, dtype=torch.float64)
    weights = torch.zeros(after, before, dtype=torch.float64)
    ratio = before / after
    for place in range(after):
        at = (place + 0.5) * ratio - 0.5
        for near in range(math.floor(at - 2 * max(ratio, 1)), math.ceil(at + 2 * max(ratio, 1)) + 1):
            inside = min(max(near, 0), before - 1) if ratio < 1 else near  # enlarging repeats the edge, shrinking leaves it out
            if 0 <= inside < before:
                weights[place, inside] += kernel(abs(near - at), ratio)
    return weights / weights.sum(1, keepdim=True)


def triangle(distance: float, ratio: float) -> float:
    return max(0.0, 1 - distance / ratio)


def keys_cubic(distance: float, _: float, a: float = -0.75) -> float:
    """Keys 1981, Cubic convolution interpolation, equation 4, with torch's a."""
    if distance < 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a if distance < 2 else 0.0


def test_what_all_pixels_agree_on_moves_faster_than_what_they_differ_in() -> None:
    flat = torch.full((1, 3, 16, 16), 0.5, dtype=torch.float64)
    noise = torch.where(torch.rand(flat.shape, generator=torch.Generator().manual_seed(4)) < 0.5, -1.0, 1.0).double()
    moved = []
    for pull in (torch.ones_like(flat), noise):
        adam = PackAdam(flat)
        adam.advance(bowls(flat + 0.4 * pull, torch.ones_like(flat)))
        moved.append(float(((adam.images - flat) * pull).mean()))
    assert moved[0] == pytest.approx(PYRAMID.learning_rate, rel=1e-6)
    assert moved[1] < 0.75 * moved[0]


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
    for level, (first, second) in enumerate(zip(adam._first, adam._second, strict=True)):
        assert first.shape == second.shape == (1, 3, -(-8 // 2**level), -(-10 // 2**level))
        assert second.min() >= 0 and first.abs().max() > 0
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

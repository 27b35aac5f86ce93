"""The two optimisers. Both hold the picture in [0, 1] units and are given an objective to minimise."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from sweep.transfer.presets import GATYS, PYRAMID, GatysNumbers, PyramidNumbers

# The value to minimise (a scalar with a graph) and the unweighted losses (content, style, tv), detached.
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]


class Optimizer(Protocol):
    """One picture being optimised."""

    start_gradient: Tensor | None  # largest absolute gradient at the first step, kept on the device

    def step(self, objective: Objective) -> Tensor:
        """One step; the unweighted losses (3,) of the picture that it started from, still on the device."""

    def picture(self) -> Tensor:
        """The picture to show or save now, (1, 3, H, W) in [0, 1]."""


class PyramidAdam:
    """Adam (Kingma and Ba 2015) on the pixels, clamped to [0, 1] after each step, with a bias-corrected averaged iterate.

    Each step is the sum of the steps of `levels` Adams: one sees the gradient, the next its means over 2 x 2 pixels, and so
    on, each with moments of its own and an equal share of the learning rate. Adam alone moves every pixel and channel by about
    as much, however small its gradient, which shows as coloured grain; what many pixels agree on moves faster here.
    Otherwise the recipe follows what K. Crowson's style-transfer-pytorch found to work: moments are carried from scale to scale.
    """

    def __init__(self, image: Tensor, numbers: PyramidNumbers = PYRAMID) -> None:
        self._numbers = numbers
        self.image = image.detach().clone()
        self.start_gradient: Tensor | None = None
        self._first = [self.image.new_zeros((*self.image.shape[:2], *size)) for size in self._level_sizes()]
        self._second = [torch.zeros_like(first) for first in self._first]
        self._steps = 0
        self._restart_average()

    def step(self, objective: Objective) -> Tensor:
        """See Optimizer."""
        image = self.image.requires_grad_()
        total, losses = objective(image)
        (gradient,) = torch.autograd.grad(total, image)
        self.image = image.detach()
        if self.start_gradient is None:
            self.start_gradient = gradient.abs().amax()
        self._update(gradient)
        return losses

    def picture(self) -> Tensor:
        """The averaged iterate of this scale; before the first step, the picture itself."""
        if self._averaged_steps == 0:
            return self.image
        return (self._average / (1 - self._numbers.averaging**self._averaged_steps)).clamp(0, 1)

    def move_to(self, image: Tensor) -> None:
        """Go on at another scale from that picture; the moments are resampled with it, the average starts anew."""
        self.image = image.detach().clone()
        for level, size in enumerate(self._level_sizes()):
            self._first[level] = interpolate(self._first[level], size, mode="bicubic", align_corners=False)
            # Bicubic would make some of the squares negative.
            self._second[level] = interpolate(self._second[level], size, mode="bilinear", align_corners=False)
        self._restart_average()

    def _update(self, gradient: Tensor) -> None:
        decay, decay_squares = self._numbers.betas
        self._steps += 1
        rate = self._numbers.learning_rate / len(self._first) / (1 - decay**self._steps)
        for first, second in zip(self._first, self._second, strict=True):
            if first.shape != gradient.shape:
                gradient = adaptive_avg_pool2d(gradient, (first.shape[-2], first.shape[-1]))
            first.lerp_(gradient, 1 - decay)
            second.mul_(decay_squares).addcmul_(gradient, gradient, value=1 - decay_squares)
            spread = (second / (1 - decay_squares**self._steps)).sqrt_().add_(self._numbers.epsilon)
            change = first / spread
            if change.shape != self.image.shape:
                change = interpolate(change, self.image.shape[-2:], mode="bilinear", align_corners=False)
            self.image.sub_(change, alpha=rate)
        self.image.clamp_(0, 1)
        self._average.lerp_(self.image, 1 - self._numbers.averaging)
        self._averaged_steps += 1

    def _level_sizes(self) -> list[tuple[int, int]]:
        """(height, width) of each level, fine to coarse: halved, rounded up."""
        height, width = self.image.shape[-2:]
        return [(-(-height // 2**level), -(-width // 2**level)) for level in range(self._numbers.levels)]

    def _restart_average(self) -> None:
        self._average = torch.zeros_like(self.image)
        self._averaged_steps = 0


class WolfeLBFGS:
    """torch's L-BFGS with a strong-Wolfe line search, one step at a time, as in Gatys et al. 2016.

    The tolerances are 0: torch's defaults take the small gradients of relative losses for convergence and return the
    photograph. The picture is not clamped while it is optimised (a clamp in the closure breaks the line search), only shown so.
    """

    def __init__(self, image: Tensor, numbers: GatysNumbers = GATYS) -> None:
        self._numbers = numbers
        self.image = image.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        self.start_gradient: Tensor | None = None
        self._at: Tensor | None = None  # the picture of the evaluation below
        self._evaluation: tuple[Tensor, Tensor, Tensor] | None = None
        self._restart()

    def step(self, objective: Objective) -> Tensor:
        """See Optimizer. Costs about GATYS.evaluations_per_step evaluations of the objective."""
        losses: list[Tensor] = []

        def closure() -> Tensor:
            total, parts, gradient = self._evaluate(objective)
            losses.append(parts)
            self.image.grad = gradient.clone(memory_format=torch.contiguous_format)
            return total

        before = self.image.detach().clone()
        self._lbfgs.step(closure)  # type: ignore[no-untyped-call]
        if torch.equal(before, self.image.detach()):
            self._restart()  # a memory that points nowhere is worth less than the gradient
        return losses[0]

    def picture(self) -> Tensor:
        """See Optimizer."""
        return self.image.detach().clamp(0, 1)

    def _evaluate(self, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
        # A step begins where the line search before it ended: that evaluation is still at hand.
        if self._evaluation is None or self._at is None or not torch.equal(self._at, self.image.detach()):
            total, parts = objective(self.image)
            (gradient,) = torch.autograd.grad(total, self.image)
            self._at = self.image.detach().clone()
            self._evaluation = total.detach(), parts, gradient
            if self.start_gradient is None:
                self.start_gradient = gradient.abs().amax()
        return self._evaluation

    def _restart(self) -> None:
        self._lbfgs = torch.optim.LBFGS(
            [self.image],
            max_iter=1,
            max_eval=25,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            history_size=self._numbers.history,
            line_search_fn="strong_wolfe",
        )

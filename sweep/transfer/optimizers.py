"""What an optimiser of a pack of pictures is, and Adam. Pictures are held in [0, 1] units; an objective to minimise is handed in."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sweep.transfer.presets import PYRAMID, PyramidNumbers

# Of pictures (B, 3, H, W): the values to minimise (B,), with a graph, and the unweighted losses (B, 3: content, style, tv), without.
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]


class PackOptimizer(Protocol):
    """Pictures (B, 3, H, W) being optimised, each by itself: none depends on who else is in the pack."""

    @property
    def start_gradient(self) -> Tensor | None:
        """(B,): the largest absolute gradient at each picture's first step, on the device; None before it."""

    def advance(self, objective: Objective) -> tuple[Tensor, Sequence[int]]:
        """One evaluation of the objective. Which pictures ended a step with it, and the losses (B, 3) that those steps started from.

        The losses stay on the device; rows of other pictures mean nothing.
        """

    def picture(self) -> Tensor:
        """The pictures to show or save now, in [0, 1]."""

    def parts(self) -> list[Self]:
        """One optimiser for each picture, with its state."""

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The inverse of `parts`."""


class PackAdam:
    """Adam (Kingma and Ba 2015) on the pixels, clamped to [0, 1] after each step, with a bias-corrected averaged iterate.

    The recipe follows what K. Crowson's style-transfer-pytorch found to work: moments are carried from scale to scale.
    """

    def __init__(self, images: Tensor, numbers: PyramidNumbers = PYRAMID) -> None:
        self._numbers = numbers
        self.images = images.detach().clone()
        self.start_gradient: Tensor | None = None
        self._first = torch.zeros_like(self.images)
        self._second = torch.zeros_like(self.images)
        # Powers of the decays, by which zeros are corrected: on the device and by picture, as some of a pack may have taken more steps.
        ones = images.new_ones((len(images), 1, 1, 1), dtype=torch.float64)
        self._first_power = self._second_power = ones
        self._average, self._average_power = torch.zeros_like(self.images), ones

    def advance(self, objective: Objective) -> tuple[Tensor, Sequence[int]]:
        """See PackOptimizer. Every picture ends a step; nothing waits for the device."""
        images = self.images.requires_grad_()
        totals, losses = objective(images)
        (gradient,) = torch.autograd.grad(totals.sum(), images)
        self.images = images.detach()
        if self.start_gradient is None:
            self.start_gradient = gradient.abs().amax(dim=(1, 2, 3))
        self._update(gradient)
        return losses, range(len(self.images))

    def picture(self) -> Tensor:
        """The averaged iterates of this scale; before the first step, the pictures themselves."""
        seen = self._average_power < 1
        average = self._average / torch.where(seen, 1 - self._average_power, 1).to(self.images.dtype)
        return torch.where(seen, average, self.images).clamp(0, 1)

    def move_to(self, images: Tensor) -> None:
        """Go on at another scale from those pictures; the moments are resampled with them, the average starts anew."""
        size = images.shape[-2:]
        self._first = interpolate(self._first, size, mode="bicubic", align_corners=False)
        # Bicubic would make some of the squares negative.
        self._second = interpolate(self._second, size, mode="bilinear", align_corners=False)
        self.images = images.detach().clone()
        self._average, self._average_power = torch.zeros_like(self.images), torch.ones_like(self._first_power)

    def parts(self) -> list["PackAdam"]:
        """See PackOptimizer."""
        found = []
        for row in range(len(self.images)):
            part = PackAdam.__new__(PackAdam)
            vars(part).update({name: value[row : row + 1] if isinstance(value, Tensor) else value for name, value in vars(self).items()})
            found.append(part)
        return found

    @classmethod
    def joined(cls, parts: Sequence["PackAdam"]) -> "PackAdam":
        """See PackOptimizer. All of equal numbers."""
        whole = cls.__new__(cls)
        for name, value in vars(parts[0]).items():
            setattr(whole, name, torch.cat([vars(part)[name] for part in parts]) if isinstance(value, Tensor) else value)
        return whole

    def _update(self, gradient: Tensor) -> None:
        decay, decay_squares = self._numbers.betas
        dtype = gradient.dtype
        self._first_power, self._second_power = self._first_power * decay, self._second_power * decay_squares
        self._first.lerp_(gradient, 1 - decay)
        self._second.mul_(decay_squares).addcmul_(gradient, gradient, value=1 - decay_squares)
        spread = (self._second / (1 - self._second_power).to(dtype)).sqrt_().add_(self._numbers.epsilon)
        rate = (self._numbers.learning_rate / (1 - self._first_power)).to(dtype)
        self.images.addcdiv_(self._first * rate, spread, value=-1).clamp_(0, 1)
        self._average.lerp_(self.images, 1 - self._numbers.averaging)
        self._average_power = self._average_power * self._numbers.averaging

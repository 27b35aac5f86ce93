"""What an optimiser of a pack of pictures is, and Adam. Pictures are held in [0, 1] units; an objective to minimise is handed in."""

from collections.abc import Callable, Mapping, Sequence
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

    def held(self) -> dict[str, Tensor]:
        """What the one picture of this optimiser goes on from, by name."""

    def take(self, held: Mapping[str, Tensor]) -> None:
        """Go on from there: what `held` gave, of a picture of the same size and on the same device."""


class PackAdam:
    """Adam (Kingma and Ba 2015) on the pixels, clamped to [0, 1] after each step, with a bias-corrected averaged iterate.

    Each step is the sum of the steps of `levels` Adams: one sees the gradient, the next sees it at half the resolution, and so
    on, each with moments of its own and an equal share of the learning rate. Adam alone moves every pixel and channel by about
    as much, however small its gradient, which shows as coloured grain; what many pixels agree on moves faster here. Levels are
    shrunk by a triangle and enlarged by cubics: means over blocks left their grid in the picture, as strokes with corners.
    Otherwise the recipe follows what K. Crowson's style-transfer-pytorch found to work: moments are carried from scale to scale.
    """

    def __init__(self, images: Tensor, numbers: PyramidNumbers = PYRAMID) -> None:
        self._numbers = numbers
        self.images = images.detach().clone()
        self.start_gradient: Tensor | None = None
        self._first = [self.images.new_zeros((*self.images.shape[:2], *size)) for size in self._level_sizes()]
        self._second = [torch.zeros_like(first) for first in self._first]
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
        self.images = images.detach().clone()
        sizes = self._level_sizes()
        self._first = [_resized(first, size, "bicubic") for first, size in zip(self._first, sizes, strict=True)]
        # Bicubic would make some of the squares negative.
        self._second = [_resized(second, size, "bilinear") for second, size in zip(self._second, sizes, strict=True)]
        self._average, self._average_power = torch.zeros_like(self.images), torch.ones_like(self._first_power)

    def parts(self) -> list["PackAdam"]:
        """See PackOptimizer."""
        return [self._mapped(_row(row), [self]) for row in range(len(self.images))]

    @classmethod
    def joined(cls, parts: Sequence["PackAdam"]) -> "PackAdam":
        """See PackOptimizer. All of equal numbers."""
        return parts[0]._mapped(lambda tensors: torch.cat(list(tensors)), parts)

    def held(self) -> dict[str, Tensor]:
        """See PackOptimizer: everything, so that the next step is the one that would have been made."""
        found: dict[str, Tensor] = {}
        for name, value in vars(self).items():
            levels = value if isinstance(value, list) else [value]
            found |= {_label(name, level, value): tensor for level, tensor in enumerate(levels) if isinstance(tensor, Tensor)}
        return found

    def take(self, held: Mapping[str, Tensor]) -> None:
        """See PackOptimizer."""
        for name, value in vars(self).items():
            if isinstance(value, list):
                setattr(self, name, [held[_label(name, level, value)] for level in range(len(value))])
            elif name.lstrip("_") in held:
                setattr(self, name, held[name.lstrip("_")])

    def _mapped(self, change: Callable[[Sequence[Tensor]], Tensor], parts: Sequence["PackAdam"]) -> "PackAdam":
        """One whose every tensor is made of those of the parts."""
        made = PackAdam.__new__(PackAdam)
        for name, value in vars(self).items():
            held = [vars(part)[name] for part in parts]
            if isinstance(value, list):
                setattr(made, name, [change(level) for level in zip(*held, strict=True)])
            else:
                setattr(made, name, change(held) if isinstance(value, Tensor) else value)
        return made

    def _update(self, gradient: Tensor) -> None:
        decay, decay_squares = self._numbers.betas
        dtype = gradient.dtype
        self._first_power, self._second_power = self._first_power * decay, self._second_power * decay_squares
        rate = (self._numbers.learning_rate / len(self._first) / (1 - self._first_power)).to(dtype)
        for first, second in zip(self._first, self._second, strict=True):
            if first.shape != gradient.shape:
                gradient = interpolate(gradient, first.shape[-2:], mode="bilinear", align_corners=False, antialias=True)
            first.lerp_(gradient, 1 - decay)
            second.mul_(decay_squares).addcmul_(gradient, gradient, value=1 - decay_squares)
            spread = (second / (1 - self._second_power).to(dtype)).sqrt_().add_(self._numbers.epsilon)
            self.images.sub_(_resized(first * rate / spread, (self.images.shape[-2], self.images.shape[-1]), "bicubic"))
        self.images.clamp_(0, 1)
        self._average.lerp_(self.images, 1 - self._numbers.averaging)
        self._average_power = self._average_power * self._numbers.averaging

    def _level_sizes(self) -> list[tuple[int, int]]:
        """(height, width) of each level, fine to coarse: halved, rounded up."""
        height, width = self.images.shape[-2:]
        return [(-(-height // 2**level), -(-width // 2**level)) for level in range(self._numbers.levels)]


def _label(name: str, level: int, value: object) -> str:
    return f"{name.lstrip('_')}.{level}" if isinstance(value, list) else name.lstrip("_")


def _row(row: int) -> Callable[[Sequence[Tensor]], Tensor]:
    return lambda tensors: tensors[0][row : row + 1]


def _resized(images: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    return images if images.shape[-2:] == size else interpolate(images, size, mode=mode, align_corners=False)

"""L-BFGS for the pictures of a pack: each has its own line search, memory and inner products; only their evaluations are shared."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from sweep.transfer.optimizers import Objective
from sweep.transfer.presets import GATYS, GatysNumbers
from sweep.transfer.wolfe import Search, strong_wolfe

_FIRST_MOVE: Final = 0.1  # of [0, 1]: how far the first trial along a plain gradient moves the pixel that it moves most
_CURVED: Final = 1e-10  # least cosine of step and rise of the gradient that is remembered
_TINY: Final = 1e-30


class Memory:
    """The last steps of one picture, and the direction that they suggest.

    The two-loop recursion (Nocedal and Wright, algorithm 7.4) on coefficients of the remembered vectors instead of on the vectors
    (Chen et al. 2014, Large-scale L-BFGS using MapReduce): all that it asks of them is their inner products, so a step reads
    the memory twice, in two products of matrices, and the host decides everything from one small table.
    """

    def __init__(self, history: int, like: Tensor) -> None:
        self._history = history
        self._vectors = like.new_zeros((2 * history + 1, like.numel()))  # steps, then differences of gradients, then the gradient
        self._products = np.zeros((2 * history + 1, 2 * history + 1))
        self._order: list[int] = []  # slots in use, oldest first
        self._slot = 0

    def forget(self) -> None:
        """Start anew from the gradient alone."""
        self._order = []

    def look(self, gradient: Tensor, step: Tensor | None = None, before: Tensor | None = None) -> Tensor:
        """Take up the gradient, and the step that led to it from the gradient `before`: what `learn` must be told, on the device."""
        self._vectors[-1] = gradient
        self._new = [2 * self._history]
        if step is not None and before is not None:
            self._slot = (self._slot + 1) % self._history
            self._order = [slot for slot in self._order if slot != self._slot]
            self._vectors[self._slot] = step
            torch.sub(gradient, before, out=self._vectors[self._history + self._slot])
            self._new += [self._slot, self._history + self._slot]
        return self._vectors[self._new] @ self._vectors.T

    def learn(self, products: list[list[float]]) -> None:
        """What `look` gave, read: inner products of the new vectors with all. A step along which the gradient hardly rose is dropped."""
        for row, values in zip(self._new, products, strict=True):
            self._products[row, :] = self._products[:, row] = values
        if len(self._new) > 1:
            step, rise = self._slot, self._history + self._slot
            if self._products[step, rise] > _CURVED * math.sqrt(self._products[step, step] * self._products[rise, rise]):
                self._order.append(self._slot)

    def direction(self) -> tuple[Tensor, float]:
        """Where to go, and the slope there: the inner product with the gradient, which is negative."""
        weights = self._weights()
        slope = float(weights @ self._products[-1])
        if not slope < 0:  # rounding has won: what is remembered points nowhere
            self.forget()
            weights = self._weights()
            slope = float(weights @ self._products[-1])
        device_weights = torch.from_numpy(weights).to(self._vectors.dtype).to(self._vectors.device)
        return device_weights @ self._vectors, slope

    @property
    def empty(self) -> bool:
        """Whether the direction is the plain gradient's."""
        return not self._order

    def _weights(self) -> np.ndarray:
        products, history = self._products, self._history
        weights = np.zeros(len(products))
        weights[-1] = -1.0
        taken: dict[int, float] = {}
        for slot in reversed(self._order):
            taken[slot] = float(weights @ products[slot]) / products[slot, history + slot]
            weights[history + slot] -= taken[slot]
        if self._order:
            newest = self._order[-1]
            weights *= products[newest, history + newest] / products[history + newest, history + newest]
        for slot in self._order:
            weights[slot] += taken[slot] - float(weights @ products[history + slot]) / products[slot, history + slot]
        return weights


class Descent:
    """One picture: asked for its next `trial`, told what came of it; `ended` holds the losses of a step that just ended, if one did."""

    def __init__(self, image: Tensor, numbers: GatysNumbers) -> None:
        self.shape = image.shape
        self.at = image.detach().reshape(-1).clone()
        self.ended: Tensor | None = None
        self.start_gradient: Tensor | None = None  # largest absolute gradient at the first step
        self._memory = Memory(numbers.history, self.at)
        self._gradient: Tensor | None = None  # at `at`, as are these two:
        self._value, self._losses = math.nan, image.new_full((3,), math.nan)
        self._search: Search | None = None
        self._direction: Tensor | None = None
        self._length = 0.0
        self._trials: dict[float, tuple[Tensor, Tensor]] = {}  # gradient and losses of the search's finite trials

    def trial(self) -> Tensor:
        """The picture (3, H, W) to evaluate next."""
        if self._direction is None:
            return self.at.view(self.shape)
        return torch.add(self.at, self._direction, alpha=self._length).view(self.shape)

    def slope(self, gradient: Tensor) -> Tensor:
        """The derivative along the search's direction, on the device."""
        return gradient.new_zeros(()) if self._direction is None else gradient @ self._direction

    def told(self, numbers: tuple[float, float], gradient: Tensor, losses: Tensor) -> Tensor | None:
        """(value, slope) of the trial, its gradient and losses. Where a new direction is due: what `begin` must be told, on the device."""
        self.ended = None
        if self._search is None:
            return self._arrived(numbers[0], gradient, losses)
        if all(map(math.isfinite, numbers)):
            self._trials[self._length] = gradient, losses
        try:
            self._length = self._search.send(numbers)
        except StopIteration as end:
            return self._took(end.value.length, end.value.value, losses)
        return None

    def begin(self, products: list[list[float]]) -> None:
        """Begin a step in a new direction."""
        assert self._gradient is not None
        self._memory.learn(products)
        self._direction, slope = self._memory.direction()
        first = _FIRST_MOVE / max(float(self._gradient.abs().amax()), _TINY) if self._memory.empty else 1.0
        self._search = strong_wolfe(self._value, slope, first)
        self._length = next(self._search)

    def _arrived(self, value: float, gradient: Tensor, losses: Tensor) -> Tensor | None:
        """At the first picture (or again at a later one, from which no way led on)."""
        self.start_gradient = gradient.abs().amax() if self.start_gradient is None else self.start_gradient
        if not math.isfinite(value):
            self.ended = losses
            return None
        self._gradient, self._value, self._losses = gradient.clone(), value, losses
        return self._memory.look(self._gradient)

    def _took(self, length: float, value: float, last: Tensor) -> Tensor | None:
        """The search is over: at `length`, or nowhere if that is 0."""
        assert self._gradient is not None and self._direction is not None
        found, self._trials = self._trials, {}
        self.ended = self._losses
        if not found:
            self.ended = last  # nothing finite lies in that direction: a step whose losses are not
            self._search = self._direction = None
            return None
        if length == 0:
            self._memory.forget()  # a memory that points nowhere is worth less than the gradient
            return self._memory.look(self._gradient)
        before, step = self._gradient, length * self._direction
        self.at = torch.add(self.at, self._direction, alpha=length)
        self._gradient, self._losses = found[length][0].clone(), found[length][1]
        self._value = value
        return self._memory.look(self._gradient, step, before)


class PackLBFGS:
    """Gatys et al. 2016 for a pack: strong-Wolfe line searches (see wolfe), whose trials are evaluated together.

    A picture whose search goes on longer than another's holds nobody up: each evaluation is everybody's next trial. The pictures
    are not clamped while they are optimised (a clamp in between breaks the search), only shown so.
    """

    def __init__(self, runs: list[Descent]) -> None:
        self._runs = runs

    @classmethod
    def at(cls, images: Tensor, numbers: GatysNumbers = GATYS) -> "PackLBFGS":
        """At pictures (B, 3, H, W)."""
        return cls([Descent(image, numbers) for image in images])

    @classmethod
    def joined(cls, parts: Sequence["PackLBFGS"]) -> "PackLBFGS":
        """See PackOptimizer."""
        return cls([run for part in parts for run in part._runs])

    def parts(self) -> list["PackLBFGS"]:
        """See PackOptimizer."""
        return [PackLBFGS([run]) for run in self._runs]

    def held(self) -> dict[str, Tensor]:
        """See PackOptimizer: where the last step ended. The memory and a search that is under way are left behind."""
        (run,) = self._runs
        seen = {} if run.start_gradient is None else {"start_gradient": run.start_gradient.reshape(1)}
        return {"at": run.at, **seen}

    def take(self, held: Mapping[str, Tensor]) -> None:
        """See PackOptimizer."""
        (run,) = self._runs
        run.at, run.start_gradient = held["at"], held["start_gradient"][0]

    @property
    def start_gradient(self) -> Tensor | None:
        """See PackOptimizer."""
        found = [run.start_gradient for run in self._runs if run.start_gradient is not None]
        return torch.stack(found) if len(found) == len(self._runs) else None

    def advance(self, objective: Objective) -> tuple[Tensor, Sequence[int]]:
        """See PackOptimizer. One evaluation; a step takes GATYS.evaluations_per_step of them on average. The host reads twice at most."""
        trials = torch.stack([run.trial() for run in self._runs]).requires_grad_()
        totals, losses = objective(trials)
        (gradient,) = torch.autograd.grad(totals.sum(), trials)
        flat = gradient.reshape(len(self._runs), -1)
        slopes = torch.stack([run.slope(row) for run, row in zip(self._runs, flat, strict=True)])
        numbers = torch.stack([totals.detach(), slopes], dim=1).tolist()
        told = zip(self._runs, map(tuple, numbers), flat, losses, strict=True)
        looks = [run.told(read, own, own_losses) for run, read, own, own_losses in told]
        turning = [(run, look) for run, look in zip(self._runs, looks, strict=True) if look is not None]
        if turning:
            products = torch.cat([look for _, look in turning]).tolist()
            for run, look in turning:
                run.begin([products.pop(0) for _ in range(len(look))])
        ended = [row for row, run in enumerate(self._runs) if run.ended is not None]
        return torch.stack([losses[row] if run.ended is None else run.ended for row, run in enumerate(self._runs)]), ended

    def picture(self) -> Tensor:
        """See PackOptimizer."""
        return torch.stack([run.at.view(run.shape) for run in self._runs]).clamp(0, 1)

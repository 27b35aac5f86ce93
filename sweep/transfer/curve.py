"""One point of a loss curve."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The losses of the picture that one optimiser step started from.

    `step` counts from 1 over the whole run (all scales together); `size` is the long side, in pixels, of the scale that
    the step belongs to. The losses are unweighted: alpha, beta and the tv weight are not in them.
    """

    step: int
    size: int
    content_loss: float
    style_loss: float
    tv_loss: float

    def __reduce__(self) -> tuple[type["LossPoint"], tuple[int, int, float, float, float]]:
        """For pickle, by which whole curves travel from workers: the way of a dataclass with slots takes five times as long."""
        return LossPoint, (self.step, self.size, self.content_loss, self.style_loss, self.tv_loss)

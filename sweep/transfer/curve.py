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

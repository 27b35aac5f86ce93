"""The loss curve. Standard library only, so that the database can record it without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The unweighted losses at one optimiser step, so that any combination's total can be computed from them.

    step: counts from 0 over all scales. size: long side of the scale, in pixels.
    """

    step: int
    size: int
    content_loss: float
    style_loss: float
    tv_loss: float

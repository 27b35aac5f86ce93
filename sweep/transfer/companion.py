"""Who goes along with a pack: asked between steps whether a run is to show its picture, to leave its state, or to stop."""

from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

import numpy as np


class Wish(Flag):
    """What is wanted of a run before its next step. STOP is a state and the end; it needs no STATE beside it."""

    NOTHING = 0
    VIEW = auto()
    STATE = auto()
    STOP = auto()


class Companion(Protocol):
    """Asked before every step of every run, so its answer must cost next to nothing; a wish costs one wait for the device."""

    def wish(self, place: int, step: int, share: float) -> Wish:
        """What is wanted of the run of that place among the problems, which has done `step` steps, and that share of its work.

        The share, 0 to 1, is by pixels times steps; a scale that ended early counts as a whole one.
        """


@dataclass(frozen=True)
class View:
    """The picture as it is after a step, (H, W, 3) uint8 sRGB at the size of its scale: for those who watch."""

    step: int
    pixels: np.ndarray


@dataclass(frozen=True)
class State:
    """A resumable state after a step of the run (see checkpoint); None before the first. `left`: the run was asked to stop and has."""

    step: int
    data: bytes | None
    left: bool

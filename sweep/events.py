"""What a worker tells the driver. Every event carries the run and the attempt that it belongs to. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sweep.transfer.curve import LossPoint

__all__ = [
    "Checkpoint",
    "Crashed",
    "Diverged",
    "Event",
    "Failed",
    "FailureKind",
    "Finished",
    "LossPoint",
    "PictureFile",
    "Preview",
    "Progress",
    "Snapshot",
    "Started",
    "Stopped",
]

FailureKind = Literal["input", "stuck", "oom", "gpu", "surroundings", "limit", "bug"]
"""input: the request cannot be run. stuck: the picture did not move. oom: out of memory. surroundings: weights, disk.
gpu: a GPU failed under the worker, whose process is of no more use (a back end that can ends it, and tells of a crash instead).
limit: ended by the driver, over a time limit of its sweep's file. bug: anything else; its traceback is recorded."""


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """An encoded picture with its thumbnail: what the driver writes to the workspace. mean_colour is '#rrggbb'; signature: what it looks
    like from afar (sweep/transfer/signatures.py)."""

    data: bytes
    format: str
    width: int
    height: int
    mean_colour: str
    thumbnail: bytes
    signature: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Event:
    """run_key and attempt fence off late news of an attempt that the driver has given up."""

    run_key: str
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Started(Event):
    """The worker has the request. device: 'cpu' or 'cuda:0 NVIDIA ...'; versions: package -> version.

    place: the node as the cluster calls it, '' where there is none. start_step: where it goes on from; 0 from the beginning.
    """

    node: str
    pid: int
    device: str
    versions: Mapping[str, str]
    place: str = ""
    start_step: int = 0


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """A stretch of the loss curve, in step order; all values finite. Without points it is a sign of life. last: no step is left."""

    points: tuple[LossPoint, ...]
    last: bool = False


@dataclass(frozen=True, kw_only=True)
class Snapshot(Event):
    """The picture after a step on the way, at the size it had there."""

    step: int
    picture: PictureFile


@dataclass(frozen=True, kw_only=True)
class Preview(Event):
    """How the picture looks now, small, as WebP; for those who watch."""

    step: int
    picture: bytes


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Event):
    """A resumable state after `step`: what another worker needs to go on from there (sweep.transfer.checkpoint)."""

    step: int
    state: bytes


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """The worker was asked to stop, and did after `step`. state: as of a Checkpoint; None where too little was done since the last one."""

    step: int
    state: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Finished(Event):
    """The picture, its yardsticks (None where an anchor is too small), and what it cost.

    seconds: whole attempt inside the worker (of a pack, its share); optimise_seconds: in the optimiser's loop; peak_memory: bytes, of
    the process or of the GPU. notes: sentences about what had to be done differently, for the attempt's record.
    points: the end of the loss curve, where no Progress has told it.
    """

    picture: PictureFile
    yardsticks: Mapping[str, float | None]
    protocol: str
    steps: int
    seconds: float
    optimise_seconds: float
    peak_memory: int
    notes: tuple[str, ...] = ()
    points: tuple[LossPoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Diverged(Event):
    """A loss became non-finite after `step`; the last finite picture, if there is one."""

    step: int
    picture: PictureFile | None
    seconds: float
    peak_memory: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """The worker lives, the run does not: no retry helps except where kind says so."""

    kind: FailureKind
    error: str
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Crashed(Event):
    """Told by the back end, not the worker: its process died (`crashed`), or its node was lost (`lost`).

    alone: whether it was the only one of its pack; whose fault a crashed pack is shows only when each is tried alone.
    """

    kind: Literal["crashed", "lost", "oom"]
    error: str
    started: bool = field(default=True)
    alone: bool = field(default=True)

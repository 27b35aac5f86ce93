"""What stands for a run where load and scheduling are measured: it returns at once, or sleeps. Never evidence about pictures.

It tells what a real run tells, as often: that it started, its curve about twice a second, a picture of 100 kB. Without torch, so that a
hundred workers fit into the memory of a small machine.
"""

import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from sweep.events import Event, Finished, LossPoint, PictureFile, Progress, Started, Stopped
from sweep.transfer.yardstick_names import ALL_NAMES

PICTURE_BYTES = 100_000
THUMBNAIL_BYTES = 6_000
POINTS = 200
PIECE_SECONDS = 0.5
VERSIONS = {"stylesweep": "0.1.0", "python": "3", "torch": "none", "numpy": "2", "pillow": "12"}


def picture(seed: str) -> bytes:
    """Bytes of a picture's size, others for every seed."""
    return random.Random(seed).randbytes(PICTURE_BYTES)


def thumbnail(seed: str) -> bytes:
    """And of its thumbnail's."""
    return random.Random(seed).randbytes(THUMBNAIL_BYTES)


def curve() -> list[tuple[int, int, float, float, float]]:
    """A loss curve as plain rows: step, size, content, style and tv loss."""
    return [(step, 256, 0.3 * step / POINTS, 1.0 / (step + 1), 0.01) for step in range(POINTS)]


def steps_for(seconds: float) -> int:
    """The steps of a run that is to take so long: a step after the first one is a millisecond."""
    return 1 + round(1000 * seconds)


def run_fakes(requests: Sequence[Any], inputs: Any, stop: Callable[[], Set[tuple[str, int]]]) -> Iterator[Event]:
    """Does what `worker.run` does, with sleep in the place of steps; its runs one after the other."""
    for request in requests:
        yield from _run(request, stop)


def _run(request: Any, stop: Callable[[], Set[tuple[str, int]]]) -> Iterator[Event]:
    seconds = (request.settings.settings.steps - 1) / 1000
    this: Mapping[str, Any] = {"run_key": request.run_key, "attempt": request.attempt}
    began = time.monotonic()
    yield Started(node=socket.gethostname(), pid=os.getpid(), device="cpu fake", versions=VERSIONS, **this)
    points = [LossPoint(*row) for row in curve()]
    told = 0
    while (left := began + seconds - time.monotonic()) > 0:
        if (request.run_key, request.attempt) in stop():
            yield Stopped(step=told, **this)
            return
        time.sleep(min(PIECE_SECONDS, left))
        now = min(POINTS, int(POINTS * (time.monotonic() - began) / seconds))
        yield Progress(points=tuple(points[told:now]), **this)
        told = max(told, now)
    yield Progress(points=tuple(points[told:]), last=True, **this)
    file = PictureFile(
        data=picture(f"{request.run_key} {request.attempt}"), format="png", width=256, height=192, mean_colour="#667788",
        thumbnail=thumbnail(request.run_key),
    )  # fmt: skip
    spent = time.monotonic() - began
    yield Finished(
        picture=file, yardsticks=dict.fromkeys(ALL_NAMES, 0.5), protocol="y1", steps=POINTS, seconds=spent,
        optimise_seconds=seconds, peak_memory=1, **this,
    )  # fmt: skip

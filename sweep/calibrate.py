"""What a step costs here: real short runs through the worker, timed. Knows no Ray and no database."""

import itertools
import math
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from sweep import process, worker
from sweep.combination import RunSettings, Settings
from sweep.errors import InputError, StorageError, SurroundingsError
from sweep.events import Failed, Finished, Progress, Started
from sweep.request import RunRequest
from sweep.speed import Measured
from sweep.transfer.cost import work_of_scales
from sweep.transfer.images import resized
from sweep.transfer.presets import deepest_layer
from sweep.transfer.recipe import Recipe, fitted
from sweep.transfer.weights import Weights, load_weights

COLD_STEPS: Final = 2
LEAST_STEPS, MOST_STEPS = 4, 200


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One thing to measure: runs of these settings at one size (long side of the picture, pixels), `pack` of them together.

    content_size: (height, width) of the photograph. seconds: how long to measure steps for, about.
    """

    settings: RunSettings
    content_size: tuple[int, int]
    size: int
    pack: int = 1
    threads: int = 1
    gpus: float = 0.0
    device: str = "auto"
    seconds: float = 3.0

    def words(self) -> str:
        """What it is, for those who watch."""
        settings = self.settings.settings
        packed = f", {self.pack} together" if self.pack > 1 else ""
        return f"{settings.network}, {settings.recipe}, {settings.dtype}, {self.size} px{packed}"


@dataclass(frozen=True, kw_only=True)
class SampleInputs:
    """The pictures and networks of the samples, for a worker; they travel to other processes and nodes.

    networks: (network, hash) -> its weights, the user's own file, or None for the cache of the node.
    """

    pictures: Mapping[str, np.ndarray]
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    networks: Mapping[tuple[str, str], Weights | Path | None] = field(default_factory=dict)

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W, 3) uint8 sRGB, shrunk to the long side."""
        return resized(self.pictures[sha256], long_side)

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W) uint8, 255 inside, shrunk to the long side."""
        return resized(self.masks[sha256], long_side)

    def weights(self, network: str, network_hash: str) -> Weights:
        """Raises WeightsError where they cannot be had."""
        held = self.networks.get((network, network_hash))
        return held if isinstance(held, Weights) else load_weights(network, held)

    def checkpoint(self, run_key: str) -> bytes:
        """There are none: what is measured begins at its beginning. Raises StorageError."""
        raise StorageError(f"a sample has no state to go on from: {run_key}")


Told = Callable[[Sample, Measured | None], None]
"""Called after each sample; None for one that did not fit into memory."""


def measure(samples: Sequence[Sample], inputs: SampleInputs, told: Told, ready: Callable[[], object] = bool) -> list[Measured]:
    """Measure each sample in this process. `ready` is called before each: where several measure at once, it waits for the others.

    What does not fit into memory is left out, with all larger packs of it.

    Raises:
        InputError: a run of those settings is refused.
        SurroundingsError: a weights file, the device or the engine failed.
    """
    rows: list[Measured] = []
    too_large: set[tuple[RunSettings, int]] = set()
    for sample in samples:
        row = None
        ready()
        if (sample.settings, sample.size) not in too_large:
            row = _measured(sample, inputs)
        if row is None:
            too_large.add((sample.settings, sample.size))
        else:
            rows.append(row)
        told(sample, row)
    return rows


def _measured(sample: Sample, inputs: SampleInputs) -> Measured | None:
    cold = _run(sample, COLD_STEPS, inputs)  # builds the networks, and leaves targets and anchors in the process, as runs do
    if cold is None:
        return None
    steps = math.ceil(sample.seconds * COLD_STEPS / max(cold.optimise_seconds, 1e-6))
    process.forget_peak()
    warm = _run(sample, min(max(steps, LEAST_STEPS), MOST_STEPS), inputs)
    if warm is None:
        return None
    settings = sample.settings.settings
    each = warm.step_seconds() / sample.pack
    return Measured(
        node=socket.gethostname(),
        device=warm.device,
        threads=sample.threads,
        network=settings.network,
        recipe=settings.recipe,
        dtype=settings.dtype,
        size=max(fitted(*sample.content_size, sample.size)),
        pack=sample.pack,
        work=_work_of_a_step(sample),
        seconds_per_step=each,
        seconds_fixed=max(0.0, (warm.seconds - warm.optimise_seconds) / sample.pack),
        peak_memory=warm.peak_memory,
        versions=process.versions(),
        at=time.time(),
    )


def _work_of_a_step(sample: Sample) -> float:
    run, settings = sample.settings, _at_one_scale(sample, 1)
    deepest = deepest_layer(settings.network, dict(run.content_layers), dict(run.style_layers))
    regions = max(1, len(run.regions))
    return work_of_scales(settings.network, deepest, sample.content_size, Recipe.of(vars(settings)), regions)[-1][1]


def _at_one_scale(sample: Sample, steps: int) -> Settings:
    own = {"later_steps": None, "factor": None, "smallest": sample.size} if sample.settings.settings.recipe == "pyramid" else {}
    return replace(sample.settings.settings, size=sample.size, size_by="long_side", steps=steps, stop=None, **own)  # type: ignore[arg-type]


@dataclass(kw_only=True)
class _Timed:
    """A pack of runs that was timed. optimise_seconds: of all together. marks: (seconds, steps done) as the first of them told them."""

    steps: int
    seconds: float = 0.0
    optimise_seconds: float = 0.0
    peak_memory: int = 0
    device: str = ""
    marks: list[tuple[float, int]] = field(default_factory=list)

    def step_seconds(self) -> float:
        """Of a step of the pack: the median over stretches, without the first, in which the libraries warm up."""
        pairs = list(itertools.pairwise(self.marks))
        if not pairs:
            return self.optimise_seconds / self.steps
        return statistics.median((later[0] - earlier[0]) / (later[1] - earlier[1]) for earlier, later in pairs)


def _run(sample: Sample, steps: int, inputs: SampleInputs) -> _Timed | None:
    """Run a sample for so many steps; None when memory ran out, as the worker would then go on in halves."""
    settings = replace(sample.settings, settings=_at_one_scale(sample, steps))
    requests = [
        RunRequest(
            run_key=f"calibration-{number}", attempt=1, settings=settings, content_size=sample.content_size,
            threads=sample.threads, gpus=sample.gpus, device=sample.device,
        )
        for number in range(sample.pack)
    ]  # fmt: skip
    timed = _Timed(steps=steps)
    began = time.perf_counter()
    for event in worker.run(requests, inputs):
        if isinstance(event, Failed):
            if event.kind == "oom":
                return None
            kind = InputError if event.kind == "input" else SurroundingsError
            raise kind(f"a run of {sample.words()} cannot be measured: {event.error}")
        if isinstance(event, Started):
            timed.device = event.device
        elif isinstance(event, Progress) and event.run_key == requests[0].run_key and event.points:
            timed.marks.append((time.perf_counter(), event.points[-1].step))
        elif isinstance(event, Finished):
            timed.peak_memory = event.peak_memory
            timed.optimise_seconds += event.optimise_seconds
            if event.notes and sample.pack > 1:
                return None
    timed.seconds = time.perf_counter() - began
    return timed


def mean_of(rows: Sequence[Measured]) -> Measured:
    """What several processes measured of the same at the same time; of their memory the most."""
    return replace(
        rows[0],
        seconds_per_step=sum(row.seconds_per_step for row in rows) / len(rows),
        seconds_fixed=sum(row.seconds_fixed for row in rows) / len(rows),
        peak_memory=max(row.peak_memory for row in rows),
    )

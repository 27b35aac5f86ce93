"""How fast workers are: what was measured of a step, and what a run takes by it. Standard library only, for the planner."""

import bisect
import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Kind = tuple[str, str, str]
"""What a step's time depends on beside its work: network, recipe, dtype."""
Scales = Sequence[tuple[int, float]]
"""(steps, multiply-adds of one step) of each scale of a run."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a step costs on one node; a row of the table `calibration` (db/models.py says what each field is)."""

    node: str
    device: str
    threads: int
    network: str
    recipe: str
    dtype: str
    size: int
    pack: int
    work: float
    seconds_per_step: float
    seconds_fixed: float
    peak_memory: int
    versions: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0

    @property
    def kind(self) -> Kind:
        """By which runs look for it."""
        return self.network, self.recipe, self.dtype

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU did the work; the threads of the CPU then say little."""
        return self.device.startswith("cuda")


class Curve:
    """Time and memory by the work of a step, for runs of one kind: between two that were measured, and in proportion beyond."""

    def __init__(self, rows: Iterable[Measured]) -> None:
        """At least one row. Several of equal work (two nodes, say) count as their mean."""
        by_work: dict[float, list[Measured]] = {}
        for row in rows:
            by_work.setdefault(row.work, []).append(row)
        self._rows = [by_work[work] for work in sorted(by_work)]
        self._work = sorted(by_work)
        self.pack = self._rows[0][0].pack

    def seconds(self, scales: Scales) -> float:
        """Of a whole run: every step, and what it needs beside them."""
        return sum(count * self._step(work) for count, work in scales) + self._beside("seconds_fixed", scales[-1][1])

    def memory(self, scales: Scales) -> int:
        """Bytes at the largest scale: of the worker's process, or of the GPU that it uses."""
        return int(self._beside("peak_memory", scales[-1][1]))

    def _step(self, work: float) -> float:
        """Seconds: between two measured ones by a power of the work, beyond them in proportion."""
        values, (low, high) = self._values("seconds_per_step"), self._around(work)
        if low == high:
            return values[low] * work / self._work[low]
        share = math.log(work / self._work[low]) / math.log(self._work[high] / self._work[low])
        return float(values[low] * (values[high] / values[low]) ** share)

    def _beside(self, name: str, work: float) -> float:
        """What only in part depends on the work: a straight line between two measured ones, and beyond the last as well."""
        values, (low, high) = self._values(name), self._around(work)
        if low == high and (low == 0 or len(values) == 1 or work <= self._work[low]):
            return values[low]
        low, high = (low - 1, low) if low == high else (low, high)
        slope = (values[high] - values[low]) / (self._work[high] - self._work[low])
        return values[high] + (slope if work < self._work[high] else max(0.0, slope)) * (work - self._work[high])

    def _values(self, name: str) -> list[float]:
        return [sum(getattr(row, name) for row in rows) / len(rows) for rows in self._rows]

    def _around(self, work: float) -> tuple[int, int]:
        """The places of the measured ones below and above; the same twice for one that was measured, and beyond the ends."""
        place = bisect.bisect_left(self._work, work)
        if place == len(self._work):
            return place - 1, place - 1
        return (place, place) if place == 0 or self._work[place] == work else (place - 1, place)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast a worker is (multiply-adds per second), how many work at once, and whether that was measured by runs made here.

    curves: by kind of run, where `stylesweep calibrate` measured it; they go before the rate. node: whose they are.
    cpus, gpus, price_per_hour: of one worker. slots_up: on a cluster, the workers that there is room for now; others come with its nodes.
    """

    rate: float
    slots: int
    measured: bool
    curves: Mapping[Kind, Curve] = field(default_factory=dict)
    node: str = ""
    cpus: float = 1.0
    gpus: float = 0.0
    price_per_hour: float | None = None
    slots_up: int | None = None

    def seconds(self, kind: Kind, scales: Scales) -> float:
        """What one run of that kind takes a worker."""
        curve = self.curves.get(kind)
        if curve is None:
            return sum(steps * work for steps, work in scales) / self.rate
        sharing = 1 / self.gpus if 0 < self.gpus < 1 else 1.0  # a GPU that is busy with one run serves several in turn
        return curve.seconds(scales) * sharing

    def memory(self, kind: Kind, scales: Scales) -> int | None:
        """Bytes that were measured for such a run; None where nothing was."""
        curve = self.curves.get(kind)
        return None if curve is None else curve.memory(scales)

    def basis(self, kind: Kind) -> str:
        """Where the time comes from: 'calibration', 'runs' made in the workspace, or a 'guess'."""
        return "calibration" if kind in self.curves else "runs" if self.measured else "guess"


def curves_of(rows: Iterable[Measured], *, on_gpu: bool, threads: int, pack: int, here: str) -> tuple[dict[Kind, Curve], str]:
    """The curves that suit a sweep, by kind, and whose they are.

    On a CPU only rows of as many threads suit. Those of the node `here` go before those of others. pack: how many runs share a task;
    of the packs that were measured the nearest.
    """
    suited = [row for row in rows if row.on_gpu == on_gpu and (on_gpu or row.threads == threads)]
    own = [row for row in suited if row.node == here]
    by_kind: dict[Kind, list[Measured]] = {}
    for row in own or suited:
        by_kind.setdefault(row.kind, []).append(row)
    chosen = {kind: _of_one_pack(found, pack) for kind, found in by_kind.items()}
    nodes = sorted({row.node for found in chosen.values() for row in found})
    return {kind: Curve(found) for kind, found in chosen.items()}, ", ".join(nodes)


def _of_one_pack(rows: Sequence[Measured], pack: int) -> list[Measured]:
    nearest = min({row.pack for row in rows}, key=lambda size: (abs(math.log(size / pack)), size))
    return [row for row in rows if row.pack == nearest]


def makespan(seconds: Iterable[float], slots: int) -> float:
    """How long runs take on so many workers when each takes the next as soon as it is free, in the order given."""
    durations = list(seconds)
    slots = min(slots, len(durations))
    if slots <= 1:
        return sum(durations)
    free = [0.0] * slots
    for one in durations:
        heapq.heappushpop(free, free[0] + one)
    return max(free)

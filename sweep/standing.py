"""How a sweep stands, in numbers and in one line; the speed is that of the last minutes, not of the whole session."""

import time
from collections import deque
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from db import spending, watching
from sweep.amounts import amount_of_time
from sweep.combination import RunSettings
from sweep.transfer.cost import work_done, work_of_scales
from sweep.transfer.curve import LossPoint
from sweep.transfer.presets import deepest_layer
from sweep.transfer.recipe import Recipe

WINDOW_SECONDS = 120.0
"""How far back the speed is looked for."""
LEAST_SECONDS = 10.0
"""Before that much was seen, there is no speed."""
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Standing:
    """runs: all; settled: those that have ended; failed: of these, the ones without a picture. steps_per_second: of all workers.

    spent: what it has cost so far; None without a price. newest: the losses last heard of.
    """

    runs: int
    settled: int
    failed: int
    running: int
    steps_per_second: float | None = None
    seconds_left: float | None = None
    spent: float | None = None
    newest: LossPoint | None = None

    def parts(self) -> list[str]:
        """What to say, the most important first."""
        said = [f"{self.settled}/{self.runs}"]
        said += [f"{self.failed} failed"] if self.failed else []
        said += [f"{self.running} running"] if self.running else []
        said += [f"{amount_of_time(self.seconds_left)} left"] if self.seconds_left is not None else []
        said += [f"{self.steps_per_second:.3g} steps/s"] if self.steps_per_second is not None else []
        said += [f"{self.spent:,.2f} spent"] if self.spent is not None else []
        if self.newest is not None:
            said.append(f"content {self.newest.content_loss:.3f}, style {self.newest.style_loss:.3f} at {self.newest.size} px")
        return said

    def line(self, width: int) -> str:
        """As much of it as `width` columns hold."""
        line = ""
        for part in self.parts():
            longer = f"{line}, {part}" if line else part
            if len(longer) > width:
                return line or part[:width]
            line = longer
        return line

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        numbers = {key: value for key, value in asdict(self).items() if key != "newest"}
        return numbers | {"newest": None if self.newest is None else asdict(self.newest)}


class Window:
    """The speed of something that only grows, over the last minutes."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque()

    def see(self, now: float, steps: float, work: float) -> None:
        """Totals so far; more often than once a second they are passed over."""
        if self._seen and now - self._seen[-1][0] < SAMPLE_SECONDS:
            return
        self._seen.append((now, steps, work))
        while now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()

    def speed(self) -> tuple[float, float] | None:
        """(steps, work) per second; None while too little was seen."""
        if not self._seen or (passed := self._seen[-1][0] - self._seen[0][0]) < LEAST_SECONDS:
            return None
        return (self._seen[-1][1] - self._seen[0][1]) / passed, (self._seen[-1][2] - self._seen[0][2]) / passed


def part_done(run: RunSettings, content_size: tuple[int, int] | None, step: int) -> float:
    """The part of a run's work that is done after a step, 0 to 1; later steps, of larger scales, cost more."""
    if content_size is None or step <= 0:
        return 0.0
    scales = _scales(run, content_size)
    return min(1.0, work_done(list(scales), step) / sum(steps * work for steps, work in scales))


def steps_in_all(run: RunSettings, content_size: tuple[int, int] | None) -> int | None:
    """The steps of all scales together, unless it stops early; None where the photograph's size is not known."""
    return None if content_size is None else sum(steps for steps, _ in _scales(run, content_size))


@lru_cache(maxsize=4096)
def _scales(run: RunSettings, content_size: tuple[int, int]) -> tuple[tuple[int, float], ...]:
    settings = run.settings
    deepest = deepest_layer(settings.network, dict(run.content_layers), dict(run.style_layers))
    return tuple(work_of_scales(settings.network, deepest, content_size, Recipe.of(vars(settings)), max(1, len(run.regions))))


class FromOutside:
    """How one sweep stands, read from the database alone: for `status`, for who follows another process, and for the Live page."""

    def __init__(self, sweep_id: int) -> None:
        self._sweep_id = sweep_id
        self._window = Window()
        self._ledger = spending.Ledger()
        self.spending = spending.Spending()
        """As of the last look."""

    def look(self, connection: Connection, counted: watching.Census | None = None) -> Standing:
        """As it is now. Looked at again and again, the speed is what changed between; the first time, that of the last attempts.

        counted: the census, where the caller has it.
        """
        counted = counted or watching.census(connection, self._sweep_id)
        running = watching.underway(connection, self._sweep_id)
        parts = [part_done(RunSettings.from_canonical(one.settings), one.content_size, one.step) for one in running]
        under_way = sum(part * one.work for part, one in zip(parts, running, strict=True))
        self._window.see(time.monotonic(), counted.steps + sum(one.step for one in running), counted.work_done + under_way)
        seen = self._window.speed()
        speed = seen[1] if seen else (watching.pace(connection, self._sweep_id) or 0.0) * sum(1 / one.pack_size for one in running)
        self.spending = self._ledger.spent(connection, self._sweep_id, time.time())
        return Standing(
            runs=counted.runs,
            settled=counted.settled,
            failed=counted.failed,
            running=len(running),
            steps_per_second=seen[0] if seen else None,
            seconds_left=(counted.work_left - under_way) / speed if speed > 0 and running else None,
            spent=self.spending.cost,
        )

"""Everything that the Live page shows of one sweep, read in one go. No streamlit import."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import browse, live, queries
from db.drivers import DriverRow
from db.live import Failing, Limits, Running
from db.queries import Result, SweepRow
from db.watching import Census
from sweep.combination import RunSettings
from sweep.failures import alike
from sweep.standing import FromOutside, Standing, part_done, steps_in_all

NEWEST = 12
MOST_RUNNING = 12
MOST_GROUPS = 20
MOST_LINKS = 12
CURVE_POINTS = 60


@dataclass(frozen=True, kw_only=True)
class Working:
    """A running run. part: of its work that is done; steps: in all, None where not known; size: (width, height) of its photograph."""

    run: Running
    result: Result | None
    step: int
    steps: int | None
    part: float
    size: tuple[int, int]
    curve: Sequence[tuple[int, float, float]]


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Runs that ended alike. what: the message without numbers, hashes and paths; example: one message as it was, with its traceback."""

    state: str
    what: str
    runs: int
    example: str
    traceback: str | None
    run_keys: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class LiveView:
    """A sweep at one moment. varying: the parameters with several values; left_out: failed runs beyond the groups shown."""

    row: SweepRow
    varying: Sequence[str]
    standing: Standing
    hours: float
    limits: Limits
    driver: DriverRow | None
    working: Sequence[Working]
    newest: Sequence[Result]
    groups: Sequence[FailureGroup]
    left_out: int

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.row.settled >= self.row.runs

    @property
    def failed(self) -> int:
        """How many `retry` would queue again, cancelled ones apart."""
        return sum(self.row.states.get(state, 0) for state in live.FAILED)


class Watch:
    """Looks at one sweep again and again, for any number of visitors: speed and spending go on from look to look."""

    def __init__(self, sweep_id: int) -> None:
        self._sweep_id = sweep_id
        self._lock = threading.Lock()
        self._outside = FromOutside(sweep_id)
        self._varying: tuple[Any, Sequence[str]] = ((), ())
        self._newest: tuple[Any, Sequence[Result]] = ((), ())
        self._failures: tuple[Any, tuple[Sequence[FailureGroup], int]] = ((), ((), 0))

    def look(self, connection: Connection, row: SweepRow, census: Census) -> LiveView:
        """As it is now."""
        with self._lock:
            standing = self._outside.look(connection, census)
            hours = self._outside.spending.worker_hours
            newest, (groups, left_out) = self._latest(connection, row), self._failed(connection, row)
            varying = self._varied(connection, row)
        return LiveView(
            row=row,
            varying=varying,
            standing=standing,
            hours=hours,
            limits=live.limits(connection, self._sweep_id),
            driver=queries.driver(connection),
            working=working(connection, self._sweep_id),
            newest=newest,
            groups=groups,
            left_out=left_out,
        )

    def _varied(self, connection: Connection, row: SweepRow) -> Sequence[str]:
        if self._varying[0] != row.combinations:
            self._varying = row.combinations, tuple(name for name, several in browse.spread(connection, [row.name]).items() if several)
        return self._varying[1]

    def _latest(self, connection: Connection, row: SweepRow) -> Sequence[Result]:
        key = row.states.get("done", 0)
        if self._newest[0] != key:
            self._newest = key, live.newest(connection, self._sweep_id, NEWEST)
        return self._newest[1]

    def _failed(self, connection: Connection, row: SweepRow) -> tuple[Sequence[FailureGroup], int]:
        counts = tuple(row.states.get(state, 0) for state in live.FAILED)
        # While runs are under way some may be retried and fail again at once, which the counts do not tell.
        key = (counts, row.states.get("queued", 0), row.states.get("done", 0)) if any(counts) else counts
        if self._failures[0] != key:
            self._failures = key, failure_groups(connection, self._sweep_id) if any(counts) else ((), 0)
        return self._failures[1]


def working(connection: Connection, sweep_id: int) -> list[Working]:
    """The first of the running runs, with their curves."""
    runs = live.running(connection, sweep_id, MOST_RUNNING)
    results = live.first_combinations(connection, sweep_id, [run.run_key for run in runs])
    curves = live.curves(connection, [run.run_id for run in runs])
    sizes = live.input_sizes(connection, [run.settings["content"] for run in runs])
    return [_working(run, results.get(run.run_key), curves.get(run.run_id, []), sizes.get(run.settings["content"])) for run in runs]


def _working(run: Running, result: Result | None, curve: list[tuple[int, float, float]], size: tuple[int, int] | None) -> Working:
    settings = RunSettings.from_canonical(run.settings)
    step = max(curve[-1][0] if curve else 0, run.preview_step or 0)
    return Working(
        run=run,
        result=result,
        step=step,
        steps=steps_in_all(settings, size),
        part=part_done(settings, size, step),
        size=(size[1], size[0]) if size else (3, 2),
        curve=thinned(curve, CURVE_POINTS),
    )


def thinned(curve: Sequence[tuple[int, float, float]], most: int) -> list[tuple[int, float, float]]:
    """At most so many points, evenly, with the first and the last."""
    if len(curve) <= most:
        return list(curve)
    return [curve[round(index * (len(curve) - 1) / (most - 1))] for index in range(most)]


def failure_groups(connection: Connection, sweep_id: int) -> tuple[list[FailureGroup], int]:
    """(the groups, the most runs first; how many runs are in groups beyond `MOST_GROUPS`)."""
    groups: dict[tuple[str, str], list[Failing]] = {}
    for one in live.failing(connection, sweep_id):
        groups.setdefault((one.state, alike(one.error)), []).append(one)
    ordered = sorted(groups.items(), key=lambda item: -_runs(item[1]))
    shown = [_group(connection, sweep_id, key, members) for key, members in ordered[:MOST_GROUPS]]
    return shown, sum(_runs(members) for _, members in ordered[MOST_GROUPS:])


def _runs(members: Sequence[Failing]) -> int:
    return sum(one.runs for one in members)


def _group(connection: Connection, sweep_id: int, key: tuple[str, str], members: Sequence[Failing]) -> FailureGroup:
    state, what = key
    links = [one.example for one in members[:MOST_LINKS]]
    if len(links) < min(MOST_LINKS, _runs(members)):  # few messages, each of many runs
        links = live.run_keys_failing(connection, sweep_id, state, [one.error for one in members[:MOST_LINKS]], MOST_LINKS)
    example = members[0]
    return FailureGroup(
        state=state,
        what=what,
        runs=_runs(members),
        example=example.error,
        traceback=live.last_traceback(connection, example.example),
        run_keys=links,
    )


def newest_active(rows: Sequence[SweepRow]) -> str | None:
    """The sweep that the page opens on: the newest that is at work, else the newest that waits, else the newest that is not put away."""
    shown = [row for row in rows if row.archived_at is None] or list(rows)
    order = (
        [row for row in shown if row.states.get("running")],
        [row for row in shown if row.state == "active" and row.settled < row.runs],
        [row for row in shown if row.settled < row.runs and row.state != "cancelled"],
        shown,
    )
    return next((found[0].name for found in order if found), None)


def since(started_at: float | None, now: float | None = None) -> float | None:
    """Seconds since then; None where it has not begun."""
    return None if started_at is None else max(0.0, (time.time() if now is None else now) - started_at)

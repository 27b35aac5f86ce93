"""Counts of every sweep, asked for again and again by who watches: 100,000 runs that have ended cost a look no more than 100.

A run that ends gets a higher finished_seq than all before, so a look counts those since the last one. Running ones are counted each time,
queued ones are what remains. What may change back is told by the totals of all runs, which come from an index: a retry makes them fewer
than what was counted, and then it is counted anew. When sweeps come, grow or go, so is everything.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from db.models import RUN_STATES, SETTLED, Combination, Image, Run, Sweep
from db.queries import SweepRow
from db.watching import Census

ENDED = ("done", "diverged", "failed", "quarantined")
"""The states of runs that have a finished_seq."""
MANY_CANCELLED = 2000
"""More cancelled runs than that are counted anew only when their total has changed, and every `RECOUNT_SECONDS`: one may be cancelled
while another is queued again, which the total does not tell."""
RECOUNT_SECONDS = 60.0


@dataclass
class _Sum:
    """Of distinct runs of one sweep in one state."""

    runs: int = 0
    work: float = 0.0
    steps: int = 0

    def add(self, row: Row[Any]) -> None:
        self.runs += row.runs
        self.work += row.work or 0.0
        self.steps += row.steps or 0


@dataclass
class _Known:
    """Of one sweep. all: its runs in any state; best: balance, minus the run's id, thumbnail."""

    combinations: int = 0
    all: _Sum = field(default_factory=_Sum)
    states: dict[str, _Sum] = field(default_factory=dict)
    best: tuple[float, int, str | None] = (float("-inf"), 0, None)

    def of(self, state: str) -> _Sum:
        return self.states.setdefault(state, _Sum())


class Tallies:
    """For one workspace; many threads may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signature: tuple[Any, ...] = ()
        self._seen = 0
        self._ended: Counter[str] = Counter()
        self._cancelled: tuple[Any, ...] = ()
        self._known: dict[int, _Known] = {}

    def sweeps(self, connection: Connection) -> list[SweepRow]:
        """As `db.queries.sweeps`: all sweeps, newest first, with counts per run state and the best picture."""
        with self._lock:
            self._look(connection)
            rows = connection.execute(select(*Sweep.__table__.columns).order_by(Sweep.id.desc())).all()
            return [_sweep_row(row, self._known.get(row.id, _Known())) for row in rows]

    def census(self, connection: Connection, sweep_id: int) -> Census:
        """As `db.watching.census` of one sweep."""
        with self._lock:
            self._look(connection)
            states: Mapping[str, _Sum] = self._known.get(sweep_id, _Known()).states
            return Census(
                states={state: one.runs for state, one in states.items() if one.runs},
                work_left=sum(one.work for state, one in states.items() if state not in SETTLED),
                work_done=sum(one.work for state, one in states.items() if state in SETTLED),
                steps=sum(one.steps for one in states.values()),
            )

    def _look(self, connection: Connection) -> None:
        newest = connection.execute(select(func.max(Run.finished_seq))).scalar() or 0
        sweeps = connection.execute(select(Sweep.id, Sweep.created_at, Sweep.state).order_by(Sweep.id)).all()
        largest = connection.execute(select(func.max(Combination.id))).scalar()
        signature = (largest, *((row.id, row.created_at) for row in sweeps))
        if signature != self._signature or newest < self._seen:
            self._signature = ()
            self._count_all(connection, [row.id for row in sweeps])
            self._signature, self._seen = signature, newest
        elif newest > self._seen:
            self._count_fresh(connection, newest)
        totals = {state: runs for state, runs in connection.execute(select(Run.state, func.count()).group_by(Run.state))}
        if any(totals.get(state, 0) != self._ended[state] for state in ENDED):
            self._recount(connection, ENDED[1:])
            self._ended = Counter({state: totals.get(state, 0) for state in ENDED})
        self._recount(connection, ("running",))
        told = (totals.get("cancelled", 0), tuple(row.state for row in sweeps), int(time.monotonic() / RECOUNT_SECONDS))
        if told != self._cancelled or told[0] <= MANY_CANCELLED:
            self._recount(connection, ("cancelled",))
            self._cancelled = told
        for known in self._known.values():
            known.states["queued"] = _remaining(known)

    def _count_all(self, connection: Connection, sweep_ids: list[int]) -> None:
        self._known = {sweep_id: _Known() for sweep_id in sweep_ids}
        counts = select(Combination.sweep_id, func.count()).group_by(Combination.sweep_id)
        for sweep_id, combinations in connection.execute(counts):
            self._known[sweep_id].combinations = combinations
        for row in connection.execute(_sums()):
            self._known[row.sweep_id].all.add(row)
            self._known[row.sweep_id].of(row.state).add(row)
        ended = select(Run.state, func.count()).where(Run.state.in_(ENDED)).group_by(Run.state)
        self._ended = Counter({state: runs for state, runs in connection.execute(ended)})
        self._find_best(connection, Run.state == "done")

    def _count_fresh(self, connection: Connection, newest: int) -> None:
        """What has ended since the last look."""
        fresh = (Run.finished_seq > self._seen, Run.finished_seq <= newest)
        for row in connection.execute(_sums(*fresh)):
            self._known[row.sweep_id].of(row.state).add(row)
        state = Run.state.concat("")  # not by the index of states, which holds all that ever ended
        for name, runs in connection.execute(select(state, func.count()).where(*fresh).group_by(state)):
            self._ended[name] += runs
        self._find_best(connection, *fresh, state == "done")
        self._seen = newest

    def _recount(self, connection: Connection, states: tuple[str, ...]) -> None:
        for known in self._known.values():
            known.states |= {state: _Sum() for state in states}
        for row in connection.execute(_sums(Run.state.in_(states))):
            self._known[row.sweep_id].of(row.state).add(row)

    def _find_best(self, connection: Connection, *where: ColumnElement[bool]) -> None:
        claims = select(Combination.sweep_id, Run.id, Run.balance, Run.output).join(Run, Run.id == Combination.run_id).where(*where)
        place = func.row_number().over(partition_by=Combination.sweep_id, order_by=(Run.balance.desc().nulls_last(), Run.id))
        ranked = claims.add_columns(place.label("place")).subquery()
        first = select(ranked, Image.thumbnail).join(Image, Image.sha256 == ranked.c.output).where(ranked.c.place == 1)
        for row in connection.execute(first):
            known = self._known[row.sweep_id]
            found = (float("-inf") if row.balance is None else row.balance, -row.id, row.thumbnail)
            if known.best[2] is None or found[:2] > known.best[:2]:
                known.best = found


def _sums(*where: ColumnElement[bool]) -> Any:
    """sweep_id, state, runs, work and steps of distinct runs: several combinations of a sweep may share one."""
    claims = select(Combination.sweep_id, Run.id, Run.state, Run.work, Run.steps).join(Run, Run.id == Combination.run_id)
    each = claims.where(*where).distinct().subquery()
    sums = (func.count().label("runs"), func.sum(each.c.work).label("work"), func.sum(each.c.steps).label("steps"))
    return select(each.c.sweep_id, each.c.state, *sums).group_by(each.c.sweep_id, each.c.state)


def _remaining(known: _Known) -> _Sum:
    """What no other state holds. A look that is older than what was counted already would find too few: not under zero."""
    others = [one for state, one in known.states.items() if state != "queued"]
    runs = max(0, known.all.runs - sum(one.runs for one in others))
    return _Sum(runs=runs, work=max(0.0, known.all.work - sum(one.work for one in others)) if runs else 0.0)


def _sweep_row(sweep: Row[Any], known: _Known) -> SweepRow:
    same = ("id", "name", "state", "reason", "created_at", "archived_at")
    return SweepRow(
        **{name: getattr(sweep, name) for name in same},
        combinations=known.combinations,
        runs=known.all.runs,
        states={state: known.states[state].runs for state in RUN_STATES if state in known.states and known.states[state].runs},
        best_thumbnail=known.best[2],
    )

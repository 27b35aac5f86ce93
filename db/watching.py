"""How far sweeps are, for who watches: counts, work, and what is under way. Reads only; each is one or two statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from db.models import SETTLED, Attempt, Combination, Image, LossPoint, Run, Sweep

RECENT = 50
"""Finished attempts that say how fast a worker is."""


@dataclass(frozen=True, kw_only=True)
class Census:
    """The distinct runs of a sweep, or of all active ones. work_left and work_done: multiply-adds; steps: of those that are done."""

    states: Mapping[str, int]
    work_left: float
    work_done: float
    steps: int

    @property
    def runs(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def settled(self) -> int:
        """Those that will not change by themselves."""
        return sum(self.states.get(state, 0) for state in SETTLED)

    @property
    def failed(self) -> int:
        """Those that ended without a picture."""
        return self.settled - self.states.get("done", 0)


@dataclass(frozen=True, kw_only=True)
class Underway:
    """A run whose worker has taken it up. step: the last that is recorded; content_size: (height, width) of the photograph's file."""

    run_key: str
    settings: Mapping[str, Any]
    work: float
    content_size: tuple[int, int] | None
    step: int
    pack_size: int


def _of(sweep_id: int | None) -> ColumnElement[bool]:
    """SQL: a run belongs to that sweep, or with None to any active one."""
    if sweep_id is None:
        return Run.wanted.is_not(None)
    return exists().where(Combination.run_id == Run.id, Combination.sweep_id == sweep_id).correlate(Run)


def census(connection: Connection, sweep_id: int | None = None) -> Census:
    """Count the runs of a sweep, or with None of all active sweeps."""
    columns = (Run.state, func.count(), func.sum(Run.work), func.sum(Run.steps))
    rows = connection.execute(select(*columns).where(_of(sweep_id)).group_by(Run.state)).all()
    return Census(
        states={state: count for state, count, _, _ in rows},
        work_left=sum(work for state, _, work, _ in rows if state not in SETTLED),
        work_done=sum(work for state, _, work, _ in rows if state in SETTLED),
        steps=sum(steps or 0 for _, _, _, steps in rows),
    )


def underway(connection: Connection, sweep_id: int | None = None) -> list[Underway]:
    """The runs that workers are at, of a sweep or with None of all active sweeps."""
    step = select(func.max(LossPoint.step)).where(LossPoint.run_id == Run.id).correlate(Run).scalar_subquery()
    rows = connection.execute(
        select(Run.run_key, Run.settings, Run.work, func.coalesce(step, 0).label("step"), Attempt.pack_size)
        .join(Attempt, (Attempt.run_id == Run.id) & (Attempt.number == Run.attempts))
        .where(Run.state == "running", Attempt.started_at.is_not(None), _of(sweep_id))
    ).all()
    photographs = {row.settings["content"] for row in rows}
    shapes = connection.execute(select(Image.sha256, Image.height, Image.width).where(Image.sha256.in_(photographs)))
    sizes = {sha256: (height, width) for sha256, height, width in shapes}
    return [Underway(**row._asdict(), content_size=sizes.get(row.settings["content"])) for row in rows]


def pace(connection: Connection, sweep_id: int) -> float | None:
    """Multiply-adds per second of one worker, from the newest finished attempts at a sweep's runs; None if there are none."""
    rows = connection.execute(
        select(Run.work, Attempt.seconds)
        .join(Run, Run.id == Attempt.run_id)
        .where(Attempt.state == "done", Attempt.seconds > 0, _of(sweep_id))
        .order_by(Attempt.id.desc())
        .limit(RECENT)
    ).all()
    return sum(work for work, _ in rows) / sum(seconds or 0.0 for _, seconds in rows) if rows else None


def signature(connection: Connection) -> tuple[object, ...]:
    """Changes when sweeps come, grow, or change their state or priority; cheap to ask for."""
    newest = connection.execute(select(func.max(Combination.id))).scalar()
    sweeps = connection.execute(select(Sweep.id, Sweep.state, Sweep.priority).order_by(Sweep.id)).all()
    return newest, *(tuple(row) for row in sweeps)


def reasons(connection: Connection) -> dict[int, str]:
    """Sweep id -> why it is paused, where no person asked for it."""
    rows = connection.execute(select(Sweep.id, Sweep.reason).where(Sweep.reason.is_not(None), Sweep.state != "active"))
    return {sweep_id: str(reason) for sweep_id, reason in rows}

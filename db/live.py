"""A sweep at work, for who looks at it: what is running, what came last, what failed. Reads only, each with a bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from db.browse import by_combination
from db.models import Attempt, Combination, Image, LossPoint, Preview, Run, Sweep
from db.queries import Result

FAILED = ("failed", "quarantined", "diverged")
"""Ended without a picture, and not because somebody asked for it."""
MOST_MESSAGES = 5000
"""So many different messages of failed runs are read."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A run whose worker has taken it up, or is about to (started_at None). preview_step: of its newest picture, None before the first."""

    run_id: int
    run_key: str
    settings: Mapping[str, Any]
    attempt: int
    node: str | None
    device: str | None
    started_at: float | None
    preview_step: int | None


@dataclass(frozen=True, kw_only=True)
class Failing:
    """Runs of one state with the very same message. example: the run key of one of them."""

    state: str
    error: str
    runs: int
    example: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a sweep's people and file set. price: per hour of one worker; deadline: Unix time; budget: in the currency of the price."""

    priority: int
    deadline: float | None
    budget: float | None
    price: float | None


def _of(sweep_id: int) -> ColumnElement[bool]:
    return exists().where(Combination.run_id == Run.id, Combination.sweep_id == sweep_id).correlate(Run)


def limits(connection: Connection, sweep_id: int) -> Limits:
    """Of a sweep that exists."""
    row = connection.execute(select(Sweep.priority, Sweep.deadline, Sweep.budget, Sweep.resources).where(Sweep.id == sweep_id)).one()
    price = row.resources.get("price_per_hour")
    return Limits(priority=row.priority, deadline=row.deadline, budget=row.budget, price=None if price is None else float(price))


def running(connection: Connection, sweep_id: int, limit: int) -> list[Running]:
    """The runs of a sweep that workers are at, those that began first in front."""
    statement = (
        select(
            *(Run.id.label("run_id"), Run.run_key, Run.settings, Attempt.number.label("attempt"), Attempt.node, Attempt.device),
            *(Attempt.started_at, Preview.step.label("preview_step")),
        )
        .join(Attempt, (Attempt.run_id == Run.id) & (Attempt.number == Run.attempts))
        .outerjoin(Preview, Preview.run_id == Run.id)
        .where(Run.state == "running", _of(sweep_id))
        .order_by(Attempt.started_at.asc().nulls_last(), Run.id)
        .limit(limit)
    )
    return [Running(**row) for row in connection.execute(statement).mappings()]


def first_combinations(connection: Connection, sweep_id: int, run_keys: Sequence[str]) -> dict[str, Result]:
    """Run key -> the sweep's first combination of it; for at most 500 runs."""
    if not run_keys:
        return {}
    # By the runs, which are few, and not by the sweep, which may have a hundred thousand combinations.
    ours = Combination.sweep_id + 0 == sweep_id
    of_runs = Combination.run_id.in_(select(Run.id).where(Run.run_key.in_(run_keys[:500])))
    first = connection.execute(select(func.min(Combination.id)).where(of_runs, ours).group_by(Combination.run_id)).scalars().all()
    return {result.run_key: result for result in by_combination(connection, first)}


def curves(connection: Connection, run_ids: Sequence[int]) -> dict[int, list[tuple[int, float, float]]]:
    """Run id -> (step, content loss, style loss) of its curve so far, in step order; for at most 100 runs."""
    columns = (LossPoint.run_id, LossPoint.step, LossPoint.content_loss, LossPoint.style_loss)
    found: dict[int, list[tuple[int, float, float]]] = {}
    statement = select(*columns).where(LossPoint.run_id.in_(run_ids[:100])).order_by(LossPoint.run_id, LossPoint.step)
    for run_id, step, content, style in connection.execute(statement):
        found.setdefault(run_id, []).append((step, content, style))
    return found


def input_sizes(connection: Connection, sha256s: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Picture -> (height, width) of its file, for at most 500."""
    rows = connection.execute(select(Image.sha256, Image.height, Image.width).where(Image.sha256.in_(sha256s[:500])))
    return {sha256: (height, width) for sha256, height, width in rows}


def newest(connection: Connection, sweep_id: int, limit: int) -> list[Result]:
    """The runs of a sweep that were done last, each as its first combination, newest first."""
    # By the index of finished_seq, not by that of states: the newest are found at its end.
    last = select(Run.run_key).where(Run.finished_seq > 0, Run.state.concat("") == "done", _of(sweep_id)).order_by(Run.finished_seq.desc())
    keys = list(connection.execute(last.limit(limit)).scalars())
    found = first_combinations(connection, sweep_id, keys)
    return [found[key] for key in keys if key in found]


def failing(connection: Connection, sweep_id: int) -> list[Failing]:
    """The failed runs of a sweep by state and message, the most frequent first."""
    columns = (Run.state, func.coalesce(Run.error, "").label("error"), func.count().label("runs"), func.max(Run.run_key).label("example"))
    statement = select(*columns).where(Run.state.in_(FAILED), _of(sweep_id)).group_by(Run.state, func.coalesce(Run.error, ""))
    rows = connection.execute(statement.order_by(func.count().desc(), Run.state).limit(MOST_MESSAGES))
    return [Failing(**row) for row in rows.mappings()]


def failed_runs(connection: Connection, sweep_id: int, state: str | None = None) -> list[tuple[int, str, str]]:
    """(run id, run key, message) of every failed run of a sweep, or of those in one state."""
    wanted = FAILED if state is None else (state,)
    statement = select(Run.id, Run.run_key, func.coalesce(Run.error, "")).where(Run.state.in_(wanted), _of(sweep_id)).order_by(Run.id)
    return [(run_id, run_key, error) for run_id, run_key, error in connection.execute(statement)]


def run_keys_failing(connection: Connection, sweep_id: int, state: str, errors: Sequence[str], limit: int) -> list[str]:
    """Some run keys of a sweep's runs that ended so, with one of these messages (at most 500 of them)."""
    error = func.coalesce(Run.error, "")
    statement = select(Run.run_key).where(Run.state == state, error.in_(errors[:500]), _of(sweep_id))
    return list(connection.execute(statement.order_by(Run.id).limit(limit)).scalars())


def last_traceback(connection: Connection, run_key: str) -> str | None:
    """The traceback of a run's last attempt that left one."""
    statement = select(Attempt.traceback).join(Run, Run.id == Attempt.run_id).where(Run.run_key == run_key, Attempt.traceback.is_not(None))
    return connection.execute(statement.order_by(Attempt.number.desc()).limit(1)).scalar()

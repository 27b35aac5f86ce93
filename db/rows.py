"""Rows of runs in an open transaction: whose an event is, loss points, pictures, the end of an attempt, the next state of a run."""

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from db import statements
from db.models import Attempt, Run
from sweep import events


def held(connection: Connection, owner: str, event: events.Event) -> int | None:
    """The run an event speaks of, if its (owner, attempt) still holds it."""
    return statements.HELD(connection, {"run_key": event.run_key, "owner": owner, "attempt": event.attempt}).scalar()


def insert_images(connection: Connection, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        statements.ADD_IMAGE(connection, row)


def insert_snapshot(connection: Connection, run_id: int, step: int, image: dict[str, Any]) -> None:
    insert_images(connection, [image])
    connection.execute(statements.PUT_SNAPSHOT, {"run_id": run_id, "step": step, "image": image["sha256"]})


def insert_points(connection: Connection, run_id: int, points: Iterable[events.LossPoint]) -> None:
    """A step that is there already (an attempt's curve told twice) is replaced."""
    rows = [
        (run_id, point.step, point.size, point.content_loss, point.style_loss, point.tv_loss)
        for point in points
        # SQLite turns NaN into NULL; a curve holds finite points only.
        if math.isfinite(point.content_loss + point.style_loss + point.tv_loss)
    ]
    if rows:
        connection.exec_driver_sql(statements.PUT_POINT, rows)


def update_attempt(connection: Connection, run_id: int, number: int, **values: Any) -> None:
    """Set columns of an attempt. `notes` come behind those that are there."""
    which = {"which": run_id, "try": number}
    if values.get("notes"):
        noted = select(Attempt.notes).where(Attempt.run_id == run_id, Attempt.number == number)
        before = connection.execute(noted).scalar()
        values["notes"] = f"{before}\n{values['notes']}" if before else values["notes"]
    else:
        values.pop("notes", None)
    statements.UPDATE_ATTEMPT(connection, which | values)


def close_attempt(connection: Connection, run_id: int, number: int, state: str, **values: Any) -> None:
    """It has ended so."""
    update_attempt(connection, run_id, number, state=state, finished_at=time.time(), **values)


def settle(connection: Connection, run_id: int, state: str, **values: Any) -> None:
    """From running to a finished state; the caller has checked, in this transaction, that the run is held."""
    counts = statements.SETTLING(connection, {"which": run_id}).one()
    values |= {"state": state, "owner": None, "lease": None, "finished_at": time.time(), "finished_seq": _next(counts)}
    changed = statements.UPDATE_RUNNING(connection, {"which": run_id, **values})
    assert changed.rowcount == 1, f"run {run_id} was not running"
    if counts.state or counts.preview:
        forget(connection, run_id)


def queue_again(connection: Connection, run_id: int, **values: Any) -> None:
    """From running to queued; the caller has checked, in this transaction, that the run is held."""
    statements.UPDATE_RUNNING(connection, {"which": run_id, "state": "queued", "owner": None, "lease": None, **values})
    connection.execute(statements.FORGET_PREVIEW, {"which": run_id})


def forget(connection: Connection, run_id: int) -> None:
    """Drop the state and the live picture of a run that is no longer under way; the state's file is for `UnderWay.remove_states`."""
    for statement in (statements.FORGET_STATE, statements.FORGET_PREVIEW):
        connection.execute(statement, {"which": run_id})


def next_seq(connection: Connection) -> int:
    """Above every number given before, also to a run that was queued again and has none now: the newest attempt's id never falls
    (`keep_numbers_rising`).

    While a run is running it has one attempt that is, so this counts the attempts that have ended; both counts come from an index.
    """
    return _next(statements.COUNTS(connection, {}).one())


def _next(counts: Any) -> int:
    return int(max((counts.newest or 0) - counts.running, counts.highest or 0)) + 1


def keep_numbers_rising(connection: Connection, floor: int) -> None:
    """After attempts were deleted, or results came without theirs: the newest attempt's id is `floor` at least. No row refers to it."""
    newest = connection.execute(select(func.max(Attempt.id))).scalar()
    running = connection.execute(select(func.count()).where(Run.state == "running")).scalar_one()
    if newest is not None and newest < floor + running:
        connection.execute(update(Attempt).where(Attempt.id == newest).values(id=floor + running))


def queue_settled(connection: Connection, run_ids: Sequence[int], states: tuple[str, ...]) -> int:
    """Queue those of the runs that are in one of these states again, as new; returns how many."""
    queued = {
        **dict.fromkeys(("error", "finished_seq", "finished_at", "memory_asked", "gpus_asked", "steps", "seconds")),
        "state": "queued",
        "killed_workers": 0,
        "lost": 0,
        "alone": False,
    }
    statement = update(Run).where(Run.id == bindparam("which"), Run.state.in_(states)).values(**queued)
    return sum(connection.execute(statement, {"which": run_id}).rowcount for run_id in run_ids)


def lines(notes: Sequence[str]) -> str | None:
    """Notes as a column holds them."""
    return "\n".join(notes) or None

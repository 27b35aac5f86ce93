"""Rows of runs in an open transaction: whose an event is, loss points, snapshots, the end of an attempt."""

import math
import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import sqlite

from db.models import Attempt, Image, LossPoint, Run, Snapshot
from sweep import events


def held(connection: Connection, owner: str, event: events.Event) -> int | None:
    """The run an event speaks of, if its (owner, attempt) still holds it."""
    holds = (Run.run_key == event.run_key, Run.state == "running", Run.owner == owner, Run.attempts == event.attempt)
    return connection.execute(select(Run.id).where(*holds)).scalar()


def insert_images(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sqlite.insert(Image).on_conflict_do_nothing(), rows)


def insert_snapshot(connection: Connection, run_id: int, step: int, image: dict[str, Any]) -> None:
    insert_images(connection, [image])
    connection.execute(insert(Snapshot).prefix_with("OR REPLACE").values(run_id=run_id, step=step, image=image["sha256"]))


def insert_points(connection: Connection, run_id: int, points: Iterable[events.LossPoint]) -> None:
    """A step that is there already (an attempt's curve told twice) is replaced."""
    rows = [
        {
            "run_id": run_id,
            "step": point.step,
            "size": point.size,
            "content_loss": point.content_loss,
            "style_loss": point.style_loss,
            "tv_loss": point.tv_loss,
        }
        for point in points
        # SQLite turns NaN into NULL; a curve holds finite points only.
        if math.isfinite(point.content_loss + point.style_loss + point.tv_loss)
    ]
    if rows:
        connection.execute(insert(LossPoint).prefix_with("OR REPLACE"), rows)


def update_attempt(connection: Connection, run_id: int, number: int, **values: Any) -> None:
    """Set columns of an attempt. `notes` come behind those that are there."""
    if values.get("notes"):
        values["notes"] = func.coalesce(Attempt.notes + "\n", "") + values["notes"]
    else:
        values.pop("notes", None)
    connection.execute(update(Attempt).where(Attempt.run_id == run_id, Attempt.number == number).values(**values))


def close_attempt(connection: Connection, run_id: int, number: int, state: str, **values: Any) -> None:
    update_attempt(connection, run_id, number, state=state, finished_at=time.time(), **values)

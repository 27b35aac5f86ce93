"""Every write of runs and results. The driver is the only writer of results; each function is one short transaction."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from db.artifacts import Artifacts
from db.drivers import LEASE_SECONDS
from db.models import Attempt, Combination, Driver, Image, LossPoint, Run, Snapshot, Sweep
from db.queries import YARDSTICKS
from sweep import combination as words
from sweep import events

MAX_WORKER_KILLS = 3
"""Attempts that started and killed their worker before a run is quarantined."""


@dataclass(frozen=True, kw_only=True)
class ClaimedRun:
    """A run that a driver now holds, with one attempt opened. names: SHA-256 of a picture -> its name.

    content_size: (height, width) of the photograph's file; None where the workspace does not know it.
    """

    run_id: int
    run_key: str
    attempt: int
    settings: words.RunSettings
    resources: Mapping[str, Any]
    names: Mapping[str, str]
    sweep: str
    alpha: float
    beta: float
    layers: str
    work: float
    content_size: tuple[int, int] | None = None


class Store:
    """Writes to one workspace."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self.engine = engine
        self.artifacts = artifacts

    def claim(self, owner: str, limit: int) -> list[ClaimedRun]:
        """Take up to `limit` queued runs that an active sweep wants, in order of priority, then of age; opens an attempt for each.

        Nothing for an owner whom another driver has replaced: what it took would be held by nobody once it ends.
        """
        with self.engine.begin() as connection:
            if connection.execute(select(Driver.id).where(Driver.id == owner, Driver.ended_at.is_(None))).first() is None:
                return []
            queued = (
                select(Run.id, Run.run_key, Run.attempts, Run.settings, Run.work)
                .where(Run.state == "queued", Run.claimed())
                .order_by(Run.priority.desc(), Run.id)
                .limit(limit)
            )
            return [_claim_one(connection, owner, row) for row in connection.execute(queued).all()]

    def started(self, owner: str, event: events.Started) -> bool:
        """Note where an attempt runs; False if it no longer holds its run."""
        with self.engine.begin() as connection:
            run_id = _held(connection, owner, event)
            if run_id is not None:
                values = {
                    "node": event.node,
                    "pid": event.pid,
                    "device": event.device,
                    "versions": dict(event.versions),
                }
                _update_attempt(connection, run_id, event.attempt, started_at=time.time(), **values)
        return run_id is not None

    def progress(self, owner: str, news: Sequence[events.Progress]) -> None:
        """The loss curves of all running runs, in one transaction; points of attempts that hold nothing are dropped."""
        if not news:
            return
        with self.engine.begin() as connection:
            for event in news:
                run_id = _held(connection, owner, event)
                if run_id is not None:
                    _insert_points(connection, run_id, event.points)

    def snapshot(self, owner: str, event: events.Snapshot) -> bool:
        """File first, row second; told twice, the later one stays. False if the attempt no longer holds the run."""
        image = self._put(event.picture)
        with self.engine.begin() as connection:
            run_id = _held(connection, owner, event)
            if run_id is not None:
                _insert_snapshot(connection, run_id, event.step, image)
        return run_id is not None

    def finished(self, owner: str, event: events.Finished, curve: Sequence[events.LossPoint] = ()) -> bool:
        """File first, row second: a done run always has its picture. False if the attempt no longer holds the run."""
        image = self._put(event.picture)
        with self.engine.begin() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return False
            insert_images(connection, [image])
            _insert_points(connection, run_id, curve)
            measured = {name: _finite(event.yardsticks.get(name)) for name in YARDSTICKS}
            _settle(
                connection, run_id, "done", output=image["sha256"], protocol=event.protocol, steps=event.steps, seconds=event.seconds,
                error=None, **measured,
            )  # fmt: skip
            _close_attempt(
                connection, run_id, event.attempt, "done",
                seconds=event.seconds, optimise_seconds=event.optimise_seconds, peak_memory=event.peak_memory, notes=_lines(event.notes),
            )  # fmt: skip
        return True

    def diverged(self, owner: str, event: events.Diverged, curve: Sequence[events.LossPoint] = ()) -> bool:
        """Keep the curve and the last finite picture as a snapshot."""
        image = self._put(event.picture) if event.picture else None
        message = f"the loss became non-finite after step {event.step}: lower beta, or the learning rate"
        with self.engine.begin() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return False
            _insert_points(connection, run_id, curve)
            if image is not None:
                _insert_snapshot(connection, run_id, event.step, image)
            _settle(connection, run_id, "diverged", steps=event.step, seconds=event.seconds, error=message)
            _close_attempt(
                connection,
                run_id,
                event.attempt,
                "diverged",
                seconds=event.seconds,
                peak_memory=event.peak_memory,
                notes=_lines(event.notes),
                error=message,
            )
        return True

    def failed(self, owner: str, event: events.Failed, curve: Sequence[events.LossPoint] = ()) -> bool:
        """The run itself failed: recorded with its traceback; `retry` queues it again."""
        state = "oom" if event.kind == "oom" else "failed"
        with self.engine.begin() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return False
            _insert_points(connection, run_id, curve)
            _settle(connection, run_id, "failed", error=event.error)
            _close_attempt(
                connection,
                run_id,
                event.attempt,
                state,
                kind=event.kind,
                error=event.error,
                traceback=event.traceback or None,
            )
        return True

    def crashed(self, owner: str, event: events.Crashed) -> str | None:
        """A worker or a node died. The run is queued again; the third started attempt that killed its worker quarantines it.

        Returns the run's new state, or None if the attempt no longer held it.
        """
        with self.engine.begin() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return None
            _close_attempt(connection, run_id, event.attempt, event.kind, kind=event.kind, error=event.error)
            kills = connection.execute(select(Run.killed_workers).where(Run.id == run_id)).scalar_one()
            kills += int(event.kind != "lost" and event.started)
            if kills >= MAX_WORKER_KILLS:
                message = f"{kills} attempts killed their worker; the last: {event.error}"
                _settle(connection, run_id, "quarantined", error=message, killed_workers=kills)
                return "quarantined"
            queued = {"state": "queued", "owner": None, "lease": None, "killed_workers": kills}
            connection.execute(update(Run).where(Run.id == run_id).values(**queued))
        return "queued"

    def retry(self, run_ids: Sequence[int]) -> int:
        """Queue failed, quarantined, diverged or cancelled runs again; returns how many."""
        with self.engine.begin() as connection:
            return queue_settled(connection, run_ids, ("failed", "quarantined", "diverged", "cancelled"))

    def _put(self, picture: events.PictureFile) -> dict[str, Any]:
        sha256 = self.artifacts.put(picture.data, picture.format)
        thumbnail = self.artifacts.put(picture.thumbnail, "webp")
        row = {"sha256": sha256, "width": picture.width, "height": picture.height, "mean_colour": picture.mean_colour}
        return row | {
            "bytes": len(picture.data),
            "format": picture.format,
            "original_name": None,
            "thumbnail": thumbnail,
        }


def _lines(notes: Sequence[str]) -> str | None:
    return "\n".join(notes) or None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def insert_images(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sqlite.insert(Image).on_conflict_do_nothing(), rows)


def _insert_snapshot(connection: Connection, run_id: int, step: int, image: dict[str, Any]) -> None:
    insert_images(connection, [image])
    connection.execute(insert(Snapshot).prefix_with("OR REPLACE").values(run_id=run_id, step=step, image=image["sha256"]))


def _insert_points(connection: Connection, run_id: int, points: Iterable[events.LossPoint]) -> None:
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


def _held(connection: Connection, owner: str, event: events.Event) -> int | None:
    """The run an event speaks of, if its (owner, attempt) still holds it."""
    held = (Run.run_key == event.run_key, Run.state == "running", Run.owner == owner, Run.attempts == event.attempt)
    return connection.execute(select(Run.id).where(*held)).scalar()


def _settle(connection: Connection, run_id: int, state: str, **values: Any) -> None:
    """From running to a finished state; the caller has checked, in this transaction, that the run is held."""
    values |= {"state": state, "owner": None, "lease": None, "finished_at": time.time(), "finished_seq": next_seq(connection)}
    changed = connection.execute(update(Run).where(Run.id == run_id, Run.state == "running").values(**values))
    assert changed.rowcount == 1, f"run {run_id} was not running"


def next_seq(connection: Connection) -> int:
    """Above every number given before, also to a run that was queued again and has none now: the newest attempt's id never falls
    (`keep_numbers_rising`).

    While a run is running it has one attempt that is, so this counts the attempts that have ended; both counts come from an index.
    """
    running = connection.execute(select(func.count()).where(Run.state == "running")).scalar_one()
    newest = connection.execute(select(func.max(Attempt.id))).scalar() or 0
    highest = connection.execute(select(func.max(Run.finished_seq))).scalar() or 0
    return max(newest - running, highest) + 1


def keep_numbers_rising(connection: Connection, floor: int) -> None:
    """After attempts were deleted, or results came without theirs: the newest attempt's id is `floor` at least. No row refers to it."""
    newest = connection.execute(select(func.max(Attempt.id))).scalar()
    running = connection.execute(select(func.count()).where(Run.state == "running")).scalar_one()
    if newest is not None and newest < floor + running:
        connection.execute(update(Attempt).where(Attempt.id == newest).values(id=floor + running))


def _update_attempt(connection: Connection, run_id: int, number: int, **values: Any) -> None:
    connection.execute(update(Attempt).where(Attempt.run_id == run_id, Attempt.number == number).values(**values))


def _close_attempt(connection: Connection, run_id: int, number: int, state: str, **values: Any) -> None:
    _update_attempt(connection, run_id, number, state=state, finished_at=time.time(), **values)


def _claim_one(connection: Connection, owner: str, row: Any) -> ClaimedRun:
    now, number = time.time(), row.attempts + 1
    connection.execute(
        update(Run).where(Run.id == row.id).values(state="running", owner=owner, attempts=number, lease=now + LEASE_SECONDS, error=None)
    )
    connection.execute(insert(Attempt).values(run_id=row.id, number=number, owner=owner, created_at=now))
    for table in (LossPoint, Snapshot):  # a new attempt starts at step 0
        connection.execute(delete(table).where(table.run_id == row.id))
    wanted = (
        select(Sweep.name, Sweep.resources, Combination.alpha, Combination.beta, Combination.layers)
        .join(Combination, Combination.sweep_id == Sweep.id)
        .where(Combination.run_id == row.id, Sweep.state == "active")
        .order_by(Sweep.priority.desc(), Sweep.id, Combination.position)
        .limit(1)
    )
    first = connection.execute(wanted).one()
    settings = words.RunSettings.from_canonical(row.settings)
    images = connection.execute(
        select(Image.sha256, Image.original_name, Image.height, Image.width).where(Image.sha256.in_(settings.pictures()))
    ).all()
    return ClaimedRun(
        run_id=row.id,
        run_key=row.run_key,
        attempt=number,
        settings=settings,
        resources=first.resources,
        names={image.sha256: image.original_name or image.sha256[:12] for image in images},
        sweep=first.name,
        alpha=first.alpha,
        beta=first.beta,
        layers=first.layers,
        work=row.work,
        content_size=next(((image.height, image.width) for image in images if image.sha256 == settings.content), None),
    )


def queue_settled(connection: Connection, run_ids: Sequence[int], states: tuple[str, ...]) -> int:
    queued = {
        "state": "queued",
        "error": None,
        "finished_seq": None,
        "finished_at": None,
        "killed_workers": 0,
        "steps": None,
        "seconds": None,
    }
    statement = update(Run).where(Run.id == bindparam("which"), Run.state.in_(states)).values(**queued)
    return sum(connection.execute(statement, {"which": run_id}).rowcount for run_id in run_ids)

"""Every write of runs and results. The driver is the only writer of results; each function is one short transaction.

In a `batch` they are one transaction together: on a disk, a commit costs more than all rows of a run.
"""

import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select, update

from db import statements
from db.artifacts import Artifacts
from db.drivers import LEASE_SECONDS
from db.models import Attempt, Run
from db.queries import YARDSTICKS
from sweep import combination as words
from sweep import events

MAX_WORKER_KILLS = 3
"""Attempts that started and killed their worker before a run is quarantined."""
MAX_LOST = 10
"""Attempts that went with their node before a run is quarantined: by then it is likely that the run takes the nodes with it."""
MEMORY_AFTER_OOM = 2.0
"""A run that a node had no memory for is tried once more where so many times as much is free."""


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
    start_step: int = 0
    alone: bool = False
    memory_asked: float | None = None
    gpus_asked: float | None = None


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What an attempt was started with: its task and company, its share of a node, and what that costs."""

    pack: str
    pack_size: int = 1
    cpus: float | None = None
    gpus: float | None = None
    price_per_hour: float | None = None


class Store:
    """Writes to one workspace."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        self.engine = engine
        self.artifacts = artifacts
        self._batch: contextlib.ExitStack | None = None
        self._open: Connection | None = None
        self._written: dict[int, dict[str, Any]] = {}

    @contextlib.contextmanager
    def batch(self, told: Iterable[events.Event] = ()) -> Iterator[None]:
        """Within, all that this store writes is one transaction, begun by the first write; files of these events' pictures come before it.

        An exception takes all of it back, but for files, which nothing speaks of then.
        """
        carried = [getattr(event, "picture", None) for event in told]
        self._written = {id(picture): self._put(picture) for picture in carried if isinstance(picture, events.PictureFile)}
        try:
            with contextlib.ExitStack() as self._batch:
                yield
        finally:
            self._batch = self._open = None
            self._written = {}

    def _transaction(self) -> contextlib.AbstractContextManager[Connection]:
        """The batch's, or one of its own. Every write asks here: a second connection would wait for the batch, and the batch for it."""
        if self._batch is None:
            return self.engine.begin()
        if self._open is None:
            self._open = self._batch.enter_context(self.engine.begin())
        return contextlib.nullcontext(self._open)

    def claim(self, owner: str, limit: int) -> list[ClaimedRun]:
        """Take up to `limit` queued runs that an active sweep wants, in order of priority, then of age; opens an attempt for each.

        Nothing for an owner whom another driver has replaced: what it took would be held by nobody once it ends.
        """
        with self._transaction() as connection:
            if connection.execute(statements.DRIVING, {"owner": owner}).first() is None:
                return []
            return [_claim_one(connection, owner, row) for row in connection.execute(statements.QUEUE, {"limit": limit}).all()]

    def next_up(self) -> ClaimedRun | None:
        """The run that `claim` would give first, as it is: nothing is taken, its attempt is that of the last try. None: nothing waits."""
        with self._transaction() as connection:
            row = connection.execute(statements.QUEUE, {"limit": 1}).first()
            return None if row is None else _described(connection, row, row.attempts)

    def queued(self) -> int:
        """How many runs wait and are wanted."""
        with self._transaction() as connection:
            statement = select(func.count()).select_from(Run).where(Run.state == "queued", Run.wanted.is_not(None))
            return connection.execute(statement).scalar_one()

    def started(self, owner: str, event: events.Started, launch: Launch | None = None, at: float | None = None) -> bool:
        """Note where an attempt runs, with what, and since when (Unix time; None: now); False if it no longer holds its run."""
        with self._transaction() as connection:
            run_id = _held(connection, owner, event)
            if run_id is not None:
                values = {
                    "node": event.node,
                    "pid": event.pid,
                    "device": event.device,
                    "versions": dict(event.versions),
                    "place": event.place or None,
                    "start_step": event.start_step,
                    **(asdict(launch) if launch else {}),
                }
                _update_attempt(connection, run_id, event.attempt, started_at=at or time.time(), **values)
        return run_id is not None

    def progress(self, owner: str, news: Sequence[events.Progress]) -> None:
        """The loss curves of all running runs, in one transaction; points of attempts that hold nothing are dropped."""
        if not news:
            return
        with self._transaction() as connection:
            for event in news:
                run_id = _held(connection, owner, event)
                if run_id is not None:
                    _insert_points(connection, run_id, event.points)

    def snapshot(self, owner: str, event: events.Snapshot) -> bool:
        """File first, row second; told twice, the later one stays. False if the attempt no longer holds the run."""
        image = self._put(event.picture)
        with self._transaction() as connection:
            run_id = _held(connection, owner, event)
            if run_id is not None:
                _insert_snapshot(connection, run_id, event.step, image)
        return run_id is not None

    def preview(self, owner: str, previews: Sequence[events.Preview]) -> None:
        """STUB."""

    def checkpoint(self, owner: str, event: events.Checkpoint) -> bool:
        """STUB."""
        return True

    def stopped(self, owner: str, event: events.Stopped, curve: Sequence[events.LossPoint] = ()) -> str | None:
        """STUB."""
        with self._transaction() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return None
            _insert_points(connection, run_id, curve)
            _close_attempt(connection, run_id, event.attempt, "cancelled", error=f"stopped after step {event.step}, as asked")
            _queue_again(connection, run_id)
        return "queued"

    def finished(self, owner: str, event: events.Finished, curve: Sequence[events.LossPoint] = ()) -> bool:
        """File first, row second: a done run always has its picture. False if the attempt no longer holds the run."""
        image = self._put(event.picture)
        with self._transaction() as connection:
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
        with self._transaction() as connection:
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

    def failed(self, owner: str, event: events.Failed, curve: Sequence[events.LossPoint] = (), need: float = 0.0) -> str | None:
        """The run itself failed: recorded with its traceback; `retry` queues it again. Out of memory it gets one more try with more.

        need: bytes of memory that it was expected to take. Returns the run's new state, or None if the attempt no longer held it.
        """
        with self._transaction() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return None
            _insert_points(connection, run_id, curve)
            values = {"kind": event.kind, "error": event.error, "traceback": event.traceback or None}
            _close_attempt(connection, run_id, event.attempt, "oom" if event.kind == "oom" else "failed", **values)
            if event.kind == "oom" and (more := _more_room(connection, run_id, event.attempt, need)):
                _queue_again(connection, run_id, **more)
                return "queued"
            _settle(connection, run_id, "failed", error=event.error)
        return "failed"

    def crashed(self, owner: str, event: events.Crashed, need: float = 0.0) -> str | None:
        """A worker or a node died. The run is queued again, within bounds.

        The third started attempt that killed its worker quarantines it; members of a pack are first tried alone, and only that counts.
        A lost node is no fault of the run's, though ten are too many. Where memory ran out it is tried once more with more of it; need:
        bytes that it was expected to take. Returns the run's new state, or None if the attempt no longer held it.
        """
        with self._transaction() as connection:
            run_id = _held(connection, owner, event)
            if run_id is None:
                return None
            _close_attempt(connection, run_id, event.attempt, event.kind, kind=event.kind, error=event.error)
            row = connection.execute(select(Run.killed_workers, Run.lost).where(Run.id == run_id)).one()
            if event.kind == "lost":
                if row.lost + 1 >= MAX_LOST:
                    message = f"{row.lost + 1} nodes were lost while they worked on it; the last: {event.error}"
                    _settle(connection, run_id, "quarantined", error=message, lost=row.lost + 1)
                    return "quarantined"
                _queue_again(connection, run_id, lost=row.lost + int(event.started))
            elif not event.alone:
                _queue_again(connection, run_id, **({"alone": True} if event.started else {}))
            elif event.kind == "oom":
                more = _more_room(connection, run_id, event.attempt, need)
                if not more:
                    _settle(connection, run_id, "failed", error=f"{event.error}; it was tried with more memory before")
                    return "failed"
                _queue_again(connection, run_id, **more)
            else:
                return _killed(connection, run_id, event, row.killed_workers + int(event.started))
        return "queued"

    def retry(self, run_ids: Sequence[int]) -> int:
        """Queue failed, quarantined, diverged or cancelled runs again; returns how many."""
        with self._transaction() as connection:
            return queue_settled(connection, run_ids, ("failed", "quarantined", "diverged", "cancelled"))

    def _put(self, picture: events.PictureFile) -> dict[str, Any]:
        if (row := self._written.get(id(picture))) is not None:
            return row
        sha256 = self.artifacts.put(picture.data, picture.format)
        thumbnail = self.artifacts.put(picture.thumbnail, "webp")
        row = {"sha256": sha256, "width": picture.width, "height": picture.height, "mean_colour": picture.mean_colour}
        return row | {
            "bytes": len(picture.data),
            "format": picture.format,
            "original_name": None,
            "thumbnail": thumbnail,
        }


def _killed(connection: Connection, run_id: int, event: events.Crashed, kills: int) -> str:
    if kills >= MAX_WORKER_KILLS:
        message = f"{kills} attempts killed their worker; the last: {event.error}"
        _settle(connection, run_id, "quarantined", error=message, killed_workers=kills)
        return "quarantined"
    _queue_again(connection, run_id, killed_workers=kills)
    return "queued"


def _queue_again(connection: Connection, run_id: int, **values: Any) -> None:
    """From running to queued; the caller has checked, in this transaction, that the run is held."""
    connection.execute(update(Run).where(Run.id == run_id).values(state="queued", owner=None, lease=None, **values))


def _more_room(connection: Connection, run_id: int, number: int, need: float) -> dict[str, float] | None:
    """What to ask for after memory ran out: on a GPU twice the share until it has one alone, else once more memory of the node."""
    run = connection.execute(select(Run.memory_asked, Run.gpus_asked).where(Run.id == run_id)).one()
    held = select(Attempt.gpus, Attempt.device).where(Attempt.run_id == run_id, Attempt.number == number)
    gpus, device = connection.execute(held).one()
    share = run.gpus_asked or gpus or 0.0
    if device is not None and device.startswith("cuda"):
        return {"gpus_asked": min(1.0, 2 * share)} if 0 < share < 1 else None
    return {"memory_asked": MEMORY_AFTER_OOM * need} if need > 0 and run.memory_asked is None else None


def _lines(notes: Sequence[str]) -> str | None:
    return "\n".join(notes) or None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def insert_images(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statements.ADD_IMAGE, rows)


def _insert_snapshot(connection: Connection, run_id: int, step: int, image: dict[str, Any]) -> None:
    insert_images(connection, [image])
    connection.execute(statements.PUT_SNAPSHOT, {"run_id": run_id, "step": step, "image": image["sha256"]})


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
        connection.execute(statements.PUT_POINT, rows)


def _held(connection: Connection, owner: str, event: events.Event) -> int | None:
    """The run an event speaks of, if its (owner, attempt) still holds it."""
    return connection.execute(statements.HELD, {"run_key": event.run_key, "owner": owner, "attempt": event.attempt}).scalar()


def _settle(connection: Connection, run_id: int, state: str, **values: Any) -> None:
    """From running to a finished state; the caller has checked, in this transaction, that the run is held."""
    values |= {"state": state, "owner": None, "lease": None, "finished_at": time.time(), "finished_seq": _next_seq(connection)}
    changed = connection.execute(statements.UPDATE_RUNNING, {"which": run_id, **values})
    assert changed.rowcount == 1, f"run {run_id} was not running"


def _next_seq(connection: Connection) -> int:
    """Above every number given before, also to a run that was queued again and has none now: attempts are never deleted.

    While a run is running it has one attempt that is, so this counts the attempts that have ended; both counts come from an index.
    """
    counts = connection.execute(statements.COUNTS).one()
    return int(max((counts.newest or 0) - counts.running, counts.highest or 0)) + 1


def _update_attempt(connection: Connection, run_id: int, number: int, **values: Any) -> None:
    connection.execute(statements.UPDATE_ATTEMPT, {"which": run_id, "try": number, **values})


def _close_attempt(connection: Connection, run_id: int, number: int, state: str, **values: Any) -> None:
    _update_attempt(connection, run_id, number, state=state, finished_at=time.time(), **values)


def _claim_one(connection: Connection, owner: str, row: Any) -> ClaimedRun:
    now, number, which = time.time(), row.attempts + 1, {"which": row.id}
    taken = {"state": "running", "owner": owner, "attempts": number, "lease": now + LEASE_SECONDS, "error": None}
    connection.execute(statements.UPDATE_RUN, which | taken)
    connection.execute(statements.OPEN_ATTEMPT, {"run_id": row.id, "number": number, "owner": owner, "created_at": now})
    if row.attempts:  # a new attempt starts at step 0
        for statement in statements.FORGET:
            connection.execute(statement, which)
    return _described(connection, row, number)


def _described(connection: Connection, row: Any, number: int) -> ClaimedRun:
    """A row of the queue with everything that its attempt of that number needs to know."""
    first = connection.execute(statements.CLAIM, {"which": row.id}).one()
    settings = words.RunSettings.from_canonical(row.settings)
    images = connection.execute(statements.PICTURES, {"pictures": list(settings.pictures())}).all()
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
        alone=row.alone,
        memory_asked=row.memory_asked,
        gpus_asked=row.gpus_asked,
        content_size=next(((image.height, image.width) for image in images if image.sha256 == settings.content), None),
    )


def queue_settled(connection: Connection, run_ids: Sequence[int], states: tuple[str, ...]) -> int:
    queued = {
        "state": "queued",
        "error": None,
        "finished_seq": None,
        "finished_at": None,
        "killed_workers": 0,
        "lost": 0,
        "alone": False,
        "memory_asked": None,
        "gpus_asked": None,
        "steps": None,
        "seconds": None,
    }
    statement = update(Run).where(Run.id == bindparam("which"), Run.state.in_(states)).values(**queued)
    return sum(connection.execute(statement, {"which": run_id}).rowcount for run_id in run_ids)

"""What the pages ask of a sweep: pause, resume, cancel, retry, priority, archive. Short transactions, answered by a sentence.

No streamlit import. Whoever drives the workspace sees the rows within a second (db/steering.py); without a driver they hold for the next.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event, select

from db import housekeeping, live, queries, steering
from db.engine import open_engine, storage_errors
from db.models import Run
from db.rows import queue_settled
from db.workspace import sqlite_url
from gallery.wording import counted
from sweep.errors import InputError, StylesweepError, WorkspaceBusy
from sweep.failures import alike

PATIENCE_MS = 3000
"""How long a click waits for a database that another program holds; a driver's transactions take milliseconds."""
PRIORITIES = (-1000, 1000)
_BATCH = 200
Answer = TypeVar("Answer")


class Refused(StylesweepError):
    """What was asked could not be done; the message says why, and what to do."""


class Steering:
    """The buttons of one workspace's pages.

    Every method raises Refused: the database is busy or cannot be written, or the sweep has gone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pause(self, name: str) -> str:
        """Stop a sweep for now."""
        if not self._on_sweep(name, steering.pause):
            return "It was not running."
        return "Paused. What is running stops at its next step, and goes on from there after Resume."

    def resume(self, name: str) -> str:
        """Make a paused or cancelled sweep active again."""
        return "Active again." if self._on_sweep(name, steering.resume) else "It was active already."

    def cancel(self, name: str) -> str:
        """End a sweep."""
        ended = self._on_sweep(name, steering.cancel)
        return f"Cancelled: {counted(ended, 'run was', 'runs were')} still to do. What is done stays, and Resume takes it back."

    def set_priority(self, name: str, priority: int) -> str:
        """Higher ones come first."""
        low, high = PRIORITIES
        bounded = max(low, min(high, priority))
        self._on_sweep(name, lambda connection, sweep_id: steering.set_sweep_priority(connection, sweep_id, bounded))
        return f"Priority {bounded}, from the next run that starts on."

    def cancel_run(self, run_key: str) -> str:
        """End one run, for every sweep that wants it."""

        def act(connection: Connection) -> bool:
            run_id = connection.execute(select(Run.id).where(Run.run_key == run_key)).scalar()
            if run_id is None:
                raise InputError("this workspace has no such run any more.")
            return steering.cancel_run(connection, run_id)

        short = run_key[:11]
        return f"{short} is cancelled; retry takes it back." if self._write(act) else f"{short} had ended already."

    def retry(self, name: str, state: str | None = None, what: str | None = None) -> str:
        """Queue failed runs again: all of a sweep, or those of one state whose messages are alike (`sweep.failures.alike`)."""

        def look(connection: Connection) -> tuple[str, list[int]]:
            sweep = queries.sweep_named(connection, name)
            found = live.failed_runs(connection, sweep.id, state)
            return sweep.state, [run_id for run_id, _, error in found if what is None or alike(error) == what]

        sweep_state, run_ids = self._read(look)
        queued = self._queue(run_ids)
        waits = "" if sweep_state == "active" else " They begin after Resume."
        return f"{counted(queued, 'run is', 'runs are')} queued again.{waits}" if queued else "None of them was failed any more."

    def retry_run(self, run_key: str) -> str:
        """Queue one run again."""
        run_ids = self._read(lambda connection: list(connection.execute(select(Run.id).where(Run.run_key == run_key)).scalars()))
        return f"{run_key[:11]} is queued again." if self._queue(run_ids) else f"{run_key[:11]} is not failed."

    def archive(self, name: str) -> str:
        """Put a sweep away."""
        self._engine_do(lambda engine: housekeeping.archive(engine, name))
        return f"{name} is archived: it is kept, and shown when asked for."

    def unarchive(self, name: str) -> str:
        """Take it out again."""
        self._engine_do(lambda engine: housekeeping.unarchive(engine, name))
        return f"{name} is back."

    def _queue(self, run_ids: Sequence[int]) -> int:
        """In lots, so that no driver waits for a hundred thousand of them."""
        states = (*live.FAILED, "cancelled")
        lots = [run_ids[start : start + _BATCH] for start in range(0, len(run_ids), _BATCH)]
        return sum(self._write(lambda connection, lot=lot: queue_settled(connection, lot, states)) for lot in lots)  # type: ignore[misc]

    def _on_sweep(self, name: str, act: Callable[[Connection, int], Answer]) -> Answer:
        sweep_id = self._read(lambda connection: queries.sweep_named(connection, name).id)
        return self._write(lambda connection: act(connection, sweep_id))

    def _read(self, look: Callable[[Connection], Answer]) -> Answer:
        return self._engine_do(lambda engine: _within(engine.connect(), look), reader=True)

    def _write(self, act: Callable[[Connection], Answer]) -> Answer:
        return self._engine_do(lambda engine: _within(engine.begin(), act))

    def _engine_do(self, act: Callable[[Engine], Answer], *, reader: bool = False) -> Answer:
        database = self._folder / "sweeps.db"
        if not database.is_file():  # connecting would create it
            raise Refused("There is no workspace any more.")
        url = sqlite_url(database)
        engine = open_engine(url, reader=reader)
        event.listen(engine, "connect", _impatient)
        try:
            with storage_errors(url):
                return act(engine)
        except WorkspaceBusy as error:
            said = str(error)
            if "locked" in said:
                raise Refused(
                    "Nothing was changed: another program holds the database just now. Press the button again in a moment."
                ) from error
            raise Refused(said[:1].upper() + said[1:]) from error
        except StylesweepError as error:
            said = str(error)
            raise Refused(said[:1].upper() + said[1:]) from error


def _within(opened: Any, act: Callable[[Connection], Answer]) -> Answer:
    with opened as connection:
        return act(connection)


def _impatient(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")

"""What is kept of runs that are under way: the newest resumable state, a file with a row, and the newest picture, a row.

The file is `checkpoints/<run_key>-<attempt>-<step>.safetensors`, written before its row and removed after it; a killed driver leaves
at most a file that no row speaks of. Both are gone once the run has settled.
"""

import contextlib
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from db.artifacts import storage_error, write_durably
from db.models import Checkpoint, LossPoint, Preview, Snapshot
from db.rows import close_attempt, insert_points, queue_again
from db.writing import Writing
from sweep import events
from sweep.errors import StorageError


class UnderWay(Writing):
    """The writes about runs that have not ended; the part of the Store that speaks of states and previews."""

    def checkpoint(self, owner: str, event: events.Checkpoint, curve: Sequence[events.LossPoint] = ()) -> bool:
        """Keep a state instead of the one before, with the part of the curve that leads up to it, so that no point is missing later.

        False if the attempt no longer holds the run. Raises StorageError for a full disk.
        """
        row = self._write(event, event.state)
        needless = row["file"]
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is not None:
                insert_points(connection, run_id, curve)
                needless = _record(connection, run_id, row)
        self._remove(needless)
        return run_id is not None

    def stopped(self, owner: str, event: events.Stopped, curve: Sequence[events.LossPoint] = ()) -> str | None:
        """A run that was asked to stop has: it is queued again, with its state if it has one worth keeping.

        Returns the run's new state, or None if the attempt no longer held it. Raises StorageError for a full disk.
        """
        row = self._write(event, event.state) if event.state is not None else None
        needless = row["file"] if row is not None else None
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is not None:
                insert_points(connection, run_id, curve)
                if row is not None:
                    needless = _record(connection, run_id, row)
                queue_again(connection, run_id)
                close_attempt(connection, run_id, event.attempt, "cancelled", error=f"stopped after step {event.step}, as asked")
        self._remove(needless)
        return "queued" if run_id is not None else None

    def preview(self, owner: str, previews: Sequence[events.Preview]) -> None:
        """The newest pictures of running runs, in one transaction; those of attempts that hold nothing are dropped."""
        if not previews:
            return
        with self._transaction() as connection:
            for event in previews:
                run_id = self._held(connection, owner, event)
                if run_id is not None:
                    row = {"run_id": run_id, "step": event.step, "picture": event.picture, "at": time.time()}
                    connection.execute(insert(Preview).prefix_with("OR REPLACE").values(row))

    def _remove(self, file: str | None) -> None:
        """A state that a newer one has replaced, or that came too late; once the rows are there for good.

        That one alone: within a batch a run may leave several states, and the last of them has its row by the time that any file goes.
        """
        if file is not None:
            self._after_commit(lambda: _unlink(self.checkpoints / file))

    def remove_states(self, run_key: str) -> None:
        """Remove all files of the states of a run that has settled; also such as a killed driver left behind."""
        with contextlib.suppress(OSError):  # no folder, no states
            for path in self.checkpoints.iterdir():  # a glob compiles a pattern for every run that ends, which takes longer
                if path.name.startswith(f"{run_key}-") and path.name.endswith(".safetensors"):
                    _unlink(path)

    def _write(self, event: events.Checkpoint | events.Stopped, state: bytes) -> dict[str, Any]:
        name = f"{event.run_key}-{event.attempt}-{event.step}.safetensors"
        try:
            write_durably(self.checkpoints / name, state)
        except OSError as error:
            raise storage_error(self.checkpoints / name, error) from error
        sha256 = hashlib.sha256(state).hexdigest()
        return {"step": event.step, "file": name, "sha256": sha256, "bytes": len(state), "at": time.time()}


def start_of(connection: Connection, run_id: int, folder: Path) -> tuple[int, str | None]:
    """(The step that a run goes on after, or 0, a note where its state has gone); removes what a new attempt will tell anew.

    Whether the file's bytes are sound shows when it is read (see state_of).
    """
    row = connection.execute(select(Checkpoint.step, Checkpoint.file, Checkpoint.bytes).where(Checkpoint.run_id == run_id)).first()
    step, note = 0, None
    if row is not None and _is_whole(folder / row.file, row.bytes):
        step = row.step
    elif row is not None:
        note = f"It was to go on from step {row.step}, but began again: {folder / row.file} is gone or cut off."
        connection.execute(delete(Checkpoint).where(Checkpoint.run_id == run_id))
    for table in (LossPoint, Snapshot):
        later = [table.step > step] if step else []
        connection.execute(delete(table).where(table.run_id == run_id, *later))
    return step, note


def state_of(folder: Path, row: Any) -> bytes:
    """The bytes of a state from the workspace's `checkpoints/`. row: the file's name and SHA-256.

    Raises:
        StorageError: the file is missing or damaged.
    """
    path = folder / Path(row.file).name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror}).") from error
    if hashlib.sha256(data).hexdigest() != row.sha256:
        raise StorageError(f"{path} is damaged: its bytes are not those that were written.")
    return data


def _record(connection: Connection, run_id: int, row: dict[str, Any]) -> str | None:
    """Returns the file that nothing speaks of any more."""
    former = connection.execute(select(Checkpoint.file).where(Checkpoint.run_id == run_id)).scalar()
    connection.execute(insert(Checkpoint).prefix_with("OR REPLACE").values(run_id=run_id, **row))
    return former if former != row["file"] else None


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):  # one that stays is in nobody's way
        path.unlink()


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False

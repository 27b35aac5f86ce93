"""Every write of runs and results. The driver is the only writer of results; each function is one short transaction.

In a `batch` they are one transaction together: on a disk, a commit costs more than all rows of a run.
"""

import math
import time
from collections.abc import Sequence

from db.claims import ClaimedRun, Claims, Launch
from db.queries import YARDSTICKS
from db.rows import close_attempt, insert_images, insert_points, insert_snapshot, lines, queue_settled, settle, update_attempt
from db.setbacks import Setbacks
from sweep import events

__all__ = ["ClaimedRun", "Launch", "Store"]


class Store(Claims, Setbacks):
    """Writes to one workspace."""

    def started(self, owner: str, event: events.Started, launch: Launch | None = None, at: float | None = None) -> bool:
        """Note where an attempt runs, with what, and since when (Unix time; None: now); False if it no longer holds its run."""
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is not None:
                values = {
                    "node": event.node,
                    "pid": event.pid,
                    "device": event.device,
                    "versions": dict(event.versions),
                    "place": event.place or None,
                    "start_step": event.start_step,
                    **(vars(launch) if launch else {}),
                }
                update_attempt(connection, run_id, event.attempt, started_at=at or time.time(), **values)
                if self._batch is not None:
                    self._seen[owner, event.run_key, event.attempt] = run_id
        return run_id is not None

    def progress(self, owner: str, news: Sequence[events.Progress]) -> None:
        """The loss curves of all running runs, in one transaction; points of attempts that hold nothing are dropped."""
        if not news:
            return
        with self._transaction() as connection:
            for event in news:
                run_id = self._held(connection, owner, event)
                if run_id is not None:
                    insert_points(connection, run_id, event.points)

    def snapshot(self, owner: str, event: events.Snapshot) -> bool:
        """File first, row second; told twice, the later one stays. False if the attempt no longer holds the run."""
        image = self._put(event.picture)
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is not None:
                insert_snapshot(connection, run_id, event.step, image)
        return run_id is not None

    def finished(self, owner: str, event: events.Finished, curve: Sequence[events.LossPoint] = ()) -> bool:
        """File first, row second: a done run always has its picture. False if the attempt no longer holds the run."""
        image = self._put(event.picture)
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is None:
                return False
            insert_images(connection, [image])
            insert_points(connection, run_id, curve)
            measured = {name: _finite(event.yardsticks.get(name)) for name in YARDSTICKS}
            settle(
                connection, run_id, "done", output=image["sha256"], protocol=event.protocol, steps=event.steps, seconds=event.seconds,
                error=None, **measured,
            )  # fmt: skip
            close_attempt(
                connection, run_id, event.attempt, "done",
                seconds=event.seconds, optimise_seconds=event.optimise_seconds, peak_memory=event.peak_memory, notes=lines(event.notes),
            )  # fmt: skip
        self._after_commit(lambda: self.remove_states(event.run_key))
        return True

    def diverged(self, owner: str, event: events.Diverged, curve: Sequence[events.LossPoint] = ()) -> bool:
        """Keep the curve and the last finite picture as a snapshot."""
        image = self._put(event.picture) if event.picture else None
        message = f"the loss became non-finite after step {event.step}: lower beta, or the learning rate"
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is None:
                return False
            insert_points(connection, run_id, curve)
            if image is not None:
                insert_snapshot(connection, run_id, event.step, image)
            settle(connection, run_id, "diverged", steps=event.step, seconds=event.seconds, error=message)
            close_attempt(
                connection,
                run_id,
                event.attempt,
                "diverged",
                seconds=event.seconds,
                peak_memory=event.peak_memory,
                notes=lines(event.notes),
                error=message,
            )
        self._after_commit(lambda: self.remove_states(event.run_key))
        return True

    def retry(self, run_ids: Sequence[int]) -> int:
        """Queue failed, quarantined, diverged or cancelled runs again; returns how many."""
        with self._transaction() as connection:
            return queue_settled(connection, run_ids, ("failed", "quarantined", "diverged", "cancelled"))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

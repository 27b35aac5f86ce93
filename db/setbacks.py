"""What becomes of a run that failed, or whose worker or node died: tried again within bounds, or settled."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from db.checkpoints import UnderWay
from db.models import Attempt, Run
from db.rows import close_attempt, insert_points, queue_again, settle
from sweep import events

MAX_WORKER_KILLS = 3
"""Attempts that started and killed their worker before a run is quarantined."""
MAX_LOST = 10
"""Attempts that went with their node before a run is quarantined: by then it is likely that the run takes the nodes with it."""
MEMORY_AFTER_OOM = 2.0
"""A run that a node had no memory for is tried once more where so many times as much is free."""


class Setbacks(UnderWay):
    """The part of the Store that speaks of what went wrong."""

    def failed(self, owner: str, event: events.Failed, curve: Sequence[events.LossPoint] = (), need: float = 0.0) -> str | None:
        """The run itself failed: recorded with its traceback; `retry` queues it again. Out of memory it gets one more try with more.

        need: bytes of memory that it was expected to take. Returns the run's new state, or None if the attempt no longer held it.
        """
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is None:
                return None
            insert_points(connection, run_id, curve)
            values = {"kind": event.kind, "error": event.error, "traceback": event.traceback or None}
            close_attempt(connection, run_id, event.attempt, "oom" if event.kind == "oom" else "failed", **values)
            if event.kind == "oom" and (more := _more_room(connection, run_id, event.attempt, need)):
                queue_again(connection, run_id, **more)
                return "queued"
            settle(connection, run_id, "failed", error=event.error)
        self._after_commit(lambda: self.remove_states(event.run_key))
        return "failed"

    def crashed(self, owner: str, event: events.Crashed, need: float = 0.0) -> str | None:
        """A worker or a node died. The run is queued again, within bounds.

        The third started attempt that killed its worker quarantines it; members of a pack are first tried alone, and only that counts.
        A lost node is no fault of the run's, though ten are too many. Where memory ran out it is tried once more with more of it; need:
        bytes that it was expected to take. Returns the run's new state, or None if the attempt no longer held it.
        """
        with self._transaction() as connection:
            run_id = self._held(connection, owner, event)
            if run_id is None:
                return None
            close_attempt(connection, run_id, event.attempt, event.kind, kind=event.kind, error=event.error)
            state = _set_back(connection, run_id, event, need)
        if state != "queued":  # the state may be what kills
            self._after_commit(lambda: self.remove_states(event.run_key))
        return state


def _set_back(connection: Connection, run_id: int, event: events.Crashed, need: float) -> str:
    """Queue a run again whose attempt has crashed, or settle it; the state that it has then."""
    row = connection.execute(select(Run.killed_workers, Run.lost).where(Run.id == run_id)).one()
    if event.kind == "lost":
        if row.lost + 1 >= MAX_LOST:
            message = f"{row.lost + 1} nodes were lost while they worked on it; the last: {event.error}"
            settle(connection, run_id, "quarantined", error=message, lost=row.lost + 1)
            return "quarantined"
        queue_again(connection, run_id, lost=row.lost + int(event.started))
    elif not event.alone:
        queue_again(connection, run_id, **({"alone": True} if event.started else {}))
    elif event.kind == "oom":
        more = _more_room(connection, run_id, event.attempt, need)
        if not more:
            settle(connection, run_id, "failed", error=f"{event.error}; it was tried with more memory before")
            return "failed"
        queue_again(connection, run_id, **more)
    else:
        return _killed(connection, run_id, event, row.killed_workers + int(event.started))
    return "queued"


def _killed(connection: Connection, run_id: int, event: events.Crashed, kills: int) -> str:
    if kills >= MAX_WORKER_KILLS:
        message = f"{kills} attempts killed their worker; the last: {event.error}"
        settle(connection, run_id, "quarantined", error=message, killed_workers=kills)
        return "quarantined"
    queue_again(connection, run_id, killed_workers=kills)
    return "queued"


def _more_room(connection: Connection, run_id: int, number: int, need: float) -> dict[str, float] | None:
    """What to ask for after memory ran out: on a GPU twice the share until it has one alone, else once more memory of the node."""
    run = connection.execute(select(Run.memory_asked, Run.gpus_asked).where(Run.id == run_id)).one()
    held = select(Attempt.gpus, Attempt.device).where(Attempt.run_id == run_id, Attempt.number == number)
    gpus, device = connection.execute(held).one()
    share = run.gpus_asked or gpus or 0.0
    if device is not None and device.startswith("cuda"):
        return {"gpus_asked": min(1.0, 2 * share)} if 0 < share < 1 else None
    return {"memory_asked": MEMORY_AFTER_OOM * need} if need > 0 and run.memory_asked is None else None

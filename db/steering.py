"""What people ask of a sweep or a run: pause, resume, cancel, priority. Short transactions of anyone; the driver polls the rows."""

import time
from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from db.models import UNSETTLED, Attempt, Checkpoint, Combination, Preview, Run, Sweep
from db.rows import queue_settled

_BATCH = 500


def refresh_wanted(connection: Connection, sweep_id: int) -> None:
    """Set `wanted` anew for every run of a sweep, after its state or priority changed or combinations were added."""
    for run_ids in _run_ids(connection, sweep_id):
        _refresh(connection, run_ids)


def sweep_id(connection: Connection, name: str) -> int:
    """The number of the sweep of that name, which must exist."""
    return connection.execute(select(Sweep.id).where(Sweep.name == name)).scalar_one()


def name_of(connection: Connection, sweep_id: int) -> str:
    """What a sweep is called."""
    return connection.execute(select(Sweep.name).where(Sweep.id == sweep_id)).scalar_one()


def _refresh(connection: Connection, run_ids: Sequence[int]) -> None:
    highest = (
        select(func.max(Sweep.priority))
        .join(Combination, Combination.sweep_id == Sweep.id)
        .where(Combination.run_id == Run.id, Sweep.state == "active")
        .scalar_subquery()
    )
    connection.execute(update(Run).where(Run.id.in_(run_ids)).values(wanted=highest))


def pause(connection: Connection, sweep_id: int, reason: str | None = None) -> bool:
    """Nothing of it starts any more, and what runs for it alone stops at its next step, to go on from there. False if it was not active.

    reason: a sentence, where no person asked for it.
    """
    changed = connection.execute(
        update(Sweep).where(Sweep.id == sweep_id, Sweep.state == "active").values(state="paused", reason=reason)
    ).rowcount
    if changed:
        refresh_wanted(connection, sweep_id)
    return changed == 1


def resume(connection: Connection, sweep_id: int) -> bool:
    """Make a paused or cancelled sweep active again; what was cancelled with it is queued again. False if it was active."""
    row = connection.execute(select(Sweep.state).where(Sweep.id == sweep_id)).scalar_one()
    if row == "active":
        return False
    values = {"state": "active", "reason": None, "deadline": None, "archived_at": None}
    connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(**values))
    if row == "cancelled":
        for run_ids in _run_ids(connection, sweep_id):
            queue_settled(connection, run_ids, ("cancelled",))
    refresh_wanted(connection, sweep_id)
    return True


def cancel(connection: Connection, sweep_id: int) -> int:
    """End a sweep: its claim on its runs goes, and runs that no other sweep claims (a paused one does) are cancelled. Returns how many."""
    connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(state="cancelled", reason=None))
    refresh_wanted(connection, sweep_id)
    claims = (
        select(Combination.id)
        .join(Sweep, Sweep.id == Combination.sweep_id)
        .where(Combination.run_id == Run.id, Sweep.state != "cancelled")
        .exists()
    )
    return sum(_cancel(connection, run_ids, ~claims) for run_ids in _run_ids(connection, sweep_id))


def cancel_run(connection: Connection, run_id: int) -> bool:
    """End one run, for every sweep that claims it. False if it had ended already."""
    return _cancel(connection, [run_id]) == 1


def _cancel(connection: Connection, run_ids: Sequence[int], *only: ColumnElement[bool]) -> int:
    """Queued and running ones; a running one's attempt is closed, so that whatever its worker still tells is late."""
    these = connection.execute(select(Run.id).where(Run.id.in_(run_ids), Run.state.in_(UNSETTLED), *only)).scalars().all()
    now = time.time()
    ended = {"state": "cancelled", "error": "cancelled, as asked", "finished_at": now}
    connection.execute(update(Attempt).where(Attempt.run_id.in_(these), Attempt.state == "running").values(**ended))
    for table in (Checkpoint, Preview):
        connection.execute(delete(table).where(table.run_id.in_(these)))
    gone = {"state": "cancelled", "owner": None, "lease": None, "finished_at": now}
    return connection.execute(update(Run).where(Run.id.in_(these)).values(**gone)).rowcount


def set_sweep_priority(connection: Connection, sweep_id: int, priority: int) -> None:
    """Higher ones first, from the next run that starts on."""
    connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(priority=priority))
    refresh_wanted(connection, sweep_id)


def set_run_priority(connection: Connection, run_id: int, priority: int) -> None:
    """Before the priority of sweeps."""
    connection.execute(update(Run).where(Run.id == run_id).values(priority=priority))


def held(connection: Connection, owner: str) -> set[tuple[str, int]]:
    """(run_key, attempt) of what a driver holds and somebody still wants; whatever else it has in flight is to stop."""
    statement = select(Run.run_key, Run.attempts).where(Run.state == "running", Run.owner == owner, Run.wanted.is_not(None))
    return {(run_key, attempt) for run_key, attempt in connection.execute(statement)}


def _run_ids(connection: Connection, sweep_id: int) -> Iterator[list[int]]:
    ids = list(connection.execute(select(Combination.run_id).where(Combination.sweep_id == sweep_id).distinct()).scalars())
    for start in range(0, len(ids), _BATCH):
        yield ids[start : start + _BATCH]

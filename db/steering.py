"""What people ask of a sweep or a run: pause, resume, cancel, priority. Short transactions of anyone; the driver polls the rows."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from db.models import Combination, Run, Sweep

_BATCH = 500


def refresh_wanted(connection: Connection, sweep_id: int) -> None:
    """Set `wanted` anew for every run of a sweep, after its state or priority changed or combinations were added."""
    ids = list(connection.execute(select(Combination.run_id).where(Combination.sweep_id == sweep_id).distinct()).scalars())
    for start in range(0, len(ids), _BATCH):
        _refresh(connection, ids[start : start + _BATCH])


def _refresh(connection: Connection, run_ids: Sequence[int]) -> None:
    highest = (
        select(func.max(Sweep.priority))
        .join(Combination, Combination.sweep_id == Sweep.id)
        .where(Combination.run_id == Run.id, Sweep.state == "active")
        .scalar_subquery()
    )
    connection.execute(update(Run).where(Run.id.in_(run_ids)).values(wanted=highest))

"""Merging sweeps: which of the other's is which of ours, and the combinations that ours does not have yet."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, case, exists, func, insert, literal, select, update

from db.merge_tables import OTHER, RUN_MAP, names
from db.models import UNSETTLED, Combination, Run, Sweep
from db.rows import queue_settled
from db.steering import refresh_wanted

REASON = "it came from another workspace with runs that are not finished; `stylesweep resume` runs them here too"
"""Why a sweep is paused that nobody paused: results are merged to be looked at, and must not set this machine to work."""
THEIRS = OTHER["sweep"]
MOST_OF_ONE_NAME = 1000


@dataclass(frozen=True, kw_only=True)
class MergedSweeps:
    """added: sweeps that are new here; renamed: (name there, name here); paused: names of those that came unfinished."""

    added: int
    combinations: int
    renamed: tuple[tuple[str, str], ...]
    paused: tuple[str, ...]


def sweeps(connection: Connection) -> MergedSweeps:
    """Insert what is new, and extend what has grown."""
    before = connection.execute(select(func.coalesce(func.max(Combination.id), 0))).scalar_one()
    added, renamed, ids, fresh = 0, [], [], set()
    for row in connection.execute(select(THEIRS).order_by(THEIRS.c.id)).all():
        keys = _keys(connection, OTHER["combination"], row.id)
        sweep_id, name = _counterpart(connection, row.name, keys)
        if sweep_id is None:
            sweep_id, added = _insert(connection, row, name), added + 1
            fresh.add(sweep_id)
        elif keys > _keys(connection, Combination.__table__, sweep_id):  # it has grown there: its file is the newer one
            values = {column: getattr(row, column) for column in ("spec_text", "spec_path", "search_seed", "resources")}
            connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(**values))
        if name != row.name:
            renamed.append((row.name, name))
        _combinations(connection, row.id, sweep_id)
        ids.append(sweep_id)
    combinations = connection.execute(select(func.count()).where(Combination.id > before)).scalar_one()
    _claim(connection, before)
    before_paused = connection.execute(select(Sweep.id).where(Sweep.state == "paused", Sweep.reason == REASON)).scalars()
    looked_at = dict.fromkeys([*ids, *before_paused])  # what one of these waited for may have come with a sweep of another name
    paused = [held for sweep_id in looked_at if (held := _pause(connection, sweep_id, new=sweep_id in fresh))]
    for sweep_id in looked_at:
        refresh_wanted(connection, sweep_id)
    return MergedSweeps(added=added, combinations=combinations, renamed=tuple(renamed), paused=tuple(paused))


def _keys(connection: Connection, table: Any, sweep_id: int) -> set[str]:
    return set(connection.execute(select(table.c.combination_key).where(table.c.sweep_id == sweep_id)).scalars())


def same_sweep(ours: Set[str], theirs: Set[str]) -> bool:
    """Whether two sweeps of one name are one: at least half of the smaller one's combinations are in the other, so that one that was
    extended is known again. `run` asks the same of a changed file."""
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs))


def _counterpart(connection: Connection, name: str, keys: Set[str]) -> tuple[int | None, str]:
    """Our sweep that it is, and the name it has here: its own, else `name (2)`, `name (3)`, ..., so that a second merge finds it again."""
    for number in range(1, MOST_OF_ONE_NAME):
        here = name if number == 1 else f"{name[:190]} ({number})"
        sweep_id = connection.execute(select(Sweep.id).where(Sweep.name == here)).scalar()
        if sweep_id is None or same_sweep(_keys(connection, Combination.__table__, sweep_id), keys):
            return sweep_id, here
    raise AssertionError(f"{MOST_OF_ONE_NAME} sweeps named {name!r}")


def _insert(connection: Connection, row: Row[Any], name: str) -> int:
    """Without its deadline, which was for the machines there."""
    columns = names("sweep", "id", "name", "deadline")
    values = {column: getattr(row, column) for column in columns}
    return connection.execute(insert(Sweep).values(name=name, **values).returning(Sweep.id)).scalar_one()


def _combinations(connection: Connection, other_id: int, sweep_id: int) -> None:
    """Those that ours lacks, behind the ones that it has; in a sweep that is new here, where they were."""
    theirs = OTHER["combination"]
    highest = connection.execute(select(func.max(Combination.position)).where(Combination.sweep_id == sweep_id)).scalar()
    position = theirs.c.position if highest is None else literal(highest) + func.row_number().over(order_by=theirs.c.position)
    known = exists().where(Combination.sweep_id == sweep_id, Combination.combination_key == theirs.c.combination_key)
    changed = {"sweep_id": literal(sweep_id), "run_id": RUN_MAP.c.run_id, "position": position}
    columns = names("combination", "id")
    rows = (
        select(*[changed.get(name, theirs.c[name]) for name in columns])
        .join(RUN_MAP, RUN_MAP.c.other_id == theirs.c.run_id)
        .where(theirs.c.sweep_id == other_id, ~known)
        .order_by(theirs.c.position)
    )
    connection.execute(insert(Combination).from_select(columns, rows))


def _claim(connection: Connection, before: int) -> None:
    """A run that was cancelled here is queued when a combination comes that still wants it, as by a new claim of `run`."""
    wanted = select(OTHER["run"].c.id).where(OTHER["run"].c.state.in_(UNSETTLED))
    claimed = (
        select(Run.id)
        .join(Combination, Combination.run_id == Run.id)
        .join(RUN_MAP, RUN_MAP.c.run_id == Run.id)
        .where(Combination.id > before, Run.state == "cancelled", RUN_MAP.c.other_id.in_(wanted))
        .distinct()
    )
    queue_settled(connection, list(connection.execute(claimed).scalars()), ("cancelled",))


def _pause(connection: Connection, sweep_id: int, *, new: bool) -> str | None:
    """Pause a sweep that came with runs to do, and let it be finished once they are; its name if it is paused for that reason."""
    unsettled = func.count(case((Run.state.in_(UNSETTLED), 1)))
    left = connection.execute(
        select(unsettled).select_from(Combination).join(Run, Run.id == Combination.run_id).where(Combination.sweep_id == sweep_id)
    ).scalar_one()
    ours = connection.execute(select(Sweep.name, Sweep.state, Sweep.reason).where(Sweep.id == sweep_id)).one()
    if new and left and ours.state == "active":
        connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(state="paused", reason=REASON))
        return str(ours.name)
    if ours.state == "paused" and ours.reason == REASON:
        if left:
            return str(ours.name)
        connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(state="active", reason=None))
    return None

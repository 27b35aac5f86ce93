"""What a run was made from, and what was made from it.

`stylesweep rerun` names its sweep after the run: rerun-, the first 8 digits of its key, and the size where that is another. That name is
the record; a sweep that was given another one by hand is not found.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, select

from db.models import Combination, Run, Sweep
from db.queries import key_begins

_RERUN = re.compile(r"rerun-([0-9a-f]{8})(?:-[0-9]+)?(?: \([0-9]+\))?")
_MOST = 50


@dataclass(frozen=True, kw_only=True)
class Relative:
    """A run by its key, with the sweep that makes the relation and the size of its picture."""

    run_key: str
    sweep: str
    size: int


def made_from(connection: Connection, sweeps: Sequence[str], run_key: str) -> list[Relative]:
    """The runs that these sweeps, which hold the run, were made from."""
    found = []
    for name in sweeps:
        match = _RERUN.fullmatch(name)
        if match is None:
            continue
        statement = _relatives().where(key_begins(match[1]), Run.run_key != run_key).order_by(Combination.id).limit(1)
        found += [Relative(run_key=key, sweep=name, size=size) for key, _, size in connection.execute(statement)]
    return found


def made_into(connection: Connection, run_key: str) -> list[Relative]:
    """The runs of sweeps that were made from this one."""
    short = run_key.removeprefix("r1-")[:8]
    named = select(Sweep.id, Sweep.name).where(Sweep.name.startswith(f"rerun-{short}", autoescape=True))
    ids = [sweep_id for sweep_id, name in connection.execute(named) if _RERUN.fullmatch(name)]
    if not ids:  # as mostly; in one statement SQLite would walk through all combinations, in the order that is asked for
        return []
    statement = _relatives().where(Combination.sweep_id.in_(ids), Run.run_key != run_key).order_by(Combination.id).limit(_MOST)
    return [Relative(run_key=key, sweep=name, size=size) for key, name, size in connection.execute(statement)]


def _relatives() -> Select[str, str, int]:
    joined = select(Run.run_key, Sweep.name, Combination.size).join(Combination, Combination.run_id == Run.id)
    return joined.join(Sweep, Sweep.id == Combination.sweep_id)

"""What every run needs of the database, as statements that are built once: to build one costs several times what SQLite takes to run it.

`which` is a run's id. An update sets the columns that it is given values for.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects import sqlite

from db.models import Attempt, Checkpoint, Combination, Driver, Image, Preview, Run, Snapshot, Sweep

_RUN = Run.id == bindparam("which")


class Ready:
    """A statement that is made into SQL once for each set of names that it is given values for.

    SQLAlchemy keeps that, too, but looks it up, and at the types of all values and results, with every execution; that takes longer than
    SQLite does. Rows come as SQLite gives them: for statements that give numbers and texts.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement: Any = statement
        self._made: dict[tuple[str, ...], tuple[str, list[Callable[[Mapping[str, Any]], Any]]]] = {}

    def __call__(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute it."""
        names = tuple(values)
        if names not in self._made:
            self._made[names] = self._make(connection, names)
        sql, places = self._made[names]
        return connection.exec_driver_sql(sql, tuple([place(values) for place in places]))

    def _make(self, connection: Connection, names: tuple[str, ...]) -> tuple[str, list[Callable[[Mapping[str, Any]], Any]]]:
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=list(names))
        fixed = compiled.construct_params(dict.fromkeys(names))

        def place(name: str) -> Callable[[Mapping[str, Any]], Any]:
            convert = compiled.binds[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
            if name not in names:  # what the statement itself says
                assert fixed[name] is not None, f"{name} has a default, which is for SQLAlchemy to fill in"
                said = convert(fixed[name]) if convert else fixed[name]
                return lambda _: said
            return (lambda values: convert(values[name])) if convert else (lambda values: values[name])

        return str(compiled), [place(name) for name in compiled.positiontup]


ADD_IMAGE = Ready(sqlite.insert(Image).on_conflict_do_nothing())
PUT_POINT = "INSERT OR REPLACE INTO loss_point (run_id, step, size, content_loss, style_loss, tv_loss) VALUES (?, ?, ?, ?, ?, ?)"
"""As text: two hundred rows a run, of plain numbers, take half the time when nothing is done to them on the way."""
PUT_SNAPSHOT = insert(Snapshot).prefix_with("OR REPLACE")
FORGET_STATE, FORGET_PREVIEW = (delete(table).where(table.run_id == bindparam("which")) for table in (Checkpoint, Preview))
HELD = Ready(
    select(Run.id).where(
        Run.run_key == bindparam("run_key"), Run.state == "running", Run.owner == bindparam("owner"), Run.attempts == bindparam("attempt")
    )
)
DRIVING = Ready(select(Driver.id).where(Driver.id == bindparam("owner"), Driver.ended_at.is_(None)))
"""Whether an owner is still the driver."""
UPDATE_RUN = Ready(update(Run).where(_RUN))
UPDATE_RUNNING = Ready(update(Run).where(_RUN, Run.state == "running"))
OPEN_ATTEMPT = Ready(insert(Attempt))
UPDATE_ATTEMPT = Ready(update(Attempt).where(Attempt.run_id == bindparam("which"), Attempt.number == bindparam("try")))
_COUNTS = select(
    select(func.count()).where(Run.state == "running").scalar_subquery().label("running"),
    select(func.max(Attempt.id)).scalar_subquery().label("newest"),
    select(func.max(Run.finished_seq)).scalar_subquery().label("highest"),
)
COUNTS = Ready(_COUNTS)
"""Each is read from an index."""
SETTLING = Ready(
    _COUNTS.add_columns(
        *(exists().where(table.run_id == bindparam("which")).label(name) for table, name in ((Checkpoint, "state"), (Preview, "preview")))
    )
)
"""And whether a run has left something that goes when it settles."""

QUEUE = Ready(
    select(Run.id, Run.run_key, Run.attempts, Run.settings, Run.work, Run.alone, Run.memory_asked, Run.gpus_asked)
    .where(Run.state == "queued", Run.wanted.is_not(None))
    .order_by(Run.priority.desc(), Run.wanted.desc(), Run.id)
    .limit(bindparam("most"))
)
"""Runs that an active sweep wants: by their own priority, then by that of their sweeps, then by age."""
QUEUED = select(func.count()).select_from(Run).where(Run.state == "queued", Run.wanted.is_not(None))
CLAIM = Ready(
    select(Sweep.name, Sweep.resources, Combination.alpha, Combination.beta, Combination.layers)
    .join(Combination, Combination.sweep_id == Sweep.id)
    .where(Combination.run_id == bindparam("which"), Sweep.state == "active")
    .order_by(Sweep.priority.desc(), Sweep.id, Combination.position)
    .limit(1)
)
"""The first combination that wants a run."""
PICTURES = select(Image.sha256, Image.original_name, Image.height, Image.width).where(
    Image.sha256.in_(bindparam("pictures", expanding=True))
)

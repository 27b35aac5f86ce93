"""`pause`, `resume`, `cancel`, `priority`: short transactions; whoever drives the workspace sees them within a second."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select

from db import queries, steering
from db.engine import storage_errors
from db.models import Run
from db.workspace import Workspace, open_workspace
from sweep.cli.wording import command, count, printable
from sweep.errors import InputError

Answer = TypeVar("Answer")
MOST = 1_000_000
"""The highest priority, and below zero the lowest."""


def pause(name: str, folder: Path) -> None:
    """`stylesweep pause`."""
    workspace = open_workspace(folder, create=False)
    changed = _of_sweep(workspace, name, steering.pause)
    if not changed:
        print(printable(f"{name} was not running."))
        return
    print(printable(f"{name} is paused: nothing of it starts, and what is running stops at its next step, to go on from there."))
    print(printable(f"`{command(folder, 'resume', name)}` goes on."))


def resume(name: str, folder: Path) -> None:
    """`stylesweep resume`."""
    workspace = open_workspace(folder, create=False)
    changed = _of_sweep(workspace, name, steering.resume)
    print(printable(f"{name} is active again." if changed else f"{name} was active already."))
    with workspace.reader().connect() as connection:
        row, driver = queries.sweep_named(connection, name), queries.driver(connection)
    if driver is None and row.settled < row.runs:
        print(printable(f"no driver is running: type `{command(folder, 'run', name)}` to go on"))


def cancel(what: str, folder: Path) -> None:
    """`stylesweep cancel`: a sweep's claim on its runs, or one run."""
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        is_sweep = bool(queries.sweeps(connection, what))
    if is_sweep:
        ended = _of_sweep(workspace, what, steering.cancel)
        back = command(folder, "resume", what)
        still = f"{count(ended, 'run')} of it {'was' if ended == 1 else 'were'} still to do"
        print(printable(f"{what} is cancelled; {still}. What is done stays. `{back}` takes it back."))
        return
    key, run_id = _run(workspace, what)
    with storage_errors(workspace.url), workspace.writer().begin() as connection:
        ended_one = steering.cancel_run(connection, run_id)
    back = f"is cancelled. `{command(folder, 'retry', key[:11])}` takes it back."
    print(f"{key[:11]} {back if ended_one else 'had ended already.'}")


def priority(what: str, value: int, folder: Path) -> None:
    """`stylesweep priority`: of a sweep, or of one run, which comes before that of sweeps."""
    if abs(value) > MOST:
        raise InputError(f"{value} is no priority; give a whole number from {-MOST} to {MOST}.")
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        is_sweep = bool(queries.sweeps(connection, what))
    if is_sweep:
        _of_sweep(workspace, what, lambda connection, sweep_id: steering.set_sweep_priority(connection, sweep_id, value))
        print(printable(f"{what} has priority {value} from the next run that starts on."))
        return
    key, run_id = _run(workspace, what)
    with storage_errors(workspace.url), workspace.writer().begin() as connection:
        steering.set_run_priority(connection, run_id, value)
    print(f"{key[:11]} has priority {value}.")


def _of_sweep(workspace: Workspace, name: str, what: Callable[[Connection, int], Answer]) -> Answer:
    with workspace.reader().connect() as connection:
        sweep_id = queries.sweep_named(connection, name).id
    with storage_errors(workspace.url), workspace.writer().begin() as connection:
        return what(connection, sweep_id)


def _run(workspace: Workspace, text: str) -> tuple[str, int]:
    """Key and number of a run. Raises InputError: there is neither a sweep nor a run of that name."""
    with workspace.reader().connect() as connection:
        try:
            key = queries.find_result(connection, text).run_key
        except InputError as error:
            raise InputError(f"{text!r} is neither a sweep nor a run of this workspace; `stylesweep status` lists the sweeps.") from error
        return key, connection.execute(select(Run.id).where(Run.run_key == key)).scalar_one()

"""`run` of a sweep by its name: what is recorded goes on, whatever has become of its file and of the pictures that it named."""

from pathlib import Path

from db import queries, spending
from db.store import Store
from db.workspace import open_workspace
from sweep.cli.planning import check_address, ensure_networks
from sweep.cli.running import RunOptions, carry_out
from sweep.cli.tally import Outlook
from sweep.cli.wording import count, say
from sweep.errors import InputError

MOST_NAMED = 10


def recorded(what: Path, folder: Path) -> bool:
    """Whether this is no file, but the name of a sweep that the workspace has. Raises InputError where it is neither."""
    if what.is_file() or not (folder / "sweeps.db").is_file():
        return False
    with open_workspace(folder, create=False).reader().connect() as connection:
        if queries.sweeps(connection, str(what)):
            return True
        names = ", ".join(row.name for row in queries.sweeps(connection)[:MOST_NAMED]) or "none yet"
    if what.exists():  # a folder, a pipe: what reads it says what it makes of it
        return False
    raise InputError(f"there is no file {what}, and no sweep of that name in {folder}; its sweeps: {names}.")


def go_on(name: str, options: RunOptions) -> int:
    """Run what is left of a recorded sweep. Returns the exit code.

    Raises:
        InputError: an option needs the sweep's file, or the sweep has no price to be limited by.
    """
    check_address(options.address)
    if options.extend:
        raise InputError(f"--extend adds what a file says to the sweep of its name; give that file, and not {name!r}.")
    workspace = open_workspace(options.workspace, create=False)
    with workspace.reader().connect() as connection:
        row = queries.sweep_named(connection, name)
        if options.max_cost is not None and spending.price(connection, row.id) is None:
            raise InputError(f"--max-cost needs a price: the file of {name} gave no resources.price_per_hour when it was recorded.")
        networks = queries.networks_needed(connection, row.id)
    ensure_networks((network, None) for network in networks)
    say(f"{name}: {count(row.runs - row.settled, 'run')} of {row.runs:,} to go")
    return carry_out(workspace, Store(workspace.writer(), workspace.artifacts), Outlook(name=name), options)

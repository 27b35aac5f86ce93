"""`status`, `runs`, `logs`, `retry`, `weights list`: reading a workspace aloud."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from db import queries, watching
from db.drivers import DriverRow
from db.engine import storage_errors
from db.models import RUN_STATES, Combination, Run, Sweep
from db.queries import PARAMETERS, Result
from db.store import Store
from db.workspace import Workspace, open_workspace
from sweep.amounts import amount_of_bytes, amount_of_time
from sweep.cli.wording import command, count, plain, printable
from sweep.standing import FromOutside, Standing
from sweep.transfer.yardstick_names import protocols_of

BEST_PER_PAIR = 6
MOST_ROWS = 60
WIDE, WITHOUT_TERMINAL = 120, 160
"""Columns from which there is room for long headings, and those that a table may take where there is no terminal."""
_BREAKS = {name: 10 for name in ("content", "style", "layers", "weights", "sweep", "state", "node", "device", "what it is")}
"""Columns whose text may go on in the next line, and how narrow they may be; numbers and run keys stay whole."""


def out() -> Console:
    """For answers. No markup and no emoji: names are shown as they are, 'a[1].jpg' and ':no_entry:' too."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WITHOUT_TERMINAL
    return console


def table_of(*names: str) -> Table:
    """A table with these columns."""
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=name not in _BREAKS, overflow="fold" if name == "layers" else "ellipsis")
    return table


def show(table: Table) -> None:
    """Print it. Where a terminal is too narrow even so, that breaks the lines, and nothing is cut."""
    console, least = out(), 0
    for column in table.columns:
        longest = max(cell_len(line) for text in (column.header, *column.cells) for line in str(text).splitlines() or [""])
        least += min(longest, _BREAKS.get(str(column.header), longest)) + 2
    console.width = max(console.width, least)
    console.print(table)


def status(name: str | None, folder: Path, *, as_json: bool, archived: bool = False) -> None:
    """`stylesweep status`; archived sweeps only where they are asked for, by name or all."""
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        rows = [queries.sweep_named(connection, name)] if name else queries.sweeps(connection)
        driver = queries.driver(connection)
        hidden = 0 if name or archived else sum(row.archived_at is not None for row in rows)
        rows = [row for row in rows if row.archived_at is None] if hidden else rows
        standings = [FromOutside(row.id).look(connection) for row in rows]
        reasons = watching.reasons(connection)
    if as_json:
        said = [_sweep_json(row, standing, driver) | {"reason": reasons.get(row.id)} for row, standing in zip(rows, standings, strict=True)]
        print(json.dumps(said))
        return
    show(_standings(rows, standings, driven=driver is not None))
    for row in rows:
        if reasons.get(row.id):
            print(printable(f"{row.name} is {row.state}: {reasons[row.id]}"))
    if driver:
        beat = amount_of_time(time.time() - driver.heartbeat)
        print(f"driven by pid {driver.pid} on {driver.host.split('/')[0]}, heard {beat} ago")
    elif any(row.settled < row.runs for row in rows):
        waiting = next(row for row in rows if row.settled < row.runs)
        print(printable(f"no driver is running: type `{command(folder, 'run', waiting.name)}` to go on"))
    if hidden:
        print(f"{hidden} archived not shown: {command(folder, 'status', '--all')}")


def _standings(rows: Sequence[queries.SweepRow], standings: Sequence[Standing], *, driven: bool) -> Table:
    """A row for each sweep; the time left and the price only where there are any."""
    timed = driven and any(one.seconds_left is not None for one in standings)
    priced = any(one.spent is not None for one in standings)
    combinations, not_done = ("combinations", "not done") if out().width >= WIDE else ("combi-\nnations", "not\ndone")
    more = (["left"] if timed else []) + (["spent"] if priced else [])
    table = table_of("sweep", "state", combinations, "runs", "done", "running", "queued", not_done, "settled", *more)
    for row, standing in zip(rows, standings, strict=True):
        state = row.state if row.archived_at is None else f"{row.state}, archived"
        numbers = (row.combinations, row.runs, *(row.states.get(state, 0) for state in ("done", "running", "queued")), standing.failed)
        left = "" if standing.seconds_left is None else amount_of_time(standing.seconds_left)
        spent = "" if standing.spent is None else f"{standing.spent:,.2f}"
        last = ([left] if timed else []) + ([spent] if priced else [])
        table.add_row(row.name, state, *map(str, numbers), f"{_percent(row):.0f} %", *last)
    return table


def _percent(row: queries.SweepRow) -> float:
    return 100 * row.settled / row.runs if row.runs else 100.0


def _sweep_json(row: queries.SweepRow, standing: Standing, driver: DriverRow | None) -> dict[str, Any]:
    counts = {"combinations": row.combinations, "runs": row.runs, **{state: row.states.get(state, 0) for state in RUN_STATES}}
    left = standing.seconds_left if driver else None
    more = {"percent": round(_percent(row), 2), "seconds_left": left, "spent": standing.spent, "driven": driver is not None}
    return {"name": row.name, "state": row.state, "archived": row.archived_at is not None, **counts, **more}


def runs(name: str, folder: Path, *, as_json: bool) -> None:
    """`stylesweep runs`."""
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        queries.sweep_named(connection, name)
        found = queries.results(connection, Sweep.name == name)
    if as_json:
        print(json.dumps([_result_json(result) for result in found]))
        return
    _print_pairs(found, folder, limit=len(found))


def _result_json(result: Result) -> dict[str, Any]:
    same = {name: getattr(result, name) for name in ("run_key", "state", "position", "seconds", "error")}
    measured = {"yardsticks": dict(result.yardsticks), "protocol": result.protocol, "protocols": protocols_of(result.yardsticks)}
    return {**same, **result.parameters, **measured, "image": result.image_path()}


def print_best(workspace: Workspace, name: str) -> None:
    """The table a sweep ends with: runs by balance within each content-style pair."""
    with workspace.reader().connect() as connection:
        found = queries.results(connection, Sweep.name == name)
    _print_pairs(found, workspace.folder, limit=BEST_PER_PAIR)


def _print_pairs(found: Sequence[Result], folder: Path, limit: int) -> None:
    varying = [name for name in PARAMETERS[2:] if len({result.parameters[name] for result in found}) > 1] or ["beta"]
    table = table_of("content", "style", *varying, "balance", "kept", "gained", "time", "run")
    pairs: dict[tuple[str, str], list[Result]] = {}
    for result in found:
        pairs.setdefault((plain(result.parameters["content"]), plain(result.parameters["style"])), []).append(result)
    rows = 0
    for pair, members in pairs.items():
        members.sort(key=lambda one: (-(one.yardsticks["balance"] if one.yardsticks["balance"] is not None else -1), one.position))
        for index, result in enumerate(members[:limit]):
            if rows >= MOST_ROWS and limit == BEST_PER_PAIR:
                break
            table.add_row(*(pair if index == 0 else ("", "")), *_cells(result, varying))
            rows += 1
        table.add_section()
    show(table)
    if rows < len(found):
        print(printable(f"... and {len(found) - rows} more: {command(folder, 'runs', found[0].sweep)}"))


def _cells(result: Result, varying: Sequence[str]) -> list[str]:
    parameters = [plain(result.parameters[name]) for name in varying]
    if result.state != "done":
        return [*parameters, result.state, "", "", "", result.run_key[:11]]
    yardsticks = [result.yardsticks[name] for name in ("balance", "content_kept", "style_gained")]
    measured = ["-" if value is None else f"{value:.3f}" for value in yardsticks]
    return [*parameters, *measured, amount_of_time(result.seconds or 0), result.run_key[:11]]


def logs(run: str, folder: Path) -> None:
    """`stylesweep logs`."""
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        result = queries.find_result(connection, run)
        attempts = queries.attempts(connection, result.run_key)
    print(f"{result.run_key} {result.state}: " + ", ".join(f"{k} {plain(v)}" for k, v in result.parameters.items()))
    for attempt in attempts:
        when = datetime.fromtimestamp(attempt["created_at"]).strftime("%Y-%m-%d %H:%M:%S")
        took = f", {amount_of_time(attempt['seconds'])}" if attempt["seconds"] else ""
        where = f" on {attempt['node']} ({attempt['device']})" if attempt["node"] else ""
        print(f"attempt {attempt['number']}, {when}: {attempt['state']}{where}{took}")
        for text in (attempt["notes"], attempt["error"], attempt["traceback"]):
            if text:
                print("  " + text.rstrip().replace("\n", "\n  "))


def retry(what: str, folder: Path) -> None:
    """`stylesweep retry`."""
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        one = None if queries.sweeps(connection, what) else queries.find_result(connection, what)
        which = Sweep.name == what if one is None else Run.run_key == one.run_key
        statement = select(Run.id).join(Combination, Combination.run_id == Run.id).join(Sweep, Sweep.id == Combination.sweep_id)
        ids = list(connection.execute(statement.where(which).distinct()).scalars())
    with storage_errors(workspace.url):
        queued = Store(workspace.writer(), workspace.artifacts).retry(ids)
    if not queued:
        print(printable(f"{what}: nothing failed, diverged or was cancelled, so there is nothing to try again."))
        return
    again = command(folder, "run", what if one is None else one.sweep)
    print(printable(f"{count(queued, 'run')} queued again. Run {'it' if queued == 1 else 'them'}: {again}"))


def networks() -> None:
    """`stylesweep weights list`."""
    from sweep.transfer.presets import NETWORKS
    from sweep.transfer.weights import is_cached

    table = table_of("network", "download", "here", "what it is")
    for info in NETWORKS.values():
        here = "yes" if is_cached(info.name) else "no"
        table.add_row(info.name, amount_of_bytes(info.download_bytes), here, info.description)
    show(table)

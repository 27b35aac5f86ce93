"""`status`, `runs`, `logs`, `retry`, `weights list`: reading a workspace aloud."""

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

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
from sweep.cli.wording import plain
from sweep.standing import FromOutside, Standing
from sweep.transfer.yardstick_names import protocols_of

BEST_PER_PAIR = 6
MOST_ROWS = 60


def out() -> Console:
    """For answers: a table has its whole width where no terminal cuts it."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


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
    table = Table("sweep", "state", "combinations", "runs", "done", "running", "queued", "not done", "settled", "left", "spent", box=None)
    for row, standing in zip(rows, standings, strict=True):
        counts = [row.states.get(state, 0) for state in ("done", "running", "queued")]
        left = amount_of_time(standing.seconds_left) if driver and standing.seconds_left is not None else ""
        last = (f"{_percent(row):.0f} %", left, "" if standing.spent is None else f"{standing.spent:,.2f}")
        state = row.state if row.archived_at is None else f"{row.state}, archived"
        table.add_row(row.name, state, str(row.combinations), str(row.runs), *map(str, counts), str(standing.failed), *last)
    out().print(table)
    for row in rows:
        if reasons.get(row.id):
            print(f"{row.name} is {row.state}: {reasons[row.id]}")
    if driver:
        beat = amount_of_time(time.time() - driver.heartbeat)
        print(f"driven by pid {driver.pid} on {driver.host.split('/')[0]}, heard {beat} ago")
    elif any(row.settled < row.runs for row in rows):
        waiting = next(row for row in rows if row.settled < row.runs)
        print(f"no driver is running: type `stylesweep run {waiting.spec_path}` to go on")
    if hidden:
        print(f"{hidden} archived not shown: stylesweep status --all")


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
    _print_pairs(found, limit=len(found))


def _result_json(result: Result) -> dict[str, Any]:
    same = {name: getattr(result, name) for name in ("run_key", "state", "position", "seconds", "error")}
    measured = {"yardsticks": dict(result.yardsticks), "protocol": result.protocol, "protocols": protocols_of(result.yardsticks)}
    return {**same, **result.parameters, **measured, "image": result.image_path()}


def print_best(workspace: Workspace, name: str) -> None:
    """The table a sweep ends with: runs by balance within each content-style pair."""
    with workspace.reader().connect() as connection:
        found = queries.results(connection, Sweep.name == name)
    _print_pairs(found, limit=BEST_PER_PAIR)


def _print_pairs(found: Sequence[Result], limit: int) -> None:
    console = out()
    varying = [name for name in PARAMETERS[2:] if len({result.parameters[name] for result in found}) > 1] or ["beta"]
    table = Table("content", "style", *varying, "balance", "kept", "gained", "time", "run", box=None, pad_edge=False)
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
    console.print(table)
    if rows < len(found):
        print(f"... and {len(found) - rows} more: stylesweep runs {found[0].sweep}")


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
        named = queries.sweeps(connection, what)
        which = Sweep.name == what if named else Run.run_key == queries.find_result(connection, what).run_key
        spec_path = (named or queries.sweeps(connection))[0].spec_path
        statement = select(Run.id).join(Combination, Combination.run_id == Run.id).join(Sweep, Sweep.id == Combination.sweep_id)
        ids = list(connection.execute(statement.where(which).distinct()).scalars())
    with storage_errors(workspace.url):
        queued = Store(workspace.writer(), workspace.artifacts).retry(ids)
    print(f"{queued} runs queued again." + (f" Run them: stylesweep run {spec_path}" if queued else ""))


def networks() -> None:
    """`stylesweep weights list`."""
    from sweep.transfer.presets import NETWORKS
    from sweep.transfer.weights import cache_folder

    table = Table("network", "download", "here", "what it is", box=None)
    for info in NETWORKS.values():
        here = "yes" if (cache_folder() / f"{info.name}.safetensors").is_file() else "no"
        table.add_row(info.name, amount_of_bytes(info.download_bytes), here, info.description)
    out().print(table)

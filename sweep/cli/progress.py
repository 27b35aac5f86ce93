"""Who is told how a sweep goes: a live line on a terminal, plain lines in a log, JSON lines for machines."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from db import queries
from db.store import ClaimedRun
from db.workspace import Workspace
from sweep import events
from sweep.amounts import amount_of_time
from sweep.cli.tally import Outlook, Tally
from sweep.cli.wording import printable
from sweep.standing import FromOutside, Standing

FOLLOW_SECONDS = 1.0
LOG_SECONDS = 60.0
"""How often a log file gets a line on how the sweep stands."""
JSON_SECONDS = 5.0
JOB_SECONDS = 2.0
"""How often, at most, a job's log is told how the sweep stands."""
BAR, NAME = 16, 16
"""Columns of the live line for the bar, and at most for the sweep's name."""


class Line:
    """One live line: a bar, and as much of the standing as the terminal's width holds; in a log file, a plain line a minute."""

    def __init__(self, name: str) -> None:
        # No markup and no emoji: names of files and texts of errors are shown as they are, '[/dev/null]' and ':no_entry:' too.
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._name = name if len(name) <= NAME else f"{name[: NAME - 1]}…"
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="crop"))
        self._progress = Progress(BarColumn(BAR), text, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._progress.add_task(self._name, total=None)
        self._logged = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, standing: Standing) -> None:
        if self.console.is_terminal:
            room = self.console.width - BAR - len(self._name) - 4
            self.tell(standing.settled, standing.runs, standing.line(room))
        elif time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            self.console.print(f"{self._name}: {', '.join(standing.parts())}", soft_wrap=True)

    def tell(self, done: int, runs: int, news: str) -> None:
        """The live line, from what another process says of its standing."""
        self._progress.update(self._task, completed=done, total=runs, description=f"{self._name}  {news}")


class LogLine:
    """In place of the live line, in a log that another machine follows (`attach`): JSON lines, few enough for a weekend."""

    def __init__(self, name: str) -> None:
        self.console = self
        self._name = name
        self._told: dict[str, Any] = {}
        self._newest: dict[str, Any] = {}
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def print(self, text: str, **_: object) -> None:
        """A line that stays."""
        print(json.dumps({"line": text}), flush=True)

    def show(self, standing: Standing) -> None:
        """Where it stands: when that has changed, and at most every other second."""
        parts = ", ".join(standing.parts())
        self._newest = {"sweep": self._name, "done": standing.settled, "runs": standing.runs, "news": parts}
        if time.monotonic() >= self._next:
            self._tell()

    def _tell(self) -> None:
        if self._newest != self._told:
            self._told, self._next = self._newest, time.monotonic() + JOB_SECONDS
            print(json.dumps(self._told), flush=True)


class Terminal:
    """Shows what this process drives: a line for each run that has ended, and the live line."""

    def __init__(self, workspace: Workspace, outlook: Outlook, line: "type[Line] | type[LogLine]" = Line) -> None:
        self._tally = Tally(workspace, outlook)
        self._line = line(outlook.name)

    def __enter__(self) -> Self:
        self._line.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._line.__exit__(kind, error, trace)

    def event(self, run: ClaimedRun, event: events.Event, state: str) -> None:
        """Count it, and print a line for what has ended."""
        self._tally.event(run, event, state)
        if isinstance(event, events.Started) and event.device.startswith("cpu") and run.resources.get("gpus"):
            self._print(f"{run.run_key[:11]} asked for a GPU, but torch finds none on {event.node}: it runs on the CPU.")
        elif isinstance(event, events.Stopped):
            self._print(f"{run.run_key[:11]} {_title(run)}: stopped after step {event.step}, as asked.")
        elif isinstance(event, events.Failed | events.Crashed) and state == "queued":
            self._print(f"{run.run_key[:11]} {_title(run)}: {event.error}; it is queued again.")
        elif isinstance(event, events.Finished | events.Diverged | events.Failed | events.Crashed):
            self._print(f"[{self._tally.settled}/{self._tally.runs}] {run.run_key[:11]} {_title(run)}: {_ending(event, state)}")

    def tick(self, in_flight: int) -> None:
        """Redraw the live line."""
        self._line.show(self._tally.standing())

    def remark(self, sentence: str) -> None:
        """A line of its own."""
        self._print(printable(sentence))

    def _print(self, line: str) -> None:
        self._line.console.print(line, soft_wrap=True)


def _ending(event: events.Event, state: str) -> str:
    if isinstance(event, events.Finished):
        balance = event.yardsticks.get("balance")
        return f"{amount_of_time(event.seconds)}, {f'balance {balance:.3f}' if balance is not None else 'no balance'}"
    return f"diverged after step {event.step}" if isinstance(event, events.Diverged) else f"{state}: {getattr(event, 'error', '')}"


class JsonLines:
    """One JSON object per event on standard output, and every few seconds one on how the sweep stands."""

    def __init__(self, workspace: Workspace, outlook: Outlook) -> None:
        self._tally = Tally(workspace, outlook)
        self._name = outlook.name
        self._stood = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def event(self, run: ClaimedRun, event: events.Event, state: str) -> None:
        """Everything but the pictures and states, which are bytes."""
        self._tally.event(run, event, state)
        said: dict[str, Any] = {"event": type(event).__name__.lower(), "sweep": run.sweep, "state": state}
        if isinstance(event, events.Progress):
            said |= {"run_key": event.run_key, "attempt": event.attempt, **asdict(event.points[-1])}
        else:
            said |= {key: value for key, value in vars(event).items() if key not in ("picture", "state")}
        print(json.dumps(said, default=dict), flush=True)

    def tick(self, in_flight: int) -> None:
        """How it stands, now and then."""
        if time.monotonic() - self._stood >= JSON_SECONDS:
            self._stood = time.monotonic()
            print_standing(self._name, self._tally.standing())

    def remark(self, sentence: str) -> None:
        """An event of its own."""
        print(json.dumps({"event": "remark", "text": sentence}), flush=True)


def print_standing(name: str, standing: Standing) -> None:
    """One JSON line on standard output."""
    print(json.dumps({"event": "standing", "sweep": name, **standing.as_json()}), flush=True)


def _title(run: ClaimedRun) -> str:
    style = " + ".join(run.names[sha256] for sha256, _ in run.settings.style)
    return printable(f"{run.names[run.settings.content]} x {style}, alpha {run.alpha:.4g}, beta {run.beta:.4g}, {run.layers}")


def follow(
    workspace: Workspace, name: str, stop: Callable[[], bool], *, as_json: bool = False, kind: "type[Line] | type[LogLine]" = Line
) -> None:
    """Show a sweep that another process drives, until it is settled or that driver is gone."""
    outside: FromOutside | None = None
    told = 0.0
    with kind(name) as line:
        while not stop():
            with workspace.reader().connect() as connection:
                row = queries.sweep_named(connection, name)
                driver = queries.driver(connection)
                outside = outside or FromOutside(row.id)
                standing = outside.look(connection)
            line.show(standing)
            if as_json and time.monotonic() - told >= JSON_SECONDS:
                told = time.monotonic()
                print_standing(name, standing)
            if standing.settled == standing.runs or row.state == "cancelled" or row.reason is not None:
                return
            if driver is None:
                print("the driver has ended; this process takes over.", file=sys.stderr)
                return
            time.sleep(FOLLOW_SECONDS)

"""Who is told how a sweep goes: a progress bar on a terminal, plain lines in a log, JSON lines for machines."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from db import queries
from db.store import ClaimedRun
from db.workspace import Workspace
from sweep import events
from sweep.cli.wording import amount_of_time, printable
from sweep.plan import Plan

FOLLOW_SECONDS = 1.0
LOG_SECONDS = 2.0


class Bar:
    """One live line: runs done, time left, losses of the newest steps; on a log file, nothing."""

    def __init__(self, name: str, total: int, done: int) -> None:
        # No markup and no emoji: names of files and texts of errors are shown as they are, '[/dev/null]' and ':no_entry:' too.
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        words = [TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[news]}")]
        columns = (words[0], BarColumn(24), MofNCompleteColumn(), words[1])
        self.progress = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self.task = self.progress.add_task(name, total=total, completed=done, news="")

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, done: int, news: str) -> None:
        self.progress.update(self.task, completed=done, news=news)


class LogBar:
    """In place of the live line, in a log that another machine follows: JSON lines, few enough for a weekend."""

    def __init__(self, name: str, total: int, done: int) -> None:
        self.console = self
        self._name, self._total = name, total
        self._shown = self._newest = (done, "")
        self._next = 0.0

    def __enter__(self) -> Self:
        self._tell()
        return self

    def __exit__(self, *_: object) -> None:
        if self._newest != self._shown:
            self._tell()

    def print(self, text: str, **_: object) -> None:
        """A line that stays."""
        print(json.dumps({"line": text}), flush=True)

    def show(self, done: int, news: str) -> None:
        """Where it stands: when that has changed, and at most every other second."""
        self._newest = (done, news)
        if self._newest != self._shown and time.monotonic() >= self._next:
            self._tell()

    def _tell(self) -> None:
        self._shown, self._next = self._newest, time.monotonic() + LOG_SECONDS
        done, news = self._shown
        print(json.dumps({"sweep": self._name, "done": done, "runs": self._total, "news": news}), flush=True)


class Terminal:
    """Shows a sweep that this process drives. Runs of other sweeps of the workspace are counted in as they come."""

    def __init__(self, workspace: Workspace, made: Plan, bar: type[Bar] | type[LogBar] = Bar) -> None:
        self._workspace = workspace
        self._total_work = made.work
        self._done_work = 0.0
        self._done, self._total = made.reused, made.runs
        self._seconds_planned = made.seconds
        self._began = time.monotonic()
        self._last: dict[str, events.LossPoint] = {}
        self._bar = bar(made.name, made.runs, made.reused)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.__exit__(kind, error, trace)

    def event(self, run: ClaimedRun, event: events.Event, state: str) -> None:
        """Count it, and print a line for what has ended."""
        if isinstance(event, events.Progress):
            self._last[event.run_key] = event.points[-1]
            return
        if isinstance(event, events.Started):
            if event.device.startswith("cpu") and run.resources.get("gpus"):
                self._bar.console.print(f"{run.run_key[:11]} asked for a GPU, but torch finds none on {event.node}: it runs on the CPU.")
            return
        if isinstance(event, events.Snapshot):
            return
        self._last.pop(event.run_key, None)
        if state == "queued":
            self._bar.console.print(f"{run.run_key[:11]} {_title(run)}: {getattr(event, 'error', '')}; it is queued again.", soft_wrap=True)
            return
        self._done += 1
        self._total = max(self._total, self._done)
        self._done_work += run.work
        self._bar.console.print(self._line(run, event, state), soft_wrap=True)

    def tick(self, in_flight: int) -> None:
        """Redraw the live line."""
        self._bar.show(self._done, self._news())

    def _news(self) -> str:
        left = f"{amount_of_time(self._seconds_left())} left" if self._total_work else ""
        newest = max(self._last.values(), key=lambda point: point.step, default=None)
        if newest is None:
            return left
        running = f"{len(self._last)} running, step {newest.step} at {newest.size} px"
        return f"{left}  {running}, content {newest.content_loss:.3f}, style {newest.style_loss:.3f}"

    def _seconds_left(self) -> float:
        """From the pace of this session; from the plan while nothing is done."""
        elapsed = time.monotonic() - self._began
        if self._done_work == 0:
            return max(0.0, self._seconds_planned - elapsed)
        return max(0.0, self._total_work - self._done_work) * elapsed / self._done_work

    def _line(self, run: ClaimedRun, event: events.Event, state: str) -> str:
        counted = f"[{self._done}/{self._total}]"
        if isinstance(event, events.Finished):
            balance = event.yardsticks.get("balance")
            measured = f"balance {balance:.3f}" if balance is not None else "no balance"
            return f"{counted} {run.run_key[:11]} {_title(run)}: {amount_of_time(event.seconds)}, {measured}"
        what = f"diverged after step {event.step}" if isinstance(event, events.Diverged) else f"{state}: {getattr(event, 'error', '')}"
        return f"{counted} {run.run_key[:11]} {_title(run)}: {what}"


class JsonLines:
    """One JSON object per event on standard output."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def event(self, run: ClaimedRun, event: events.Event, state: str) -> None:
        """Everything but the pictures' bytes."""
        said: dict[str, Any] = {"event": type(event).__name__.lower(), "sweep": run.sweep, "state": state}
        if isinstance(event, events.Progress):
            said |= {"run_key": event.run_key, "attempt": event.attempt, **asdict(event.points[-1])}
        else:
            said |= {key: value for key, value in vars(event).items() if key != "picture"}
        print(json.dumps(said, default=dict), flush=True)

    def tick(self, in_flight: int) -> None:
        """Nothing."""


def _title(run: ClaimedRun) -> str:
    style = " + ".join(run.names[sha256] for sha256, _ in run.settings.style)
    return printable(f"{run.names[run.settings.content]} x {style}, alpha {run.alpha:.4g}, beta {run.beta:.4g}, {run.layers}")


def follow(workspace: Workspace, name: str, stop: Callable[[], bool], kind: type[Bar] | type[LogBar] = Bar) -> None:
    """Show a sweep that another process drives, until it is settled or that driver is gone."""
    first = True
    bar: Bar | LogBar | None = None
    try:
        while not stop():
            with workspace.reader().connect() as connection:
                row = queries.sweep_named(connection, name)
                driver = queries.driver(connection)
            if first:
                bar = kind(name, row.runs, row.settled)
                bar.__enter__()
                first = False
            assert bar is not None
            bar.show(row.settled, ", ".join(f"{number} {state}" for state, number in row.states.items()))
            if row.settled == row.runs:
                return
            if driver is None:
                print("the driver has ended; this process takes over.", file=sys.stderr)
                return
            time.sleep(FOLLOW_SECONDS)
    finally:
        if bar is not None:
            bar.__exit__()

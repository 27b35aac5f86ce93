"""A process that drives a workspace with the real store and the real driver, as often as it is told to, each time in a child.

Runs are random tiny pictures that take about 20 ms: what is tested is what survives, and that takes volume. Commands are JSON
lines on standard input, {"record": name, "first": beta, "runs": 5} or {"drive": {"kill_at": 3, "row_first": false}}; a child says
`submitted KEY` and, once a run is recorded, `done KEY` on standard output. It forks, as importing everything anew takes seconds.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from factories import GATYS, finished_event, input_picture, plan_of
from sqlalchemy import event as hooks

from db import drivers
from db.artifacts import Artifacts
from db.store import ClaimedRun, Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.driver import Driver
from sweep.events import Event, Finished, LossPoint, Progress, Started
from sweep.places import Ask, Room
from sweep.request import RunRequest


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


class Painter:
    """A back end whose pictures are random discs."""

    address = "fast"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.waiting: list[RunRequest] = []

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        return Ask()

    def room(self, ask: Ask) -> Room:
        return Room(slots=2)

    def submit(self, requests: Sequence[RunRequest], ask: Ask) -> None:
        for request in requests:
            say(f"submitted {request.run_key}")
            self.waiting.append(request)

    def ask_to_stop(self, keys: Set[tuple[str, int]]) -> None:
        pass

    def want(self, ask: Ask, number: int) -> None:
        pass

    def avoid(self, places: Collection[str]) -> None:
        pass

    def events(self, timeout: float) -> list[Event]:
        if not self.waiting:
            return []
        request = self.waiting.pop(0)
        time.sleep(self.seconds)
        this = {"run_key": request.run_key, "attempt": request.attempt}
        points = tuple(LossPoint(step, 64, 0.1, 1 / (step + 1), 0.0) for step in range(40))
        # The attempt is in the picture: two attempts at a run leave different files.
        end = finished_event(request, int(request.run_key[3:11], 16) + request.attempt)  # type: ignore[arg-type]
        versions = {"torch": "2"}
        return [Started(node="here", pid=os.getpid(), device="cpu", versions=versions, **this), Progress(points=points, **this), end]

    def cancel(self, run_key: str, attempt: int) -> None:
        self.waiting = [request for request in self.waiting if request.run_key != run_key]

    def stop(self) -> None:
        self.waiting.clear()


class Acknowledge:
    """What a user sees: a run is called done once it is recorded."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        if isinstance(event, Finished):
            say(f"done {event.run_key}")

    def tick(self, in_flight: int) -> None:
        pass

    def remark(self, sentence: str) -> None:
        pass


class LateFiles(Artifacts):
    """For the negative control: files that are written only when told."""

    def __init__(self, inner: Artifacts) -> None:
        super().__init__(inner.folder)
        self.late: list[tuple[bytes, str]] = []

    def put(self, data: bytes, suffix: str) -> str:
        import hashlib

        self.late.append((data, suffix))
        return hashlib.sha256(data).hexdigest()


class RowFirst(Store):
    """The negative control: it records a run before its picture is on the disk. The checker must catch it."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.engine, LateFiles(store.artifacts))
        self.real = store.artifacts

    @contextlib.contextmanager
    def batch(self, told: Iterable[Event] = ()) -> Iterator[None]:
        with super().batch(told):
            yield
        assert isinstance(self.artifacts, LateFiles)
        while self.artifacts.late:
            self.real.put(*self.artifacts.late.pop())


class KillPoints:
    """Counts everything that leaves a trace on the disk and kills the process at the n-th: before it, as if it were cut off."""

    def __init__(self, store: Store, kill_at: int) -> None:
        self.left = kill_at
        for name in ("before_cursor_execute", "commit"):
            hooks.listen(store.engine, name, self.pass_one)
        for name in ("fsync", "replace", "open"):
            self.wrap(os, name)

    def wrap(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.pass_one()
            return original(*arguments, **options)

        setattr(owner, name, wrapped)

    def pass_one(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def drive(workspace: Workspace, kill_at: int, row_first: bool, seconds: float) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    if row_first:
        store = RowFirst(store)
    if kill_at:
        KillPoints(store, kill_at)
    owner, _ = drivers.become_driver(store.engine, "fast")
    assert owner is not None
    Driver(store, Painter(seconds), owner, Acknowledge()).drive(lambda: False)


def record(workspace: Workspace, name: str, first: float, runs: int) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    planned = plan_of([content], [style], [first + i for i in range(runs)], [GATYS])
    resources = {"cpus": 1, "gpus": 0}
    sweep = SweepRecord(name=name, spec_text="", spec_path=f"{name}.yaml", search_seed=None, resources=resources)
    record_sweep(store, sweep, planned, extend=True)


def main() -> None:
    workspace = open_workspace(Path(sys.argv[1]), create=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "record" in command:
            record(workspace, command["record"], command["first"], command["runs"])
            say("recorded")
            continue
        child = os.fork()
        if child == 0:
            say(f"pid {os.getpid()}")
            drive(workspace, **command["drive"])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()

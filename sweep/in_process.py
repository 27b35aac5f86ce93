"""A back end without Ray: runs follow each other in this process, with the same results."""

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from typing import Any

from sweep import worker
from sweep.errors import SurroundingsError
from sweep.events import Event, Failed, Stopped
from sweep.places import Ask, Room
from sweep.request import Inputs, RunRequest


class InProcess:
    """One run at a time, on the CPU or on the GPU of this process."""

    address = "inline"

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._waiting: deque[tuple[RunRequest, ...]] = deque()
        self._running: Iterator[Event] | None = None
        self._requests: tuple[RunRequest, ...] = ()
        self._stopping: frozenset[tuple[str, int]] = frozenset()
        self._told: list[Event] = []
        self._trouble: SurroundingsError | None = None

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        """As the file says; without a word about GPUs, none: whether one is there is the worker's to find out."""
        return Ask(cpus=float(resources.get("cpus", 1)), gpus=float(resources.get("gpus") or 0.0))

    def room(self, ask: Ask) -> Room:
        """Always for one."""
        return Room(slots=1)

    def submit(self, requests: Sequence[RunRequest], ask: Ask) -> None:
        """Begin when those before them have ended."""
        self._waiting.append(tuple(requests))

    def events(self, timeout: float) -> list[Event]:
        """Run on until about `timeout` seconds have passed; one piece of a curve may take longer.

        Raises:
            SurroundingsError: the GPU failed, and with it this process.
        """
        if self._trouble is not None:
            raise self._trouble
        until = time.monotonic() + timeout
        told, self._told = self._told, []
        while time.monotonic() < until:
            if self._running is None:
                if not self._waiting:
                    break
                self._requests = self._waiting.popleft()
                self._running = worker.run(self._requests, self._inputs, lambda: self._stopping)
            event = next(self._running, None)
            if isinstance(event, Failed) and event.kind == "gpu":
                self._trouble = SurroundingsError(f"{event.error}. Run the same command again; nothing that is done is run twice.")
                break  # what was told before is recorded first
            if event is None:
                self._running = None
            else:
                told.append(event)
        return told

    def ask_to_stop(self, keys: Set[tuple[str, int]]) -> None:
        """They stop at their next step and tell how far they got; a task that waits does so at once, if all of it is to stop."""
        self._stopping = frozenset(keys)
        for task in list(self._waiting):
            if all((request.run_key, request.attempt) in keys for request in task):
                self._waiting.remove(task)
                self._told += [Stopped(run_key=one.run_key, attempt=one.attempt, step=one.start_step) for one in task]

    def cancel(self, run_key: str, attempt: int) -> None:
        """Stop its task at the step it is in; a step that never ends cannot be ended from within its own process."""
        wanted = (run_key, attempt)
        if any((request.run_key, request.attempt) == wanted for request in self._requests):
            self._close()
        kept = (task for task in self._waiting if not any((request.run_key, request.attempt) == wanted for request in task))
        self._waiting = deque(kept)

    def want(self, ask: Ask, number: int) -> None:
        """There is this process alone."""

    def avoid(self, places: Collection[str]) -> None:
        """There is this process alone."""

    def stop(self) -> None:
        """Stop at the step it is in."""
        self._waiting.clear()
        self._close()

    def _close(self) -> None:
        if self._running is not None:
            self._running.close()  # type: ignore[attr-defined]
            self._running = None

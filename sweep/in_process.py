"""A back end without Ray: runs follow each other in this process, with the same results."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from sweep import worker
from sweep.events import Event, Stopped
from sweep.request import Inputs, RunRequest


class InProcess:
    """One run at a time, on the CPU or on the GPU of this process."""

    address = "inline"

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._waiting: deque[RunRequest] = deque()
        self._running: Iterator[Event] | None = None
        self._request: RunRequest | None = None
        self._stopping: set[tuple[str, int]] = set()
        self._told: list[Event] = []

    def slots(self, resources: Mapping[str, Any]) -> int:
        """Always one."""
        return 1

    def submit(self, request: RunRequest, resources: Mapping[str, Any]) -> None:
        """Begin when those before it have ended."""
        self._waiting.append(request)

    def events(self, timeout: float) -> list[Event]:
        """Run on until about `timeout` seconds have passed; one piece of a curve may take longer."""
        until = time.monotonic() + timeout
        told, self._told = self._told, []
        while time.monotonic() < until:
            if self._running is None:
                if not self._waiting:
                    break
                self._request = self._waiting.popleft()
                self._running = worker.run([self._request], self._inputs, lambda: self._stopping)
            event = next(self._running, None)
            if event is None:
                self._running = None
                self._stopping.clear()
            else:
                told.append(event)
        return told

    def ask_to_stop(self, keys: set[tuple[str, int]]) -> None:
        """Have these attempts stop at their next step and tell how far they got (Stopped); one that waits does so at once."""
        for request in [waiting for waiting in self._waiting if (waiting.run_key, waiting.attempt) in keys]:
            self._waiting.remove(request)
            self._told.append(Stopped(run_key=request.run_key, attempt=request.attempt, step=request.start_step))
        if self._request is not None and self._running is not None:
            self._stopping |= keys & {(self._request.run_key, self._request.attempt)}

    def cancel(self, run_key: str, attempt: int) -> None:
        """Stop it at the step it is in; a step that never ends cannot be ended from within its own process."""
        if self._request is not None and (self._request.run_key, self._request.attempt) == (run_key, attempt):
            self._close()

    def stop(self) -> None:
        """Stop at the step it is in."""
        self._waiting.clear()
        self._close()

    def _close(self) -> None:
        if self._running is not None:
            self._running.close()  # type: ignore[attr-defined]
            self._running = None

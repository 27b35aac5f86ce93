"""The loop that hands out runs and records what comes back. Knows no Ray: where runs are executed is behind `Backend`."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import DBAPIError

from db import drivers
from db.store import ClaimedRun, Store
from sweep.errors import SurroundingsError, WorkspaceBusy
from sweep.events import Checkpoint, Crashed, Diverged, Event, Failed, Finished, LossPoint, Preview, Progress, Snapshot, Started, Stopped
from sweep.recipe import run_recipe
from sweep.request import RunRequest

PROGRESS_SECONDS = 1.0
POLL_SECONDS = 0.25
IDLE_SECONDS = 0.5
MAX_UNSTARTED = 10
"""Workers that died in succession before they took up their run: that is the nodes' fault, and no other run would fare better."""


class Backend(Protocol):
    """Where runs are executed: Ray, or this process."""

    address: str

    def slots(self, resources: Mapping[str, Any]) -> int:
        """How many runs that ask for these resources can work at once. Raises SurroundingsError if none can."""

    def submit(self, request: RunRequest, resources: Mapping[str, Any]) -> None:
        """Begin a run; returns at once."""

    def events(self, timeout: float) -> list[Event]:
        """What the workers told since the last call, in order for each run; waits at most about `timeout` seconds."""

    def cancel(self, run_key: str, attempt: int) -> None:
        """End one run that has started, its worker with it if need be; nothing more is told of it."""

    def stop(self) -> None:
        """Stop what is running and let go; within seconds."""


class Watcher(Protocol):
    """Who is told how it goes: the terminal's progress bar, or JSON lines."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        """An event that was accepted (a late one of a lost attempt is not told), and the state that the run now has."""

    def tick(self, in_flight: int) -> None:
        """Called a few times a second."""


@dataclass(kw_only=True)
class InFlight:
    """A claimed run, and the part of its curve that is not yet in the database. Times are those of `time.monotonic`."""

    claimed: ClaimedRun
    unwritten: list[LossPoint]
    started: float | None = None
    heard: float = 0.0
    preview: Preview | None = None  # the newest, if it is not yet in the database

    def over_limit(self, now: float) -> str | None:
        """Which limit of its sweep's file the run has broken, as a sentence; None while it keeps to them."""
        limits = self.claimed.resources.get("limits") or {}
        if self.started is None:
            return None
        for name, since, what in (("run_minutes", self.started, "ran"), ("silent_minutes", self.heard, "was silent")):
            minutes = limits.get(name)
            if minutes is not None and now - since > 60 * minutes:
                return f"it {what} for more than limits.{name}: {minutes:g}, and was ended. Raise the limit, or lower size or steps."
        return None


class Driver:
    """Serves one workspace through one back end until nothing is queued, or until it is told to stop."""

    def __init__(self, store: Store, backend: Backend, owner: str, watcher: Watcher) -> None:
        self._store = store
        self._backend = backend
        self._owner = owner
        self._watcher = watcher
        self._in_flight: dict[tuple[str, int], InFlight] = {}
        self._unstarted = 0
        self._last_heartbeat = time.monotonic()
        self._last_progress = time.monotonic()

    def drive(self, stop: Callable[[], bool]) -> bool:
        """Run everything that active sweeps want; True when all is settled, False when `stop` said so.

        Raises:
            SurroundingsError: Ray or the disk failed; what was running is queued again.
            WorkspaceBusy: another driver has taken the workspace over.
        """
        try:
            while not stop():
                self._fill()
                if not self._in_flight:
                    if drivers.try_to_end_idle(self._store.engine, self._owner):
                        return True
                    time.sleep(IDLE_SECONDS)  # a run was queued in this moment
                for event in self._backend.events(POLL_SECONDS):
                    self._take(event)
                self._periodic()
            self._write_progress()
        except BaseException:
            # What ended the loop (a full disk, say) may defeat this too and must not be hidden; the next driver finds leftovers itself.
            with contextlib.suppress(DBAPIError):
                drivers.resign(self._store.engine, self._owner)
            raise
        drivers.resign(self._store.engine, self._owner)
        return False

    def _fill(self) -> None:
        """Claim up to the window: every slot busy, and a little more waiting, so that no slot waits for this loop."""
        free = self._window() - len(self._in_flight)
        if free <= 0:
            return
        for claimed in self._store.claim(self._owner, free):
            self._in_flight[claimed.run_key, claimed.attempt] = InFlight(claimed=claimed, unwritten=[])
            self._backend.submit(request_of(claimed), claimed.resources)

    def _window(self) -> int:
        # Without anything in flight there is nothing to ask for yet: claim one and learn what it needs.
        if not self._in_flight:
            return 1
        newest = next(reversed(self._in_flight.values()))
        slots = self._backend.slots(newest.claimed.resources)
        return slots + max(1, slots // 4) if slots > 1 else 1

    def _take(self, event: Event) -> None:
        run = self._in_flight.get((event.run_key, event.attempt))
        if run is None:
            return
        run.heard = time.monotonic()
        if isinstance(event, Started):
            run.started = run.heard
        if isinstance(event, Progress):
            run.unwritten.extend(event.points)
            if event.points:
                self._watcher.event(run.claimed, event, "running")
            return
        if isinstance(event, Preview):
            run.preview = event
            return
        if isinstance(event, Checkpoint):
            if self._store.checkpoint(self._owner, event, run.unwritten):
                run.unwritten.clear()
            return
        state = self._record(run, event)
        if state is not None:
            self._watcher.event(run.claimed, event, state)
        if not isinstance(event, Started | Snapshot):
            del self._in_flight[event.run_key, event.attempt]
        self._check_nodes(event)

    def _record(self, run: InFlight, event: Event) -> str | None:
        """Write one event; the state that the run now has, or None if the attempt no longer held it."""
        if isinstance(event, Started):
            return "running" if self._store.started(self._owner, event) else None
        if isinstance(event, Snapshot):
            return "running" if self._store.snapshot(self._owner, event) else None
        if isinstance(event, Finished):
            return "done" if self._store.finished(self._owner, event, run.unwritten) else None
        if isinstance(event, Diverged):
            return "diverged" if self._store.diverged(self._owner, event, run.unwritten) else None
        if isinstance(event, Failed):
            return "failed" if self._store.failed(self._owner, event, run.unwritten) else None
        if isinstance(event, Stopped):
            return self._store.stopped(self._owner, event, run.unwritten)
        assert isinstance(event, Crashed)
        return self._store.crashed(self._owner, event)

    def _check_nodes(self, event: Event) -> None:
        """Crashes before the start are never counted against a run, so something else must end them."""
        if isinstance(event, Started):
            self._unstarted = 0
        elif isinstance(event, Crashed) and not event.started and event.kind != "lost":
            self._unstarted += 1
            if self._unstarted >= MAX_UNSTARTED:
                raise SurroundingsError(
                    f"{self._unstarted} workers in succession ended before they took up a run; the last: {event.error}. "
                    "Check that every node has the same Python, Ray and stylesweep as this one."
                )

    def _periodic(self) -> None:
        now = time.monotonic()
        if now - self._last_heartbeat >= drivers.HEARTBEAT_SECONDS:
            self._last_heartbeat = now
            if not drivers.heartbeat(self._store.engine, self._owner):
                raise WorkspaceBusy("another driver has taken this workspace over; this one stops. Nothing is lost.")
        if now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self._write_progress()
        self._end_overlong(now)
        self._watcher.tick(len(self._in_flight))

    def _end_overlong(self, now: float) -> None:
        for (run_key, attempt), run in list(self._in_flight.items()):
            broken = run.over_limit(now)
            if broken is not None:
                self._backend.cancel(run_key, attempt)
                self._take(Failed(run_key=run_key, attempt=attempt, kind="limit", error=broken))

    def _write_progress(self) -> None:
        """The curves of all running runs, in one transaction; in another, what they look like."""
        news = []
        for (run_key, attempt), run in self._in_flight.items():
            if run.unwritten:
                news.append(Progress(run_key=run_key, attempt=attempt, points=tuple(run.unwritten)))
                run.unwritten.clear()
        self._store.progress(self._owner, news)
        self._store.preview(self._owner, [run.preview for run in self._in_flight.values() if run.preview is not None])
        for run in self._in_flight.values():
            run.preview = None


def request_of(claimed: ClaimedRun) -> RunRequest:
    """What a worker is handed for a claimed run, the recipe for its picture's file included."""
    resources = claimed.resources
    snapshots = resources.get("snapshots", 0)
    return RunRequest(
        run_key=claimed.run_key,
        attempt=claimed.attempt,
        settings=claimed.settings,
        device=str(resources.get("device", "auto")),
        gpus=float(resources.get("gpus") or 0.0),
        threads=max(1, int(resources.get("cpus", 1))),
        text={"stylesweep": json.dumps(run_recipe(claimed), ensure_ascii=False, allow_nan=False)},
        content_size=claimed.content_size,
        snapshots=snapshots if isinstance(snapshots, int) else frozenset(snapshots),
        start_step=claimed.start_step,
    )


class Silent:
    """A watcher that shows nothing."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        """Nothing."""

    def tick(self, in_flight: int) -> None:
        """Nothing."""

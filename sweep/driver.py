"""The loop that hands out runs and records what comes back. Knows no Ray: where runs are executed is behind `Backend`."""

import contextlib
import math
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from typing import Any, Protocol

from sqlalchemy.exc import DBAPIError

from db import drivers, spending, steering
from db.store import ClaimedRun, Store
from sweep.errors import SurroundingsError, WorkspaceBusy
from sweep.events import Checkpoint, Crashed, Diverged, Event, Failed, Finished, Preview, Progress, Snapshot, Started, Stopped
from sweep.failures import Breaker, Nodes
from sweep.in_flight import Flights, InFlight, Key, Task
from sweep.places import Ask, Room
from sweep.request import RunRequest
from sweep.tasks import bytes_needed, pack_size, packs, pixels_of, request_of

PROGRESS_SECONDS = 1.0
POLL_SECONDS = 0.25
IDLE_SECONDS = 0.5
STEER_SECONDS = 0.5
"""How often it looks whether somebody has paused or cancelled what is running."""
STOP_SECONDS = 60.0
"""A worker that was asked to stop and has not after so long is ended; one step of a large picture may take long."""
LEAVE_SECONDS = 2.5
"""For what workers still have to say when the driver itself is told to stop."""
WANT_SECONDS = 5.0
MOST_WANTED = 1000
"""Tasks that an autoscaler is asked for at once; how many nodes that may become is said in the cluster's own file."""
NODES_MINUTES = 15.0
"""How long a cluster may take to bring up a node that has room for a sweep's runs."""
ENDINGS = (Finished, Diverged, Failed, Stopped, Crashed)
Heard = tuple[InFlight, Event, str | None]
"""An event of a run, and the state that this now has; None where the attempt no longer held it."""
MAX_UNSTARTED = 10
"""Workers that died in succession before they took up their run: that is the nodes' fault, and no other run would fare better."""


class Backend(Protocol):
    """Where runs are executed: Ray, or this process."""

    address: str

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        """What a run of these `resources` asks for, where it was left open whether it takes a GPU."""

    def room(self, ask: Ask) -> Room:
        """How many tasks that ask for this can work at once. Raises SurroundingsError if nobody answers any more."""

    def submit(self, requests: Sequence[RunRequest], ask: Ask) -> None:
        """Begin runs as one task; returns at once."""

    def events(self, timeout: float) -> list[Event]:
        """What the workers told since the last call, in order for each run; waits at most about `timeout` seconds."""

    def ask_to_stop(self, keys: Set[Key]) -> None:
        """These (run_key, attempt), and no others of those asked before, are to stop at their next step and say so."""

    def cancel(self, run_key: str, attempt: int) -> None:
        """End the task of a run, its worker with it if need be; nothing more is told of any run of it."""

    def want(self, ask: Ask, number: int) -> None:
        """So many tasks that ask for this could be at work at once; for a cluster that can start nodes."""

    def avoid(self, places: Collection[str]) -> None:
        """Hand nothing more to these nodes, as long as others have room."""

    def stop(self) -> None:
        """Stop what is running and let go; within seconds."""


class Watcher(Protocol):
    """Who is told how it goes: the terminal's progress bar, or JSON lines."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        """An event that was accepted (a late one of a lost attempt is not told), and the state that the run now has."""

    def tick(self, in_flight: int) -> None:
        """Called a few times a second."""

    def remark(self, sentence: str) -> None:
        """Something that whoever watches should know: a sweep was paused, a node is avoided, nodes are waited for."""


class Driver:
    """Serves one workspace through one back end until nothing is queued, or until it is told to stop."""

    def __init__(self, store: Store, backend: Backend, owner: str, watcher: Watcher) -> None:
        self._store, self._backend, self._owner, self._watcher = store, backend, owner, watcher
        self._flights = Flights()
        self._breaker, self._nodes, self._ledger = Breaker(), Nodes(), spending.Ledger()
        self._unstarted = 0.0
        self._roomless: float | None = None  # since when nothing had room
        now = time.monotonic()
        self._last_heartbeat = self._last_progress = now
        self._last_steering = self._last_want = self._last_fill = -math.inf
        self._hungry = True  # something ended, so there may be room

    def drive(self, stop: Callable[[], bool]) -> bool:
        """Run everything that active sweeps want; True when all is settled, False when `stop` said so.

        Raises:
            SurroundingsError: Ray or the disk failed; what was running is queued again.
            WorkspaceBusy: another driver has taken the workspace over.
        """
        try:
            while not stop():
                self._turn(self._backend.events(POLL_SECONDS) if self._flights else [])
                if not self._flights:
                    if drivers.try_to_end_idle(self._store.engine, self._owner):
                        return True
                    time.sleep(IDLE_SECONDS)  # a run was queued in this moment, or somebody may resume a sweep, or nodes may come
                self._periodic()
            self._leave()
        except BaseException:
            # What ended the loop (a full disk, say) may defeat this too and must not be hidden; the next driver finds leftovers itself.
            with contextlib.suppress(DBAPIError):
                drivers.resign(self._store.engine, self._owner)
            raise
        drivers.resign(self._store.engine, self._owner)
        return False

    def _turn(self, told: Sequence[Event]) -> None:
        """Record what was told, and claim up to the window: every slot busy, and a few runs waiting, so that no slot waits for this loop.

        All in one transaction, as a commit costs more than everything that is written in it. Watchers hear what is recorded, and what was
        claimed is handed out, when that is sure.
        """
        with self._store.batch(told):
            heard = [one for event in told for one in self._hear(event)]
            look = self._look()
        self._tell(heard)
        if look is not None:
            self._hand_out(*look)

    def _take(self, told: Sequence[Event]) -> None:
        """Only record."""
        with self._store.batch(told):
            heard = [one for event in told for one in self._hear(event)]
        self._tell(heard)

    def _look(self) -> tuple[ClaimedRun, Ask, Room, list[ClaimedRun]] | None:
        """What comes next, what it asks for, the room for that, and what was claimed. None where nothing waits, or it is not yet time."""
        now = time.monotonic()
        if not self._hungry and now - self._last_fill < POLL_SECONDS:
            return None
        self._hungry, self._last_fill = False, now
        head = self._store.next_up()
        if head is None:
            self._roomless = None
            return None
        ask = self._ask(head)
        room = self._backend.room(ask)
        return head, ask, room, self._claim(head, ask, room) if room.slots else []

    def _hand_out(self, head: ClaimedRun, ask: Ask, room: Room, claimed: list[ClaimedRun]) -> None:
        if room.slots == 0:
            self._no_room(head, ask, room)
            return
        self._roomless = None
        asks = {run.run_key: self._ask(run) for run in claimed}
        sizes = {run.run_key: self._size(run, asks[run.run_key]) for run in claimed}
        for together in packs(claimed, asks, sizes, room.slots - self._flights.tasks()):
            self._submit(together, asks[together[0].run_key])

    def _claim(self, head: ClaimedRun, ask: Ask, room: Room) -> list[ClaimedRun]:
        window = room.slots + max(1, room.slots // 4) if room.slots > 1 else 1
        busy, size = self._flights.tasks(), self._size(head, ask)
        if time.monotonic() - self._last_want >= WANT_SECONDS:
            self._last_want = time.monotonic()
            self._backend.want(ask, min(MOST_WANTED, busy + math.ceil(self._store.queued() / size)))
        return self._store.claim(self._owner, (window - busy) * size) if window > busy else []

    def _ask(self, run: ClaimedRun) -> Ask:
        ask = self._backend.ask(run.resources)
        memory = run.memory_asked or ask.memory
        return Ask(cpus=ask.cpus, gpus=run.gpus_asked if run.gpus_asked and ask.gpus else ask.gpus, memory=memory)

    def _size(self, run: ClaimedRun, ask: Ask) -> int:
        return 1 if run.alone else pack_size(run.resources, ask.gpus, pixels_of(run))

    def _submit(self, together: Sequence[ClaimedRun], ask: Ask) -> None:
        price = together[0].resources.get("price_per_hour")
        task = Task(name=f"p-{secrets.token_hex(6)}", ask=ask, size=len(together), price_per_hour=price)
        for run in together:
            self._flights.add(InFlight(claimed=run, task=task, need=bytes_needed(run)))
        self._backend.submit([request_of(run) for run in together], ask)

    def _no_room(self, head: ClaimedRun, ask: Ask, room: Room) -> None:
        """No node has room for what comes next. Nodes may come; where they do not, that sweep waits and the others go on."""
        now = time.monotonic()
        if room.may_grow:
            self._backend.want(ask, 1)
            if self._roomless is None:
                self._roomless = now
                self._watcher.remark(f"{room.why} Waiting up to {NODES_MINUTES:.0f} minutes for one that has.")
            if now - self._roomless < 60 * NODES_MINUTES:
                return
        if self._flights:  # a node that is avoided or lost may be all there was; what runs may yet say more
            return
        self._roomless = None
        self._pause(head.sweep, room.why)

    def _tell(self, heard: Sequence[Heard]) -> None:
        """Of what is recorded now: whoever watches, and the driver itself."""
        for run, event, state in heard:
            if state is not None:
                self._watcher.event(run.claimed, event, state)
            if isinstance(event, ENDINGS):
                self._learn(run, event, state)

    def _hear(self, event: Event) -> Iterator[Heard]:
        """Record one event of a run in flight."""
        run = self._flights.get((event.run_key, event.attempt))
        if run is None:
            return
        run.heard = time.monotonic()
        if isinstance(event, Started):
            run.started, run.place = run.heard, event.place
            run.begun = event, time.time()  # no transaction of its own: recorded with what comes next, or within a second
        elif isinstance(event, Progress):
            run.unwritten.extend(event.points)
            if event.points:
                yield run, event, "running"
        elif isinstance(event, Preview):
            run.preview = event
        else:
            yield from self._begun(run)
            yield run, event, self._record(run, event)
        if isinstance(event, ENDINGS):
            self._flights.drop(run)
            self._hungry = True

    def _begun(self, run: InFlight) -> Iterator[Heard]:
        if run.begun is not None:
            (event, at), run.begun = run.begun, None
            yield run, event, "running" if self._store.started(self._owner, event, run.task.launch(), at) else None

    def _record(self, run: InFlight, event: Event) -> str | None:
        """Write one event; the state that the run now has, or None if the attempt no longer held it."""
        store, owner = self._store, self._owner
        if isinstance(event, Snapshot):
            return "running" if store.snapshot(owner, event) else None
        if isinstance(event, Checkpoint):
            return "running" if store.checkpoint(owner, event) else None
        if isinstance(event, Stopped):
            return store.stopped(owner, event, run.unwritten)
        if isinstance(event, Finished):
            return "done" if store.finished(owner, event, run.unwritten) else None
        if isinstance(event, Diverged):
            return "diverged" if store.diverged(owner, event, run.unwritten) else None
        if isinstance(event, Failed):
            return store.failed(owner, event, run.unwritten, run.need)
        assert isinstance(event, Crashed)
        return store.crashed(owner, event, run.need)

    def _learn(self, run: InFlight, event: Event, state: str | None) -> None:
        """What an ending says of its sweep, of its node, and of the cluster."""
        reason = self._breaker.tripped(run.claimed.sweep, event, state or "")
        if reason:
            self._pause(run.claimed.sweep, reason)
        if self._nodes.note(run.place, event):
            self._watcher.remark(
                f"{self._nodes.killed_on()[run.place]} runs lost their workers on the node {run.place}; it is avoided now."
            )
            self._backend.avoid(self._nodes.bad())
        if not isinstance(event, Crashed) or event.started:
            self._unstarted = 0
        elif event.kind != "lost":  # never counted against a run, so something else must end it
            self._unstarted += 1 / run.task.size
            if self._unstarted >= MAX_UNSTARTED:
                raise SurroundingsError(
                    f"{MAX_UNSTARTED} workers in succession ended before they took up a run; the last: {event.error}. "
                    "Check that every node has the same Python, Ray and stylesweep as this one."
                )

    def _pause(self, sweep: str, reason: str) -> None:
        with self._store.engine.begin() as connection:
            sweep_id = steering.sweep_id(connection, sweep)
            paused = steering.pause(connection, sweep_id, reason)
        if paused:
            self._watcher.remark(f"{sweep} is paused: {reason}")

    def _periodic(self) -> None:
        now = time.monotonic()
        if now - self._last_heartbeat >= drivers.HEARTBEAT_SECONDS:
            self._last_heartbeat = now
            if not drivers.heartbeat(self._store.engine, self._owner):
                raise WorkspaceBusy("another driver has taken this workspace over; this one stops. Nothing is lost.")
        if now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self._write_progress()
        if now - self._last_steering >= STEER_SECONDS:
            self._last_steering = now
            self._steer(now)
        self._end_overlong(now)
        self._watcher.tick(len(self._flights))

    def _steer(self, now: float) -> None:
        """Whatever nobody wants any more is to stop: its sweep was paused, cancelled or has reached a limit, or it was cancelled itself."""
        with self._store.engine.begin() as connection:
            for sweep_id, reason in self._ledger.exceeded(connection, time.time()):
                if steering.pause(connection, sweep_id, reason):
                    self._watcher.remark(f"{steering.name_of(connection, sweep_id)} is paused: {reason}")
            held = steering.held(connection, self._owner)
        unwanted = [run for run in self._flights if run.key not in held]
        for run in unwanted:
            run.asked_to_stop = run.asked_to_stop or now
        self._backend.ask_to_stop({run.key for run in unwanted})
        for run in unwanted:
            company = self._flights.company(run)
            idle = all(one.started is None for one in company) and all(one.key not in held for one in company)
            if idle or now - (run.asked_to_stop or now) > STOP_SECONDS:
                self._end(run, "it was asked to stop")

    def _end_overlong(self, now: float) -> None:
        for run in self._flights:
            broken = run.over_limit(now)
            if broken is None or self._flights.get(run.key) is None:  # ended with the one before it
                continue
            if run.task.size == 1:
                self._backend.cancel(*run.key)
                self._take([Failed(run_key=run.key[0], attempt=run.key[1], kind="limit", error=broken)])
            else:  # whose fault it is shows when each is alone
                self._backend.cancel(*run.key)
                why, company = f"its pack: {broken}", self._flights.company(run)
                self._take([Crashed(run_key=one.key[0], attempt=one.key[1], kind="crashed", error=why, alone=False) for one in company])

    def _end(self, run: InFlight, why: str) -> None:
        """End a task that does not stop by itself, or has not begun; its runs are queued again where they are still held."""
        self._backend.cancel(*run.key)
        self._take([Stopped(run_key=one.key[0], attempt=one.key[1], step=0) for one in self._flights.company(run)])

    def _write_progress(self) -> None:
        """Which runs began, and the curves and newest pictures of all, in one transaction."""
        news, previews = [], []
        begun: list[Heard] = []
        with self._store.batch():
            for run in self._flights:
                begun += self._begun(run)
                if run.unwritten:
                    news.append(Progress(run_key=run.key[0], attempt=run.key[1], points=tuple(run.unwritten)))
                    run.unwritten.clear()
                if run.preview is not None:
                    previews.append(run.preview)
                    run.preview = None
            self._store.progress(self._owner, news)
            self._store.preview(self._owner, previews)
        self._tell(begun)

    def _leave(self) -> None:
        """Let workers stop at their next step and hand in their states; whoever is slower than that goes on from an older one."""
        started = {run.key for run in self._flights if run.started is not None}
        self._backend.ask_to_stop(started)
        until = time.monotonic() + LEAVE_SECONDS
        while time.monotonic() < until and any(run.key in started for run in self._flights):
            self._take(self._backend.events(POLL_SECONDS))
        self._write_progress()


class Silent:
    """A watcher that shows nothing."""

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        """Nothing."""

    def tick(self, in_flight: int) -> None:
        """Nothing."""

    def remark(self, sentence: str) -> None:
        """Nothing."""

"""The loop that hands out runs and records what comes back. Knows no Ray: where runs are executed is behind `Backend`."""

import contextlib
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from db import drivers, spending, steering
from db.store import ClaimedRun, Store
from sweep.backend import Backend, Watcher
from sweep.errors import SurroundingsError, WorkspaceBusy
from sweep.events import Checkpoint, Crashed, Diverged, Event, Failed, Finished, Preview, Progress, Snapshot, Started, Stopped
from sweep.failures import Breaker, Nodes
from sweep.in_flight import Flights, InFlight, Task
from sweep.places import Ask, Room
from sweep.tasks import bytes_needed, pack_size, packs, pixels_of, request_of

PROGRESS_SECONDS = 1.0
POLL_SECONDS = 0.25
IDLE_SECONDS = 0.5
STEER_SECONDS = 0.5
"""How often it looks whether somebody has paused or cancelled what is running."""
LIMITS_SECONDS = 1.0
"""And whether a sweep has reached its deadline or its budget: to sum up what running attempts cost takes longer."""
AHEAD_SECONDS = 0.05
"""Runs that ended within so long will be followed by as many before this loop comes round again: so many more wait at the workers."""
STOP_SECONDS = 60.0
"""A worker that was asked to stop and has not after so long is ended; one step of a large picture may take long."""
LEAVE_SECONDS = 2.5
"""For what workers still have to say when the driver itself is told to stop."""
WANT_SECONDS = 5.0
MOST_WANTED = 1000
"""Tasks that an autoscaler is asked for at once; how many nodes that may become is said in the cluster's own file."""
NODES_MINUTES = 15.0
"""How long a cluster may take to bring up a node that has room for a sweep's runs."""
Accepted = tuple[Event, InFlight, str | None]
"""An event of a run in flight that was recorded, and the state that this now has; None where its attempt no longer held it."""
MAX_UNSTARTED = 10
"""Workers that died in succession before they took up their run: that is the nodes' fault, and no other run would fare better."""


class Driver:
    """Serves one workspace through one back end until nothing is queued, or until it is told to stop."""

    def __init__(self, store: Store, backend: Backend, owner: str, watcher: Watcher) -> None:
        self._store, self._backend, self._owner, self._watcher = store, backend, owner, watcher
        self._flights = Flights()
        self._breaker, self._nodes, self._ledger = Breaker(), Nodes(), spending.Ledger()
        self._unstarted = 0.0
        self._stuck: tuple[ClaimedRun, Ask, Room] | None = None  # what no node has room for
        self._roomless: float | None = None  # since when
        now = time.monotonic()
        self._last_heartbeat = self._last_progress = now
        self._last_steering = self._last_limits = self._last_want = self._last_claim = -math.inf
        self._hungry = True  # something ended, so there may be room
        self._ends: deque[float] = deque(maxlen=100)

    def drive(self, stop: Callable[[], bool]) -> bool:
        """Run everything that active sweeps want; True when all is settled, False when `stop` said so.

        Raises:
            SurroundingsError: Ray or the disk failed; what was running is queued again.
            WorkspaceBusy: another driver has taken the workspace over.
        """
        try:
            with self._store.connected():
                while not stop():
                    self._turn(self._backend.events(POLL_SECONDS))
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

    def _turn(self, told: Sequence[Event], *, claim: bool = True) -> None:
        """Record what was told, and claim what there is room for, in one transaction: a commit costs more than what is written in it."""
        packed: list[tuple[list[ClaimedRun], Ask]] = []
        trouble: SurroundingsError | None = None
        with self._store.batch(told):
            accepted = [one for event in told for one in self._take(event)]
            try:
                packed = self._claim() if claim and self._is_time_to_claim() else []
            except SurroundingsError as error:  # what was told is recorded nevertheless
                trouble = error
        for together, ask in packed:
            self._submit(together, ask)
        self._tell(accepted)
        if trouble is not None:
            raise trouble
        if self._stuck is not None:
            stuck, self._stuck = self._stuck, None
            self._no_room(*stuck)

    def _tell(self, accepted: Sequence[Accepted]) -> None:
        """Of what is recorded now: whoever watches, and what learns from starts and endings."""
        for event, run, state in accepted:
            if state is not None:
                self._watcher.event(run.claimed, event, state)
            if isinstance(event, Started | Finished | Diverged | Failed | Stopped | Crashed):
                self._learn(run, event, state)

    def _is_time_to_claim(self) -> bool:
        return self._hungry or time.monotonic() - self._last_claim >= POLL_SECONDS

    def _claim(self) -> list[tuple[list[ClaimedRun], Ask]]:
        """Runs as tasks, up to the window, so that no slot waits for this loop."""
        self._hungry, self._last_claim = False, time.monotonic()
        head = self._store.next_up()
        if head is None:
            self._roomless = None
            return []
        ask = self._ask(head)
        room = self._backend.room(ask)
        if room.slots == 0:
            self._stuck = head, ask, room
            return []
        self._roomless = None
        window = self._window(room.slots)
        busy, size = self._flights.tasks(), self._size(head, ask)
        if time.monotonic() - self._last_want >= WANT_SECONDS:
            self._last_want = time.monotonic()
            self._backend.want(ask, min(MOST_WANTED, busy + math.ceil(self._store.queued() / size)))
        if window <= busy:
            return []
        claimed = self._store.claim(self._owner, (window - busy) * size)
        asks = {run.run_key: self._ask(run) for run in claimed}
        sizes = {run.run_key: self._size(run, asks[run.run_key]) for run in claimed}
        return [(together, asks[together[0].run_key]) for together in packs(claimed, asks, sizes, room.slots - busy)]

    def _window(self, slots: int) -> int:
        """Tasks in flight: every slot busy, and a quarter more waiting; of very short runs, up to two for each slot."""
        if slots == 1:
            return 1
        recent = time.monotonic() - AHEAD_SECONDS
        ended = sum(at > recent for at in self._ends)
        return slots + max(1, slots // 4, min(ended, 2 * slots))

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

    def _take(self, event: Event) -> Iterator[Accepted]:
        """Record an event of a run in flight. A start alone is worth no transaction: it goes with what comes next, or in a second."""
        run = self._flights.get((event.run_key, event.attempt))
        if run is None:
            return
        run.heard = time.monotonic()
        if isinstance(event, Started):
            run.started, run.place = run.heard, event.place
            run.begun = event, time.time()
        elif isinstance(event, Progress):
            run.unwritten.extend(event.points)
            if event.points:
                yield event, run, "running"
        elif isinstance(event, Preview):
            run.preview = event
            yield event, run, "running"
        else:
            yield from self._begun(run)
            if isinstance(event, Finished) and event.points:
                run.unwritten.extend(event.points)
                yield Progress(run_key=event.run_key, attempt=event.attempt, points=event.points, last=True), run, "running"
                event = replace(event, points=())
            if not isinstance(event, Snapshot | Checkpoint):
                self._flights.drop(run)
                self._hungry = True
                self._ends.append(run.heard)
            yield event, run, self._record(run, event)

    def _begun(self, run: InFlight) -> Iterator[Accepted]:
        """Record its start, where that has not been done."""
        if run.begun is not None:
            (event, at), run.begun = run.begun, None
            yield event, run, "running" if self._store.started(self._owner, event, run.task.launch(), at) else None

    def _record(self, run: InFlight, event: Event) -> str | None:
        """Write one event; the state that the run now has, or None if the attempt no longer held it."""
        store, owner = self._store, self._owner
        if isinstance(event, Snapshot):
            return "running" if store.snapshot(owner, event) else None
        if isinstance(event, Checkpoint):
            kept = store.checkpoint(owner, event, run.unwritten)
            run.unwritten.clear()
            return "running" if kept else None
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
        """What a start or an ending says of its sweep, of its node, and of the cluster."""
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
            self._last_steering = -math.inf  # what of it was claimed meanwhile is stopped at once
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
            look = now - self._last_limits >= LIMITS_SECONDS
            self._last_limits = now if look else self._last_limits
            for sweep_id, reason in self._ledger.exceeded(connection, time.time()) if look else ():
                if steering.pause(connection, sweep_id, reason):
                    self._watcher.remark(f"{steering.name_of(connection, sweep_id)} is paused: {reason}")
            held = steering.held(connection, self._owner)
        for run in self._flights:
            run.asked_to_stop = None if run.key in held else run.asked_to_stop or now  # it may be wanted again before it has stopped
        unwanted = [run for run in self._flights if run.key not in held]
        self._backend.ask_to_stop({run.key for run in unwanted})
        for run in unwanted:
            company = self._flights.company(run)
            idle = all(one.started is None for one in company) and all(one.key not in held for one in company)
            if idle or now - (run.asked_to_stop or now) > STOP_SECONDS:
                self._end(run)

    def _end_overlong(self, now: float) -> None:
        for run in self._flights:
            broken = run.over_limit(now)
            if broken is None or self._flights.get(run.key) is None:  # ended with the one before it
                continue
            if run.task.size == 1:
                told: list[Event] = [Failed(run_key=run.key[0], attempt=run.key[1], kind="limit", error=broken)]
            else:  # whose fault it is shows when each is alone
                error = f"a pack of {run.task.size}: {broken}"
                company = [one.key for one in self._flights.company(run)]
                told = [Crashed(run_key=key, attempt=attempt, kind="crashed", error=error, alone=False) for key, attempt in company]
            self._backend.cancel(*run.key)
            self._turn(told, claim=False)

    def _end(self, run: InFlight) -> None:
        """End a task that does not stop by itself, or has not begun; its runs are queued again where they are still held."""
        self._backend.cancel(*run.key)
        ended = [Stopped(run_key=one.key[0], attempt=one.key[1], step=one.claimed.start_step) for one in self._flights.company(run)]
        self._turn(ended, claim=False)

    def _write_progress(self) -> None:
        """Who began, and the curves and newest pictures of all running runs, in one transaction."""
        news, previews = [], []
        begun: list[Accepted] = []
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
            self._turn(self._backend.events(POLL_SECONDS), claim=False)
        self._write_progress()

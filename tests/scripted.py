"""A scripted back end in place of workers, for tests of the driver's loop; the store beside it is the real one."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from factories import GATYS, SHALLOW, finished_event, input_picture, plan_of
from sqlalchemy import text

from db import drivers
from db.store import ClaimedRun, Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace
from sweep.backend import Silent
from sweep.driver import Driver
from sweep.events import Crashed, Diverged, Event, Failed, Finished, LossPoint, Progress, Started, Stopped
from sweep.places import Ask, Room
from sweep.request import RunRequest

Script = Callable[[RunRequest], Iterator[Event]]


def record(store: Store, name: str = "demo", betas: int = 3, first: int = 0, **resources: Any) -> int:
    """Record 2 x betas runs (two layer sets); returns how many."""
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    planned = plan_of([content], [style], [float(2 + first + i) for i in range(betas)], [GATYS, SHALLOW])
    wants = {"cpus": 1, "gpus": 0, "device": "auto"} | resources
    sweep = SweepRecord(name=name, spec_text=f"name: {name}\n", spec_path=f"{name}.yaml", search_seed=None, resources=wants)
    record_sweep(store, sweep, planned, extend=False)
    return len(planned)


def points(*steps: int) -> tuple[LossPoint, ...]:
    return tuple(LossPoint(step, 48, 1.0 / (step + 1), 2.0 / (step + 1), 0.0) for step in steps)


def started(request: RunRequest, pid: int = 7) -> Started:
    return Started(run_key=request.run_key, attempt=request.attempt, node="n1", pid=pid, device="cpu", versions={"torch": "2"})


def progress(request: RunRequest, *steps: int) -> Progress:
    return Progress(run_key=request.run_key, attempt=request.attempt, points=points(*steps))


def finished(request: RunRequest) -> Finished:
    class Claimed:
        run_key, attempt, settings = request.run_key, request.attempt, request.settings

    return finished_event(Claimed, int(request.run_key[3:9], 16))  # type: ignore[arg-type]


def crashed(request: RunRequest, kind: str = "crashed", *, started: bool = True) -> Crashed:
    return Crashed(run_key=request.run_key, attempt=request.attempt, kind=kind, error=f"it {kind}", started=started)  # type: ignore[arg-type]


def well(request: RunRequest) -> Iterator[Event]:
    yield started(request)
    yield progress(request, 0, 1)
    yield progress(request)  # a sign of life: nobody is told
    yield progress(request, 2, 3)
    yield finished(request)


@dataclass
class Scripted:
    """Plays a script for every run that is submitted: one event of each slot's task a call, its members in turn.

    `stopping` is what it was asked to stop; a script that looks there (see `obedient`) tells that it did.
    """

    script: Script = well
    slots: int = 2
    gpus: float = 0.0
    grows: bool = False
    address: str = "scripted"
    waiting: list[Iterator[Event]] = field(default_factory=list)
    tasks: list[tuple[RunRequest, ...]] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    stopping: set[tuple[str, int]] = field(default_factory=set)
    avoided: set[str] = field(default_factory=set)
    wanted: list[tuple[Ask, int]] = field(default_factory=list)
    most: int = 0
    between: Callable[["Scripted"], None] = lambda _: None
    extra: list[Event] = field(default_factory=list)
    _streams: dict[Iterator[Event], tuple[RunRequest, ...]] = field(default_factory=dict)

    @property
    def submitted(self) -> list[RunRequest]:
        return [request for task in self.tasks for request in task]

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        gpus = resources.get("gpus")
        return Ask(cpus=resources.get("cpus", 1), gpus=self.gpus if gpus is None else gpus, memory=resources.get("memory") or 0)

    def room(self, ask: Ask) -> Room:
        return Room(slots=self.slots, why="" if self.slots else "there is no node.", may_grow=self.grows)

    def submit(self, requests: Sequence[RunRequest], ask: Ask) -> None:
        self.tasks.append(tuple(requests))
        self.asks.append(ask)
        stream = in_turn([self.script(request) for request in requests])
        self._streams[stream] = tuple(requests)
        self.waiting.append(stream)
        self.most = max(self.most, len(self.waiting))

    def events(self, timeout: float) -> list[Event]:
        self.between(self)
        told, self.extra = self.extra, []
        for stream in self.waiting[: self.slots]:
            event = next(stream, None)
            if event is not None:
                told.append(event)
            last = isinstance(event, Finished | Failed | Diverged | Crashed | Stopped) and len(self._streams[stream]) == 1
            if event is None or last:
                self.waiting.remove(stream)
        return told

    def ask_to_stop(self, keys: Set[tuple[str, int]]) -> None:
        self.stopping = set(keys)

    def cancel(self, run_key: str, attempt: int) -> None:
        self.cancelled.append(run_key)
        gone = [one for one, requests in self._streams.items() if any((r.run_key, r.attempt) == (run_key, attempt) for r in requests)]
        self.waiting = [stream for stream in self.waiting if stream not in gone]

    def want(self, ask: Ask, number: int) -> None:
        self.wanted.append((ask, number))

    def avoid(self, places: Collection[str]) -> None:
        self.avoided = set(places)

    def stop(self) -> None:
        self.waiting.clear()


def in_turn(streams: Sequence[Iterator[Event]]) -> Iterator[Event]:
    """One event of each, round and round, as a pack tells of its members."""
    going = list(streams)
    while going:
        for stream in list(going):
            event = next(stream, None)
            if event is None:
                going.remove(stream)
            else:
                yield event


@dataclass
class Notes:
    """A watcher that remembers what it was told."""

    told: list[tuple[str, str, str]] = field(default_factory=list)

    def event(self, run: ClaimedRun, event: Event, state: str) -> None:
        self.told.append((run.run_key, type(event).__name__, state))

    remarks: list[str] = field(default_factory=list)

    def tick(self, in_flight: int) -> None:
        pass

    def remark(self, sentence: str) -> None:
        self.remarks.append(sentence)


def drive(store: Store, backend: Scripted, watcher: Any = None, stop: Callable[[], bool] = lambda: False) -> bool:
    owner, holder = drivers.become_driver(store.engine, backend.address)
    assert owner is not None, holder
    return Driver(store, backend, owner, watcher or Silent()).drive(stop)


def states(workspace: Workspace) -> Counter[str]:
    with workspace.reader().connect() as connection:
        return Counter(connection.execute(text("SELECT state FROM run")).scalars())


def column(workspace: Workspace, query: str) -> list[Any]:
    with workspace.reader().connect() as connection:
        return list(connection.execute(text(query)).scalars())

"""The driver's side of Ray: a back end whose tasks are streams of events, each of one run or of a pack of them (`cluster_task`)."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from sweep.cluster_connection import connect  # isort: skip  # sets what Ray reads when it is imported

import numpy as np
import ray
from ray import ObjectRef
from ray.autoscaler.sdk import request_resources
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
    TaskUnschedulableError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.cluster_check import CREDENTIAL, own_versions
from sweep.cluster_nodes import ClusterNodes
from sweep.cluster_task import (
    MOST_QUESTIONS,
    Common,
    GpuFailed,
    Key,
    NodeLost,
    OtherVersions,
    PictureKey,
    StopList,
    StoredInputs,
    WeightsKey,
    Work,
    task_of,
)
from sweep.errors import StorageError, StylesweepError, SurroundingsError
from sweep.events import Crashed, Diverged, Event, Failed, Finished, Started, Stopped
from sweep.places import Ask, Room
from sweep.request import Inputs, RunRequest, masks_of, pictures_of
from sweep.transfer.presets import NETWORKS
from sweep.transfer.yardstick_names import NETWORK as YARDSTICK_NETWORK

PICTURES_KEPT = 64
"""Shrunk input pictures in the object store beyond those in flight."""
KINDS_KEPT = 100
FEW = 16
"""Tasks that are looked at one by one rather than asked for together."""


@dataclass(eq=False, kw_only=True)
class Task:
    """Runs in flight together and what they need kept alive in the object store."""

    requests: Sequence[RunRequest]
    inputs: StoredInputs
    started: set[Key] = field(default_factory=set)
    over: set[Key] = field(default_factory=set)

    @property
    def keys(self) -> list[Key]:
        """Of its runs' attempts."""
        return [(request.run_key, request.attempt) for request in self.requests]

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come."""
        return len(self.over) == len(self.requests)


class RayCluster:
    """Spreads runs over a Ray cluster: a local one that it starts and stops, or one that runs already."""

    def __init__(self, address: str, inputs: Inputs, work: Work | None = None) -> None:
        """Connect, or start. work: what workers do instead of `worker.run`; a function of a module that they can import.

        Raises:
            InputError: the address is of a kind that cannot stream.
            SurroundingsError: no Ray answers there, or the local one does not start.
        """
        self.address = address
        self._inputs = inputs
        self._pictures: OrderedDict[PictureKey, ObjectRef[np.ndarray]] = OrderedDict()
        self._networks: dict[WeightsKey, ObjectRef[dict[str, Any]]] = {}
        self._tasks: dict[Any, Task] = {}
        self._refused: list[Event] = []
        self._stopping: frozenset[Key] = frozenset()
        self._wanted: list[dict[str, float]] = []
        versions = {name: version for name, version in own_versions().items() if name != CREDENTIAL}  # without it, no stream comes
        self._remote: dict[str, Any] = {}
        self._nodes = ClusterNodes(address)
        connect(address)
        try:
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
            stop_list = ray.remote(StopList).options(num_cpus=0, scheduling_strategy=here, max_concurrency=MOST_QUESTIONS)
            self._stop_list: Any = stop_list.remote()
            self._common = Common(stop_list=self._stop_list, work=work, versions=versions)
            self._run_task = task_of(self._common)
        except BaseException:  # who gets no back end has none to stop
            ray.shutdown()
            raise

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        """One GPU where the file leaves it open and the cluster has any, or can start a node that does."""
        return self._nodes.ask(resources)

    def room(self, ask: Ask) -> Room:
        """Counted node by node, as a task cannot be split over two."""
        return self._nodes.room(ask)

    def submit(self, requests: Sequence[RunRequest], ask: Ask) -> None:
        """One streaming task. A run whose pictures or weights cannot be had fails by itself, as it would inside a worker."""
        able = []
        inputs = StoredInputs(pictures={}, networks={})
        for request in (replace(request, gpus=ask.gpus) for request in requests):
            try:
                inputs = self._stored(request, inputs)
                able.append(request)
            except (StylesweepError, OSError) as error:
                from sweep import worker  # and torch with it, which a driver can do without for as long as nothing is wrong

                self._refused.append(worker.failure(request, error))
        if not able:
            return
        # One name for all: Ray counts tasks by name for its metrics, and keeps 10 to 30 kB in this process for every name that it ever saw.
        options: dict[str, Any] = {"num_cpus": ask.cpus, "num_gpus": ask.gpus, "name": "stylesweep"}
        if ask.memory:
            options["memory"] = ask.memory
        if left_out := self._nodes.left_out(ask):
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(sorted(left_out))})"}
        stream = self._task(options).remote((able, inputs))
        self._tasks[stream] = Task(requests=able, inputs=inputs)

    def _task(self, options: dict[str, Any]) -> Any:
        """Ray checks options for a while, and a driver has few kinds of them."""
        kind = repr(options)
        if kind not in self._remote:
            if len(self._remote) >= KINDS_KEPT:
                self._remote.clear()
            self._remote[kind] = self._run_task.options(**options)
        return self._remote[kind]

    def events(self, timeout: float) -> list[Event]:
        """Everything that has arrived, of all tasks in turn; waits only while nothing has."""
        told, self._refused = self._refused, []
        if told or not self._tasks:
            return told
        ready, _ = ray.wait(list(self._tasks), num_returns=1, timeout=timeout, fetch_local=False)
        if ready:  # whoever is ready by now, not only the first in the list
            ready = list(self._tasks)
            if len(ready) > FEW:
                ready, _ = ray.wait(ready, num_returns=len(ready), timeout=0, fetch_local=False)
        arrived = [(stream, *_arrived(stream)) for stream in ready]
        told_by = iter(_objects([reference for _, references, _ in arrived for reference in references]))
        for stream, references, over in arrived:
            task = self._tasks[stream]
            told.extend(_told(task, list(islice(told_by, len(references))), over, self._nodes))
            if task.ended:
                del self._tasks[stream]
        return told

    def ask_to_stop(self, keys: Set[Key]) -> None:
        """Told to an actor that the workers ask about twice a second."""
        if frozenset(keys) != self._stopping:
            self._stopping = frozenset(keys)
            self._stop_list.replace.remote(self._stopping)

    def cancel(self, run_key: str, attempt: int) -> None:
        """Kill the worker, as one that is stuck does not listen; what it holds in its caches is lost."""
        for stream, task in list(self._tasks.items()):
            if (run_key, attempt) in task.keys:
                ray.cancel(stream, force=True)
                del self._tasks[stream]

    def want(self, ask: Ask, number: int) -> None:
        """Tell an autoscaler, if there is one, what could be at work now; it starts nodes for that and keeps them."""
        bundle = {"CPU": ask.cpus, "GPU": ask.gpus, "memory": ask.memory}
        bundles = [{name: amount for name, amount in bundle.items() if amount}] * number
        if self.address != "local" and bundles != self._wanted:
            self._wanted = bundles
            with contextlib.suppress(RayError, ConnectionError, RuntimeError):  # a cluster that is gone is noticed elsewhere
                request_resources(bundles=bundles)

    def avoid(self, places: Collection[str]) -> None:
        """Nothing more is handed to these nodes while others have room."""
        self._nodes.avoid(places)

    def stop(self) -> None:
        """Kill what is running; a local Ray is shut down, another one is only left, whatever state it is in."""
        try:
            with contextlib.suppress(RayError):  # a cluster that is gone has nothing left to cancel
                for stream in self._tasks:
                    ray.cancel(stream, force=True)
            self._tasks.clear()
            self.want(Ask(), 0)  # the wish would outlive this process
        finally:
            ray.shutdown()

    def _stored(self, request: RunRequest, others: StoredInputs) -> StoredInputs:
        """What a run reads, beside what others of its task do."""
        settings = request.settings.settings
        info = NETWORKS[YARDSTICK_NETWORK]
        needed = {(settings.network, settings.network_hash), (info.name, info.source_hash)}
        return StoredInputs(
            pictures={**others.pictures, **{(sha256, size): self._picture(sha256, size) for sha256, size in pictures_of(request)}},
            networks={**others.networks, **{key: self._network(key) for key in needed}},
            masks={**others.masks, **{key: self._mask(*key) for key in masks_of(request)}},
            states={**others.states, **({request.run_key: self._state(request.run_key)} if request.start_step else {})},
        )

    def _state(self, run_key: str) -> "ObjectRef[bytes] | str":
        """A state that cannot be read is no reason not to run: the worker begins again, and says why."""
        try:
            return ray.put(self._inputs.checkpoint(run_key))
        except StorageError as error:
            return str(error)

    def _picture(self, sha256: str, size: int) -> "ObjectRef[np.ndarray]":
        return self._put((sha256, size), lambda: self._inputs.pixels(sha256, size))

    def _mask(self, sha256: str, size: int) -> "ObjectRef[np.ndarray]":
        # Under a name of its own: the same file may be a style, too.
        return self._put((f"mask {sha256}", size), lambda: self._inputs.mask(sha256, size))

    def _put(self, key: PictureKey, read: Callable[[], np.ndarray]) -> "ObjectRef[np.ndarray]":
        if key not in self._pictures:
            self._pictures[key] = ray.put(read())
            while len(self._pictures) > PICTURES_KEPT:
                self._pictures.popitem(last=False)  # tasks in flight hold their own reference
        self._pictures.move_to_end(key)
        return self._pictures[key]

    def _network(self, key: WeightsKey) -> "ObjectRef[dict[str, Any]]":
        if key not in self._networks:
            weights = self._inputs.weights(*key)
            self._networks[key] = ray.put({"arrays": weights.arrays, "content_hash": weights.content_hash})
        return self._networks[key]


def _arrived(stream: Any) -> tuple[list[Any], bool]:
    """References to what has arrived in a stream, and whether that is all."""
    references = []
    try:
        while stream.next_ready():
            references.append(next(stream))
    except StopIteration:
        return references, True
    return references, bool(stream.is_finished())


def _objects(references: list[Any]) -> "list[Event | RayError]":
    """What they refer to, or why there is nothing; all at once, as to ask Ray takes longer than to answer."""
    try:
        return list(ray.get(references))
    except RayError:
        return [_object(reference) for reference in references]


def _object(reference: Any) -> "Event | RayError":
    try:
        event: Event = ray.get(reference)
    except RayError as error:
        return error
    return event


def _told(task: Task, objects: "Sequence[Event | RayError]", over: bool, nodes: ClusterNodes) -> Iterator[Event]:
    """Events of one task; a crash becomes an event too, for each of its runs. over: nothing more is to come."""
    for event in objects:
        if task.ended:
            return
        if isinstance(event, RayError):
            if isinstance(event, RayTaskError) and isinstance(event.cause, OtherVersions):
                nodes.refuse(*event.cause.args)
            yield from _crash(task, *_kind(event))
            return
        key = (event.run_key, event.attempt)
        if isinstance(event, Started):
            task.started.add(key)
        if isinstance(event, Finished | Diverged | Failed | Stopped):
            task.over.add(key)
        yield event
    if over and not task.ended:
        yield from _crash(task, "crashed", "the task ended without a result")


def _crash(task: Task, kind: Any, error: str) -> Iterator[Crashed]:
    alone = len(task.requests) == 1
    for key in task.keys:
        if key not in task.over:
            task.over.add(key)
            yield Crashed(run_key=key[0], attempt=key[1], kind=kind, error=error, started=key in task.started, alone=alone)


def _kind(error: RayError) -> tuple[str, str]:
    """(attempt's state, message): a lost node is no fault of the run's.

    Raises:
        SurroundingsError: no task of this kind can be scheduled, or no worker set up.
    """
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, RuntimeEnvSetupError | TaskUnschedulableError):
        raise SurroundingsError(f"Ray cannot start workers: {first_line}") from error
    if isinstance(error, OutOfMemoryError):
        return "oom", f"Ray ended the worker because its node ran out of memory: {first_line}"
    if isinstance(error, NodeDiedError | LocalRayletDiedError | ObjectLostError):
        return "lost", f"its node was lost: {first_line}"
    if isinstance(error, RayTaskError) and isinstance(error.cause, NodeLost):
        return "lost", f"its node was lost: {error.cause}"
    if isinstance(error, RayTaskError) and isinstance(error.cause, OtherVersions):
        return "lost", error.cause.args[1]
    if isinstance(error, RayTaskError) and isinstance(error.cause, GpuFailed):
        return "crashed", str(error.cause)
    if isinstance(error, RayTaskError):  # raised around worker.run, which raises nothing: the cause stands last
        return "crashed", str(error).strip().splitlines()[-1]
    return "crashed", f"{type(error).__name__}: {first_line}"

"""The only module that knows Ray: each run is a streaming task around `worker.run`.

Why it is as it is (docs/design.md, section 5): max_calls=0, because a GPU task loses its process after every call by default, and
the network with it; max_retries=0, because Ray's replay of a stream drops what a second attempt yields in the first one's
positions, so the driver owns retries; weights and pictures as numpy, nested in a dict, so that a task begins before they have
travelled and a process that has cached what it needs never fetches them.
"""

import atexit
import contextlib
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# A task without GPUs then sees none; set before Ray is imported, which reads it at once.
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")

import numpy as np
import ray
from ray import ObjectRef
from ray._private import ray_constants
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
)

import psutil  # type: ignore[import-untyped]  # isort: skip  # Ray brings it along and makes it importable

from sweep import worker
from sweep.errors import InputError, Interrupted, StorageError, StylesweepError, SurroundingsError
from sweep.events import Crashed, Diverged, Event, Failed, Finished, Started, Stopped
from sweep.request import Inputs, RunRequest, masks_of, pictures_of
from sweep.transfer import yardsticks
from sweep.transfer.presets import NETWORKS
from sweep.transfer.weights import Weights

CONNECT_SECONDS = 5.0
PICTURES_KEPT = 64
"""Shrunk input pictures in the object store beyond those in flight."""

_NOBODY = "no Ray cluster answers at {address!r} ({said}). Start one with `ray start --head`, or use --address local."

PictureKey = tuple[str, int]
WeightsKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class StoredInputs:
    """A worker's view of its inputs: references, fetched only when a cache of the process lacks them."""

    pictures: Mapping[PictureKey, "ObjectRef[np.ndarray]"]
    networks: Mapping[WeightsKey, "ObjectRef[dict[str, Any]]"]
    masks: Mapping[PictureKey, "ObjectRef[np.ndarray]"] = field(default_factory=dict)
    states: Mapping[str, "ObjectRef[bytes] | str"] = field(default_factory=dict)

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """Zero-copy and read-only within a node."""
        return ray.get(self.pictures[sha256, long_side])

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """As `pixels`."""
        return ray.get(self.masks[sha256, long_side])

    def weights(self, network: str, network_hash: str) -> Weights:
        """Once per process: the worker keeps the network it builds from it."""
        stored = ray.get(self.networks[network, network_hash])
        return Weights(network=network, arrays=stored["arrays"], content_hash=stored["content_hash"])

    def checkpoint(self, run_key: str) -> bytes:
        """Where a run goes on from. Raises StorageError if the driver could not read it."""
        state = self.states[run_key]
        if isinstance(state, str):
            raise StorageError(state)
        return ray.get(state)


def _run(request: RunRequest, inputs: StoredInputs) -> Iterator[Event]:
    """One run on a node of the cluster."""
    yield from worker.run([request], inputs)


_TASK: dict[str, Any] = {"num_returns": "streaming", "max_retries": 0, "max_calls": 0, "_generator_backpressure_num_objects": 64}
run_task: Any = ray.remote(**_TASK)(_run)


@dataclass(kw_only=True)
class Task:
    """A run in flight and what it needs kept alive in the object store."""

    request: RunRequest
    stream: Any
    inputs: StoredInputs
    started: bool = False
    ended: bool = False


class RayCluster:
    """Spreads runs over a Ray cluster: a local one that it starts and stops, or one that runs already."""

    def __init__(self, address: str, inputs: Inputs) -> None:
        """Connect, or start.

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
        _connect(address)

    def slots(self, resources: Mapping[str, Any]) -> int:
        """Counted node by node, as a task cannot be split over two."""
        cpus, gpus = self._wanted(resources)
        nodes = [node["Resources"] for node in _alive_nodes()]
        slots = sum(_fits(node, cpus, gpus) for node in nodes)
        if slots == 0:
            has = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes) or "no nodes"
            raise SurroundingsError(
                f"no node of the cluster has room for a run that asks for cpus: {cpus:g} and gpus: {gpus:g}. It has: {has}. "
                "Lower `resources` in the sweep's file, or add nodes."
            )
        return slots

    def submit(self, request: RunRequest, resources: Mapping[str, Any]) -> None:
        """One streaming task. A run whose pictures or weights cannot be had fails by itself, as it would inside a worker."""
        cpus, gpus = self._wanted(resources)
        request = replace(request, gpus=gpus)
        try:
            inputs = self._stored(request)
        except (StylesweepError, OSError) as error:
            self._refused.append(worker.failure(request, error))
            return
        name = f"stylesweep:{request.run_key[:11]}:a{request.attempt}"
        stream = run_task.options(num_cpus=cpus, num_gpus=gpus, name=name).remote(request, inputs)
        self._tasks[stream] = Task(request=request, stream=stream, inputs=inputs)

    def events(self, timeout: float) -> list[Event]:
        """Everything that has arrived, of all tasks in turn; waits only while nothing has."""
        told, self._refused = self._refused, []
        if told or not self._tasks:
            return told
        ready, _ = ray.wait(list(self._tasks), num_returns=1, timeout=timeout, fetch_local=False)
        if ready:  # whoever is ready by now, not only the first in the list
            ready, _ = ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0, fetch_local=False)
        for stream in ready:
            task = self._tasks[stream]
            told.extend(_drain(task))
            if task.ended:
                del self._tasks[stream]
        return told

    def cancel(self, run_key: str, attempt: int) -> None:
        """Kill the worker, as one that is stuck does not listen; what it holds in its caches is lost."""
        for stream, task in list(self._tasks.items()):
            if (task.request.run_key, task.request.attempt) == (run_key, attempt):
                ray.cancel(stream, force=True)
                del self._tasks[stream]

    def stop(self) -> None:
        """Kill what is running; a local Ray is shut down, another one is only left."""
        with contextlib.suppress(RayError):  # a cluster that is gone has nothing left to cancel
            for stream in self._tasks:
                ray.cancel(stream, force=True)
        self._tasks.clear()
        ray.shutdown()

    def _wanted(self, resources: Mapping[str, Any]) -> tuple[float, float]:
        gpus = resources.get("gpus")
        if gpus is None:
            gpus = 1.0 if any(node["Resources"].get("GPU", 0) >= 1 for node in _alive_nodes()) else 0.0
        return float(resources.get("cpus", 1)), float(gpus)

    def _stored(self, request: RunRequest) -> StoredInputs:
        settings = request.settings.settings
        info = NETWORKS[yardsticks.NETWORK]
        needed = {(settings.network, settings.network_hash), (info.name, info.source_hash)}
        return StoredInputs(
            pictures={(sha256, size): self._picture(sha256, size) for sha256, size in pictures_of(request)},
            networks={key: self._network(key) for key in needed},
            masks={key: self._mask(*key) for key in masks_of(request)},
            states={request.run_key: self._state(request.run_key)} if request.start_step else {},
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


def _drain(task: Task) -> Iterator[Event]:
    """Events that have arrived for one task; a crash becomes an event too."""
    while not task.ended:
        try:
            if not task.stream.next_ready():
                if not task.stream.is_finished():
                    return
                raise StopIteration
            event: Event = ray.get(next(task.stream))
        except StopIteration:
            task.ended = True
            yield _crash(task, "crashed", "the task ended without a result")
            return
        except RayError as error:
            task.ended = True
            yield _crash(task, *_kind(error))
            return
        task.started = task.started or isinstance(event, Started)
        task.ended = isinstance(event, Finished | Diverged | Failed | Stopped)
        yield event


def _crash(task: Task, kind: Any, error: str) -> Crashed:
    return Crashed(run_key=task.request.run_key, attempt=task.request.attempt, kind=kind, error=error, started=task.started)


def _kind(error: RayError) -> tuple[str, str]:
    """(attempt's state, message): a lost node is no fault of the run's."""
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, OutOfMemoryError):
        return "oom", f"Ray ended the worker because its node ran out of memory: {first_line}"
    if isinstance(error, NodeDiedError | LocalRayletDiedError | ObjectLostError):
        return "lost", f"its node was lost: {first_line}"
    if isinstance(error, RayTaskError):  # raised around worker.run, which raises nothing: the cause stands last
        return "crashed", str(error).strip().splitlines()[-1]
    return "crashed", f"{type(error).__name__}: {first_line}"


def _alive_nodes() -> list[dict[str, Any]]:
    try:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's own
        return [node for node in nodes if node["Alive"]]
    except (RayError, ConnectionError, RuntimeError) as error:
        raise SurroundingsError(f"the Ray cluster no longer answers: {error}. Start it again, then run the same command.") from error


def _fits(node: Mapping[str, float], cpus: float, gpus: float) -> int:
    per_cpu = int(node.get("CPU", 0) / cpus)
    return per_cpu if gpus == 0 else min(per_cpu, int(node.get("GPU", 0) / gpus))


def _connect(address: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        quiet |= {"num_cpus": os.cpu_count(), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    elif address != "auto":
        _reachable(address)
    try:
        with _on_loopback() if address == "local" else contextlib.nullcontext():
            ray.init(address=address, **quiet)
    except (KeyboardInterrupt, SystemExit):
        atexit.register(_end_at_once)
        raise
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if address == "local":
            raise SurroundingsError(f"a local Ray does not start: {said} Its logs are in the newest folder of /tmp/ray.") from error
        raise SurroundingsError(_NOBODY.format(address=address, said=said)) from error


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Start a Ray that this machine alone can reach.

    On Linux Ray takes 127.0.0.1 for the machine's outer address and listens on all of them. On other systems it does not;
    this is the switch by which it tells them apart, and nothing public sets it without an environment variable before the import.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _end_at_once() -> None:
    """The end of a process whose `ray.init` was cut off, in place of Ray's own, which crashes on what is only half there."""
    # Ray's agents would outlive their killed raylet by a minute. They are grandchildren of this process, which has no others yet.
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(Interrupted.exit_code)


def _reachable(address: str) -> None:
    """Ray itself tries an address for a minute before it says so."""
    if address.startswith("ray://"):
        raise InputError("--address ray://... cannot stream results; run on the cluster's head with --address auto, or give its host:port.")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"--address {address!r} is not understood: give local, inline, auto, or host:port, as in 10.0.0.5:6379.")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SurroundingsError(_NOBODY.format(address=address, said=error)) from error

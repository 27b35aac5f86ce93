"""What runs on the nodes of a Ray cluster: the task around `worker.run`, its inputs, and how it hears that it is to stop.

Why the task is as it is (docs/design.md, section 5): max_calls=0, because a GPU task loses its process after every call by default, and
the network with it; max_retries=0, because Ray's replay of a stream drops what a second attempt yields in the first one's
positions, so the driver owns retries; weights and pictures as numpy, nested in a dict, so that a task begins before they have
travelled and a process that has cached what it needs never fetches them.
"""

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import ray
from ray import ObjectRef
from ray.exceptions import LocalRayletDiedError, RayError

from sweep.cluster_check import difference, own_versions
from sweep.errors import StorageError
from sweep.events import Event, Failed, Finished, Progress, Started
from sweep.request import Inputs, RunRequest
from sweep.transfer.weights import Weights

T = TypeVar("T")
PictureKey = tuple[str, int]
WeightsKey = tuple[str, str]
Key = tuple[str, int]
"""(run_key, attempt)."""
Work = Callable[[Sequence[RunRequest], Inputs, Callable[[], Set[Key]]], Iterator[Event]]
"""What a worker does with the runs of a task: `worker.run`, or what stands for it where load and scheduling are measured."""
PATIENCE_SECONDS = 20.0
"""How long a question of whether to stop may stay without an answer."""
MOST_QUESTIONS = 100_000
"""That wait at once: one for each task that is running."""


class NodeGone(BaseException):
    """Ray on this node answers no more: the node is going. No Exception, as it must pass what makes a failed run of an error."""


class NodeLost(Exception):
    """The same as the error of a task: what the driver hears, if it hears anything."""


class OtherVersions(Exception):
    """The node's Ray ID, and what this node has otherwise than the driver, as a sentence: nothing is computed here."""


class GpuFailed(Exception):
    """A GPU failed under this process, as a sentence."""


@contextlib.contextmanager
def _of_the_node() -> Iterator[None]:
    """What breaks off while this process talks to Ray on its own node (`OSError: Broken pipe`) is no fault of the run's."""
    try:
        yield
    except (OSError, LocalRayletDiedError) as error:
        raise NodeGone(f"{type(error).__name__}: {error}") from error


def fetched(reference: "ObjectRef[T]") -> T:
    """The object. Waited for in another thread: while the main thread of a task waits for an object, be it for a moment, Ray takes its
    CPU for free and starts the next task on it, and from then on one more runs than there is room and memory for."""
    with _of_the_node(), ThreadPoolExecutor(max_workers=1) as other:
        return other.submit(ray.get, reference).result()


@dataclass(frozen=True, kw_only=True)
class StoredInputs:
    """A worker's view of its inputs: references, fetched only when a cache of the process lacks them."""

    pictures: Mapping[PictureKey, "ObjectRef[np.ndarray]"]
    networks: Mapping[WeightsKey, "ObjectRef[dict[str, Any]]"]
    masks: Mapping[PictureKey, "ObjectRef[np.ndarray]"] = field(default_factory=dict)
    states: Mapping[str, "ObjectRef[bytes] | str"] = field(default_factory=dict)

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """Zero-copy and read-only within a node."""
        return fetched(self.pictures[sha256, long_side])

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """As `pixels`."""
        return fetched(self.masks[sha256, long_side])

    def checkpoint(self, run_key: str) -> bytes:
        """Where a run goes on from. Raises StorageError if the driver could not read it."""
        state = self.states[run_key]
        if isinstance(state, str):
            raise StorageError(state)
        return fetched(state)

    def weights(self, network: str, network_hash: str) -> Weights:
        """Once per process: the worker keeps the network it builds from it."""
        stored = fetched(self.networks[network, network_hash])
        return Weights(network=network, arrays=stored["arrays"], content_hash=stored["content_hash"])


class StopList:
    """An actor beside the driver: which attempts are to stop. Workers ask it; nothing waits for its answer.

    It answers when there is something to say, or after `PATIENCE_SECONDS`, lest it keep the questions of tasks that are over for ever: a
    hundred workers that asked anew all the time would keep a core busy.
    """

    def __init__(self) -> None:
        self._keys: frozenset[Key] = frozenset()
        self._changed = asyncio.Event()

    async def replace(self, keys: frozenset[Key]) -> None:
        """These and no others."""
        self._keys = keys
        self._changed.set()
        self._changed = asyncio.Event()

    async def asked(self, keys: frozenset[Key]) -> frozenset[Key]:
        """Which of these."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not self._keys & keys:
                    await self._changed.wait()
        return self._keys & keys


class Asked:
    """A worker's side of the stop list: called between steps, it gives what it knows and asks anew; it never waits."""

    def __init__(self, stop_list: Any, keys: Iterable[Key]) -> None:
        self._stop_list, self._keys = stop_list, frozenset(keys)
        self._answer: Any = None
        self._known: frozenset[Key] = frozenset()

    def __call__(self) -> frozenset[Key]:
        """Which of this task's attempts are to stop, as of a moment ago."""
        if self._answer is not None and self._answer.done():  # a look with ray.wait would free this task's CPU, as `fetched` says
            with contextlib.suppress(RayError):  # without its driver nobody can ask; Ray ends this task then anyhow
                self._known = self._answer.result()
            self._answer = None
        if self._answer is None:
            with _of_the_node():
                self._answer = self._stop_list.asked.remote(self._keys).future()
        return self._known


_VISIBLE = "CUDA_VISIBLE_DEVICES"
_LEFT_ALONE = "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"


def gpu_here() -> int:
    """Which of the GPUs that CUDA sees in this process is this task's; 0 where it has none.

    Ray tells a task its GPU by CUDA_VISIBLE_DEVICES. But CUDA reads that once in a process, and a process that was idle may be given
    another GPU with its next task: it would go on on its first one, beside somebody else, while its own idles. So CUDA is let see all.
    """
    given = [str(one) for one in ray.get_gpu_ids()]
    if not given or not all(one.isdigit() for one in given):
        return 0  # UUIDs, and parts of a GPU: CUDA finds those by Ray's word alone
    if os.environ.get(_LEFT_ALONE, "").lower() in ("1", "true"):  # somebody has told Ray to let the variable be
        named = os.environ.get(_VISIBLE)
        return min(named.split(",").index(one) for one in given) if named else min(int(one) for one in given)
    if os.environ.pop(_VISIBLE, None) is None:
        return 0  # another maker's GPU, for which Ray has another variable
    return min(int(one) for one in given)


_spent: list[str] = []
"""Why this process is of no more use."""
versions_here = functools.cache(own_versions)
"""Of this process; to look them up takes as long as a small run's rows."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """What all tasks of a driver have in common. work: what is done instead of `worker.run`; versions: the driver's."""

    stop_list: Any
    work: Work | None
    versions: Mapping[str, str]


def _run(requests: Sequence[RunRequest], inputs: StoredInputs, common: Common) -> Iterator[Event]:
    """A task: runs on one node of the cluster. A node may have joined since all were asked for their versions."""
    if _spent:  # Ray has no way to end a process with its task
        os._exit(1)
    place = ray.get_runtime_context().get_node_id()
    if problem := difference(socket.gethostname(), common.versions, versions_here()):
        raise OtherVersions(place, problem)
    work = common.work
    if work is None:
        from sweep import worker  # here, as the driver imports this module too, and needs no torch

        work = worker.run
    gpu = gpu_here()
    requests = [replace(request, gpu=gpu) for request in requests]
    asked = Asked(common.stop_list, [(request.run_key, request.attempt) for request in requests])
    held: dict[Key, Progress] = {}
    try:
        for event in work(requests, inputs, asked):
            if isinstance(event, Failed) and event.kind == "gpu":
                _spent.append(event.error)
                raise GpuFailed(event.error)
            yield from _joined(replace(event, place=place) if isinstance(event, Started) else event, held)
    except NodeGone as gone:
        raise NodeLost(str(gone)) from gone


def _joined(event: Event, held: dict[Key, Progress]) -> Iterator[Event]:
    """The end of a curve waits for the picture, which comes next, and goes with it: each thing told costs the driver half a millisecond."""
    key = (event.run_key, event.attempt)
    if isinstance(event, Progress) and event.last:
        held[key] = event
        return
    before = held.pop(key, None)
    if before is not None and isinstance(event, Finished):
        yield replace(event, points=before.points)
        return
    if before is not None:
        yield before
    yield event


TASK: dict[str, Any] = {"num_returns": "streaming", "max_retries": 0, "max_calls": 0, "_generator_backpressure_num_objects": 64}


def task_of(common: Common) -> Any:
    """The task of one driver: a process gets what is common with the function, once, and with each task only (requests, inputs).

    One argument, as Ray makes a message of each by itself, which costs more than what is in it.
    """

    def run(given: tuple[Sequence[RunRequest], StoredInputs]) -> Iterator[Event]:
        yield from _run(*given, common)

    return ray.remote(**TASK)(run)

"""The nodes of a Ray cluster that this process is connected to: which are up, which its autoscaler may start, how many tasks they hold."""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from sweep.cluster_connection import autoscaler_file, connect  # isort: skip  # sets what Ray reads when it is imported

import ray
from ray.autoscaler.v2.instance_manager.config import FileConfigReader
from ray.exceptions import RayError

from sweep.errors import SurroundingsError
from sweep.places import Ask, Room

NODES_SECONDS = 1.0
"""How long what the cluster said of its nodes is believed."""
HEAD = "node:__internal_head__"
"""The resource by which Ray marks the head."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What an autoscaler may start: (resources, how many at a time) of each kind of worker, and how many of all."""

    kinds: tuple[tuple[Mapping[str, float], int], ...] = ()
    workers: int = 0

    def slots(self, ask: Ask) -> int:
        """How many tasks there is room for on all workers that may be up at once, the roomiest first."""
        left, slots = self.workers, 0
        for fits, most in sorted(((_fits(has, ask), most) for has, most in self.kinds), reverse=True):
            slots += fits * min(most, left)
            left -= min(most, left)
        return slots


class ClusterNodes:
    """Where tasks may work. A node is called by its Ray ID."""

    def __init__(self, address: str) -> None:
        """address: as `connect` was given it; a local Ray does not grow."""
        self._local = address == "local"
        self._known: tuple[float, list[dict[str, Any]]] = (0.0, [])
        self._refused: dict[str, str] = {}
        self._avoided: frozenset[str] = frozenset()

    def ask(self, resources: Mapping[str, Any]) -> Ask:
        """One GPU where the file leaves it open and a node has any, one that is up or one that may be started."""
        gpus = resources.get("gpus")
        if gpus is None:
            gpus = float(resources.get("device") != "cpu" and any(has.get("GPU", 0) >= 1 for has in self._resources()))
        return Ask(cpus=float(resources.get("cpus", 1)), gpus=float(gpus), memory=float(resources.get("memory") or 0.0))

    def room(self, ask: Ask) -> Room:
        """Counted node by node, as a task cannot be split over two."""
        left_out = self.left_out(ask)
        slots = sum(_fits(node["Resources"], ask) for node in self._alive() if node["NodeID"] not in left_out)
        on_head = sum(_fits(node["Resources"], ask) for node in self._alive() if HEAD in node["Resources"])
        most = max(slots, on_head + self._growth.slots(ask))
        return Room(slots=slots, most=most, why="" if slots else self._why(ask, most), may_grow=not self._local)

    def left_out(self, ask: Ask) -> frozenset[str]:
        """The nodes that such a task is not handed to: those that were refused, and bad ones as long as others have room."""
        refused = frozenset(self._refused)
        both = refused | self._avoided
        return both if any(_fits(node["Resources"], ask) for node in self._alive() if node["NodeID"] not in both) else refused

    def avoid(self, nodes: Collection[str]) -> None:
        """These and no others are bad, which is better than none."""
        self._avoided = frozenset(nodes)

    def refuse(self, node: str, problem: str) -> None:
        """Nothing is handed to it any more. problem: what it has otherwise than the driver, as a sentence."""
        self._refused[node] = problem

    def _alive(self) -> list[dict[str, Any]]:
        said, nodes = self._known
        if time.monotonic() - said > NODES_SECONDS:
            nodes = _alive_nodes()
            self._known = (time.monotonic(), nodes)
        return nodes

    @cached_property
    def _growth(self) -> Growth:
        return Growth() if self._local else growth()

    def _resources(self) -> Iterator[Mapping[str, float]]:
        yield from (node["Resources"] for node in self._alive())
        yield from (has for has, _ in self._growth.kinds)

    def _why(self, ask: Ask, most: int) -> str:
        memory = f", memory: {ask.memory / 2**30:.1f} GiB" if ask.memory else ""
        wants = f"a run that asks for cpus: {ask.cpus:g}, gpus: {ask.gpus:g}{memory}"
        others = "".join(f" {self._refused[node['NodeID']]}" for node in self._alive() if node["NodeID"] in self._refused)
        if most:
            return f"no node that is up has room for {wants}; all nodes that the cluster may start have room for {most} at once.{others}"
        has = "; ".join(_has(node["Resources"], ask) for node in self._alive()) or "no nodes"
        return f"no node of the cluster has room for {wants}. It has: {has}. Lower `resources` in the sweep's file, or add nodes.{others}"


def look(address: str, resources: Mapping[str, Any]) -> tuple[Ask, Room]:
    """What a run of these `resources` asks of the cluster at an address, and the room that it has; for who plans.

    Raises:
        InputError: the address is of a kind that cannot stream.
        SurroundingsError: no Ray answers there.
    """
    connect(address)
    try:
        nodes = ClusterNodes(address)
        ask = nodes.ask(resources)
        return ask, nodes.room(ask)
    finally:
        ray.shutdown()


def growth() -> Growth:
    """What the cluster's autoscaler may start. Ray tells nobody: a kind of node of which none is up stands only in the file that the
    autoscaler was started with. It runs on the head, as drivers do; elsewhere, and where there is none, nothing is known."""
    file = autoscaler_file(ray.get_runtime_context().gcs_address)
    with contextlib.suppress(Exception):  # whatever Ray's own reader says of a file: the autoscaler, not this process, has to live with it
        return read_growth(file) if file is not None else Growth()
    return Growth()


def read_growth(file: str) -> Growth:
    """By a cluster's file as its head has it, where Ray has filled in what it knows of the machines."""
    config = FileConfigReader(file).get_cached_autoscaling_config()
    head = config.get_head_node_type()
    kinds = (
        ({"memory": inf} | one.resources, one.max_worker_nodes - (name == head))  # a cluster's file need not say how much memory
        for name, one in config.get_node_type_configs().items()
    )
    return Growth(kinds=tuple(kinds), workers=config.get_max_num_worker_nodes() or 0)


def _alive_nodes() -> list[dict[str, Any]]:
    try:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's own
        return [node for node in nodes if node["Alive"]]
    except (RayError, ConnectionError, RuntimeError) as error:
        raise SurroundingsError(f"the Ray cluster no longer answers: {error}. Start it again, then run the same command.") from error


def _fits(node: Mapping[str, float], ask: Ask) -> int:
    """How many tasks a node has room for when it is empty."""
    wants = {"CPU": ask.cpus, "GPU": ask.gpus, "memory": ask.memory}
    return min(int(min(node.get(name, 0) / amount, 1e9)) for name, amount in wants.items() if amount)


def _has(node: Mapping[str, float], ask: Ask) -> str:
    memory = f", {node.get('memory', 0) / 2**30:.1f} GiB" if ask.memory else ""
    return f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs{memory}"

"""Measuring a Ray cluster: beside `sweep.cluster` the only module that knows Ray. One node of each kind stands for all of it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # as in sweep.cluster: a task without GPUs then sees none

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.calibrate import Sample, SampleInputs, Told, mean_of, measure
from sweep.calibrate_samples import Wanted
from sweep.errors import StylesweepError, SurroundingsError
from sweep.speed import Measured
from sweep.transfer import yardsticks
from sweep.transfer.presets import NETWORKS
from sweep.transfer.weights import Weights, load_weights


def _measure(samples: Sequence[Sample], inputs: SampleInputs, networks: Mapping[tuple[str, str], Any]) -> list[Measured | None]:
    """On a node: a row for each sample, None where memory ran out."""
    rows: list[Measured | None] = []
    held = {key: Weights(*ray.get(reference)) for key, reference in networks.items()}
    measure(samples, replace(inputs, networks=held), lambda _, row: rows.append(row))
    return rows


def measure_nodes(address: str, wanted: Wanted, told: Told) -> list[Measured]:
    """Measure one node of each kind, with as many tasks at once as it has room for; of a GPU, with one.

    Raises:
        InputError: a run of those settings is refused.
        SurroundingsError: no Ray answers there, no node has room for a run, or a node failed.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        ray.init(address=address, **quiet)
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise SurroundingsError(f"no Ray cluster answers at {address!r} ({error}). Start one with `ray start --head`.") from error
    try:
        networks = {key: ray.put((held.network, held.arrays, held.content_hash)) for key, held in _weights(wanted).items()}
        inputs = ray.put(replace(wanted.inputs, networks={}))
        rows = []
        for node in _kinds(wanted):
            rows += _of_node(node, wanted, (inputs, networks), told)
        return rows
    except RayTaskError as error:
        if isinstance(error.cause, StylesweepError):
            raise error.cause from error
        raise SurroundingsError(f"measuring failed: {str(error).strip().splitlines()[-1]}") from error
    except RayError as error:
        raise SurroundingsError(f"measuring failed: {(str(error).strip().splitlines() or [type(error).__name__])[0]}") from error
    finally:
        ray.shutdown()


def _kinds(wanted: Wanted) -> list[dict[str, Any]]:
    """One alive node of each kind that has room for a run; nodes are of one kind when they have equal CPUs, GPUs and accelerators."""
    kinds: dict[object, dict[str, Any]] = {}
    for node in ray.nodes():  # type: ignore[no-untyped-call]  # Ray's own
        has = node["Resources"]
        if node["Alive"] and has.get("CPU", 0) >= wanted.cpus and (has.get("GPU", 0) > 0 or not wanted.gpus):
            accelerators = frozenset(name for name in has if name.startswith("accelerator_type:"))
            kinds.setdefault((has.get("CPU", 0), has.get("GPU", 0), accelerators), node)
    if not kinds:
        raise SurroundingsError(
            f"no node of the cluster has room for a run that asks for cpus: {wanted.cpus:g} and gpus: {wanted.gpus or 0:g}."
        )
    return list(kinds.values())


def _of_node(node: Mapping[str, Any], wanted: Wanted, inputs: tuple[Any, Any], told: Told) -> list[Measured]:
    gpu = wanted.device != "cpu" and wanted.gpus != 0 and node["Resources"].get("GPU", 0) > 0
    samples = wanted.on(gpu=gpu)
    at_once = 1 if gpu else int(node["Resources"]["CPU"] / wanted.cpus)
    where = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
    asked: dict[str, Any] = {"max_retries": 0, "num_cpus": wanted.cpus, "num_gpus": float(gpu), "scheduling_strategy": where}
    task = ray.remote(**asked)(_measure)
    answers: list[list[Measured | None]] = ray.get([task.remote(samples, *inputs) for _ in range(at_once)])
    rows = []
    for sample, found in zip(samples, zip(*answers, strict=True), strict=True):
        whole = [row for row in found if row is not None]
        row = mean_of(whole) if len(whole) == at_once else None
        told(sample, row)
        rows += [row] if row is not None else []
    return rows


def _weights(wanted: Wanted) -> dict[tuple[str, str], Weights]:
    """Of the samples and of the yardsticks, read here: a node need not have them."""
    info = NETWORKS[yardsticks.NETWORK]
    keys = {(sample.settings.settings.network, sample.settings.settings.network_hash) for sample in wanted.samples}
    found = {}
    for name, identity in {*keys, (info.name, info.source_hash)}:
        held = wanted.inputs.networks.get((name, identity))
        found[name, identity] = held if isinstance(held, Weights) else load_weights(name, held)
    return found

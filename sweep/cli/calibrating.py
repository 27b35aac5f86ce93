"""`calibrate`: what a step costs on the nodes where it runs, kept in the workspace for `plan`."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.table import Table

from db import calibration
from db.engine import storage_errors
from db.workspace import open_workspace
from sweep import process
from sweep.amounts import amount_of_bytes
from sweep.calibrate import Sample
from sweep.calibrate_samples import Wanted, of_networks, of_sweep
from sweep.calibrate_together import measure_together
from sweep.cli.planning import check_address, ensure_networks, memory_here, prepare
from sweep.cli.showing import show, table_of
from sweep.cli.wording import say
from sweep.errors import InputError, SurroundingsError
from sweep.speed import Measured
from sweep.transfer.cost import WORKER_BYTES, peak_bytes
from sweep.transfer.presets import NETWORKS, deepest_layer
from sweep.transfer.recipe import SMALLEST_SIDE, Recipe
from sweep.transfer.weights import Weights, is_cached

BUSY = 0.5
"""Load per core, before anything is measured, above which what is measured says little of a quiet machine."""


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions:
    """The options of `calibrate`. sizes: long sides in pixels; without any, those that the sweep goes through."""

    workspace: Path
    network: str | None = None
    sizes: tuple[int, ...] = ()
    address: str = "local"
    as_json: bool = False


def read_sizes(text: str) -> tuple[int, ...]:
    """'128,256' as numbers. Raises InputError for anything else."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and SMALLEST_SIDE <= int(part) <= 100_000 for part in parts):
        raise InputError(f"--sizes {text!r} is not understood: give long sides in pixels from {SMALLEST_SIDE}, as in 128,256,512.")
    return tuple(sorted({int(part) for part in parts}))


def calibrate(path: Path | None, options: CalibrateOptions) -> None:
    """`stylesweep calibrate`.

    Raises:
        InputError: the file or an option is wrong.
        SurroundingsError: weights, a device, or the cluster failed.
    """
    check_address(options.address)
    if options.network is not None and options.network not in NETWORKS:
        raise InputError(f"--network {options.network!r} is not known; choose one of {', '.join(NETWORKS)}.")
    wanted = _of_file(path, options) if path is not None else of_networks(_networks(options), options.sizes)
    networks = {sample.settings.settings.network: sample.settings.settings.network_hash for sample in wanted.samples}
    ensure_networks(
        (name, file) for name, found in networks.items() if not isinstance(file := wanted.inputs.networks.get((name, found)), Weights)
    )
    workspace = open_workspace(options.workspace, create=True)
    rows = _here(wanted) if options.address in ("local", "inline") else _on_cluster(wanted, options.address)
    if not rows:
        raise SurroundingsError("nothing was measured: no run fits into memory. Give smaller --sizes.")
    with storage_errors(workspace.url):
        calibration.record(workspace.writer(), rows)
    if options.as_json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        show(_table(rows))


def _of_file(path: Path, options: CalibrateOptions) -> Wanted:
    prepared = prepare(path)
    wanted = of_sweep(prepared.spec, prepared.files, prepared.network_hash, options.sizes)
    samples = [sample for sample in wanted.samples if options.network in (None, sample.settings.settings.network)]
    if not samples:
        raise InputError(f"{path}: no run of the sweep uses --network {options.network}; leave the option out.")
    return replace(wanted, samples=samples)


def _networks(options: CalibrateOptions) -> Sequence[str]:
    here = [name for name in NETWORKS if is_cached(name)]
    if not options.network and not here:
        raise InputError("no network is here yet: name one, as in --network vgg19, or fetch one with `stylesweep weights fetch`.")
    return [options.network] if options.network else here


def _here(wanted: Wanted) -> list[Measured]:
    """On a CPU as many at once as a sweep would run, if memory allows; on a GPU one process, in packs."""
    gpu = wanted.device != "cpu" and wanted.gpus != 0 and process.gpus() > 0
    samples = wanted.on(gpu=gpu)
    at_once = 1 if gpu else max(1, int((os.cpu_count() or 1) / wanted.cpus))
    at_once = max(1, min(at_once, int(memory_here() / (max(map(_memory, samples)) + WORKER_BYTES))))
    _say_if_busy()
    how = "one at a time" if at_once == 1 else f"{at_once} workers at once"
    say(f"measuring runs of {len(samples)} kind{'' if len(samples) == 1 else 's'}, {how} ...")
    return measure_together(samples, wanted.inputs, at_once, _tell)


def _say_if_busy() -> None:
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    if load > BUSY * cores:
        say(
            f"this machine is busy (a load of {load:.1f} on {cores} core{'' if cores == 1 else 's'}): "
            "steps take longer now than on a quiet one; measure again then."
        )


def _on_cluster(wanted: Wanted, address: str) -> list[Measured]:
    from sweep.cluster_calibrate import measure_nodes

    return measure_nodes(address, wanted, _tell)


def _memory(sample: Sample) -> int:
    run = sample.settings
    deepest = deepest_layer(run.settings.network, dict(run.content_layers), dict(run.style_layers))
    recipe = replace(Recipe.of(vars(run.settings)), size=sample.size, size_by="long_side")
    return peak_bytes(run.settings.network, deepest, sample.content_size, recipe)


def _tell(sample: Sample, row: Measured | None) -> None:
    said = "does not fit into memory" if row is None else f"{_rate(row)} a step on {row.node} ({row.device})"
    say(f"  {sample.words()}: {said}")


def _rate(row: Measured) -> str:
    return f"{row.seconds_per_step:.3g} s" if row.seconds_per_step >= 1 else f"{row.seconds_per_step * 1000:.3g} ms"


def _table(rows: Sequence[Measured]) -> Table:
    table = table_of("node", "device", "network", "recipe", "dtype", "size", "pack", "a step", "beside steps", "memory")
    for row in rows:
        names = (row.node, f"{row.device}, {row.threads} thread{'' if row.threads == 1 else 's'}", row.network, row.recipe, row.dtype)
        table.add_row(*names, str(row.size), str(row.pack), _rate(row), f"{row.seconds_fixed:.2g} s", amount_of_bytes(row.peak_memory))
    return table

"""`plan`: a sweep's file, read and checked, and what running it would take."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from db import queries
from db.workspace import Workspace, open_workspace
from sweep.cli.wording import amount_of_bytes, amount_of_time, say
from sweep.errors import InputError
from sweep.inputs import InputFile, inspect_inputs
from sweep.masks import inspect_masks
from sweep.plan import CPU_RATE, GPU_RATE, Plan, make_plan, picture_sizes
from sweep.spec import SweepSpec, load_spec
from sweep.speed import Speed
from sweep.transfer.presets import network_info

WORKER_BYTES = 450_000_000
"""Of a worker beside its run: Python, torch, the yardsticks' network and what is kept for other runs; measured with the demo's sweep."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A sweep that has been read and checked, with everything that planning it needs."""

    spec: SweepSpec
    files: Mapping[Path, InputFile]
    network_hash: Mapping[tuple[str, Path | None], str]


def prepare(path: Path) -> Prepared:
    """Read the file, look at every picture once, identify the networks. Nothing is written.

    Raises:
        InputError: something in the file or a picture is wrong.
    """
    from sweep.transfer.weights import network_hash

    spec = load_spec(path)
    files = inspect_inputs(spec.content_and_style_paths())
    files |= inspect_masks(spec, files)
    for file in files.values():
        for remark in file.remarks:
            say(remark)
    return Prepared(spec=spec, files=files, network_hash={pair: network_hash(*pair) for pair in spec.network_files()})


def ensure_weights(spec: SweepSpec) -> None:
    """Fetch what a sweep lacks before anything is recorded. Raises WeightsError where they cannot be had."""
    ensure_networks(spec.network_files())


def ensure_networks(wanted: Iterable[tuple[str, Path | None]]) -> None:
    """Fetch the (network, own file) pairs that are missing, and look at own files; the yardsticks need their own network too.

    Raises:
        WeightsError: they cannot be had.
    """
    from sweep.transfer.weights import cache_folder, fetch_weights, load_weights
    from sweep.transfer.yardsticks import NETWORK

    for network, file in dict.fromkeys([(NETWORK, None), *wanted]):
        if file is None and not (cache_folder() / f"{network}.safetensors").is_file():
            info = network_info(network)
            say(f"{network}: fetching the weights ({amount_of_bytes(info.download_bytes)}, once) ...")
            fetch_weights(network, lambda line: say(f"  {line}"))
        elif file is not None:
            load_weights(network, file)


def check_address(address: str) -> None:
    """Refuse what no back end understands, before anything is recorded.

    Raises:
        InputError: says what an address looks like.
    """
    if address in ("local", "auto", "inline"):
        return
    if address.startswith("ray://"):
        raise InputError("--address ray://... cannot stream results; run on the cluster's head with --address auto, or give its host:port.")
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"--address {address!r} is not understood: give local, inline, auto, or host:port, as in 10.0.0.5:6379.")


def plan_in(prepared: Prepared, workspace: Workspace | None) -> Plan:
    """Plan against what a workspace holds (None: nothing yet)."""
    spec, files = prepared.spec, prepared.files
    named = spec.combinations({path: file.sha256 for path, file in files.items()}, prepared.network_hash)
    sizes = picture_sizes((file.sha256, file.width, file.height) for file in files.values())
    slots = max(1, int((os.cpu_count() or 1) / spec.resources.cpus))
    guess = GPU_RATE if spec.resources.gpus else CPU_RATE * spec.resources.cpus
    if workspace is None:
        return make_plan(spec, named, sizes, lambda _: {}, Speed(rate=guess, slots=slots, measured=False))
    with workspace.reader().connect() as connection:
        rate = queries.measured_rate(connection, spec.axes["network"].values[0], spec.axes["dtype"].values[0])
        speed = Speed(rate=rate or guess, slots=slots, measured=rate is not None)
        return make_plan(spec, named, sizes, lambda keys: queries.states_of(connection, keys), speed)


def plan(path: Path, folder: Path, *, as_json: bool) -> None:
    """`stylesweep plan`."""
    prepared = prepare(path)
    exists = (folder / "sweeps.db").is_file()
    made = plan_in(prepared, open_workspace(folder, create=False) if exists else None)
    if as_json:
        numbers = {key: value for key, value in vars(made).items() if key not in ("planned", "name")}
        print(json.dumps({"sweep": made.name, **numbers}))
        return
    print(describe(made, prepared.spec))


def describe(made: Plan, spec: SweepSpec) -> str:
    """A plan in words."""
    need = "needs" if made.combinations == 1 else "need"
    lines = [f"{made.name}: {_count(made.combinations, 'combination')} {need} {_count(made.runs, 'run')}"]
    axes = [f"{len(spec.contents)} content", f"{len(spec.styles)} style"]
    axes += [f"{len(axis.values)} {name}" for name, axis in spec.axes.items() if len(axis.values) > 1]
    lines.append(f"  grid      {' x '.join(axes)}")
    if made.runs < made.combinations:
        shared = made.combinations - made.runs
        who = f"{_count(shared, 'combination')} {'needs' if shared == 1 else 'need'}"
        lines.append(f"  shared    {who} no run apart: equal beta/alpha, or a difference that changes no picture (a seed without noise)")
    if made.reused:
        lines.append(f"  reused    {made.reused} are done already in this workspace")
    lines.append(f"  to run    {made.to_run}")
    if made.to_run:
        basis = "from runs made here" if made.measured else "a rough guess, nothing was measured here yet"
        each = amount_of_time(made.seconds_per_run)
        lines.append(f"  time      about {amount_of_time(made.seconds)} on {_count(made.slots, 'worker')}, {each} a run ({basis})")
        lines.append(f"  disk      about {amount_of_bytes(made.bytes)}")
        lines.append(f"  memory    up to {amount_of_bytes(made.memory)} a run{_too_much(made, spec)}")
    return "\n".join(lines)


def memory_here() -> int:
    """Bytes that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _too_much(made: Plan, spec: SweepSpec) -> str:
    """Whether as many runs as work at once fit into this machine's memory. Of a GPU's or a cluster's nothing is known here."""
    at_once = min(made.slots, made.to_run)
    has = memory_here()
    needs = at_once * (made.memory + WORKER_BYTES)
    if spec.resources.gpus or needs <= has:
        return ""
    return (
        f"; {_count(at_once, 'worker')} at once need {amount_of_bytes(needs)}, more than this machine has ({amount_of_bytes(has)}): "
        "raise resources.cpus, so that fewer work at once, or lower size"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

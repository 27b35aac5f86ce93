"""`plan`: a sweep's file, read and checked, and what running it would take."""

import json
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from db import calibration, queries
from db.workspace import Workspace, open_workspace
from sweep.amounts import amount_of_bytes, amount_of_time
from sweep.cli.outline import outline
from sweep.cli.wording import command, count, say
from sweep.combination import Settings
from sweep.errors import InputError
from sweep.inputs import InputFile, inspect_inputs
from sweep.masks import inspect_masks
from sweep.places import Ask, Room
from sweep.plan import CPU_RATE, GPU_RATE, Plan, make_plan, picture_sizes
from sweep.spec import SweepSpec, load_spec
from sweep.speed import Measured, Speed, curves_of
from sweep.tasks import pack_size
from sweep.transfer.cost import WORKER_BYTES
from sweep.transfer.presets import network_info
from sweep.transfer.recipe import fitted


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
    for remark in spec.remarks:
        say(remark)
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
    from sweep.transfer.weights import fetch_weights, is_cached, load_weights
    from sweep.transfer.yardsticks import NETWORK

    for network, file in dict.fromkeys([(NETWORK, None), *wanted]):
        if file is None and not is_cached(network):
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


There = tuple[Ask, Room]
"""What a sweep's runs ask of a cluster, and the room that this has for them."""


def look_there(address: str, spec: SweepSpec) -> There | None:
    """The cluster at an address; None where runs are to work on this machine. Says so where no node of it has room, and none may come.

    Raises:
        SurroundingsError: no Ray answers there.
    """
    if address in ("local", "inline"):
        return None
    from sweep.cluster_nodes import look

    ask, room = look(address, spec.resources.model_dump())
    if not room.most:
        say(room.why)
    return ask, room


def plan_in(prepared: Prepared, workspace: Workspace | None, there: There | None = None) -> Plan:
    """Plan against what a workspace holds (None: nothing yet)."""
    spec, files = prepared.spec, prepared.files
    named = spec.combinations({path: file.sha256 for path, file in files.items()}, prepared.network_hash)
    sizes = picture_sizes((file.sha256, file.width, file.height) for file in files.values())
    if workspace is None:
        return make_plan(spec, named, sizes, lambda _: {}, _speed(prepared, [], None, there))
    with workspace.reader().connect() as connection:
        rate = queries.measured_rate(connection, spec.axes["network"].values[0], spec.axes["dtype"].values[0])
        speed = _speed(prepared, calibration.measured(connection), rate, there)
        return make_plan(spec, named, sizes, lambda keys: queries.states_for(connection, spec.name, keys), speed)


def _speed(prepared: Prepared, rows: Sequence[Measured], rate: float | None, there: There | None) -> Speed:
    """By what `calibrate` measured of workers like the sweep's; by `rate` or a guess where it did not. Slots: as told, or those here."""
    asked = prepared.spec.resources
    ask, room = there or _here(prepared, rows)
    on_gpu = bool(ask.gpus)
    pack = pack_size(asked.model_dump(), ask.gpus, _pixels(prepared))
    curves, node = curves_of(rows, on_gpu=on_gpu, threads=max(1, int(asked.cpus)), pack=pack, here=socket.gethostname())
    return Speed(
        rate=rate or (GPU_RATE if on_gpu else CPU_RATE * asked.cpus),
        slots=max(1, room.most),
        measured=rate is not None,
        curves=curves,
        node=node,
        cpus=asked.cpus,
        gpus=ask.gpus,
        price_per_hour=asked.price_per_hour,
        slots_up=room.slots if there else None,
    )


def _here(prepared: Prepared, rows: Iterable[Measured]) -> There:
    """This machine. A GPU is taken where the file says so, or where it leaves it open and one was measured."""
    asked = prepared.spec.resources
    on_gpu = asked.device != "cpu" and bool(asked.gpus if asked.gpus is not None else any(row.on_gpu for row in rows))
    gpus = (asked.gpus if asked.gpus is not None else 1.0) if on_gpu else 0.0
    slots = (os.cpu_count() or 1) / asked.cpus
    if gpus:
        slots = min(slots, len(list(Path("/dev").glob("nvidia[0-9]*"))) / gpus)
    return Ask(cpus=asked.cpus, gpus=gpus), Room(slots=int(slots), most=int(slots))


def _pixels(prepared: Prepared) -> int:
    """Of the sweep's largest picture, about: by its largest size and the photographs' own."""
    size = max(prepared.spec.axes["size"].values, default=Settings.size)
    shapes = [fitted(prepared.files[path].height, prepared.files[path].width, size) for path in prepared.spec.contents]
    return max(height * width for height, width in shapes)


def plan(path: Path, folder: Path, *, as_json: bool, address: str = "local") -> None:
    """`stylesweep plan`."""
    check_address(address)
    prepared = prepare(path)
    exists = (folder / "sweeps.db").is_file()
    made = plan_in(prepared, open_workspace(folder, create=False) if exists else None, look_there(address, prepared.spec))
    if as_json:
        numbers = {key: value for key, value in vars(made).items() if key not in ("planned", "name")}
        print(json.dumps({"sweep": made.name, **numbers}))
        return
    print(describe(made, prepared.spec, command(folder, "retry", made.name)))


def describe(made: Plan, spec: SweepSpec, retry: str) -> str:
    """A plan in words. retry: the command that queues what failed."""
    need = "needs" if made.combinations == 1 else "need"
    lines = [f"{made.name}: {count(made.combinations, 'combination')} {need} {count(made.runs, 'run')}"]
    lines.append(f"  {spec.space.method:<9} {outline(spec.space)}")
    if made.runs < made.combinations:
        shared = made.combinations - made.runs
        who = f"{count(shared, 'combination')} {'needs' if shared == 1 else 'need'}"
        lines.append(f"  shared    {who} no run apart: equal beta/alpha, or a difference that changes no picture (a seed without noise)")
    if made.reused:
        lines.append(f"  reused    {made.reused} are done already in this workspace")
    if made.failed:
        lines.append(f"  failed    {made.failed} here before: `{retry}` queues them again")
    lines.append(f"  to run    {made.to_run}")
    if made.to_run:
        lines += _costs(made, spec)
    return "\n".join(lines)


ASK_HOURS, ASK_GPU_HOURS, ASK_PRICE = 24.0, 24.0, 10.0
"""Above one of these `run` asks whether it is meant: hours by the clock, GPU-hours, and a price in whatever currency."""


def is_large(made: Plan) -> str | None:
    """What a plan takes that somebody should have meant, in words; None for a plan that runs without a question."""
    if made.price is not None and made.price > ASK_PRICE:
        return f"about {made.price:,.2f} at resources.price_per_hour"
    if made.gpu_hours > ASK_GPU_HOURS:
        return f"about {made.gpu_hours:,.0f} GPU-hours"
    return f"about {amount_of_time(made.seconds)}" if made.seconds > 3600 * ASK_HOURS else None


_BASIS = {
    "calibration": "as `stylesweep calibrate` measured it on {}",
    "runs": "from runs made here",
    "guess": "a rough guess, nothing was measured here yet: `stylesweep calibrate` does",
}


def _costs(made: Plan, spec: SweepSpec) -> list[str]:
    """What the runs still to do take."""
    each = amount_of_time(made.seconds_per_run)
    hours = f"{_amount(made.gpu_hours)} GPU-hours" if made.gpu_hours else f"{_amount(made.core_hours)} core-hours"
    basis = _BASIS[made.basis].format(made.node)
    up = "" if made.slots_up is None or made.slots_up >= made.slots else f" ({made.slots_up} of them now, the others when nodes have come)"
    lines = [f"  time      about {amount_of_time(made.seconds)} on {count(made.slots, 'worker')}{up}, {each} a run ({basis})"]
    lines.append(f"  in all    {hours}" + (f", {_amount(made.price)} at resources.price_per_hour" if made.price is not None else ""))
    if made.gpu_hours:
        together = (
            "as many small pictures of one shape as fill a GPU" if spec.resources.pack == "auto" else f"up to {spec.resources.pack} runs"
        )
        lines.append(f"  packs     {together} share a task")
    lines.append(f"  disk      about {amount_of_bytes(made.bytes)}")
    measured = f", {amount_of_bytes(made.worker_memory)} a worker as measured" if made.worker_memory is not None else ""
    lines.append(f"  memory    up to {amount_of_bytes(made.memory)} a run{measured}{_too_much(made, spec)}")
    return lines


def _amount(number: float) -> str:
    return f"{number:,.2f}" if number >= 0.01 or number == 0 else "under 0.01"


def memory_here() -> int:
    """Bytes that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _too_much(made: Plan, spec: SweepSpec) -> str:
    """Whether as many runs as work at once fit into this machine's memory. Of a GPU's or a cluster's nothing is known here."""
    at_once = min(made.slots, made.to_run)
    has = memory_here()
    needs = at_once * (made.memory + WORKER_BYTES if made.worker_memory is None else made.worker_memory)
    if made.slots_up is not None or spec.resources.gpus or needs <= has:
        return ""
    return (
        f"; {count(at_once, 'worker')} at once need {amount_of_bytes(needs)}, more than this machine has ({amount_of_bytes(has)}): "
        "raise resources.cpus, so that fewer work at once, or lower size"
    )

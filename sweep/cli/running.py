"""`plan` and `run`: from a YAML file to recorded results."""

import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db import drivers, queries
from db.engine import storage_errors
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.cli.progress import Bar, JsonLines, LogBar, Terminal, follow
from sweep.cli.wording import amount_of_bytes, amount_of_time, printable
from sweep.errors import InputError, Interrupted
from sweep.inputs import InputFile, inspect_inputs
from sweep.masks import inspect_masks
from sweep.plan import CPU_RATE, GPU_RATE, Plan, Speed, make_plan, own_weights, picture_sizes
from sweep.spec import SweepSpec, load_spec
from sweep.transfer.presets import network_info

if TYPE_CHECKING:
    from sweep.driver import Backend

WORKER_BYTES = 450_000_000
"""Of a worker beside its run: Python, torch, the yardsticks' network and what is kept for other runs; measured with the demo's sweep."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of `run`."""

    workspace: Path
    address: str = "local"
    as_json: bool = False
    extend: bool = False
    follow: bool = True
    log: bool = False
    """Progress as the JSON lines that `attach` reads."""


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


def say(line: str) -> None:
    """A message to the user; standard output is for answers."""
    print(printable(line), file=sys.stderr, flush=True)


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


def _too_much(made: Plan, spec: SweepSpec) -> str:
    """Whether as many runs as work at once fit into this machine's memory. Of a GPU's or a cluster's nothing is known here."""
    at_once = min(made.slots, made.to_run)
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needs = at_once * (made.memory + WORKER_BYTES)
    if spec.resources.gpus or needs <= has:
        return ""
    return (
        f"; {_count(at_once, 'worker')} at once need {amount_of_bytes(needs)}, more than this machine has ({amount_of_bytes(has)}): "
        "raise resources.cpus, so that fewer work at once, or lower size"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def run(path: Path, options: RunOptions) -> int:
    """`stylesweep run`: record the sweep, then drive the workspace or follow who does. Returns the exit code."""
    check_address(options.address)
    prepared = prepare(path)
    ensure_weights(prepared.spec)
    workspace = open_workspace(options.workspace, create=True)
    made = plan_in(prepared, workspace)
    say(describe(made, prepared.spec))
    store = Store(workspace.writer(), workspace.artifacts)
    spec = prepared.spec
    resources = spec.resources.model_dump() | {
        "limits": spec.limits.model_dump(exclude_none=True),
        "weights": own_weights(spec, prepared.network_hash),
        "snapshots": spec.snapshots,
    }
    record = SweepRecord(
        name=made.name, spec_text=prepared.spec.text, spec_path=str(path.absolute()), search_seed=None, resources=resources
    )
    with storage_errors(workspace.url):
        record_inputs(store, (file.picture() for file in prepared.files.values()))
        record_sweep(store, record, made.planned, extend=options.extend)
        del prepared
        settle(workspace, store, made, options)
    return conclude(workspace, made.name, options)


def settle(workspace: Workspace, store: Store, made: Plan, options: RunOptions) -> None:
    """Until nothing of the sweep is queued or running: drive the workspace, or follow the driver that does.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; what was running is queued again.
    """
    while not _is_settled(workspace, made.name):
        owner, holder = drivers.become_driver(store.engine, options.address)
        if owner is not None:
            _drive(workspace, store, owner, made, options)
            continue
        assert holder is not None
        say(f"another process (pid {holder.pid} on {holder.host.split('/')[0]}) drives this workspace and takes the sweep up.")
        if not options.follow:
            return
        with _stopping() as stop:
            follow(workspace, made.name, stop, LogBar if options.log else Bar)
            if stop():
                raise Interrupted("no longer following; the sweep goes on in the other process.")


def _is_settled(workspace: Workspace, name: str) -> bool:
    with workspace.reader().connect() as connection:
        row = queries.sweep_named(connection, name)
    return row.settled == row.runs or row.state != "active"  # nobody drives what is paused or cancelled


def _drive(workspace: Workspace, store: Store, owner: str, made: Plan, options: RunOptions) -> None:
    from sweep.driver import Driver

    backend: Backend | None = None
    try:
        with _interruptible():
            backend = make_backend(workspace, options.address)
        watcher = JsonLines() if options.as_json else Terminal(workspace, made, LogBar if options.log else Bar)
        with _stopping() as stop, watcher:
            finished = Driver(store, backend, owner, watcher).drive(stop)
    except BaseException:
        _resign_quietly(store, owner)
        raise
    finally:
        if backend is not None:
            backend.stop()
    if not finished:
        with workspace.reader().connect() as connection:
            row = queries.sweep_named(connection, made.name)
        raise Interrupted(
            f"interrupted: {row.settled} of {row.runs} runs are finished, the rest is queued. "
            "Go on with the same command; nothing is run twice."
        )


def _resign_quietly(store: Store, owner: str) -> None:
    """The next driver finds leftovers by itself, so a full disk here must not hide the error that led to it."""
    try:
        drivers.resign(store.engine, owner)
    except Exception:
        say("stylesweep: what was running could not be queued again now; the next run of this command does that.")


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


def make_backend(workspace: Workspace, address: str) -> "Backend":
    """Where runs are executed.

    Raises:
        InputError: the address is not understood.
        SurroundingsError: no Ray answers.
    """
    from sweep.driver_inputs import WorkspaceInputs

    inputs = WorkspaceInputs(workspace)
    if address == "inline":
        from sweep.in_process import InProcess

        return InProcess(inputs)
    from sweep.cluster import RayCluster

    if address == "local":
        say("starting a local Ray ...")
    backend = RayCluster(address, inputs)
    if address != "local":
        from sweep.cluster_check import check_versions

        check_versions()
    return backend


def ensure_weights(spec: SweepSpec) -> None:
    """Fetch what is missing before anything is recorded; the yardsticks need their own network too.

    Raises:
        WeightsError: they cannot be had.
    """
    from sweep.transfer.weights import cache_folder, fetch_weights, load_weights
    from sweep.transfer.yardsticks import NETWORK

    for network, file in {(NETWORK, None): None, **spec.network_files()}:
        if file is None and not (cache_folder() / f"{network}.safetensors").is_file():
            info = network_info(network)
            say(f"{network}: fetching the weights ({amount_of_bytes(info.download_bytes)}, once) ...")
            fetch_weights(network, lambda line: say(f"  {line}"))
        elif file is not None:
            load_weights(network, file)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM end the start of a back end at once; nothing runs yet that could be ended in order."""
    asked: list[int] = []

    def interrupt(signum: int, _frame: Any) -> None:
        asked.append(signum)
        raise KeyboardInterrupt

    before = {which: signal.signal(which, interrupt) for which in (signal.SIGINT, signal.SIGTERM)}
    gc.disable()  # Python shows and drops an exception that is raised in a destructor or while it collects garbage
    try:
        yield
        if asked:
            raise KeyboardInterrupt
    except (KeyboardInterrupt, SystemExit) as error:  # Ray puts a handler of its own in place of ours; it exits
        raise Interrupted("interrupted before anything ran. Go on with the same command.") from error
    finally:
        gc.enable()
        for which, handler in before.items():
            signal.signal(which, handler)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Within, Ctrl-C and SIGTERM ask for an orderly end; a second Ctrl-C ends at once."""
    asked: list[float] = []

    def ask(signum: int, _frame: Any) -> None:
        if asked and signum == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(time.monotonic())

    before = {which: signal.signal(which, ask) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def conclude(workspace: Workspace, name: str, options: RunOptions) -> int:
    """Say how the sweep ended and where to look; 0 if every run is done, else 1."""
    from sweep.cli import showing

    with workspace.reader().connect() as connection:
        row = queries.sweep_named(connection, name)
    bad = {state: row.states[state] for state in ("failed", "diverged", "quarantined", "cancelled") if row.states.get(state)}
    if options.as_json:
        print(json.dumps({"event": "ended", "sweep": name, "runs": row.runs, "states": dict(row.states)}), flush=True)
    else:
        showing.print_best(workspace, name)
        if bad:
            counts = ", ".join(f"{number} {state}" for state, number in bad.items())
            say(f"{counts}: `stylesweep logs RUN` says why; `stylesweep retry {name}` queues them again.")
        here = "" if options.workspace == Path("stylesweep-workspace") else f" --workspace {options.workspace}"
        say(f"look at them: stylesweep gallery{here}")
    return 1 if bad else 0

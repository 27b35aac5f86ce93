"""`run`: from a YAML file to recorded results."""

import gc
import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db import drivers, queries, spending, steering
from db.engine import storage_errors
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.cli.planning import check_address, describe, ensure_weights, is_large, look_there, plan_in, prepare
from sweep.cli.progress import JsonLines, Line, LogLine, Terminal, follow
from sweep.cli.tally import Outlook
from sweep.cli.wording import command, say
from sweep.errors import InputError, Interrupted, SurroundingsError
from sweep.plan import Plan, own_weights

if TYPE_CHECKING:
    from sweep.backend import Backend


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of `run`. yes: a large sweep needs no question. max_hours and max_cost: limits from now on; None is none."""

    workspace: Path
    address: str = "local"
    as_json: bool = False
    extend: bool = False
    follow: bool = True
    yes: bool = False
    max_hours: float | None = None
    max_cost: float | None = None
    log: bool = False
    """Progress as the JSON lines that `attach` reads."""


def run(path: Path, options: RunOptions) -> int:
    """`stylesweep run`: record the sweep, then drive the workspace or follow who does. Returns the exit code."""
    check_address(options.address)
    prepared = prepare(path)
    if options.max_cost is not None and prepared.spec.resources.price_per_hour is None:
        raise InputError(
            f"--max-cost needs a price: {path} has no resources.price_per_hour, what one run's share of a machine costs an hour."
        )
    ensure_weights(prepared.spec)
    workspace = open_workspace(options.workspace, create=True)
    there = None
    with _interruptible(), suppress(SurroundingsError):  # a cluster that does not answer is whoever drives to say; the sweep is recorded
        there = look_there(options.address, prepared.spec)
    made = plan_in(prepared, workspace, there)
    say(describe(made, prepared.spec, command(options.workspace, "retry", made.name)))
    if not options.yes:
        _ask(made)
    store = Store(workspace.writer(), workspace.artifacts)
    spec = prepared.spec
    resources = spec.resources.model_dump() | {
        "limits": spec.limits.model_dump(exclude_none=True),
        "weights": own_weights(spec, prepared.network_hash),
        "snapshots": spec.snapshots,
    }
    record = SweepRecord(
        name=made.name, spec_text=prepared.spec.text, spec_path=str(path.absolute()), search_seed=spec.search_seed, resources=resources
    )
    with storage_errors(workspace.url):
        record_inputs(store, (file.picture() for file in prepared.files.values()))
        record_sweep(store, record, made.planned, extend=options.extend)
        del prepared
    return carry_out(workspace, store, Outlook(name=made.name, seconds=made.seconds if made.measured else None), options)


def carry_out(workspace: Workspace, store: Store, outlook: Outlook, options: RunOptions) -> int:
    """Run what is left of a recorded sweep, within the limits of this time. Returns the exit code."""
    with storage_errors(workspace.url):
        activate(store, outlook.name)
        deadline = None if options.max_hours is None else time.time() + 3600 * options.max_hours
        spending.set_limits(store.engine, outlook.name, deadline, options.max_cost)
        settle(workspace, store, outlook, options)
    return conclude(workspace, outlook.name, options)


def activate(store: Store, name: str) -> None:
    """To run a sweep is to want it, however it was left: paused, cancelled or archived."""
    with store.engine.begin() as connection:
        steering.resume(connection, steering.sweep_id(connection, name))


def limit(option: str, value: float | None) -> float | None:
    """The value of an option that limits a sweep. Raises InputError for one that is not a positive number."""
    if value is not None and not 0 < value < math.inf:
        raise InputError(f"{option} {value:g} is no limit; give a number above 0.")
    return value


def _ask(made: Plan) -> None:
    """A large sweep runs only when it is meant.

    Raises:
        InputError: it is not, or nobody can be asked.
    """
    large = is_large(made)
    if large is None:
        return
    if not sys.stdin.isatty():
        raise InputError(f"the sweep takes {large}, and nobody can be asked here whether that is meant; add --yes if it is.")
    print(f"This takes {large}. Run it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise InputError("nothing was recorded, and nothing runs.")


def settle(workspace: Workspace, store: Store, outlook: Outlook, options: RunOptions) -> None:
    """Until nothing of the sweep is queued or running: drive the workspace, or follow the driver that does.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; what was running is queued again.
    """
    while not _is_settled(workspace, outlook.name):
        owner, holder = drivers.become_driver(store.engine, options.address)
        if owner is not None:
            _drive(workspace, store, owner, outlook, options)
            continue
        assert holder is not None
        say(f"another process (pid {holder.pid} on {holder.host.split('/')[0]}) drives this workspace and takes the sweep up.")
        if not options.follow:
            return
        with _stopping() as stop:
            follow(workspace, outlook.name, stop, as_json=options.as_json, kind=LogLine if options.log else Line)
            if stop():
                raise Interrupted("no longer following; the sweep goes on in the other process.")


def _is_settled(workspace: Workspace, name: str) -> bool:
    with workspace.reader().connect() as connection:
        row = queries.sweep_named(connection, name)
    # What a person has paused may be resumed any moment; what a limit or the circuit breaker has paused waits for more than that.
    return row.settled == row.runs or row.state == "cancelled" or row.reason is not None


def _drive(workspace: Workspace, store: Store, owner: str, outlook: Outlook, options: RunOptions) -> None:
    from sweep.driver import Driver

    backend: Backend | None = None
    try:
        with _interruptible():
            backend = make_backend(workspace, options.address)
        watcher = JsonLines(workspace, outlook) if options.as_json else Terminal(workspace, outlook, LogLine if options.log else Line)
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
            row = queries.sweep_named(connection, outlook.name)
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


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM end the start of a back end at once; nothing runs yet that could be ended in order.

    Python drops an exception that is raised in a destructor, in the callback of a weak reference or while it collects garbage, and
    prints it: an interrupt that comes in such a moment takes effect, without a word, when the start is over.
    """
    asked: list[int] = []

    def interrupt(signum: int, _frame: Any) -> None:
        asked.append(signum)
        raise KeyboardInterrupt

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if isinstance(what.exc_value, KeyboardInterrupt | SystemExit):
            asked.append(0)
        else:
            showing(what)

    before = {which: signal.signal(which, interrupt) for which in (signal.SIGINT, signal.SIGTERM)}
    showing, sys.unraisablehook = sys.unraisablehook, dropped
    gc.disable()
    try:
        yield
        if asked:
            raise KeyboardInterrupt
    except (KeyboardInterrupt, SystemExit) as error:  # Ray puts a handler of its own in place of ours; it exits
        raise Interrupted("interrupted before anything ran. Go on with the same command.") from error
    finally:
        gc.enable()
        sys.unraisablehook = showing
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
            why, again = command(options.workspace, "logs", "RUN"), command(options.workspace, "retry", name)
            say(f"{counts}: `{why}` says why; `{again}` queues them again.")
        say(f"look at them: {command(options.workspace, 'gallery')}")
    if row.settled < row.runs:
        on = row.reason or f"`{command(options.workspace, 'resume', name)}`"
        say(f"{name} is {row.state}, with {row.runs - row.settled} of {row.runs} runs to go: {on}")
        return 1
    return 1 if bad else 0

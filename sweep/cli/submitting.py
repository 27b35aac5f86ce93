"""`submit`, `attach`, `job-logs` and `jobs`: a sweep as a job on a cluster's head, started and looked at from a laptop."""

import asyncio
import json
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from rich.console import Console
from rich.table import Table

from sweep.amounts import amount_of_bytes
from sweep.cli.progress import Line
from sweep.cli.wording import printable, say
from sweep.errors import InputError, Interrupted, SurroundingsError, WorkspaceBusy
from sweep.inputs import inspect_inputs
from sweep.jobs import Job, JobServer
from sweep.masks import inspect_masks
from sweep.submitted import ANSWER
from sweep.tunnel import tunnel
from sweep.upload import Upload, read_upload

SMALL = 16 * 2**20
"""Bytes that are sent at once, without asking what of them is there already: that costs a job of some seconds."""

LAST_LINES = 20
START_SECONDS = 60.0

SAID = (1, InputError.exit_code, WorkspaceBusy.exit_code, SurroundingsError.exit_code, Interrupted.exit_code)
"""Exit codes of a `stylesweep run` that has told why in its log."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """Where the job server is: its address, or the cluster file that leads to it."""

    address: str
    cluster: Path | None = None


@contextmanager
def reached(head: Head) -> Iterator[JobServer]:
    """The head's job server, through a tunnel if a cluster file is given.

    Raises:
        InputError: the address or the file is none.
        SurroundingsError: nobody answers.
    """
    if head.cluster is None:
        yield JobServer(head.address)
        return
    with tunnel(head.cluster) as address:
        yield JobServer(address)


def submit(path: Path, head: Head, workspace: str, options: list[str], *, follow: bool) -> int:
    """`stylesweep submit`. options: of the `stylesweep run` on the head. Returns the exit code."""
    if not PurePosixPath(workspace).is_absolute():
        raise InputError(
            f"--workspace {workspace!r} must be absolute: it is a folder on the head, as in /home/ubuntu/stylesweep-workspace, "
            "and a job begins in a folder that goes with it."
        )
    spec, upload = read_upload(path)
    for remark in spec.remarks:
        say(remark)
    files = inspect_inputs(spec.content_and_style_paths())
    files |= inspect_masks(spec, files)
    for file in files.values():
        for remark in file.remarks:
            say(remark)
    with reached(head) as server:
        there = send(server, upload, workspace)
        command = ["run", there, "--workspace", workspace, "--address", "auto", "--log", *options]
        job = server.start(shlex.join(["python", "-m", "sweep.cli.main", *command]), workspace, spec.name)
        say(f"{spec.name} runs on the cluster, as {job.id}; results lie in {workspace} on the head.")
        if follow or not _under_way(server, job):
            return watch(server, job)
        for line in planned(server.log(job.id), spec.name):
            say(line)
        say(f"follow it: stylesweep attach {shlex.quote(spec.name)}{_how(head)}")
        return 0


def _under_way(server: JobServer, job: Job) -> bool:
    """Wait until its driver drives, so that whoever submits and leaves knows; false if it has ended before."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.job(job.id).over:
            return False
        if any("runs" in _told(line) for line in server.log(job.id).splitlines()):
            return True
        time.sleep(0.5)
    return True


def planned(log: str, name: str) -> list[str]:
    """What `run` has said on the head, before it began, of how long the sweep takes there."""
    lines = list(dropwhile(lambda line: not line.startswith(f"{name}: "), log.splitlines()))
    return lines[:1] + list(takewhile(lambda line: line.startswith("  "), lines[1:]))


def send(server: JobServer, upload: Upload, workspace: str) -> str:
    """Bring to the head what it lacks. Returns where the sweep's file lies there.

    Raises:
        SurroundingsError: the head cannot take it, or never gets it whole.
    """
    lacking = upload.everything() if upload.size <= SMALL else {}
    entrypoint = shlex.join(["python", "-m", "sweep.submitted", workspace])
    say(f"{upload.sweep}: {len(upload.files)} files, {amount_of_bytes(upload.size)}, go to the head as far as they are not there ...")
    answer: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2 + sum(1 for _ in upload.files)):  # once to ask, once to send, and once more for each that came broken
            for package in upload.packages(lacking, Path(folder)):
                answer = _answer(server.ask(entrypoint, package))
            if "spec" in answer:
                return str(answer["spec"])
            lacking = answer["lacking"]
    raise SurroundingsError(f"the files of {upload.sweep} do not come to the head whole; {len(lacking)} of them are still lacking.")


def _answer(said: str) -> dict[str, Any]:
    lines = [line for line in said.splitlines() if line.startswith(ANSWER)]
    answer: dict[str, Any] = (
        json.loads(lines[-1].removeprefix(ANSWER)) if lines else {"error": f"the head says nothing of it: {said[-300:]}"}
    )
    if "error" in answer:
        raise SurroundingsError(str(answer["error"]))
    return answer


def attach(name: str | None, head: Head) -> int:
    """`stylesweep attach`: follow a job; it does not notice. Returns the exit code of the `stylesweep run` on the head."""
    with reached(head) as server:
        return watch(server, find(server, name))


def job_logs(name: str | None, head: Head) -> None:
    """`stylesweep job-logs`: all that the job has printed."""
    with reached(head) as server:
        print(server.log(find(server, name).id), end="")


def jobs(head: Head, *, as_json: bool) -> None:
    """`stylesweep jobs`: those of all sweeps, the oldest first."""
    with reached(head) as server:
        found = server.jobs()
    if as_json:
        keys = ("id", "sweep", "workspace", "state", "exit_code")
        print(json.dumps([{key: getattr(job, key) for key in keys} for job in found]))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("sweep", "state", "workspace", "job"):
        table.add_column(heading)
    for job in found:
        table.add_row(printable(job.sweep), job.state.lower(), printable(job.workspace), job.id)
    Console(markup=False, emoji=False).print(table if found else "no sweep was submitted to this cluster.")


def find(server: JobServer, name: str | None) -> Job:
    """The newest job of a sweep, by its name or the job's; without a name, the one that is running.

    Raises:
        InputError: there is none, or there are several.
    """
    found = server.jobs()
    if name is not None:
        of_that_name = [job for job in found if name in (job.sweep, job.id)]
        if not of_that_name:
            raise InputError(f"no sweep {name!r} was submitted to this cluster. {_list(found)}")
        return of_that_name[-1]
    running = [job for job in found if not job.over]
    if len(running) != 1:
        raise InputError(f"{'several sweeps run' if running else 'no sweep runs'} there; say which you mean. {_list(found)}")
    return running[0]


def _list(found: list[Job]) -> str:
    names = list(dict.fromkeys(f"{job.sweep!r} ({job.state.lower()})" for job in found))
    return f"There are: {', '.join(names[-10:])}." if names else "There is none at all."


def watch(server: JobServer, job: Job) -> int:
    """Show a job's progress until it is over; what it printed before is passed over but for its end.

    Raises:
        Interrupted: Ctrl-C; the job goes on.
    """
    before = server.log(job.id).splitlines()
    staying = [number for number, line in enumerate(before) if "runs" not in _told(line)]
    view = _View(job.sweep)
    try:
        asyncio.run(_show(server, job.id, staying[-LAST_LINES] if len(staying) > LAST_LINES else 0, view))
    except KeyboardInterrupt:
        raise Interrupted(f"detached; the sweep goes on. `stylesweep attach {shlex.quote(job.sweep)}` follows it again.") from None
    finally:
        view.close()
    job = server.job(job.id)
    if job.state == "SUCCEEDED":
        return 0
    if job.state == "STOPPED":
        say(f"{job.id} was stopped. Submit the sweep again to go on; nothing is run twice.")
        return Interrupted.exit_code
    if job.exit_code not in SAID:
        said = job.message.strip() or "nobody knows why"
        say(f"{job.id} has {job.state.lower()}: {said.splitlines()[0]}")
    return job.exit_code or SurroundingsError.exit_code


async def _show(server: JobServer, job_id: str, old: int, view: "_View") -> None:
    number = 0
    async for line in server.lines(job_id):
        view.take(line, is_old=number < old)
        number += 1


class _View:
    """A job's lines on this terminal: the JSON ones of `run --log` as they would look here, others as they are."""

    def __init__(self, sweep: str) -> None:
        self._sweep = sweep
        self._bar: Line | None = None

    def take(self, line: str, *, is_old: bool) -> None:
        told = _told(line)
        if "line" in told or not told:
            if not is_old:
                self._print(str(told.get("line", line)))
        elif "runs" in told:
            self._show(told)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__()

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(printable(text), soft_wrap=True)
        else:
            say(text)

    def _show(self, told: Mapping[str, Any]) -> None:
        if self._bar is None:
            self._bar = Line(self._sweep)
            self._bar.__enter__()
        self._bar.tell(int(told["done"]), int(told["runs"]), str(told["news"]))


def _told(line: str) -> dict[str, Any]:
    """The object of a JSON line of `run --log`; nothing for any other line."""
    try:
        told = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _how(head: Head) -> str:
    from sweep.jobs import DEFAULT_ADDRESS

    if head.cluster is not None:
        return f" --cluster {shlex.quote(str(head.cluster))}"
    return "" if head.address == DEFAULT_ADDRESS else f" --address {head.address}"

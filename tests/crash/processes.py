"""Starting `stylesweep` as a user does, and looking at its processes from outside. Linux only, as the tests are."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "sweep.cli.main"]


def stylesweep(*arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
    """A `stylesweep` in a process group of its own, as a shell starts a job."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,
    )


@contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Whatever the test does, nothing of this process's session stays behind."""
    try:
        yield process
    finally:
        for pid in session(process.pid):
            kill(pid)
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def kill(pid: int, which: int = signal.SIGKILL) -> bool:
    """Whether the process was there to get the signal."""
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return False
    return True


def session(leader: int) -> list[int]:
    """Every living process of a session. Ray's own are in it; a child keeps its session when its parent dies."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and fields[0] not in "ZX" and int(fields[3]) == leader:
                found.append(int(entry.name))
    return found


def names(pids: list[int]) -> list[str]:
    """What the processes call themselves, as in `ps`."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()[:200])
    return found


def parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def until(met: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a condition; its first true value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = met()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def ask(workspace: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of the workspace's database as any SQLite tool sees them; none while it is not there yet."""
    if not (workspace / "sweeps.db").exists():
        return []
    connection = sqlite3.connect(workspace / "sweeps.db", timeout=20)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        connection.close()


def states(workspace: Path) -> dict[str, int]:
    return dict(ask(workspace, "SELECT state, count(*) FROM run GROUP BY state"))


def working(workspace: Path) -> list[int]:
    """The pids of workers that have taken up a run and are at it."""
    return [pid for (pid,) in ask(workspace, "SELECT pid FROM attempt WHERE state = 'running' AND pid IS NOT NULL")]


def listening(pids: list[int]) -> set[str]:
    """The addresses, in the kernel's hexadecimal, on which these processes accept TCP connections."""
    inodes = set()
    for pid in pids:
        try:
            links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        inodes |= {link[8:-1] for link in links if link.startswith("socket:[")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found

"""A command that is run to its end, read, or interrupted."""

import os
import subprocess
import time
from pathlib import Path

from crash.processes import ask, ended, kill, states, stylesweep

POLITE_SECONDS = 20  # hangs are what is looked for: a busy machine may need several seconds
"""Ctrl-C: from the signal to the end of the process."""


def finish(spec: Path, workspace: Path, address: str = "inline") -> str:
    with ended(stylesweep("run", spec, "--workspace", workspace, "--address", address)) as process:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    return str(said)


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(said)


def all_done_once(workspace: Path, runs: int) -> bool:
    once = ask(workspace, "SELECT count(*) FROM attempt WHERE state = 'done'") == [(runs,)]
    clean = ask(workspace, "PRAGMA integrity_check") == [("ok",)] and ask(workspace, "PRAGMA foreign_key_check") == []
    return states(workspace) == {"done": runs} and once and clean


def interrupted(process: "subprocess.Popen[str]", which: int, *, group: bool) -> tuple[float, str]:
    """Send a signal, as a terminal does to the whole group or as `kill` does to one; (seconds to the end, what it said)."""
    began = time.monotonic()
    if group:
        os.killpg(process.pid, which)
    else:
        kill(process.pid, which)
    said, _ = process.communicate(timeout=60)
    return time.monotonic() - began, said

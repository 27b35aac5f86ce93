"""A merge that is killed, at every point at which it touches the disk, leaves a sound workspace, and the next one completes it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace

from db.verify import verify
from db.workspace import open_workspace

HERE = Path(__file__).parent


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "sweeps.db")) as plain:
        return plain.execute(query).fetchall()


def test_a_merge_that_is_killed_at_every_point_leaves_a_sound_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = made_up_workspace(tmp_path / "theirs", betas=1, failed=1)
    ours = open_workspace(tmp_path / "ours", create=True)
    path = {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE.parent.parent)])}
    script = [sys.executable, str(HERE / "merging.py"), str(ours.folder), str(theirs.folder)]
    process = subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **path})
    assert process.stdin is not None and process.stdout is not None
    killed = 0
    for point in range(1, 3000):
        process.stdin.write(f"{point}\n")
        process.stdin.flush()
        status = process.stdout.readline().strip()
        if killed % 10 == 0 or status == "ended 0":
            assert verify(ours).faults == (), f"point {point}"
        assert rows(ours.folder, "SELECT count(*) FROM run") in ([(0,)], [(8,)])  # all rows, or none
        if status == "ended 0":
            break
        assert status == "ended -9"
        killed += 1
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()
    done = "SELECT run_key, state, output FROM run ORDER BY run_key"
    assert rows(ours.folder, done) == rows(theirs.folder, done)
    assert killed > 20
    with capsys.disabled():
        print(f"\n{killed} of {killed} points at which a merge can be killed: 0 faults, complete in the end")

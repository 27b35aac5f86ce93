"""`stylesweep run` in one process, as a user starts and ends it: Ctrl-C, a second one beside it, SIGKILL, a full disk.

A file of its own, as the tests that start a Ray take turns.
"""

import re
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crash.interrupting import POLITE_SECONDS, all_done_once, finish, interrupted, read_until
from crash.processes import ask, ended, kill, states, stylesweep, until, working

pytestmark = pytest.mark.weights
SweepFile = Callable[..., Path]


def test_ctrl_c_without_ray_is_polite(real_sweep: SweepFile, tmp_path: Path) -> None:
    spec = real_sweep("inline", runs=3, steps=20_000)
    with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", "inline")) as process:
        until(lambda: working(tmp_path), 60, "a run is at work")
        seconds, said = interrupted(process, signal.SIGINT, group=True)
        assert process.returncode == 130, said
    assert seconds < POLITE_SECONDS
    assert states(tmp_path) == {"queued": 3}
    assert ask(tmp_path, "SELECT DISTINCT state FROM attempt") == [("cancelled",)]


def test_a_second_run_is_taken_up_by_the_first_and_followed_to_its_end(real_sweep: SweepFile, tmp_path: Path) -> None:
    first, second = real_sweep("first", runs=5, steps=200), real_sweep("second", runs=2, steps=30)
    with ended(stylesweep("run", first, "--workspace", tmp_path, "--address", "inline")) as driver:
        until(lambda: working(tmp_path), 60, "a run is at work")
        with ended(stylesweep("run", second, "--workspace", tmp_path, "--address", "inline")) as follower:
            followed, _ = follower.communicate(timeout=90)
            driven, _ = driver.communicate(timeout=90)
            assert (driver.returncode, follower.returncode) == (0, 0), driven + followed
    assert f"another process (pid {driver.pid} on " in followed
    assert "takes the sweep up" in followed
    assert all_done_once(tmp_path, 7)
    assert ask(tmp_path, "SELECT DISTINCT pid FROM attempt") == [(driver.pid,)]


def test_a_follower_takes_over_from_a_killed_driver(real_sweep: SweepFile, tmp_path: Path) -> None:
    spec = real_sweep("shared", runs=5, steps=200)
    with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", "inline")) as driver:
        until(lambda: working(tmp_path), 60, "a run is at work")
        with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", "inline")) as follower:
            said = read_until(follower, "takes the sweep up")
            until(lambda: working(tmp_path), 60, "a run is at work")
            kill(driver.pid)
            more, _ = follower.communicate(timeout=90)
            assert follower.returncode == 0, said + more
    assert "the driver has ended; this process takes over." in more
    assert all_done_once(tmp_path, 5)
    assert ask(tmp_path, "SELECT count(*) FROM attempt WHERE state = 'lost'") == [(1,)]


def test_a_full_disk_ends_with_a_sentence_and_the_same_command_goes_on(real_sweep: SweepFile, tmp_path: Path) -> None:
    finish(real_sweep("before", runs=1, steps=1), tmp_path)
    spec = real_sweep("full", runs=5, steps=200)
    limit = (tmp_path / "sweeps.db").stat().st_size + 16_384  # enough for the sweep, too little for its loss curves

    def no_file_larger() -> None:  # a real limit of the kernel's; Python ignores the signal and gets an error
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", "inline", preexec_fn=no_file_larger)) as process:
        said, _ = process.communicate(timeout=90)
    assert process.returncode == 4, said
    assert "Traceback" not in said
    assert re.search(r"stylesweep: .*(the disk is full|the disk reported an error)", said), said
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert states(tmp_path).get("done", 0) < 6
    finish(spec, tmp_path)
    assert all_done_once(tmp_path, 6)

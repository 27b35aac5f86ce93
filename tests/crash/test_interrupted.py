"""`stylesweep run` as a user starts and ends it: Ctrl-C, SIGTERM, SIGKILL, a second one beside it, a full disk."""

import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from crash.processes import ask, ended, kill, listening, names, session, states, stylesweep, until, working

pytestmark = pytest.mark.weights
SweepFile = Callable[..., Path]
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
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


@pytest.mark.ray
@pytest.mark.parametrize(("which", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["ctrl-c", "sigterm"])
def test_an_interrupt_with_a_local_ray_is_polite(
    real_sweep: SweepFile, tmp_path: Path, which: int, group: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = real_sweep("polite", runs=4, steps=150)
    with ended(stylesweep("run", spec, "--workspace", tmp_path)) as process:
        until(lambda: working(tmp_path), 90, "a run is at work")
        assert listening(session(process.pid)) <= LOOPBACK, "a local Ray listens to the network around it"
        seconds, said = interrupted(process, which, group=group)
        assert process.returncode == 130, said
        assert re.search(r"interrupted: \d of 4 runs are finished, the rest is queued", said), said
        left = states(tmp_path)
        assert set(left) <= {"queued", "done"}
        until(lambda: session(process.pid) == [], 5, "no process of ours is left")
    assert ask(tmp_path, "SELECT count(*) FROM attempt WHERE state IN ('running', 'crashed', 'oom', 'failed')") == [(0,)]
    assert ask(tmp_path, "SELECT max(killed_workers) FROM run") == [(0,)]
    with capsys.disabled():
        print(f"\n{signal.Signals(which).name} during a run on a local Ray: ended after {seconds:.1f} s, no process left")
    assert seconds < POLITE_SECONDS
    finish(spec, tmp_path)
    assert all_done_once(tmp_path, 4)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("which", "group", "after"),
    [(signal.SIGINT, True, 0.5), (signal.SIGINT, True, 3.0), (signal.SIGTERM, False, 3.0)],
    ids=["ctrl-c-at-once", "ctrl-c", "sigterm"],
)
def test_an_interrupt_while_a_local_ray_starts_is_polite_too(
    real_sweep: SweepFile, tmp_path: Path, which: int, group: bool, after: float, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = real_sweep("starting", runs=2)
    with ended(stylesweep("run", spec, "--workspace", tmp_path)) as process:
        said = read_until(process, "starting a local Ray")
        time.sleep(after)
        seconds, more = interrupted(process, which, group=group)
        assert process.returncode == 130, said + more
        assert "Traceback" not in more
        until(lambda: session(process.pid) == [], 5, "no process of ours is left")
    assert states(tmp_path) == {"queued": 2}
    assert ask(tmp_path, "SELECT count(*) FROM driver WHERE ended_at IS NULL") == [(0,)]
    with capsys.disabled():
        print(f"\n{signal.Signals(which).name} {after} s into the start of a local Ray: ended after {seconds:.1f} s")
    # The rest of the start where Python drops the interrupt: it does if that comes while it collects garbage.
    assert seconds < 3 * POLITE_SECONDS


@pytest.mark.ray
def test_a_killed_driver_takes_its_local_ray_with_it_and_the_same_command_goes_on(
    real_sweep: SweepFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = real_sweep("killed", runs=5, steps=150)
    with ended(stylesweep("run", spec, "--workspace", tmp_path)) as process:
        until(lambda: working(tmp_path) and states(tmp_path).get("done"), 90, "one run is done, another at work")
        began = time.monotonic()
        kill(process.pid)
        process.communicate(timeout=60)
        # Two of Ray's agents, which compute nothing, wait a minute for their dead head before they end too.
        until(lambda: not [name for name in names(session(process.pid)) if "Agent" not in name], 15, "the workers and Ray itself end")
        orphaned = time.monotonic() - began
        agents = names(session(process.pid))
        assert len(agents) <= 2
    done = dict(ask(tmp_path, "SELECT run_key, output FROM run WHERE state = 'done'"))
    assert states(tmp_path).get("running")
    said = finish(spec, tmp_path, "local")
    assert all_done_once(tmp_path, 5)
    ran = set(re.findall(r"^\[\d+/\d+\] (r1-\S+)", said, re.MULTILINE))
    assert len(ran) == 5 - len(done), said
    assert not ran & {key[:11] for key in done}, "a run that was done ran again"
    lost = ask(tmp_path, "SELECT count(*) FROM attempt WHERE state = 'lost'")[0][0]
    assert lost >= 1
    assert ask(tmp_path, "SELECT max(killed_workers) FROM run") == [(0,)]
    with capsys.disabled():
        print(
            f"\nSIGKILL of a driver with a local Ray: workers and Ray gone {orphaned:.1f} s later (but for {agents}); {lost} attempts lost"
        )


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

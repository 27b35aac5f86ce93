"""`stylesweep run` with a Ray of its own, as a user ends it: Ctrl-C, SIGTERM, SIGKILL."""

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from crash.interrupting import POLITE_SECONDS, all_done_once, finish, interrupted, read_until
from crash.processes import ask, ended, kill, listening, names, session, states, stylesweep, until, working

pytestmark = pytest.mark.weights
SweepFile = Callable[..., Path]
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


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

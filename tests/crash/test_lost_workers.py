"""One real sweep on two nodes of a Ray cluster, through everything that workers and nodes die of; and the figures of what it cost."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crash.checker import half_written, violations
from crash.processes import ask, ended, kill, parent, states, stylesweep, until

pytestmark = [pytest.mark.ray, pytest.mark.weights]
SweepFile = Callable[..., Path]
RUNS, KILLS = 14, 3


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head and a worker; a lost node is noticed within about a second."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    quick = {"initial_delay_ms": 500, "period_ms": 500, "timeout_ms": 1000, "failure_threshold": 2}
    config = {f"health_check_{name}": value for name, value in quick.items()}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": config})
    try:
        yield made
    finally:
        made.shutdown()


class Told:
    """The JSON lines of a driver, as they come: what it has called done, in order."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.done: list[str] = []
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, args=(process,))
        self._reader.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(line)
            event = json.loads(line) if line.startswith("{") else {}
            if (event.get("event"), event.get("state")) == ("finished", "done"):
                self.done.append(event["run_key"])

    def join(self) -> None:
        self._reader.join(120)


def at_work(workspace: Path, but: set[int]) -> list[int]:
    query = "SELECT pid FROM attempt WHERE state = 'running' AND pid IS NOT NULL"
    return [pid for (pid,) in ask(workspace, query) if pid not in but and parent(pid) is not None]


def held(workspace: Path, but: set[int], raylets: set[int]) -> int | None:
    """A worker of a node, stopped in the midst of a run: one that runs on may end it before the node has gone."""
    for pid in at_work(workspace, but):
        if parent(pid) in raylets and kill(pid, signal.SIGSTOP):
            time.sleep(2)  # what it told before is recorded by then
            if pid in at_work(workspace, but):
                return pid
            kill(pid, signal.SIGCONT)
    return None


def test_killed_workers_a_lost_node_a_stuck_worker_and_a_second_driver_cost_attempts_and_no_results(
    nodes: Any, real_sweep: SweepFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spot = nodes.add_node(num_cpus=1)
    spec = real_sweep("troubled", runs=RUNS, steps=150, more="limits: {silent_minutes: 0.15}\n")
    arguments = ("run", spec, "--workspace", tmp_path, "--address", nodes.address, "--json")
    with ended(stylesweep(*arguments)) as process:
        told, hit = Told(process), set[int]()
        for _ in range(KILLS):
            (pid, *_) = until(lambda: at_work(tmp_path, hit), 120, "a worker is at work")
            hit.add(pid)
            assert kill(pid)
        (stuck, *_) = until(lambda: at_work(tmp_path, hit), 120, "another worker is at work")
        hit.add(stuck)
        assert kill(stuck, signal.SIGSTOP)
        with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", nodes.address, "--no-follow")) as second:
            said, _ = second.communicate(timeout=120)
        assert second.returncode == 1 and "drives this workspace" in said, said
        raylets = {info.process.pid for info in spot.all_processes["raylet"]}
        gone = until(lambda: held(tmp_path, hit, raylets), 120, "a run is at work on the node")
        nodes.remove_node(spot, allow_graceful=False)
        nodes.add_node(num_cpus=1)
        try:
            process.wait(240)
        finally:
            kill(gone, signal.SIGCONT)
        until(lambda: parent(gone) is None, 60, "the worker that was held has found its node gone, and ended")
        told.join()
        assert process.returncode == 1, told.said[-5:]  # the stuck one has failed
    ends = dict(ask(tmp_path, "SELECT state, count(*) FROM attempt GROUP BY state"))
    broken = [*violations(tmp_path, told.done, set(), points=None), *map(str, half_written(tmp_path))]
    with capsys.disabled():
        print(
            f"\n{KILLS} workers killed, 1 stuck, 1 node lost, 1 second driver, over {RUNS} runs: attempts {ends}; "
            f"{len(broken)} results lost or doubled, rows without picture, broken pictures, integrity failures"
        )
    assert broken == []
    assert states(tmp_path) == {"done": RUNS - 1, "failed": 1}
    assert len(told.done) == RUNS - 1
    assert ends["crashed"] == KILLS and ends["lost"] >= 1 and ends["failed"] == 1
    assert "silent_minutes" in ask(tmp_path, "SELECT error FROM run WHERE state = 'failed'")[0][0]
    assert parent(stuck) is None  # ended, not left behind

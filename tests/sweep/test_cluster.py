"""The Ray back end on real clusters of this machine: two nodes with made-up GPUs, one of which is taken away."""

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crash.processes import ask, ended, kill, parent, states, stylesweep, until

from sweep import worker
from sweep.errors import ImageError, InputError, SurroundingsError
from sweep.events import Crashed, Event, Failed, Finished, Started
from sweep.places import Ask
from sweep.request import Inputs, RunRequest

pytestmark = [pytest.mark.ray, pytest.mark.weights]
Requests = Callable[..., RunRequest]
SweepFile = Callable[..., Path]
CPU = Ask()


@pytest.fixture(scope="module", autouse=True)
def without_tokens() -> Iterator[None]:
    """Ray 2.60 may ask for a token once any local Ray of this user has started; clusters of the test's own need none.

    This process must not have been told otherwise: Ray keeps it from its import on, and then no stream of a worker without a token arrives.
    """
    from ray._raylet import AuthenticationMode, get_authentication_mode

    assert get_authentication_mode() == AuthenticationMode.DISABLED, "something imported Ray in this process with RAY_AUTH_MODE=token"
    before = os.environ.get("RAY_AUTH_MODE")
    os.environ["RAY_AUTH_MODE"] = "disabled"
    yield
    if before is None:
        del os.environ["RAY_AUTH_MODE"]
    else:
        os.environ["RAY_AUTH_MODE"] = before


@pytest.fixture(scope="module")
def nodes(without_tokens: None) -> Iterator[Any]:
    """A head without GPUs and a node with one, that exists on paper only."""
    from ray.cluster_utils import Cluster

    quick = {
        "health_check_initial_delay_ms": 500,
        "health_check_period_ms": 500,
        "health_check_timeout_ms": 1000,
        "health_check_failure_threshold": 2,
    }
    head = {"num_cpus": 2, "num_gpus": 0, "include_dashboard": False, "_system_config": quick}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        made.add_node(num_cpus=2, num_gpus=1)
        yield made
    finally:
        made.shutdown()


@pytest.fixture(autouse=True)
def left() -> Iterator[None]:
    """Whatever a test does, the next one finds this process connected to nothing."""
    yield
    import ray

    ray.shutdown()


@pytest.fixture
def cluster(nodes: Any, held: Inputs) -> Iterator[Any]:
    from sweep.cluster import RayCluster

    made = RayCluster(nodes.address, held)
    yield made
    made.stop()


def give(cluster: Any, work: Callable[..., Iterator[Event]], patch: pytest.MonkeyPatch) -> None:
    """From now on its workers do that instead of `worker.run`."""
    from sweep.cluster_task import task_of

    give_task(cluster, task_of(replace(cluster._common, work=work)), patch)


def give_task(cluster: Any, task: Any, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cluster, "_run_task", task)
    patch.setattr(cluster, "_remote", {})


def until_ended(cluster: Any, runs: int, seconds: float = 90) -> list[Event]:
    told: list[Event] = []
    deadline = time.monotonic() + seconds
    while sum(isinstance(event, Finished | Failed | Crashed) for event in told) < runs:
        assert time.monotonic() < deadline, told
        told += cluster.events(0.25)
    return told


def brief_work() -> Callable[..., Iterator[Event]]:
    """Half a second of nothing in the place of a run: without torch, which a new process takes seconds to import."""

    def work(
        requests: Sequence[RunRequest], inputs: Any, stop: Any
    ) -> Iterator[Event]:  # it travels as it stands here, without this module
        for request in requests:
            this: dict[str, Any] = {"run_key": request.run_key, "attempt": request.attempt}
            yield Started(node="n", pid=os.getpid(), device="cpu", versions={}, **this)
            time.sleep(0.5)
            yield Failed(kind="bug", error="over", **this)

    return work


def test_a_run_on_ray_is_the_one_in_this_process_bit_for_bit(cluster: Any, held: Inputs, request_for: Requests) -> None:
    requests = [request_for(beta, steps=20) for beta in (2.0, 200.0)]
    for request in requests:
        cluster.submit([request], CPU)
    told, here = until_ended(cluster, 2), list(worker.run(requests, held))
    for request in requests:
        (there,), (expected,) = (
            [one for one in all_of if isinstance(one, Finished) and one.run_key == request.run_key] for all_of in (told, here)
        )
        assert there.picture.data == expected.picture.data
        assert there.yardsticks == expected.yardsticks
        assert curve(told, request) == pytest.approx(curve(here, request), rel=1e-5, abs=1e-9)
        assert [point.step for point in there.points][-1:] == [20], "the end of the curve goes with the picture"


def curve(told: Sequence[Event], request: RunRequest) -> list[float]:
    """All numbers of all points that were told of a run, in order, by whatever told them."""
    points = [point for event in told if event.run_key == request.run_key for point in getattr(event, "points", ())]
    return [float(number) for point in points for number in astuple(point)]


def test_a_masked_run_on_ray_is_the_one_in_this_process_bit_for_bit(cluster: Any, held: Any, request_for: Requests) -> None:
    request = request_for(20.0, steps=6)
    style = request.settings.style[0][0]
    mask = np.zeros((43, 64), np.uint8)
    mask[:, :32] = 255
    held.masks[style] = mask  # one file as a mask and as a style
    masked = replace(request, run_key="r1-masked", settings=replace(request.settings, regions=((style, request.settings.style),)))
    for one in (request, masked):
        cluster.submit([one], CPU)
    there = {event.run_key: event for event in until_ended(cluster, 2) if isinstance(event, Finished)}
    (here,) = (event for event in worker.run([masked], held) if isinstance(event, Finished))
    assert there[masked.run_key].picture.data == here.picture.data != there[request.run_key].picture.data


def test_two_runs_share_a_gpu_and_their_processes_are_used_again(cluster: Any, request_for: Requests) -> None:
    half = Ask(gpus=0.5)
    assert cluster.room(half).slots == 2
    for beta in range(1, 7):
        cluster.submit([request_for(float(beta), steps=30)], half)
    told = until_ended(cluster, 6)
    at_once, most = 0, 0
    for event in told:
        at_once += isinstance(event, Started) - isinstance(event, Finished)
        most = max(most, at_once)
    started = [event for event in told if isinstance(event, Started)]
    assert len(started) == 6
    assert most == 2
    assert len({event.pid for event in started}) == 2, "a GPU task lost its process, and the network with it"
    assert all(event.pid != os.getpid() for event in started)


def test_a_process_that_is_given_another_gpu_goes_on_on_that_one(nodes: Any, held: Inputs, request_for: Requests) -> None:
    from sweep.cluster import RayCluster

    def tells_its_gpu(requests: Sequence[RunRequest], inputs: Inputs, stop: Callable[[], Any]) -> Iterator[Event]:
        import ray  # the function travels as it stands here, without this module

        for request in requests:
            this: dict[str, Any] = {"run_key": request.run_key, "attempt": request.attempt}
            yield Started(node="n", pid=os.getpid(), device=f"cuda:{request.gpu}", versions={}, **this)
            time.sleep(0.3)
            yield Failed(kind="bug", error=f"{ray.get_gpu_ids()} {os.environ.get('CUDA_VISIBLE_DEVICES')}", **this)

    two = nodes.add_node(num_cpus=2, num_gpus=2)
    cluster, used = RayCluster(nodes.address, held, tells_its_gpu), set()
    try:
        for turn in range(40):  # with a pause after each turn, in which Ray's leases end
            for beta in range(1, 3):
                cluster.submit([request_for(float(100 * turn + beta))], Ask(gpus=1))
            told = until_ended(cluster, 2)
            devices = {event.run_key: event for event in told if isinstance(event, Started)}
            for event in told:
                if isinstance(event, Failed):
                    assert event.error == f"[{devices[event.run_key].device.removeprefix('cuda:')}] None"
            used |= {(event.pid, event.device) for event in devices.values()}
            if len(used) > len({pid for pid, _ in used}):
                return
        raise AssertionError(f"no process was given two GPUs, so nothing was shown: {used}")
    finally:
        cluster.stop()
        nodes.remove_node(two)


def test_a_task_that_waits_for_pictures_or_asks_whether_to_stop_gives_its_place_to_no_other(
    nodes: Any, held: Inputs, request_for: Requests
) -> None:
    from sweep.cluster import RayCluster

    def asks_all_the_time(requests: Sequence[RunRequest], inputs: Inputs, stop: Callable[[], Any]) -> Iterator[Event]:
        from sweep.request import pictures_of  # the function travels as it stands here, without this module

        for request in requests:
            this: dict[str, Any] = {"run_key": request.run_key, "attempt": request.attempt}
            yield Started(node="n", pid=1, device="cpu", versions={}, **this)
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                for picture in pictures_of(request):
                    inputs.pixels(*picture)
                stop()
                time.sleep(0.005)
            yield Failed(kind="bug", error="over", **this)

    cluster, whole_node = RayCluster(nodes.address, held, asks_all_the_time), Ask(cpus=2)
    assert cluster.room(whole_node).slots == 2
    for beta in range(1, 6):
        cluster.submit([request_for(float(beta))], whole_node)
    at_once = [0]
    for event in until_ended(cluster, 5):
        at_once.append(at_once[-1] + isinstance(event, Started) - isinstance(event, Failed))
    cluster.stop()
    assert max(at_once) == 2


def test_slots_are_counted_node_by_node(cluster: Any) -> None:
    wants = [Ask(cpus=1), Ask(cpus=2), Ask(gpus=1), Ask(cpus=0.5, gpus=0.25), Ask(memory=1e15)]
    assert [cluster.room(ask).slots for ask in wants] == [4, 2, 1, 4, 0]


def test_a_run_takes_a_gpu_where_the_file_leaves_it_open_and_there_are_any(cluster: Any) -> None:
    assert cluster.ask({"cpus": 2, "gpus": None, "memory": 5}) == Ask(cpus=2, gpus=1, memory=5)
    assert cluster.ask({"cpus": 1, "gpus": 0.0}) == Ask()


@pytest.mark.parametrize(
    ("resources", "time"), [("{cpus: 1, gpus: 0}", "on 4 workers"), ("{cpus: 1, gpus: 0.5}", "on 2 workers"), ("{cpus: 2}", "on 1 worker")]
)
def test_a_plan_counts_the_slots_of_the_cluster_that_it_is_for(
    nodes: Any, sweep_file: SweepFile, tmp_path: Path, capsys: pytest.CaptureFixture[str], resources: str, time: str
) -> None:
    from sweep.cli import planning

    planning.plan(sweep_file("planned", [1, 2, 3], resources=resources), tmp_path, as_json=False, address=nodes.address)
    assert f"{time}, " in capsys.readouterr().out


def test_a_plan_for_a_cluster_without_room_says_what_there_is(
    nodes: Any, sweep_file: SweepFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sweep.cli import planning

    planning.plan(sweep_file("wide", [1], resources="{cpus: 3}"), tmp_path, as_json=True, address=nodes.address)
    told = capsys.readouterr()
    assert "no node of the cluster has room for a run that asks for cpus: 3, gpus: 1" in told.err
    assert [json.loads(told.out)[name] for name in ("slots", "slots_up")] == [1, 0]


@pytest.mark.parametrize("wants", [Ask(cpus=3), Ask(gpus=2)])
def test_a_run_that_fits_on_no_node_is_told_with_what_there_is(cluster: Any, wants: Ask) -> None:
    room = cluster.room(wants)
    assert (room.slots, room.may_grow) == (0, True)
    assert re.match(r"no node of the cluster has room .* It has: .*2 CPUs, 1 GPUs.* Lower `resources`", room.why)


def test_an_avoided_node_counts_only_where_no_other_has_room(cluster: Any, request_for: Requests) -> None:
    import ray

    with_gpu = next(node["NodeID"] for node in ray.nodes() if node["Resources"].get("GPU"))
    cluster.avoid({with_gpu})
    assert [cluster.room(ask).slots for ask in (Ask(), Ask(gpus=1))] == [2, 1]
    for beta in (1.0, 2.0, 3.0):
        cluster.submit([request_for(beta, steps=3)], CPU)
    started = [event for event in until_ended(cluster, 3) if isinstance(event, Started)]
    assert len(started) == 3 and with_gpu not in {event.place for event in started}
    assert all(event.place for event in started)


def test_a_pack_is_one_task_and_its_crash_is_told_of_each_member(cluster: Any, request_for: Requests) -> None:
    cluster.submit([request_for(1.0, steps=1_000_000), request_for(2.0, steps=1_000_000)], CPU)
    started: list[Event] = []
    until(
        lambda: started.extend(event for event in cluster.events(0.2) if isinstance(event, Started)) or len(started) == 2, 30, "both start"
    )
    assert len({event.pid for event in started}) == 1
    os.kill(started[0].pid, signal.SIGKILL)
    crashes = [event for event in until_ended(cluster, 2) if isinstance(event, Crashed)]
    assert {event.run_key for event in crashes} == {event.run_key for event in started}
    assert [(event.kind, event.started, event.alone) for event in crashes] == [("crashed", True, False)] * 2


def test_a_run_whose_picture_cannot_be_read_fails_alone(
    cluster: Any, held: Any, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(sha256: str, long_side: int) -> np.ndarray:
        raise ImageError("the picture is broken.")

    with monkeypatch.context() as patched:
        patched.setattr(held, "pixels", broken)
        cluster.submit([request_for(1.0)], CPU)
    cluster.submit([request_for(2.0)], CPU)
    told = {event.run_key: event for event in until_ended(cluster, 2)}
    failed = told[request_for(1.0).run_key]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.error) == ("input", "the picture is broken.")
    assert isinstance(told[request_for(2.0).run_key], Finished)


def test_a_node_of_another_version_that_joins_later_computes_nothing_and_is_handed_nothing_more(
    nodes: Any, cluster: Any, request_for: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    import ray

    older = tmp_path / "torch-1.13.1.dist-info"
    older.mkdir()
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.13.1\n")
    joined = nodes.add_node(num_cpus=3, env_vars={"PYTHONPATH": str(tmp_path)})  # what is installed there, as far as its Python knows
    try:
        only_there = Ask(cpus=3)
        until(lambda: cluster.room(only_there).slots == 1, 30, "the node has joined")
        cluster.submit([request_for(71.0)], only_there)
        (told,) = until_ended(cluster, 1)
        assert isinstance(told, Crashed)
        assert (told.kind, told.started) == ("lost", False)  # no fault of the run's
        problem = rf"node {socket.gethostname()} has torch 1\.13\.1, but the driver has \S+: runs there would not be .* `ray up`"
        assert re.match(problem, told.error)
        room = cluster.room(only_there)
        assert room.slots == 0
        assert re.search(problem, room.why)
        cluster.avoid({node["NodeID"] for node in ray.nodes() if node["NodeID"] != joined.node_id})  # nor where all others are bad
        assert cluster.room(CPU).slots == 4
        give(cluster, brief_work(), monkeypatch)
        for beta in range(72, 80):
            cluster.submit([request_for(float(beta))], CPU)
        told_later = until_ended(cluster, 8)
        assert sum(isinstance(event, Failed) for event in told_later) == 8
        assert joined.node_id not in {event.place for event in told_later if isinstance(event, Started)}
    finally:
        nodes.remove_node(joined)


def _known_here_only(given: Any) -> Iterator[Event]:
    yield from ()


def test_nodes_without_stylesweep_are_told_as_a_crash_before_the_start(
    cluster: Any, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    from sweep.cluster_task import TASK

    # A function of a module that the workers cannot import: what every run is to a node without stylesweep.
    give_task(cluster, ray.remote(**TASK)(_known_here_only), monkeypatch)
    cluster.submit([request_for()], CPU)
    (told,) = until_ended(cluster, 1)
    assert isinstance(told, Crashed)
    assert (told.kind, told.started) == ("crashed", False)
    assert "No module named" in told.error


def test_a_gpu_that_fails_costs_an_attempt_and_its_process_which_takes_up_no_other_run(
    cluster: Any, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(requests: Any, inputs: Any, stop: Any) -> Iterator[Event]:  # of a function's inside: it travels by value
        import torch

        from sweep import worker

        def broken(*_: Any) -> Any:
            raise torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered\nSearch for it in the manual.")

        whole, worker.stylize_pack = worker.stylize_pack, broken
        try:
            yield from worker.run(requests, inputs, stop)
        finally:
            worker.stylize_pack = whole

    with monkeypatch.context() as patched:
        give(cluster, fails, patched)
        cluster.submit([request_for(41.0)], CPU)
        first, last = until_ended(cluster, 1)
    assert isinstance(first, Started) and isinstance(last, Crashed)
    assert (last.kind, last.started, last.alone) == ("crashed", True, True)
    assert re.fullmatch(r"a GPU of \S+ failed: CUDA error: uncorrectable ECC error encountered", last.error)
    give(cluster, brief_work(), monkeypatch)
    for beta in (42.0, 43.0, 44.0, 45.0):  # as many as there are slots
        cluster.submit([request_for(beta)], CPU)
    others = [event for event in until_ended(cluster, 4) if isinstance(event, Started | Crashed)]
    assert first.pid not in {event.pid for event in others if isinstance(event, Started)}
    assert not any(event.started for event in others if isinstance(event, Crashed))


def test_a_ray_that_breaks_off_under_a_worker_is_a_lost_node_and_no_failure_of_the_run(
    cluster: Any, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(requests: Any, inputs: Any, stop: Any) -> Iterator[Event]:  # of a function's inside: it travels by value
        import ray

        from sweep import worker

        def gone(_reference: Any) -> Any:
            raise OSError("Broken pipe")  # what Ray's own connection raises once its raylet is dead

        whole, ray.get = ray.get, gone  # type: ignore[assignment]
        try:
            yield from worker.run(requests, inputs, stop)
        finally:
            ray.get = whole

    give(cluster, work, monkeypatch)
    cluster.submit([request_for(31.0)], CPU)
    told = until_ended(cluster, 1)[-1]
    assert isinstance(told, Crashed), told
    assert (told.kind, told.error) == ("lost", "its node was lost: OSError: Broken pipe")


def test_a_killed_worker_is_a_crash_of_its_run_only(cluster: Any, request_for: Requests) -> None:
    cluster.submit([request_for(1.0, steps=1_000_000)], CPU)
    started = until(lambda: [event for event in cluster.events(0.2) if isinstance(event, Started)], 30, "the run starts")[0]
    os.kill(started.pid, signal.SIGKILL)
    cluster.submit([request_for(2.0)], CPU)
    told = {event.run_key: event for event in until_ended(cluster, 2)}
    crash = told[started.run_key]
    assert isinstance(crash, Crashed)
    assert (crash.kind, crash.started, crash.attempt) == ("crashed", True, 1)
    assert isinstance(told[request_for(2.0).run_key], Finished)


def test_stopping_kills_what_runs_and_leaves_the_cluster_alone(nodes: Any, held: Inputs, request_for: Requests) -> None:
    from sweep.cluster import RayCluster

    cluster = RayCluster(nodes.address, held)
    cluster.submit([request_for(1.0, steps=1_000_000)], CPU)
    started = until(lambda: [event for event in cluster.events(0.2) if isinstance(event, Started)], 30, "the run starts")[0]
    began = time.monotonic()
    cluster.stop()
    assert time.monotonic() - began < 5
    until(lambda: parent(started.pid) is None, 10, "the worker's process ends")
    again = RayCluster(nodes.address, held)
    again.submit([request_for(2.0)], CPU)
    assert isinstance(until_ended(again, 1)[-1], Finished)
    again.stop()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "somewhere", "host:port", ":6379", "127.0.0.1:"])
def test_an_address_that_cannot_be_meant_is_the_inputs_fault(held: Inputs, address: str) -> None:
    from sweep.cluster import RayCluster

    with pytest.raises(InputError, match="--address"):
        RayCluster(address, held)


def test_nobody_at_an_address_is_told_within_seconds(held: Inputs) -> None:
    from sweep.cluster import RayCluster

    began = time.monotonic()
    with pytest.raises(SurroundingsError, match=r"no Ray cluster answers at '127\.0\.0\.1:9' \(.*refused\)\. Start one with `ray start"):
        RayCluster("127.0.0.1:9", held)
    assert time.monotonic() - began < 10


def run_there(nodes: Any, spec: Path, workspace: Path) -> "subprocess.Popen[str]":
    return stylesweep("run", spec, "--workspace", workspace, "--address", nodes.address)


def ended_well(process: "subprocess.Popen[str]", seconds: float = 90) -> str:
    said, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, said
    return said


def on_node(node: Any, pid: int) -> bool:
    """Whether a worker process belongs to a node: it is a child of its raylet."""
    return parent(pid) in {info.process.pid for info in node.all_processes["raylet"]}


def test_a_worker_killed_under_the_command_line_costs_an_attempt_and_nothing_else(
    nodes: Any, sweep_file: SweepFile, tmp_path: Path
) -> None:
    spec = sweep_file("killed", [1, 2, 3, 4, 5, 6], steps=120)
    with ended(run_there(nodes, spec, tmp_path)) as process:
        running = "SELECT r.run_key, a.pid FROM attempt a JOIN run r ON r.id = a.run_id WHERE a.state = 'running' AND a.pid"
        victim, pid = until(lambda: ask(tmp_path, running), 60, "a run starts")[0]
        assert kill(pid)
        said = ended_well(process)
    assert "it is queued again" in said
    assert states(tmp_path) == {"done": 6}
    tries = ask(tmp_path, f"SELECT number, a.state FROM attempt a JOIN run r ON r.id = run_id WHERE run_key = '{victim}' ORDER BY number")
    assert tries == [(1, "crashed"), (2, "done")]
    assert ask(tmp_path, f"SELECT killed_workers FROM run WHERE run_key = '{victim}'") == [(1,)]
    assert ask(tmp_path, "SELECT count(*), sum(state = 'done') FROM attempt") == [(7, 6)]


def test_calibrate_measures_one_node_of_each_kind_with_every_slot_at_once(nodes: Any, held: Any, request_for: Requests) -> None:
    from sweep.calibrate import Sample, SampleInputs
    from sweep.calibrate_samples import Wanted
    from sweep.cluster_calibrate import measure_nodes

    size = next(iter(held.pictures.values())).shape[:2]
    sample = Sample(settings=request_for(size=64).settings, content_size=size, size=40)
    told: list[object] = []
    wanted = Wanted(samples=[sample], inputs=SampleInputs(pictures=held.pictures), gpus=0.0, device="cpu")
    rows = measure_nodes(nodes.address, wanted, lambda _, row: told.append(row))
    assert len(rows) == 2  # the node with a GPU is of another kind
    assert told == rows
    assert {(row.size, row.network, row.on_gpu) for row in rows} == {(40, "vgg16-hed", False)}
    with pytest.raises(SurroundingsError, match="cpus: 64"):
        measure_nodes(nodes.address, Wanted(samples=[sample], inputs=wanted.inputs, cpus=64), lambda *_: None)


def test_a_lost_node_is_no_fault_of_its_runs_which_finish_elsewhere(nodes: Any, sweep_file: SweepFile, tmp_path: Path) -> None:
    spot = nodes.add_node(num_cpus=1, num_gpus=1)
    spec = sweep_file("lost", [1, 2, 3, 4], steps=250, resources="{cpus: 1, gpus: 1}")
    with ended(run_there(nodes, spec, tmp_path)) as process:
        running = "SELECT r.run_key, a.pid FROM attempt a JOIN run r ON r.id = a.run_id WHERE a.state = 'running' AND a.pid"
        there = until(lambda: [key for key, pid in ask(tmp_path, running) if on_node(spot, pid)], 60, "a run starts on the node")
        nodes.remove_node(spot, allow_graceful=False)
        said = ended_well(process)
    assert "its node was lost" in said
    assert states(tmp_path) == {"done": 4}
    tries = ask(tmp_path, f"SELECT a.state FROM attempt a JOIN run r ON r.id = run_id WHERE run_key = '{there[0]}' ORDER BY number")
    assert tries[0] == ("lost",) and tries[-1] == ("done",)
    assert ask(tmp_path, "SELECT DISTINCT killed_workers FROM run") == [(0,)]
    assert Counter(ask(tmp_path, "SELECT state FROM attempt"))[("done",)] == 4

"""Which job is meant, and what a job's log looks like here. Real job servers: tests/cluster/test_ray_up.py."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sweep.cli import submitting
from sweep.cli.submitting import Head, find, planned, watch
from sweep.cluster_check import difference
from sweep.errors import InputError, Interrupted, SurroundingsError
from sweep.jobs import Job, JobServer, family
from sweep.tunnel import tunnel

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job server's client puts these into its process for good; and in one that has a token no test's cluster without tokens works."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")


def job(sweep: str, state: str = "SUCCEEDED", number: int = 1, exit_code: int | None = 0) -> Job:
    job_id = f"{family('/data', sweep)}-{number}"
    return Job(id=job_id, sweep=sweep, workspace="/data", state=state, exit_code=exit_code, message="it broke\nhere", began=number)


class Written:
    """What `find` and `watch` ask of a job server, from a list of jobs and a log that is there already or comes later."""

    def __init__(self, jobs: list[Job], before: str = "", later: str = "", *, interrupted: bool = False) -> None:
        self._jobs = jobs
        self._before, self._later = before, later
        self._interrupted = interrupted

    def jobs(self) -> list[Job]:
        return self._jobs

    def job(self, job_id: str) -> Job:
        return next(one for one in self._jobs if one.id == job_id)

    def log(self, job_id: str) -> str:
        return self._before

    async def lines(self, job_id: str) -> AsyncIterator[str]:
        for line in (self._before + self._later).splitlines():
            await asyncio.sleep(0)
            yield line
        if self._interrupted:
            raise KeyboardInterrupt


def server(*jobs: Job, **rest: Any) -> Any:
    return Written(list(jobs), **rest)


def test_the_newest_job_of_a_sweep_is_meant_and_without_a_name_the_running_one() -> None:
    first, second, other = job("walk"), job("walk", number=2), job("long", "RUNNING", 3)
    assert find(server(first, second, other), "walk") == second
    assert find(server(first, second, other), first.id) == first
    assert find(server(first, second, other), None) == other


def test_who_means_no_job_or_several_is_told_what_there_is() -> None:
    with pytest.raises(InputError, match=r"no sweep 'wlak' was submitted to this cluster. There are: 'walk' \(succeeded\)\."):
        find(server(job("walk")), "wlak")
    with pytest.raises(InputError, match=r"no sweep runs there; say which you mean\. There is none at all\."):
        find(server(), None)
    with pytest.raises(InputError, match="several sweeps run there; say which you mean"):
        find(server(job("a", "RUNNING"), job("b", "PENDING")), None)


def test_two_workspaces_may_have_sweeps_of_one_name() -> None:
    assert family("/data", "walk") == family("/data", "walk")
    assert len({family("/data", "walk"), family("/other", "walk"), family("/data", "long"), family("/data\nwalk", "")}) == 4


def log(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_an_old_log_is_shown_by_its_end_and_a_new_line_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    old = [json.dumps({"line": f"run {number}"}) for number in range(100)]
    standing = json.dumps({"sweep": "walk", "done": 100, "runs": 102, "news": "2 running"})
    new = [json.dumps({"line": "run 100"}), "look at them: stylesweep gallery"]
    ended = job("walk")
    assert watch(server(ended, before=log(*old, *[standing] * 50), later=log(*new)), ended) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line]
    assert said == [*(f"run {number}" for number in range(80, 101)), "look at them: stylesweep gallery"]


def test_who_submits_and_leaves_is_told_how_long_it_takes_there() -> None:
    plan = ["my walk: 4 combinations need 4 runs", "  to run    4", "  time      about 2 min on 8 workers, 30 s a run"]
    said = ["my walk.jpg: its first frame is used", *plan, "no node is up yet", json.dumps({"sweep": "my walk", "done": 0, "runs": 4})]
    assert planned(log(*said), "my walk") == plan
    assert planned(log(*said), "walk") == []


def test_a_line_of_a_stranger_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    ended = job("walk")
    watch(server(ended, later=log('{"no": "JSON', "[1, 2]", "\x1b[2Jgone")), ended)
    assert capsys.readouterr().err.splitlines() == ['{"no": "JSON', "[1, 2]", "\\x1b[2Jgone"]


@pytest.mark.parametrize(
    ("state", "exit_code", "ends_with", "said"),
    [
        ("SUCCEEDED", 0, 0, ""),
        ("FAILED", 1, 1, ""),  # some runs failed, and it has said so
        ("FAILED", 2, 2, ""),
        ("FAILED", 137, 137, "has failed: it broke"),
        ("FAILED", None, 4, "has failed: it broke"),
        ("STOPPED", None, 130, "was stopped. Submit the sweep again to go on"),
    ],
)
def test_attach_ends_as_the_job_did(
    state: str, exit_code: int | None, ends_with: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = job("walk", state, exit_code=exit_code)
    assert watch(server(ended), ended) == ends_with
    assert (said in told) if (told := capsys.readouterr().err) else not said


def test_ctrl_c_leaves_the_job_alone() -> None:
    going = job("my walk", "RUNNING")
    with pytest.raises(Interrupted, match=r"detached; the sweep goes on. `stylesweep attach 'my walk'` follows it again"):
        watch(server(going, interrupted=True), going)


def test_a_workspace_on_the_head_is_absolute(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--workspace 'results' must be absolute: it is a folder on the head"):
        submitting.submit(tmp_path / "none.yaml", Head(address="http://127.0.0.1:1"), "results", [], follow=False)


def test_who_only_imports_it_has_no_token(tmp_path: Path) -> None:
    """Ray keeps whether it has one from its import on, and a driver that has one refuses what workers without one tell it."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("token")
    script = "import os, sweep.cli.submitting; print(os.environ.get('RAY_AUTH_MODE'))"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"} | {"HOME": str(tmp_path)}
    assert subprocess.check_output([sys.executable, "-c", script], env=environment, text=True) == "None\n"


def test_an_address_where_nobody_answers_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(SurroundingsError, match=r"no job server answers at http://127.*\. Is the cluster up, and the tunnel to it"):
            JobServer(f"http://127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:8265", "ray://127.0.0.1:10001", ""])
def test_an_address_of_something_else_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"is not understood: give the job server's, as in http://127.0.0.1:8265"):
        JobServer(address)


def test_a_cluster_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"), tunnel(tmp_path / "cluster.yaml"):
        pass
    (tmp_path / "cluster.yaml").write_text("cluster_name: x\nprovider: {type: local}\n")
    with pytest.raises(SurroundingsError, match=r"cluster\.yaml cannot be reached.*Ray says: "), tunnel(tmp_path / "cluster.yaml"):
        pass


def test_a_difference_names_the_machine_and_both_versions() -> None:
    ours = {"stylesweep": "0.2.0", "the engine": "3", "torch": "2.13.0"}
    assert difference("gpu-7", ours, ours) is None
    assert "node gpu-7 has torch 2.12.0, but the driver has 2.13.0" in str(difference("gpu-7", ours, ours | {"torch": "2.12.0"}))
    assert "node gpu-7 has the engine none, but the driver has 3" in str(difference("gpu-7", ours, {"stylesweep": "0.2.0"}))


def test_a_token_that_only_one_side_wants_is_said() -> None:
    ours = {"stylesweep": "0.2.0", "token": "wanted"}
    said = str(difference("gpu-7", ours, ours | {"token": "not wanted"}))
    assert "node gpu-7 was started with Ray's token not wanted, and here it is wanted: nothing would come back from there" in said
    assert "Set RAY_AUTH_MODE=disabled before this command" in said
    assert "Set RAY_AUTH_MODE=token" in str(difference("gpu-7", ours | {"token": "not wanted"}, ours))

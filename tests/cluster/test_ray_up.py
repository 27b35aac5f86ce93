"""cluster.local.yaml really executed: `ray up` over real sshds on machines made of namespaces, a sweep on it, and the way down."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster.lab import HOME, Lab, Machine, lab, missing
from PIL import Image

from sweep.combination import run_key
from sweep.inputs import inspect_inputs
from sweep.samples import drawn_style, sample_photograph
from sweep.spec import load_spec
from sweep.transfer.images import resized
from sweep.transfer.presets import network_info
from sweep.transfer.weights import cache_folder

WHY_NOT = missing()
pytestmark = [
    pytest.mark.ray,
    pytest.mark.cluster,
    pytest.mark.weights,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(WHY_NOT is not None and "CI" not in os.environ, reason=str(WHY_NOT)),
]

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.prefix) / "bin"
WORKSPACE = f"{HOME}/stylesweep-workspace"

RESULTS = "SELECT run_key, state, output FROM run ORDER BY run_key"

SWEEP = f"""name: walk
content: photographs
style: woodcut.png
parameters:
  beta: {{values: [1, 3, 10, 30]}}
settings:
  network: vgg16-hed
  size: 48
  steps: 6
  layers: {{content: [relu3_1], style: [relu1_1, relu2_1]}}
resources: {{cpus: {os.cpu_count()}, gpus: 0}}  # one run at a time on each machine
"""

MACHINES = {
    "STYLESWEEP_CACHE": cache_folder().resolve(),
    "AUTOSCALER_UPDATE_INTERVAL_S": 1,
}
"""What is set on them beforehand."""


@dataclass(frozen=True)
class Cluster:
    """What `ray up` has made of the machines."""

    laptop: Machine
    head: Machine
    workers: tuple[Machine, Machine]

    def command(self, *words: str | Path) -> list[str]:
        """A command line of ours on the laptop."""
        return self.laptop.command(BIN / "python", "-m", "sweep.cli.main", *words)

    def stylesweep(self, *words: str | Path, ends_with: int = 0, **environment: str) -> str:
        """What such a command says, standard error too."""
        words = ("env", *(f"{key}={value}" for key, value in environment.items()), BIN / "python", "-m", "sweep.cli.main", *words)
        done = subprocess.run(self.laptop.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400)
        assert done.returncode == ends_with, done.stdout
        return done.stdout

    def ray(self, *words: str | Path) -> str:
        """Ray's command line on the laptop, in the checkout."""
        return self.laptop.run("env", "-C", ROOT, "RAY_AUTH_MODE=token", "RAY_USAGE_STATS_ENABLED=0", BIN / "ray", *words, timeout=400)

    def ask(self, question: str, machine: Machine | None = None, workspace: str = "stylesweep-workspace") -> list[tuple[Any, ...]]:
        """A question to a database, the head's unless told."""
        with contextlib.closing(sqlite3.connect((machine or self.head).home / workspace / "sweeps.db")) as connection:
            return connection.execute(question).fetchall()


def filled_in(head: Machine, workers: tuple[Machine, Machine]) -> str:
    """The file that ships, with what a user edits; and this environment in the place of one that pip would make."""
    text = (ROOT / "cluster.local.yaml").read_text()
    edits = {
        "head_ip: 192.168.1.10": f"head_ip: {head.ip}",
        "[192.168.1.11, 192.168.1.12]": f"[{workers[0].ip}, {workers[1].ip}]",
        "ssh_user: ubuntu": "ssh_user: root",
        "~/.ssh/id_ed25519": "~/.ssh/key",
        "test -x ~/venv/bin/pip || python3 -m venv ~/venv": f"ln -sfn {sys.prefix} ~/venv",
        "~/venv/bin/pip install --quiet --constraint ~/stylesweep/constraints.txt ~/stylesweep": "test -f ~/stylesweep/pyproject.toml",
    }
    for shipped, here in edits.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    return text


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A laptop, a head and two workers, brought up by `ray up`; both workers have joined."""
    assert WHY_NOT is None, WHY_NOT
    with lab(tmp_path_factory.mktemp("lab")) as machines:
        made = _machines(machines)
        began = time.monotonic()
        made.ray("get-auth-token", "--generate")
        _up(made)
        print(f"ray up: {time.monotonic() - began:.0f} s")
        _until_joined(made.head, 3)
        print(f"all three machines: {time.monotonic() - began:.0f} s")
        tunnel = made.laptop.start("env", "-C", ROOT, BIN / "ray", "dashboard", f"{HOME}/cluster.yaml", stdout=subprocess.DEVNULL)
        try:
            yield made
        finally:
            tunnel.kill()
            tunnel.wait()


def _up(cluster: Cluster) -> None:
    """`ray up`; once more if Ray gave itself up: it starts within 30 seconds or not at all, and here all machines share two processors."""
    up = cluster.laptop.command("env", "-C", ROOT, "RAY_USAGE_STATS_ENABLED=0", BIN / "ray", "up", "-y", f"{HOME}/cluster.yaml")
    for _ in range(3):
        done = subprocess.run(up, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=400)
        if done.returncode == 0 or "timed out during startup" not in done.stdout:
            break
    assert done.returncode == 0, done.stdout


def _machines(machines: Lab) -> Cluster:
    laptop, head, *workers = (machines.boot(name) for name in ("laptop", "head", "worker-a", "worker-b"))
    made = Cluster(laptop, head, (workers[0], workers[1]))
    ssh = laptop.home / ".ssh"
    ssh.mkdir(mode=0o700)
    laptop.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{HOME}/.ssh/key")
    for machine in (head, *workers):
        machines.serve_ssh(machine, (ssh / "key.pub").read_text())
        (machine.home / ".bashrc").write_text("".join(f"export {key}={value}\n" for key, value in MACHINES.items()))
    (laptop.home / "cluster.yaml").write_text(filled_in(head, made.workers))
    folder = laptop.home / "holidays" / "photographs"
    folder.mkdir(parents=True)
    Image.fromarray(resized(sample_photograph("cat"), 64)).save(folder / "cat.png")
    Image.fromarray(drawn_style("woodcut", 96)).save(folder.parent / "woodcut.png")
    (folder.parent / "walk.yaml").write_text(SWEEP)
    # One run: the second processor is left to those who look on.
    long = SWEEP.replace("name: walk", "name: long").replace("[1, 3, 10, 30]", "[2]").replace("steps: 6", "steps: 90000")
    # So dear that it is asked for on a machine of any speed.
    (folder.parent / "long.yaml").write_text(long.replace("gpus: 0}", "gpus: 0, price_per_hour: 100000}"))
    return made


def _until_joined(head: Machine, nodes: int) -> None:
    question = (
        "import ray, time\n"
        "ray.init('auto', log_to_driver=False, logging_level='ERROR')\n"
        "end = time.monotonic() + 400\n"
        f"while (up := sum(node['Alive'] for node in ray.nodes())) < {nodes} and time.monotonic() < end: time.sleep(0.3)\n"
        f"print('up:', up)"
    )
    said = head.run("env", "RAY_AUTH_MODE=token", f"{HOME}/venv/bin/python", "-c", question, timeout=500)
    assert f"up: {nodes}" in said, said + head.run("bash", "-c", "tail -n 60 /tmp/ray/session_latest/logs/monitor.*", check=False)


def test_a_submitted_sweep_runs_on_both_workers_and_comes_home(cluster: Cluster) -> None:
    here = ("--cluster", f"{HOME}/cluster.yaml")
    said = cluster.stylesweep("submit", f"{HOME}/holidays/walk.yaml", *here, "--workspace", WORKSPACE, "--follow")
    assert "[4/4]" in said and "on 2 workers, " in said, said  # the plan, by the slots of both
    assert {node for (node,) in cluster.ask("SELECT node FROM attempt WHERE state = 'done'")} == {"worker-a", "worker-b"}
    assert cluster.ask("SELECT COUNT(*) FROM run WHERE state = 'done'") == [(4,)]
    assert {key for (key,) in cluster.ask("SELECT run_key FROM run")} == keys_here(cluster.laptop.home / "holidays/walk.yaml")
    assert "[4/4]" in cluster.stylesweep("job-logs", "walk")
    cluster.stylesweep("pull", f"cluster.yaml:{WORKSPACE}", "--workspace", f"{HOME}/results")
    assert cluster.ask(RESULTS, cluster.laptop, "results") == cluster.ask(RESULTS) and len(cluster.ask(RESULTS)) == 4
    cluster.stylesweep("verify", "--workspace", f"{HOME}/results")


def keys_here(path: Path) -> set[str]:
    """The keys of a sweep's runs by the laptop's own reading of its file."""
    spec = load_spec(path)
    files = inspect_inputs(spec.content_and_style_paths())
    hashes = {pair: network_info(pair[0]).source_hash for pair in spec.network_files()}
    named = spec.combinations({path: file.sha256 for path, file in files.items()}, hashes)
    return {run_key(one.combination.run_settings()) for one in named}


def test_a_running_sweep_is_a_lock_and_is_followed_and_left(cluster: Cluster) -> None:
    submit = ("submit", f"{HOME}/holidays/long.yaml", "--workspace", WORKSPACE)
    assert "nobody can be asked here whether that is meant; add --yes" in cluster.stylesweep(*submit, ends_with=2)
    assert "follow it: stylesweep attach long" in cluster.stylesweep(*submit, "--yes")
    assert "'long' is running there already" in cluster.stylesweep(*submit, ends_with=3)

    with subprocess.Popen(cluster.command("attach"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as following:
        assert following.stdout is not None
        assert "long: 1 combination needs 1 run" in "".join(iter(following.stdout.readline, "  to run    1\n"))
        (inside,) = Path(f"/proc/{following.pid}/task/{following.pid}/children").read_text().split()
        os.kill(int(inside), signal.SIGINT)
        rest = following.stdout.read()
    assert (following.returncode, "detached; the sweep goes on" in rest) == (130, True), rest

    jobs = {job["sweep"]: job for job in json.loads(cluster.stylesweep("jobs", "--json").splitlines()[-1])}
    assert {name: job["state"] for name, job in jobs.items()} == {"walk": "SUCCEEDED", "long": "RUNNING"}
    cluster.ray("job", "stop", "--address", "http://127.0.0.1:8265", jobs["long"]["id"])
    assert "was stopped. Submit the sweep again to go on" in cluster.stylesweep("attach", "long", ends_with=130)


def test_a_stranger_is_refused(cluster: Cluster) -> None:
    said = cluster.stylesweep("jobs", ends_with=4, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64)
    assert "refuses our token. It must be the one in the head's ~/.ray/auth_token" in said
    assert "refuses our token" in cluster.stylesweep("jobs", ends_with=4, RAY_AUTH_MODE="disabled")


def test_a_machine_with_other_versions_is_named(cluster: Cluster) -> None:
    """As if this driver were of another version than all machines."""
    script = (
        "import ray; from sweep import cluster_check\n"
        "ray.init('auto', log_to_driver=False, logging_level='ERROR')\n"
        "cluster_check.check_versions()\n"
        "cluster_check.own_versions = lambda: {'stylesweep': '0.0.9'}\n"
        "cluster_check.check_versions()\n"
    )
    said = cluster.head.run("env", "RAY_AUTH_MODE=token", f"{HOME}/venv/bin/python", "-c", script, check=False)
    assert re.search(r"SurroundingsError: node (head|worker-[ab]) has stylesweep 0\.1\.0, but the driver has 0\.0\.9", said), said


def test_the_gallery_on_the_head_is_seen_through_a_tunnel(cluster: Cluster) -> None:
    gallery = ("bash", "-lc", f"source ~/.bashrc; exec stylesweep gallery --workspace {WORKSPACE}")
    with cluster.head.start(*gallery, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as serving:
        forward = ("-N", "-L", "8501:127.0.0.1:8501", "-i", f"{HOME}/.ssh/key", "-o", "StrictHostKeyChecking=no", f"root@{cluster.head.ip}")
        with cluster.laptop.start("ssh", *forward, stderr=subprocess.DEVNULL) as tunnel:
            try:
                look = "for i in $(seq 100); do curl -fsS http://127.0.0.1:8501/ 2>/dev/null && exit; sleep 0.2; done; exit 1"
                assert "<title>" in cluster.laptop.run("bash", "-c", look)
            finally:
                for process in (tunnel, serving):
                    end(process)


def end(process: "subprocess.Popen[str]") -> None:
    """End what runs on a machine; killing `nsenter` would leave it there."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


def test_ray_down_ends_the_head_and_reaches_nothing_outside(cluster: Cluster) -> None:
    with subprocess.Popen(["bash", "-c", "exec -a /somewhere/ray/core/src/ray/gcs/gcs_server sleep 600"]) as bystander:
        try:
            cluster.ray("down", "-y", f"{HOME}/cluster.yaml")
            assert "gcs_server" not in cluster.head.run("ps", "ax")
            assert bystander.poll() is None
        finally:
            bystander.kill()

"""cluster.local.yaml really executed: `ray up` over real sshds on machines made of namespaces, a sweep on it, and the way down."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster.lab import HOME, Lab, Machine, lab, missing
from PIL import Image

from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import resized

WHY_NOT = missing()
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.weights,
    pytest.mark.timeout(600),
    pytest.mark.skipif(WHY_NOT is not None and "CI" not in os.environ, reason=str(WHY_NOT)),
]

ROOT = Path(__file__).parent.parent.parent
BIN = ROOT / ".venv" / "bin"
WORKSPACE = f"{HOME}/stylesweep-workspace"

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


@dataclass(frozen=True)
class Cluster:
    """What `ray up` has made of the machines."""

    laptop: Machine
    head: Machine
    workers: tuple[Machine, Machine]

    def stylesweep(self, *words: str | Path, check: bool = True, environment: dict[str, str] | None = None) -> str:
        """A command line on the laptop."""
        said = [f"{key}={value}" for key, value in (environment or {}).items()]
        return self.laptop.run("env", *said, BIN / "python", "-m", "sweep.cli.main", *words, timeout=240, check=check)

    def ray(self, *words: str | Path) -> str:
        """Ray's command line on the laptop, in the checkout."""
        return self.laptop.run("env", "-C", ROOT, BIN / "ray", *words, timeout=240)

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """A question to the head's database."""
        with sqlite3.connect(f"file:{self.head.home}/stylesweep-workspace/sweeps.db?mode=ro", uri=True) as connection:
            return connection.execute(question).fetchall()


def filled_in(head: Machine, workers: tuple[Machine, Machine]) -> str:
    """The file that ships, with what a user edits; and this environment in the place of one that pip would make."""
    text = (ROOT / "cluster.local.yaml").read_text()
    edits = {
        "head_ip: 192.168.1.10": f"head_ip: {head.ip}",
        "[192.168.1.11, 192.168.1.12]": f"[{workers[0].ip}, {workers[1].ip}]",
        "ssh_user: ubuntu": "ssh_user: root",
        "~/.ssh/id_ed25519": "~/.ssh/key",
        "test -x ~/venv/bin/pip || python3 -m venv ~/venv": f"ln -sfn {ROOT / '.venv'} ~/venv",
        "~/venv/bin/pip install --quiet --constraint ~/stylesweep/constraints.txt ~/stylesweep": "test -f ~/stylesweep/pyproject.toml",
    }
    for shipped, here in edits.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    return text


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A laptop, a head and two workers, brought up by `ray up`; both workers have joined."""
    assert WHY_NOT is None
    with lab(tmp_path_factory.mktemp("lab")) as machines:
        made = _machines(machines)
        made.ray("get-auth-token", "--generate")
        made.ray("up", "-y", f"{HOME}/cluster.yaml")
        _until_joined(made.head, 3)
        tunnel = made.laptop.start("env", "-C", ROOT, BIN / "ray", "dashboard", f"{HOME}/cluster.yaml", stdout=subprocess.DEVNULL)
        try:
            yield made
        finally:
            tunnel.kill()
            tunnel.wait()


def _machines(machines: Lab) -> Cluster:
    laptop, head, *workers = (machines.boot(name) for name in ("laptop", "head", "worker-a", "worker-b"))
    made = Cluster(laptop, head, (workers[0], workers[1]))
    ssh = laptop.home / ".ssh"
    ssh.mkdir(mode=0o700)
    laptop.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{HOME}/.ssh/key")
    for machine in (head, *workers):
        machines.serve_ssh(machine, (ssh / "key.pub").read_text())
        (machine.home / ".bashrc").write_text(f"# its own\nexport STYLESWEEP_CACHE={_cache()} AUTOSCALER_UPDATE_INTERVAL_S=1\n")
    (laptop.home / "cluster.yaml").write_text(filled_in(head, made.workers))
    folder = laptop.home / "holidays" / "photographs"
    folder.mkdir(parents=True)
    Image.fromarray(resized(sample_photograph("cat"), 64)).save(folder / "cat.png")
    Image.fromarray(drawn_style("woodcut", 96)).save(folder.parent / "woodcut.png")
    (folder.parent / "walk.yaml").write_text(SWEEP)
    return made


def _cache() -> Path:
    from sweep.transfer.weights import cache_folder

    return cache_folder().resolve()


def _until_joined(head: Machine, nodes: int) -> None:
    question = (
        "import ray, time\n"
        "ray.init('auto', log_to_driver=False, logging_level='ERROR')\n"
        "end = time.monotonic() + 150\n"
        f"while (up := sum(node['Alive'] for node in ray.nodes())) < {nodes} and time.monotonic() < end: time.sleep(0.3)\n"
        f"print('up:', up)"
    )
    said = head.run("env", "RAY_AUTH_MODE=token", f"{HOME}/venv/bin/python", "-c", question, timeout=200)
    assert f"up: {nodes}" in said, said + head.run("bash", "-c", "tail -n 60 /tmp/ray/session_latest/logs/monitor.*", check=False)


def test_a_submitted_sweep_runs_on_both_workers_and_comes_home(cluster: Cluster) -> None:
    said = cluster.stylesweep(
        "submit", f"{HOME}/holidays/walk.yaml", "--cluster", f"{HOME}/cluster.yaml", "--workspace", WORKSPACE, "--follow"
    )
    assert "[4/4]" in said, said
    assert {node for (node,) in cluster.ask("SELECT node FROM attempt WHERE state = 'done'")} == {"worker-a", "worker-b"}
    assert cluster.ask("SELECT COUNT(*) FROM run WHERE state = 'done'") == [(4,)]


def test_ray_down_ends_the_head(cluster: Cluster) -> None:
    cluster.ray("down", "-y", f"{HOME}/cluster.yaml")
    assert "gcs_server" not in cluster.head.run("ps", "ax")

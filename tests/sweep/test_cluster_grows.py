"""A real autoscaler that starts nodes with made-up GPUs on this machine: what is asked for while none is up, and what comes of it."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crash.processes import ask, ended, states, stylesweep

from sweep.places import Ask
from sweep.request import Inputs

pytestmark = [pytest.mark.ray, pytest.mark.weights]
SweepFile = Callable[..., Path]
HEAD_ID = "f" * 51 + "00000"
"""Ray's provider of imitated nodes knows the head by it."""
WORKERS = {"gpu": {"resources": {"CPU": 2, "GPU": 1}, "min_workers": 0, "max_workers": 2, "node_config": {}}}


def config(gcs_address: str) -> dict[str, Any]:
    head = {"resources": {"CPU": 0}, "node_config": {}, "min_workers": 0, "max_workers": 0}
    from ray.autoscaler._private.monitor import BASE_READONLY_CONFIG

    return {
        **BASE_READONLY_CONFIG,
        "cluster_name": "grows",
        "max_workers": 2,
        "idle_timeout_minutes": 5,
        "provider": {
            "type": "external",  # its own name wants a file that Ray does not ship
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": gcs_address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "available_node_types": {"ray.head.default": head, **WORKERS},
        "head_node_type": "ray.head.default",
    }


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A head that computes nothing, and an autoscaler that may start two nodes with a GPU each; none is up."""
    from ray.cluster_utils import Cluster
    from ray.util import get_node_ip_address

    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    file = tmp_path_factory.mktemp("cluster") / "cluster.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_FAKE_CLUSTER", "1")
        patch.setenv("AUTOSCALER_UPDATE_INTERVAL_S", "1")
        patch.setenv("RAY_enable_autoscaler_v2", "1")
        file.write_text(json.dumps(config(f"{get_node_ip_address()}:{port}")))
        known = {"RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID, "RAY_CLOUD_INSTANCE_ID": HEAD_ID, "RAY_NODE_TYPE_NAME": "ray.head.default"}
        made = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "gcs_server_port": port,
                "include_dashboard": False,
                "autoscaling_config": str(file),
                "env_vars": known,
            },
        )
        try:
            yield made
        finally:
            import psutil  # Ray brings it along

            (autoscaler,) = made.head_node.all_processes["monitor"]
            for process in psutil.Process(autoscaler.process.pid).children(recursive=True):  # the nodes that it has started
                process.kill()
            made.shutdown()


def test_a_gpu_is_asked_for_where_none_is_up_but_may_come(head: Any, held: Inputs) -> None:
    from sweep.cluster import RayCluster

    cluster = RayCluster(head.address, held)
    try:
        assert cluster.ask({"cpus": 1, "gpus": None}) == Ask(gpus=1)
        assert cluster.ask({"cpus": 1, "gpus": None, "device": "cpu"}) == Ask()
        room = cluster.room(Ask(gpus=0.5))
        assert (room.slots, room.most, room.may_grow) == (0, 4, True)
        assert "nodes that the cluster may start have room for 4 at once" in room.why
        assert cluster.room(Ask(gpus=2)).most == 0
    finally:
        cluster.stop()


def test_a_sweep_that_leaves_gpus_open_brings_up_the_nodes_that_have_some(head: Any, sweep_file: SweepFile, tmp_path: Path) -> None:
    spec = sweep_file("grows", [1, 2, 3], resources="{cpus: 1}")
    with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", head.address)) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "on 2 workers (0 of them now, the others when nodes have come)" in said
    assert "Waiting up to 15 minutes for one that has" in said
    assert states(tmp_path) == {"done": 3}
    assert ask(tmp_path, "SELECT DISTINCT cpus, gpus, state FROM attempt") == [(1.0, 1.0, "done")]

"""cluster.yaml against moto's AWS: the security group and roles that Ray makes for it, the head, and a spot worker."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.filterwarnings("ignore")
FILE = Path(__file__).parent.parent.parent / "cluster.yaml"
REGION = "us-west-2"
IMAGE = "ami-03cf127a"
"""One of those that moto knows."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An account in which nothing was done yet, and a home to put the key into. Ray's waits for IAM are cut short."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    sleep = time.sleep
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "nobody's")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        patch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
        from moto import mock_aws

        with mock_aws():
            yield


def _client() -> Any:
    import boto3

    return boto3.client("ec2", REGION)


def _config() -> dict[str, Any]:
    """cluster.yaml with an image, as Ray reads it."""
    from ray.autoscaler._private.util import prepare_config

    config = yaml.safe_load(FILE.read_text().replace("ami-EDIT", IMAGE))
    return dict(prepare_config(config))


def _bootstrapped() -> dict[str, Any]:
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    return dict(AWSNodeProvider.bootstrap_config(_config()))


def _launch(config: dict[str, Any], node_type: str) -> dict[str, Any]:
    """Ray's own provider starts one machine; what EC2 says of it."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    is_head = node_type == config["head_node_type"]
    node_config = {**(config["head_node"] if is_head else {}), **config["available_node_types"][node_type]["node_config"]}
    tags = {
        "ray-node-type": "head" if is_head else "worker",
        "ray-node-name": node_type,
        "ray-node-status": "uninitialized",
        "ray-user-node-type": node_type,
    }
    provider.create_node(node_config, tags, 1)
    filters = [{"Name": "tag:Name", "Values": [node_type]}]
    (reservation,) = _client().describe_instances(Filters=filters)["Reservations"]
    return dict(reservation["Instances"][0])


def test_the_machines_exist_and_a_worker_has_one_gpu(aws: None) -> None:
    types = {name: node["node_config"]["InstanceType"] for name, node in _config()["available_node_types"].items()}
    told = {told["InstanceType"]: told for told in _client().describe_instance_types(InstanceTypes=list(types.values()))["InstanceTypes"]}
    assert sum(gpu["Count"] for gpu in told[types["worker"]]["GpuInfo"]["Gpus"]) == 1
    assert "GpuInfo" not in told[types["head"]]


def test_a_driver_on_the_head_knows_that_workers_with_a_gpu_may_come(aws: None, tmp_path: Path) -> None:
    """By the file that `ray up` leaves there, in which AWS has said what the machines are."""
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider

    from sweep.cluster_nodes import read_growth
    from sweep.places import Ask

    config = AWSNodeProvider.bootstrap_config(AWSNodeProvider.fillout_available_node_types_resources(_config()))
    del config["head_node"]  # as `ray up` does before it writes the file
    file = tmp_path / "ray_bootstrap_config.yaml"
    file.write_text(json.dumps(config))
    growth = read_growth(str(file))
    assert [growth.slots(ask) for ask in (Ask(gpus=1), Ask(gpus=0.5), Ask(cpus=4), Ask(gpus=2))] == [8, 16, 8, 0]


def test_a_head_on_demand_and_a_spot_worker_start_in_one_closed_group(aws: None) -> None:
    """Without a group of the user's: ssh by key from anywhere, everything between the machines, and nothing else."""
    config = _bootstrapped()
    head, worker = _launch(config, "head"), _launch(config, "worker")
    assert ("InstanceLifecycle" in head, worker["InstanceLifecycle"]) == (False, "spot")
    assert head["IamInstanceProfile"] and "IamInstanceProfile" not in worker
    assert head["SecurityGroups"] == worker["SecurityGroups"]
    (group,) = _client().describe_security_groups(GroupNames=["stylesweep"])["SecurityGroups"]
    assert head["SecurityGroups"] == [{"GroupId": group["GroupId"], "GroupName": "stylesweep"}]
    outside = [rule for rule in group["IpPermissions"] if not rule["UserIdGroupPairs"]]
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in outside] == [("tcp", 22, 22)]
    assert [pair["GroupId"] for rule in group["IpPermissions"] for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]


def test_a_group_that_has_rules_already_keeps_them(aws: None) -> None:
    """As docs/clusters.md has it: ssh from one's own address alone."""
    client = _client()
    for old in client.describe_security_groups(GroupNames=["stylesweep"])["SecurityGroups"]:
        for reservation in client.describe_instances()["Reservations"]:
            client.terminate_instances(InstanceIds=[machine["InstanceId"] for machine in reservation["Instances"]])
        client.delete_security_group(GroupId=old["GroupId"])
    made = client.create_security_group(GroupName="stylesweep", Description="stylesweep")["GroupId"]
    own = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.7/32"}]}
    between = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made}]}
    client.authorize_security_group_ingress(GroupId=made, IpPermissions=[own, between])
    before = client.describe_security_groups(GroupIds=[made])["SecurityGroups"][0]["IpPermissions"]
    config = _bootstrapped()
    groups = {name: node["node_config"]["SecurityGroupIds"] for name, node in config["available_node_types"].items()}
    assert groups == {"head": [made], "worker": [made]}
    assert client.describe_security_groups(GroupIds=[made])["SecurityGroups"][0]["IpPermissions"] == before

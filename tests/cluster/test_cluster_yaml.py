"""The cluster files that ship, checked without a cloud, and that the checks would notice what is likely to go wrong in them."""

import re
from pathlib import Path

import pytest
import yaml
from cluster.cluster_file import accepted_by_ray, marked, problems, unmarked

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).parent.parent.parent
AWS, LOCAL = (ROOT / name for name in ("cluster.yaml", "cluster.local.yaml"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where `ray get-auth-token --generate` has run."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("token")
    return tmp_path


@pytest.mark.parametrize("file", [AWS, LOCAL], ids=lambda path: path.name)
def test_a_cluster_file_has_nothing_wrong_with_it(file: Path, home: Path) -> None:
    assert problems(file.read_text(), ROOT, home) == []


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        (AWS, "idle_timeout_minutes", "idle_timeout_minuets", "idle_timeout_minuets"),
        (AWS, "head_node_type: head", "head_node_type: haed", "must be one of `available_node_types`"),
        (AWS, "min_workers: 0", "min_workers: 9", "smaller than the sum of `min_workers`"),
        (AWS, "type: aws", "type: asw", "asw"),
        (AWS, "region: us-west-2", "regoin: us-west-2", "provider.regoin is unknown"),
        (AWS, "InstanceType: g5.xlarge", "InstancType: g5.xlarge", "InstancType"),
        (AWS, "{MarketType: spot}", "{MarketType: spot, SpotOptions: {MaxPrice: 0.6}}", "MaxPrice"),
        (AWS, "VolumeSize: 120", "VolumeSize: big", "VolumeSize"),
        (AWS, "      ImageId: ami-EDIT # EDIT: the same image\n", "", "worker: no ImageId"),
        (AWS, "~/stylesweep: .", "~/stylesweep: ./nowhere", "./nowhere is not here"),
        (AWS, "region: us-west-2 # EDIT", "region: EDIT", "unmarked: region: EDIT"),
        (AWS, "export RAY_AUTH_MODE=token; ulimit", "ulimit", "without RAY_AUTH_MODE=token"),
        (LOCAL, "worker_ips", "worker_ip", "Ray"),
        (LOCAL, "head_ip: 192.168.1.10 # EDIT", "head_ip: 192.168.1.10 # the head", "unmarked: head_ip"),
        (LOCAL, "  type: local\n", "  type: local\n  region: here\n", "provider.region is unknown"),
        (LOCAL, "cluster_name:", "available_node_types: {head: {resources: {}}}\ncluster_name:", "Ray"),
    ],
)
def test_what_goes_wrong_in_a_cluster_file_is_noticed(file: Path, right: str, wrong: str, said: str, home: Path) -> None:
    text = file.read_text()
    assert right in text
    assert said in " ".join(problems(text.replace(right, wrong), ROOT, home))


def test_a_missing_token_is_noticed(tmp_path: Path) -> None:
    assert problems(AWS.read_text(), ROOT, tmp_path) == ["file_mounts: ~/.ray/auth_token is not here"]


def test_every_line_that_a_user_must_edit_is_marked() -> None:
    assert unmarked(AWS.read_text()) == unmarked(LOCAL.read_text()) == []
    assert marked(AWS.read_text()) == {"cluster_name", "max_workers", "region", "availability_zone", "InstanceType", "ImageId"}
    assert marked(LOCAL.read_text()) == {"cluster_name", "head_ip", "worker_ips", "ssh_user", "ssh_private_key"}


def test_the_head_runs_no_task_and_workers_come_when_they_are_asked_for() -> None:
    config = yaml.safe_load(AWS.read_text())
    types = config["available_node_types"]
    head, worker = types[config["head_node_type"]], types["worker"]
    assert head["resources"] == {"CPU": 0} and "InstanceMarketOptions" not in head["node_config"]
    assert worker["min_workers"] == 0 < worker["max_workers"] == config["max_workers"]
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert config["provider"]["cache_stopped_nodes"] is False


def test_the_local_file_starts_every_worker() -> None:
    """With Ray's newer autoscaler it starts one too few; tests/cluster/test_ray_up.py sees that all come."""
    head_start = yaml.safe_load(LOCAL.read_text())["head_start_ray_commands"][-1]
    assert re.search(r"export [^;]*RAY_enable_autoscaler_v2=0;.* ray start --head", head_start.replace("~/venv/bin/", ""))


def test_the_files_agree_where_they_should() -> None:
    aws, local = (yaml.safe_load(file.read_text()) for file in (AWS, LOCAL))
    for key in ("file_mounts", "rsync_exclude", "worker_start_ray_commands", "head_setup_commands"):
        assert aws[key] == local[key]


def test_what_the_docs_give_for_google_cloud_is_accepted_by_ray(home: Path) -> None:
    page = (ROOT / "docs/clusters.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    config = yaml.safe_load(AWS.read_text()) | yaml.safe_load(block)
    accepted_by_ray(config)
    assert unmarked(block) == []
    del config["available_node_types"]["worker"]["resources"]  # which Ray fills in on AWS alone
    with pytest.raises(Exception, match="resources"):
        accepted_by_ray(config)

"""The cluster file that ships: checked offline by Ray's own schema."""

from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.filterwarnings("ignore")
FILE = Path(__file__).parent.parent / "cluster.yaml"


def _checked(text: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load(text)))


def test_rays_schema_accepts_the_cluster_file() -> None:
    _checked(FILE.read_text())


def test_rays_schema_would_notice_a_misspelt_key() -> None:
    with pytest.raises(Exception, match="idle_timeout_minuets"):
        _checked(FILE.read_text().replace("idle_timeout_minutes", "idle_timeout_minuets"))


def test_workers_are_started_and_the_head_runs_no_task() -> None:
    config = yaml.safe_load(FILE.read_text())
    types = config["available_node_types"]
    assert types[config["head_node_type"]]["resources"]["CPU"] == 0
    assert 0 < types["worker"]["min_workers"] <= types["worker"]["max_workers"] <= config["max_workers"]

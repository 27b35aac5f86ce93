"""What can be known of a cluster file without a cloud: by Ray's schema, by the shape that EC2 documents, by what lies here."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from botocore.session import Session
from botocore.validate import ParamValidator

PROVIDER_KEYS = {
    "aws": {"type", "region", "availability_zone", "cache_stopped_nodes", "security_group", "use_internal_ips"},
    "local": {"type", "head_ip", "worker_ips", "external_head_ip"},
}
"""Ray's schema takes any key here, and its providers read only these."""

OURS = re.compile(r"EDIT|192\.168\.1\.\d+|~/\.ssh/id_")
"""What stands in the shipped files in place of something of the user's."""


def problems(text: str, folder: Path, home: Path) -> list[str]:
    """Everything wrong with the file, for a `ray up` from `folder`; `home` stands for `~` here."""
    raw = yaml.safe_load(text)
    try:
        config = accepted_by_ray(yaml.safe_load(text))
    except Exception as error:  # Ray's own exceptions of many kinds, and jsonschema's
        return [f"Ray: {(str(error) or type(error).__name__).splitlines()[0]}"]
    kind = raw["provider"]["type"]
    found = [f"provider.{key} is unknown" for key in raw["provider"] if key not in PROVIDER_KEYS[kind]]
    if kind == "aws":
        found += [problem for name, node in config["available_node_types"].items() for problem in _ec2(name, node["node_config"])]
    found += [
        f"file_mounts: {local} is not here"
        for local in raw["file_mounts"].values()
        if not (folder / local.replace("~", str(home), 1)).exists()
    ]
    found += [
        f"without RAY_AUTH_MODE=token: {command}"
        for commands in (raw["head_start_ray_commands"], raw["worker_start_ray_commands"])
        for command in commands
        if "ray start" in command and "export RAY_AUTH_MODE=token" not in command
    ]
    return found + unmarked(text)


def unmarked(text: str) -> list[str]:
    """Lines that hold a placeholder but do not say so."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [f"unmarked: {line.strip()}" for line in lines if OURS.search(line.partition(" # ")[0]) and "# EDIT" not in line]


def marked(text: str) -> set[str]:
    """The keys whose lines are marked EDIT."""
    return set(re.findall(r"^\s*(\w+):.*# EDIT", text, flags=re.MULTILINE))


def accepted_by_ray(raw: dict[str, Any]) -> dict[str, Any]:
    """With Ray's defaults; raises what Ray raises."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    config: dict[str, Any] = prepare_config(raw)  # first: alone, validate_config refuses every file
    validate_config(config)
    return config


def _ec2(name: str, node_config: dict[str, Any]) -> Iterator[str]:
    if "ImageId" not in node_config:
        yield f"{name}: no ImageId; Ray would take an image of 2018"
    checked = ParamValidator().validate({**node_config, "MinCount": 1, "MaxCount": 1}, _run_instances())
    if checked.has_errors():
        yield f"{name}: {checked.generate_report()}"


@cache
def _run_instances() -> Any:
    return Session().get_service_model("ec2").operation_model("RunInstances").input_shape

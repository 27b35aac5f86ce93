"""What an attempt records of the program that made it."""

import subprocess
from pathlib import Path

import pytest

from sweep import process

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def anew() -> None:
    process.versions.cache_clear()


def test_the_commit_of_the_checkout_is_recorded_with_a_mark_where_it_was_changed() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if not head:
        pytest.skip("this is no git checkout")
    told = process.versions()["commit"]
    assert head.startswith(told.rstrip("+"))
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, check=False).returncode != 0
    assert told.endswith("+") == changed


def test_an_installed_package_has_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "__file__", str(tmp_path / "sweep" / "process.py"))
    assert "commit" not in process.versions()


def test_a_machine_without_an_nvidia_driver_has_no_version_of_it() -> None:
    assert ("gpu_driver" in process.versions()) == Path("/proc/driver/nvidia/version").exists()

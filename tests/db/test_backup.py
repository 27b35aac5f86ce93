"""Backups: whole whenever they are taken, never in the place of something else, and workspaces themselves."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from crash.checker import half_written
from factories import GATYS, SHALLOW, curve, finished_event, input_picture, made_up_workspace, plan_of

from db.backup import MARKER, back_up
from db.drivers import become_driver, live_driver, resign
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.errors import InputError, StorageError


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "sweeps.db")) as plain:
        return plain.execute(query).fetchall()


def faults(folder: Path) -> list[str]:
    """What is wrong with a workspace, read with nothing but sqlite3 and hashlib."""
    found = [row[0] for row in rows(folder, "PRAGMA integrity_check") if row[0] != "ok"]
    found += [str(row) for row in rows(folder, "PRAGMA foreign_key_check")]
    for sha256, form, thumbnail in rows(folder, "SELECT sha256, format, thumbnail FROM image"):
        for name, suffix in ((sha256, form), (thumbnail, "webp")):
            path = folder / "artifacts" / name[:2] / f"{name}.{suffix}"
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != name:
                found.append(f"row without picture: {path.name}")
    for file, sha256 in rows(folder, "SELECT file, sha256 FROM checkpoint"):
        path = folder / "checkpoints" / file
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            found.append(f"row without checkpoint: {file}")
    return found + [f"half written: {path}" for path in half_written(folder)]


def checkpoint(workspace: Workspace, run_id: int, step: int) -> None:
    """As a driver keeps one: file first, row second, then the old file goes."""
    folder = workspace.folder / "checkpoints"
    folder.mkdir(exist_ok=True)
    data = f"state of {run_id} at {step}".encode() * 100
    name = f"run{run_id}-1-{step}.safetensors"
    (folder / name).write_bytes(data)
    old = rows(workspace.folder, f"SELECT file FROM checkpoint WHERE run_id = {run_id}")
    with workspace.writer().begin() as connection:
        values = (run_id, step, name, hashlib.sha256(data).hexdigest(), len(data), 0.0)
        connection.exec_driver_sql(
            "INSERT OR REPLACE INTO checkpoint (run_id, step, file, sha256, bytes, at) VALUES (?, ?, ?, ?, ?, ?)", values
        )
    for (file,) in old:
        (folder / file).unlink()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=1, unfinished=2)


def test_a_backup_is_a_workspace_with_everything_and_nobody_drives_it(workspace: Workspace, tmp_path: Path) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    checkpoint(workspace, run.run_id, 10)
    made = back_up(workspace, tmp_path / "b")
    assert faults(tmp_path / "b") == []
    assert (made.checkpoints, made.lost_checkpoints) == (1, 0)
    for table in ("image", "sweep", "run", "combination", "attempt", "loss_point", "snapshot", "checkpoint"):
        assert rows(tmp_path / "b", f"SELECT * FROM {table}") == rows(workspace.folder, f"SELECT * FROM {table}")
    copy = open_workspace(tmp_path / "b", create=False)
    with copy.reader().connect() as connection:
        assert live_driver(connection) is None  # though that of the original lives, on this very host
    taken, _ = become_driver(copy.writer(), "test")
    assert taken is not None
    assert rows(tmp_path / "b", "SELECT DISTINCT state FROM run WHERE state != 'done'") == [("queued",)]
    resign(store.engine, owner)


def test_a_later_backup_copies_only_what_is_new(workspace: Workspace, tmp_path: Path) -> None:
    first = back_up(workspace, tmp_path / "b")
    assert first.pictures.files == len(list(workspace.artifacts.folder.glob("*/*")))
    made_up_workspace(workspace.folder, betas=2, name="more")
    second = back_up(workspace, tmp_path / "b")
    assert second.pictures.files == len(list(workspace.artifacts.folder.glob("*/*"))) - first.pictures.files
    assert back_up(workspace, tmp_path / "b").pictures.files == 0
    assert faults(tmp_path / "b") == []
    assert rows(tmp_path / "b", "SELECT name FROM sweep") == [("demo",), ("more",)]
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_every_backup_that_is_taken_while_a_driver_writes_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = open_workspace(tmp_path / "w", create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    planned = plan_of([content], [style], [float(beta) for beta in range(1, 500)], [GATYS, SHALLOW])
    record_sweep(store, SweepRecord(name="s", spec_text="", spec_path="", search_seed=None, resources={}), planned, extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    stop, errors, written = threading.Event(), [], [0]

    def write() -> None:
        try:
            while not stop.is_set():
                for run in store.claim(owner, 3):
                    checkpoint(workspace, run.run_id, 5)
                    checkpoint(workspace, run.run_id, 6)
                    with store.engine.begin() as connection:
                        connection.exec_driver_sql(f"DELETE FROM checkpoint WHERE run_id = {run.run_id} AND {run.run_id} % 2")
                    store.finished(owner, finished_event(run, run.run_id), curve(run.run_id, 30))
                    written[0] += 1
        except Exception as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    backups, seen = 0, [0]
    try:
        while backups < 6 or seen[-1] < 12:
            made = back_up(workspace, tmp_path / "grows")
            assert made.lost_checkpoints == 0
            back_up(workspace, tmp_path / f"b{backups}")
            for folder in (tmp_path / "grows", tmp_path / f"b{backups}"):
                assert faults(folder) == []
            seen.append(rows(tmp_path / "grows", "SELECT count(*) FROM run WHERE state = 'done'")[0][0])
            backups += 1
    finally:
        stop.set()
        writer.join()
    assert errors == []
    assert seen == sorted(seen) and len(set(seen)) > 3  # the writer was at it between them
    resign(store.engine, owner)
    with capsys.disabled():
        print(f"\n{2 * backups} backups while a driver recorded {written[0]} runs: all whole")


def test_only_the_database_when_that_is_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "b", database_only=True)
    assert rows(tmp_path / "b", "SELECT * FROM run") == rows(workspace.folder, "SELECT * FROM run")
    assert list((tmp_path / "b" / "artifacts").iterdir()) == []
    back_up(workspace, tmp_path / "b")  # and the pictures later
    assert faults(tmp_path / "b") == []
    with pytest.raises(InputError, match="is a whole backup; without its pictures"):
        back_up(workspace, tmp_path / "b", database_only=True)


def _occupied(workspace: Workspace, folder: Path) -> Path:
    (folder / "photographs").mkdir()
    (folder / "photographs" / "cat.jpg").write_bytes(b"a cat")
    return folder / "photographs"


def _file(workspace: Workspace, folder: Path) -> Path:
    (folder / "notes.txt").write_text("notes")
    return folder / "notes.txt"


def _another(workspace: Workspace, folder: Path) -> Path:
    back_up(made_up_workspace(folder / "other", betas=1), folder / "b")
    return folder / "b"


def _worked_in(workspace: Workspace, folder: Path) -> Path:
    back_up(workspace, folder / "b")
    with open_workspace(folder / "b", create=False).writer().begin() as connection:
        connection.exec_driver_sql("UPDATE sweep SET priority = 7")
    return folder / "b"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (_occupied, "is no backup of stylesweep"),
        (_file, "is no backup of stylesweep"),
        (_another, "is a backup of another workspace"),
        (_worked_in, "was worked in since it was made"),
        (lambda workspace, _: workspace.folder, "lies in the workspace itself"),
        (lambda workspace, _: workspace.folder / "artifacts" / "b", "lies in the workspace itself"),
        (lambda workspace, _: made_up_workspace(workspace.folder.parent / "x", betas=1).folder, "is no backup of stylesweep"),
    ],
)
def test_nothing_else_is_overwritten_by_a_backup(
    workspace: Workspace, tmp_path: Path, place: Callable[[Workspace, Path], Path], words: str
) -> None:
    out = place(workspace, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=words):
        back_up(workspace, out)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_damaged_picture_is_told_and_everything_else_is_in_the_backup(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "old")
    path = sorted(workspace.artifacts.folder.glob("*/*.png"))[1]
    path.write_bytes(b"damaged")
    with pytest.raises(StorageError, match=f"is made, but 1 files of the workspace could not be copied: .*{path.name} is damaged"):
        back_up(workspace, tmp_path / "new")
    assert faults(tmp_path / "new") == [f"row without picture: {path.name}"]
    assert back_up(workspace, tmp_path / "old").pictures.broken == ()  # it has the good one from before
    assert faults(tmp_path / "old") == []


def test_a_backup_that_was_cut_off_is_finished_by_the_next(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every step that leaves a trace: an old backup stays what it was, or is the new one."""
    import os

    back_up(workspace, tmp_path / "b")
    old = rows(tmp_path / "b", "SELECT count(*) FROM run")
    made_up_workspace(workspace.folder, betas=2, name="more")
    new = rows(workspace.folder, "SELECT count(*) FROM run")

    class Cut(BaseException):
        pass

    counted = [0]
    for point in range(1, 500):
        counted[0] = point
        with monkeypatch.context() as patch:
            for name in ("fsync", "replace", "rename"):
                original = getattr(os, name)

                def cut(*arguments: Any, original: Any = original, **options: Any) -> Any:
                    counted[0] -= 1
                    if counted[0] == 0:
                        raise Cut
                    return original(*arguments, **options)

                patch.setattr(os, name, cut)
            try:
                back_up(workspace, tmp_path / "b")
            except Cut:
                assert faults(tmp_path / "b") == []
                assert rows(tmp_path / "b", "SELECT count(*) FROM run") in (old, new)
                continue
        break
    assert point > 3
    assert rows(tmp_path / "b", "SELECT count(*) FROM run") == new
    assert json.loads((tmp_path / "b" / MARKER).read_text())["folder"] == str(workspace.folder)

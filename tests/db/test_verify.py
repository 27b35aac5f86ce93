"""Every kind of damage is found, named, and comes with a remedy; a sound workspace has no fault."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from factories import made_up_workspace

from db.backup import back_up
from db.verify import verify
from db.workspace import Workspace, open_workspace
from sweep.cli import keeping


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_workspace(tmp_path_factory.mktemp("sound") / "w", betas=1, unfinished=1).folder


@pytest.fixture
def workspace(sound: Path, tmp_path: Path) -> Workspace:
    return open_workspace(Path(shutil.copytree(sound, tmp_path / "w")), create=False)


def change(workspace: Workspace, statement: str) -> None:
    """As a stranger's tool would, without foreign keys."""
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain, plain:
        plain.execute("PRAGMA ignore_check_constraints=ON")
        assert plain.execute(statement).rowcount > 0


def a_picture(workspace: Workspace, query: str) -> Path:
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain:
        name, suffix = plain.execute(query).fetchone()
    return workspace.artifacts.path(name, suffix)


OUTPUT = "SELECT sha256, format FROM image JOIN run ON output = sha256 WHERE original_name IS NULL"
INPUT = "SELECT sha256, format FROM image WHERE original_name = 'cat.png'"
THUMBNAIL = "SELECT thumbnail, 'webp' FROM image JOIN run ON output = sha256 WHERE original_name IS NULL"
CHECKPOINT = "INSERT INTO checkpoint SELECT id, 5, 'gone.safetensors', 'x', 4, 0 FROM run WHERE state = 'queued'"
STRANGER = "f" * 64

DAMAGE: dict[str, tuple[Callable[[Workspace], object], str, str, str]] = {
    "a lost output": (lambda w: a_picture(w, OUTPUT).unlink(), "file", r"the picture of r1-\w+\) is missing", "merge BACKUP"),
    "a lost thumbnail": (lambda w: a_picture(w, THUMBNAIL).unlink(), "file", r"\(thumbnail of the picture of r1-", "merge BACKUP"),
    "a lost input": (lambda w: a_picture(w, INPUT).unlink(), "file", r"\(the input cat.png\) is missing", "`stylesweep run` with the"),
    "a short file": (lambda w: a_picture(w, OUTPUT).write_bytes(b"x"), "file", "another length", "delete demo` and run it again"),
    "a lost row": (lambda w: change(w, "DELETE FROM image WHERE original_name = 'cat.png'"), "input", "is not recorded", "run"),
    "a broken reference": (lambda w: change(w, "UPDATE attempt SET run_id = 999 WHERE id = 1"), "reference", "row 1 of attempt", "backup"),
    "a lost checkpoint": (lambda w: change(w, CHECKPOINT), "checkpoint", "gone.safetensors is missing", "begin from its start"),
    "a bad name": (lambda w: change(w, "UPDATE image SET format = '../x' WHERE original_name = 'cat.png'"), "name", "no file", "backup"),
    "a done run without its picture": (
        lambda w: change(w, f"UPDATE run SET output = '{STRANGER}' WHERE id = 1"), "picture", "its picture is not recorded", "merge BACKUP",
    ),
}  # fmt: skip


@pytest.mark.parametrize("quick", [False, True])
def test_a_sound_workspace_has_no_fault(workspace: Workspace, quick: bool) -> None:
    found = verify(workspace, quick=quick)
    assert found.faults == ()
    assert (found.files, found.orphans) == (len(list(workspace.artifacts.folder.glob("*/*"))), 0)


@pytest.mark.parametrize("kind", list(DAMAGE))
@pytest.mark.parametrize("quick", [False, True])
def test_damage_is_found_and_comes_with_a_remedy(workspace: Workspace, kind: str, quick: bool) -> None:
    make, word, what, do = DAMAGE[kind]
    make(workspace)
    faults = [fault for fault in verify(workspace, quick=quick).faults if fault.kind == word]
    assert len(faults) >= 1
    assert re.search(what, faults[0].what) and re.search(do, faults[0].do), faults[0]


def test_only_a_whole_look_sees_other_bytes_of_the_same_length(workspace: Workspace) -> None:
    path = a_picture(workspace, OUTPUT)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert verify(workspace, quick=True).faults == ()
    (fault,) = verify(workspace).faults
    assert "its bytes do not match its name" in fault.what


def test_a_damaged_database_is_told(workspace: Workspace) -> None:
    database = workspace.folder / "sweeps.db"
    data = bytearray(database.read_bytes())
    page = 4096 * (len(data) // 4096 // 2)
    data[page : page + 4096] = b"\xff" * 4096
    database.write_bytes(data)
    try:
        found = [fault.kind for fault in verify(workspace).faults]
    except Exception as error:  # so damaged that SQLite refuses; `main` makes a sentence of it
        assert "malformed" in str(error)
    else:
        assert "database" in found


def test_a_backup_of_the_database_alone_lacks_no_picture(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    back_up(workspace, tmp_path / "backup", database_only=True)
    found = verify(open_workspace(tmp_path / "backup", create=False))
    assert found.database_only and found.pictures and (found.files, found.faults) == (0, ())
    assert keeping.verify(tmp_path / "backup", quick=False, as_json=False) == 0
    assert "A backup of the database alone: pictures that it speaks of and does not have are no fault." in capsys.readouterr().out
    picture = a_picture(workspace, OUTPUT)
    there = tmp_path / "backup" / picture.relative_to(workspace.folder)
    there.parent.mkdir()
    there.write_bytes(b"damaged")
    assert [fault.kind for fault in verify(open_workspace(tmp_path / "backup", create=False)).faults] == ["file"]
    worked_in = open_workspace(tmp_path / "backup", create=False)
    change(worked_in, "UPDATE sweep SET priority = 3")  # it is somebody's workspace now, and its pictures are missing
    assert len(verify(worked_in).faults) > 1

"""Pictures without a signature, or with one of another version, are signed by `verify`; others, and backups, stay as they are."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from factories import made_up_workspace, picture_bytes
from PIL import Image

from db.backup import back_up
from db.workspace import Workspace
from sweep.cli import keeping
from sweep.signing import sign
from sweep.transfer.signatures import LENGTH, VERSION, signature

RESULTS = "SELECT output FROM run WHERE output IS NOT NULL ORDER BY 1"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Results without a signature, but for one of another version and one that has today's; and an input that nobody made."""
    made = made_up_workspace(tmp_path / "w", betas=1)
    data = picture_bytes(77)
    sha256 = made.artifacts.put(data, "png")
    with closing(sqlite3.connect(made.folder / "sweeps.db")) as plain, plain:
        plain.execute("UPDATE image SET signature = NULL")
        first, second = plain.execute(f"{RESULTS} LIMIT 2").fetchall()
        for (output,), version in ((first, VERSION + 1), (second, VERSION)):
            plain.execute("UPDATE image SET signature = ? WHERE sha256 = ?", (bytes([version]) * LENGTH, output))
        row = (sha256, 96, 64, "#000000", len(data), "png", "alone.png")
        plain.execute("INSERT INTO image (sha256, width, height, mean_colour, bytes, format, original_name) VALUES (?,?,?,?,?,?,?)", row)
    return made


def stored(folder: Path) -> dict[str, bytes | None]:
    with closing(sqlite3.connect(folder / "sweeps.db")) as plain:
        return dict(plain.execute("SELECT sha256, signature FROM image").fetchall())


def results(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "sweeps.db")) as plain:
        return [output for (output,) in plain.execute(RESULTS).fetchall()]


def test_verify_signs_what_lacks_a_signature_of_today(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before, made = stored(workspace.folder), results(workspace.folder)
    assert keeping.verify(workspace.folder, quick=True, as_json=False) == 0
    assert stored(workspace.folder) == before
    capsys.readouterr()
    assert keeping.verify(workspace.folder, quick=False, as_json=False) == 0
    assert f"{len(made) - 1} pictures of an earlier stylesweep can now be told as near-duplicates" in capsys.readouterr().out
    for sha256, found in stored(workspace.folder).items():
        if sha256 == made[1] or sha256 not in made:
            assert found == before[sha256]
        else:
            with Image.open(workspace.artifacts.path(sha256, "png")) as opened:
                assert found == signature(np.asarray(opened.convert("RGB")))
    assert keeping.verify(workspace.folder, quick=False, as_json=False) == 0
    assert "near-duplicates" not in capsys.readouterr().out


def test_a_backup_and_a_damaged_workspace_stay_as_they_are(workspace: Workspace, tmp_path: Path) -> None:
    back_up(workspace, tmp_path / "b")
    before = (tmp_path / "b/sweeps.db").read_bytes()
    assert keeping.verify(tmp_path / "b", quick=False, as_json=False) == 0
    assert (tmp_path / "b/sweeps.db").read_bytes() == before
    assert back_up(workspace, tmp_path / "b").pictures.files == 0  # it can still be brought up to date
    lost = next(workspace.artifacts.folder.glob("*/*.png"))
    lost.unlink()
    rows = stored(workspace.folder)
    assert keeping.verify(workspace.folder, quick=False, as_json=False) != 0
    assert stored(workspace.folder) == rows


def test_a_workspace_that_cannot_be_written_is_no_less_whole(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain, plain:
        plain.execute("CREATE TRIGGER full BEFORE UPDATE ON image BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END")
    assert keeping.verify(workspace.folder, quick=False, as_json=False) == 0
    said = capsys.readouterr()
    assert said.err.startswith("note: signatures of pictures could not be added: ") and "check the permissions" in said.err
    assert said.out.endswith(": 0 faults.\n")


def test_a_picture_that_cannot_be_read_is_passed_over(workspace: Workspace) -> None:
    lost, kept, *others = results(workspace.folder)
    workspace.artifacts.path(lost, "png").unlink()
    before = stored(workspace.folder)
    assert sign(workspace) == len(others)
    after = stored(workspace.folder)
    assert {sha256 for sha256, found in after.items() if found != before[sha256]} == {*others}
    assert kept not in others

"""`run` with the name of a recorded sweep."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from db import queries
from db.models import Sweep
from db.workspace import open_workspace
from sweep.cli.main import app
from sweep.errors import InputError

SweepFile = Callable[..., Path]
INLINE = ("--address", "inline")


def stylesweep(*words: object) -> int:
    return int(app([str(word) for word in words], standalone_mode=False) or 0)


def states(folder: Path, name: str) -> dict[str, int]:
    with open_workspace(folder, create=False).reader().connect() as connection:
        return dict(queries.sweep_named(connection, name).states)


@pytest.fixture
def begun(sweep_file: SweepFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A workspace with the sweep `walk`, recorded and stopped by its limit before anything ran; its file and its pictures are gone."""
    spec, folder = sweep_file("walk", [1.0, 9.0], resources="{cpus: 1, gpus: 0, price_per_hour: 2}"), tmp_path / "w"
    here = tmp_path / "here"
    shutil.copytree(spec.parent, here)
    assert stylesweep("run", here / "walk.yaml", "--workspace", folder, "--max-hours", "1e-9", *INLINE) == 1
    assert states(folder, "walk") == {"queued": 2}
    shutil.rmtree(here)
    capsys.readouterr()
    return folder


@pytest.mark.weights
def test_what_is_recorded_goes_on_without_its_file_and_its_pictures(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walk").mkdir()  # a folder of that name is no file of a sweep
    assert stylesweep("run", "walk", "--workspace", begun, *INLINE) == 0
    assert states(begun, "walk") == {"done": 2}
    assert "walk: 2 runs of 2 to go" in capsys.readouterr().err
    assert stylesweep("run", "walk", "--workspace", begun, *INLINE) == 0


@pytest.mark.weights
def test_a_limit_is_for_this_time_and_more_needs_the_file(begun: Path) -> None:
    assert stylesweep("run", "walk", "--workspace", begun, "--max-hours", "1e-9", "--max-cost", "5", *INLINE) == 1
    with open_workspace(begun, create=False).reader().connect() as connection:
        assert connection.execute(select(Sweep.budget)).scalar() == 5
    with pytest.raises(InputError, match="give that file, and not 'walk'"):
        stylesweep("run", "walk", "--workspace", begun, "--extend", *INLINE)
    assert states(begun, "walk") == {"queued": 2}


@pytest.mark.weights
def test_what_is_neither_a_file_nor_a_sweep_is_a_missing_file(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*wolk, and no sweep of that name in .*; its sweeps: walk\."):
        stylesweep("run", tmp_path / "wolk", "--workspace", begun, *INLINE)
    with pytest.raises(InputError, match=r"walk cannot be read: No such file"):
        stylesweep("run", tmp_path / "walk", "--workspace", tmp_path / "none", *INLINE)


@pytest.mark.weights
def test_only_published_networks_of_unfinished_runs_are_fetched(begun: Path) -> None:
    with open_workspace(begun, create=False).reader().connect() as connection:
        assert queries.networks_needed(connection, 1) == ["vgg16-hed"]
    assert stylesweep("run", "walk", "--workspace", begun, *INLINE) == 0
    with open_workspace(begun, create=False).reader().connect() as connection:
        assert queries.networks_needed(connection, 1) == []

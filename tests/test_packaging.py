"""The wheel holds everything that runs, and nothing else."""

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", str(folder)]
    if find_spec("hatchling"):  # else pip fetches it, as it did to install this project
        build.append("--no-build-isolation")
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.mark.parametrize(
    "wanted",
    [
        "gallery/.streamlit/config.toml",
        "db/migrations/versions/0001_the_first_schema.py",
        "db/migrations/env.py",
        "db/migrations/script.py.mako",
        "gallery/app.py",
        "gallery/app_pages/gallery.py",
        "sweep/py.typed",
        "db/py.typed",
        "gallery/py.typed",
    ],
)
def test_the_wheel_holds(names: set[str], wanted: str) -> None:
    assert wanted in names


def test_every_file_of_the_three_packages_that_git_knows_is_in_the_wheel(names: set[str]) -> None:
    listed = subprocess.check_output(["git", "ls-files", "sweep", "db", "gallery"], cwd=ROOT, text=True).splitlines()
    assert {name for name in listed if (ROOT / name).is_file()} - names == set()


def test_the_wheel_holds_nothing_but_the_three_packages(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sweep", "db", "gallery"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".db", ".pyc"))]


def test_the_wheel_runs_from_where_the_repository_is_not_seen(wheel: Path, tmp_path: Path) -> None:
    """Unpacked in front of everything else, from an empty folder: the migrations and the command line must find their files."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(tmp_path / "installed")
        entry = next(name for name in opened.namelist() if name.endswith("entry_points.txt"))
        assert "stylesweep = sweep.cli.main:main" in opened.read(entry).decode()
    (tmp_path / "elsewhere").mkdir()
    script = (
        "import db, sweep, gallery, pathlib; from db.workspace import open_workspace\n"
        "open_workspace(pathlib.Path('w'), create=True); print(db.__file__, sweep.__file__, gallery.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    said = subprocess.check_output([sys.executable, "-c", script], cwd=tmp_path / "elsewhere", env=environment, text=True)
    assert all(path.startswith(str(tmp_path)) for path in said.split())
    assert (tmp_path / "elsewhere" / "w" / "sweeps.db").stat().st_size > 10_000

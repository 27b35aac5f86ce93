"""Whole exports: what lies where, that it checks out, and what goes wrong."""

import csv
import hashlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from factories import made_up_workspace
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from db.queries import PARAMETERS, RECIPES_OWN, Result
from db.workspace import Workspace
from gallery.export.best import select_best
from gallery.export.bundle import PRESETS, ExportOptions, export_results
from gallery.export.tables import csv_of
from sweep.errors import InputError, StorageError

PLAIN = ExportOptions(sheet=False)


def best_of(workspace: Workspace, top: int = 4) -> list[Result]:
    with workspace.reader().connect() as connection:
        return select_best(connection, "demo", top, None, "balance")


@pytest.fixture(scope="module")
def best(workspace: Workspace) -> list[Result]:
    return best_of(workspace)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_holds_what_it_promises(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    report = export_results(workspace, best, tmp_path / "out", ExportOptions())
    found = files(tmp_path / "out")
    assert found == {*report.files, "MANIFEST.sha256"}
    assert report.images == 4 and report.problems == ()
    assert {"README.txt", "runs.csv", "runs.json", "contact_sheet.png"} < found
    images = sorted(name for name in found if name.startswith("images/"))
    for rank, (name, result) in enumerate(zip(images, best, strict=True), 1):
        assert re.fullmatch(rf"images/00{rank}_(harbour|cat)_x_(waves|glass)_a1_b[0-9.]+_{result.run_key[3:11]}\.png", name)
        assert name.replace("images/", "recipes/").replace(".png", ".yaml") in found
    assert report.bytes == sum((tmp_path / "out" / name).stat().st_size for name in report.files)


def test_exported_pixels_are_those_of_the_workspace(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best, tmp_path / "out", PLAIN)
    for path, result in zip(sorted((tmp_path / "out/images").iterdir()), best, strict=True):
        original = workspace.folder / str(result.image_path())
        assert hashlib.sha256(original.read_bytes()).hexdigest() == result.image  # the original was not touched
        with Image.open(path) as exported, Image.open(original) as kept:
            assert exported.tobytes() == kept.tobytes()


def test_sha256sum_agrees_with_the_manifest(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best, tmp_path / "out", ExportOptions())
    said = subprocess.run(["sha256sum", "--strict", "-c", "MANIFEST.sha256"], cwd=tmp_path / "out", capture_output=True, text=True)
    assert said.returncode == 0 and said.stdout.count(": OK") == len(files(tmp_path / "out")) - 1


def test_exiftool_shows_title_parameters_and_xmp(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best[:1], tmp_path / "out", PLAIN)
    said = json.loads(subprocess.run(["exiftool", "-j", "-G1", "-r", tmp_path / "out/images"], capture_output=True, check=True).stdout)[0]
    title = f"{best[0].parameters['content']} in the style of {best[0].parameters['style']}"
    assert said["PNG:Title"] == said["XMP-dc:Title"] == title
    assert said["PNG:Software"] == said["XMP-xmp:CreatorTool"] and said["PNG:Software"].startswith("stylesweep ")
    assert "Sampler: pyramid" in said["PNG:Parameters"] and f"Beta: {best[0].parameters['beta']:g}" in said["XMP-dc:Description"]
    recipe = json.loads(said["PNG:Stylesweep"])
    assert recipe["run_key"] == best[0].run_key and recipe["yardsticks"]["balance"] == best[0].yardsticks["balance"]
    assert not any("Warning" in key for key in said)


def test_tables_keep_every_digit(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best, tmp_path / "out", PLAIN)
    rows = list(csv.DictReader((tmp_path / "out/runs.csv").read_text().splitlines()))
    assert [int(row["rank"]) for row in rows] == [1, 2, 3, 4]
    for row, result in zip(rows, best, strict=True):
        assert float(row["beta"]) == result.parameters["beta"]
        assert {name for name in PARAMETERS if row[name] != str(result.parameters[name])} == RECIPES_OWN
        assert {row[name] for name in RECIPES_OWN} == {""}
        assert (tmp_path / "out" / row["image"]).is_file() and (tmp_path / "out" / row["recipe_file"]).is_file()
        assert {name: float(row[name]) for name in result.yardsticks} == result.yardsticks
        assert (row["steps"], row["run_key"]) == ("", result.run_key)
    assert [row["stylesweep"]["run_key"] for row in json.loads((tmp_path / "out/runs.json").read_text())] == [one.run_key for one in best]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "-2+3+cmd|' /C calc'!A0"])
def test_formulas_in_text_are_defused_and_numbers_stay_numbers(text: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_of([{"name": text, "balance": -0.5, "beta": 1e-07, "steps": -3, "none": None}]), newline="")))
    assert rows[1] == [f"'{text}", "-0.5", "1e-07", "-3", ""]


@given(st.text(max_size=50))
def test_no_text_cell_ever_begins_like_a_formula(text: str) -> None:
    cell = list(csv.reader(io.StringIO(csv_of([{"name": text, "x": 1}]), newline="")))[1][0]
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"} and cell.removeprefix("'") == text.removeprefix("'")


def test_a_zip_has_one_clean_folder_and_checks_out(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    report = export_results(workspace, best, tmp_path / "best of.zip", ExportOptions())
    with zipfile.ZipFile(report.out) as packed:
        names = packed.namelist()
        assert packed.testzip() is None and len(set(names)) == len(names)
        assert all(re.fullmatch(r"best-of/(?:(images|recipes|inputs)/)?[A-Za-z0-9._-]+", name) and ".." not in name for name in names)
        assert {info.compress_type for info in packed.infolist() if info.filename.endswith(".png")} == {zipfile.ZIP_STORED}
        packed.extractall(tmp_path)
    assert subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=tmp_path / "best-of").returncode == 0
    assert files(tmp_path) == {"best of.zip", *(name for name in names)}
    assert export_results(workspace, best[:1], tmp_path / "best of.zip", PLAIN).images == 1  # our own zip may be replaced


def test_without_inputs_the_sidecar_says_what_is_needed(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best, tmp_path / "out", PRESETS["share"])
    assert not (tmp_path / "out/inputs").exists()
    sidecar = min((tmp_path / "out/recipes").iterdir()).read_text()
    assert best[0].content_sha256 in sidecar and "not part of this export" in sidecar


def test_the_table_preset_writes_no_picture(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best, tmp_path / "out", PRESETS["table"])
    assert {name.partition("/")[0] for name in files(tmp_path / "out")} == {
        "recipes",
        "runs.csv",
        "runs.json",
        "README.txt",
        "MANIFEST.sha256",
    }


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-20])], ids=["missing", "damaged"])
def test_a_lost_picture_is_left_out_and_told(harm: Callable[[Path], object], tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "ws", betas=1)
    best = best_of(workspace)
    harm(workspace.folder / str(best[1].image_path()))
    report = export_results(workspace, best, tmp_path / "out", ExportOptions())
    assert report.images == 3 and len(report.problems) == 1 and best[1].run_key[3:11] in report.problems[0]
    ranks = [row["rank"] for row in csv.DictReader((tmp_path / "out/runs.csv").read_text().splitlines())]
    assert ranks == ["1", "3", "4"]


def test_a_lost_input_is_told_once(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "ws", betas=1)
    best = best_of(workspace, 8)
    lost = best[0].content_sha256
    workspace.artifacts.path(lost, "png").unlink()
    report = export_results(workspace, best, tmp_path / "out", PLAIN)
    assert report.images == sum(one.image != lost for one in best) >= 7  # made-up pictures: an output may equal an input
    assert sum("input picture" in problem for problem in report.problems) == 1


def test_hostile_names_stay_inside(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    own = {**best[0].parameters, "content": "../../../tmp/evil\n# x", "style": "con\u2028name: evil", "layers": "=1+1"}
    export_results(workspace, [replace(best[0], parameters=own)], tmp_path / "deep/er/out", PLAIN)
    assert {path.split("/")[0] for path in files(tmp_path)} == {"deep"}
    sidecar = next((tmp_path / "deep/er/out/recipes").iterdir()).read_text()
    assert all(line.startswith("#") for line in sidecar.splitlines()[:6])
    assert ",'=1+1," in (tmp_path / "deep/er/out/runs.csv").read_text()


def test_a_folder_of_someone_else_is_refused_and_untouched(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and is not an earlier"):
        export_results(workspace, best, tmp_path, PLAIN)
    assert files(tmp_path) == {"thesis.txt"}


@pytest.mark.parametrize("name", ["a.zip", "a"])
def test_a_file_of_someone_else_is_refused(name: str, workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError):
        export_results(workspace, best, tmp_path / name, PLAIN)
    assert (tmp_path / name).read_text() == "mine"


def test_an_empty_folder_is_taken(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    assert export_results(workspace, best, tmp_path, PLAIN).images == 4


def test_an_earlier_export_is_replaced_and_foreign_files_stay(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best, tmp_path, ExportOptions())
    (tmp_path / "images/mine.png").write_text("mine")
    edited = next(iter(sorted((tmp_path / "recipes").glob("004_*"))))
    edited.write_text("edited by hand")
    export_results(workspace, best[:2], tmp_path, PLAIN)
    images = {path.name[:4] for path in (tmp_path / "images").iterdir()}
    assert images == {"001_", "002_", "mine"}  # ranks 3 and 4 were ours, unchanged and are not in the new export
    assert edited.read_text() == "edited by hand"
    assert subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=tmp_path).returncode == 0


def test_a_manifest_with_foreign_paths_deletes_nothing(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best[:1], tmp_path / "out", PLAIN)
    victim = tmp_path / "victim"
    victim.write_text("x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    (tmp_path / "out/MANIFEST.sha256").write_text(f"{sha256}  ../victim\n{sha256}  {victim}\n{sha256}  images/../../victim\n")
    export_results(workspace, best[:1], tmp_path / "out", PLAIN)
    assert victim.exists()


def test_a_linked_folder_inside_is_refused(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    export_results(workspace, best[:1], tmp_path / "out", PLAIN)
    for path in (tmp_path / "out/images").iterdir():
        path.unlink()
    (tmp_path / "out/images").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out/images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="not a folder of its own"):
        export_results(workspace, best, tmp_path / "out", PLAIN)
    assert files(tmp_path / "elsewhere") == set()


FULL = """
import resource, sys
from pathlib import Path
from db.workspace import open_workspace
from gallery.export.best import select_best
from gallery.export.bundle import ExportOptions, export_results
from sweep.errors import StorageError
workspace = open_workspace(Path(sys.argv[1]), create=False)
with workspace.reader().connect() as connection:
    best = select_best(connection, "demo", None, None, "balance")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    export_results(workspace, best, Path(sys.argv[2]), ExportOptions())
except StorageError as error:
    sys.exit(f"StorageError {error}")
"""


@pytest.mark.parametrize(("name", "room"), [("out", 1500), ("out.zip", 20_000)])
def test_a_full_disk_leaves_nothing_that_looks_complete(name: str, room: int, workspace: Workspace, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FULL, str(workspace.folder), str(tmp_path / name), str(room)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode == 1 and said.stderr.startswith("StorageError") and "disk is full" in said.stderr, said.stderr
    assert not any("MANIFEST" in path or path.endswith((".zip", ".partial")) for path in files(tmp_path))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != room  # the limit was the other process's
    if name == "out":  # and the unfinished folder is taken up again
        report = export_results(workspace, best_of(workspace, 2), tmp_path / name, PLAIN)
        assert report.images == 2 and (report.out / "MANIFEST.sha256").exists()


def test_a_place_that_cannot_be_written_is_told(workspace: Workspace, best: list[Result], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "out" if os.geteuid() == 0 else Path("/out")
    with pytest.raises(StorageError):
        export_results(workspace, best, place, PLAIN)


def test_nothing_to_export_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to export"):
        export_results(workspace, [], tmp_path / "out", PLAIN)
    assert not (tmp_path / "out").exists()

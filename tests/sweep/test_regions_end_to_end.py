"""A sweep with regions from its file to an export, and back from the export's own files to the same pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from db import queries
from db.reviews import UNSAID
from db.workspace import Workspace, open_workspace
from gallery.export.forms import in_form
from gallery.export.reading import read_recipe
from gallery.export.recipe import combination_of, pictures_of
from gallery.run_pictures import input_pictures, pictured, recipe_yaml
from sweep.cli import planning, running, taking
from sweep.combination import run_key
from sweep.errors import StorageError
from sweep.spec import load_spec

pytestmark = pytest.mark.weights
FILE = """\
name: regions
content: [cat.png, dog.png]
style:
  - woodcut.png
  - regions:
      - mask: "{content} {left}.png"
        style: woodcut.png
      - mask: "{content} {right}.png"
        style: {woodcut.png: 1, dog.png: 3}
settings:
  {network: vgg16-hed, size: 48, steps: 2, layers: {content: [relu3_1], style: [relu1_1, relu2_1]}}
resources: {cpus: 1, gpus: 0}
"""


def run(file: Path, workspace: Path) -> int:
    return running.run(file, running.RunOptions(workspace=workspace, address="inline"))


@pytest.fixture(scope="module")
def folder(photograph: np.ndarray, painting: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep's file with its pictures, run and exported."""
    folder = tmp_path_factory.mktemp("regions")
    Image.fromarray(photograph).save(folder / "cat.png")
    Image.fromarray(photograph[:, ::-1]).save(folder / "dog.png")
    Image.fromarray(painting).save(folder / "woodcut.png")
    columns = photograph.shape[1]
    for name, edge in (("cat", columns // 2), ("dog", columns // 4)):
        mask = np.zeros(photograph.shape[:2], np.uint8)
        mask[:, :edge] = 255
        Image.fromarray(mask).save(folder / f"{name} {{left}}.png")
        Image.fromarray(255 - mask).save(folder / f"{name} {{right}}.png")
    (folder / "s.yaml").write_text(FILE)
    assert run(folder / "s.yaml", folder / "w") == 0
    selection = taking.Selection(sweep="regions", top=4, per_pair=None, by="balance")
    assert taking.export(selection, folder / "out", folder / "w", taking.Bundle()) == 0
    return folder


@pytest.fixture(scope="module")
def workspace(folder: Path) -> Workspace:
    return open_workspace(folder / "w", create=False)


def exported(folder: Path) -> list[dict]:
    return [row for row in json.loads((folder / "out/runs.json").read_text()) if "regions" in row["stylesweep"]]


def test_a_run_for_each_photograph_is_recorded_by_a_name_that_both_share(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        found = queries.results(connection)
        images = [queries.image(connection, mask) for result in found for mask, _ in result.settings.get("regions", ())]
    assert [result.parameters["style"] for result in found] == [
        "woodcut.png", "woodcut.png in {left}.png + (0.75 dog.png + 0.25 woodcut.png) in {right}.png",
    ] * 2  # fmt: skip
    assert len({result.run_key for result in found}) == 4
    names = {image["original_name"] for image in images if image}
    assert names == {f"{name} {{{side}}}.png" for name in ("cat", "dog") for side in ("left", "right")}


def test_planning_again_reuses_every_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planning.plan(folder / "s.yaml", folder / "w", as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["combinations"], said["runs"], said["reused"]) == (4, 4, 4)
    swapped = yaml.safe_load(FILE) | {"name": "swapped"}
    swapped["style"][1]["regions"].reverse()
    (folder / "swapped.yaml").write_text(yaml.safe_dump(swapped))
    planning.plan(folder / "swapped.yaml", folder / "w", as_json=True)
    assert json.loads(capsys.readouterr().out)["reused"] == 4


def test_a_bundle_brings_the_masks_and_its_recipes_name_them(folder: Path) -> None:
    assert len(exported(folder)) == 2
    for row in exported(folder):
        recipe, name = row["stylesweep"], row["content"].removesuffix(".png")
        masks = {region["mask"]["name"]: region["style"] for region in recipe["regions"]}
        assert set(masks) == {f"{name} {{left}}.png", f"{name} {{right}}.png"}
        assert [(one["name"], one["share"]) for one in masks[f"{name} {{left}}.png"]] == [("woodcut.png", 1.0)]
        assert {one["name"]: one["share"] for one in masks[f"{name} {{right}}.png"]} == {"dog.png": 0.75, "woodcut.png": 0.25}
        assert len(pictures_of(recipe)) == 5
        for file in (row["image"], row["recipe_file"]):
            read = read_recipe((folder / "out" / file).read_bytes(), file)
            assert read == recipe
            assert run_key(combination_of(read).run_settings()) == row["run_key"]
    assert len(list((folder / "out/inputs").iterdir())) == 3 + 4


def test_a_sidecar_plans_the_same_run(folder: Path) -> None:
    for row in exported(folder):
        prepared = planning.prepare(folder / "out" / row["recipe_file"])
        planned = planning.plan_in(prepared, None).planned
        assert [run_key(one.combination.run_settings()) for one in planned] == [row["run_key"]]


@pytest.mark.parametrize("which", ["image", "recipe_file", "as_a_jpeg"])
def test_rerun_makes_the_same_picture_from_a_bundle_alone(
    folder: Path, which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "out", tmp_path / "bundle")
    row = exported(folder)[0]
    if which == "as_a_jpeg":
        row[which] = "images/renamed.png"
        data = in_form((folder / "out" / row["image"]).read_bytes(), "jpeg", row["stylesweep"], UNSAID)
        (tmp_path / "bundle" / row[which]).write_bytes(data)
    options = taking.RerunOptions(workspace=tmp_path / "new", size=None, address="inline", inputs=None)
    assert taking.rerun(str(tmp_path / "bundle" / row[which]), options) == 0
    captured = capsys.readouterr()
    assert "note:" not in captured.err
    made = next(line.removeprefix("picture: ") for line in captured.out.splitlines() if line.startswith("picture: "))
    np.testing.assert_array_equal(np.asarray(Image.open(made)), np.asarray(Image.open(folder / "out" / row["image"])))
    with open_workspace(tmp_path / "new", create=False).reader().connect() as connection:
        assert [result.run_key for result in queries.results(connection)] == [row["run_key"]]


def test_rerun_says_which_mask_is_missing(folder: Path, tmp_path: Path) -> None:
    row = exported(folder)[0]
    shutil.copytree(folder / "out", tmp_path / "bundle")
    mask = row["stylesweep"]["regions"][0]["mask"]
    for path in (tmp_path / "bundle/inputs").iterdir():
        if "left" in path.name or "right" in path.name:
            path.unlink()
    options = taking.RerunOptions(workspace=tmp_path / "new", size=None, address="inline", inputs=None)
    with pytest.raises(Exception, match=f"{mask['sha256'][:12]}.*--inputs DIR"):
        taking.rerun(str(tmp_path / "bundle" / row["image"]), options)


def test_rerun_of_a_run_by_its_key_takes_the_masks_from_the_workspace(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = exported(folder)[1]
    options = taking.RerunOptions(workspace=folder / "w", size=32, address="inline", inputs=None)
    assert taking.rerun(row["run_key"], options) == 0
    made = next(line.removeprefix("picture: ") for line in capsys.readouterr().out.splitlines() if line.startswith("picture: "))
    recipe = read_recipe(Path(made).read_bytes(), made)
    assert recipe["settings"]["size"] == 32
    assert [one["mask"]["sha256"] for one in recipe["regions"]] == [one["mask"]["sha256"] for one in row["stylesweep"]["regions"]]


def test_rerun_never_names_a_picture_that_is_gone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(folder / "w", tmp_path / "w")
    key = exported(folder)[0]["run_key"]
    with open_workspace(tmp_path / "w", create=False).reader().connect() as connection:
        path = tmp_path / "w" / str(queries.find_result(connection, key).image_path())
    path.unlink()
    options = taking.RerunOptions(workspace=tmp_path / "w", size=None, address="inline", inputs=None)
    with pytest.raises(StorageError, match=rf"{path.name} is missing, although its run is done; `stylesweep verify --workspace"):
        taking.rerun(key, options)
    assert "picture: " not in capsys.readouterr().out


def test_the_gallery_shows_each_mask_before_the_styles_that_go_there(folder: Path, workspace: Workspace) -> None:
    row = exported(folder)[0]
    name = row["content"].removesuffix(".png")
    with workspace.reader().connect() as connection:
        view = pictured(connection, queries.find_result(connection, row["run_key"]))
    shown = input_pictures(view)
    assert all(one.src for one in shown)
    assert shown[0].caption == f"Content: {name}.png"
    blocks = [set(block.strip(" |").split(" | ")) for block in " | ".join(one.caption for one in shown[1:]).split("Mask: ")[1:]]
    left, right = (f"{name} {{{side}}}.png" for side in ("left", "right"))
    expected = [{left, f"Style in {left}: woodcut.png"}]
    expected.append({right, f"Style in {right}: dog.png (75%)", f"Style in {right}: woodcut.png (25%)"})
    assert all(block in expected for block in blocks) and len(blocks) == 2


def test_the_gallerys_yaml_is_the_same_run_beside_the_workspaces_pictures(folder: Path, workspace: Workspace) -> None:
    row = exported(folder)[0]
    with workspace.reader().connect() as connection:
        text = recipe_yaml(pictured(connection, queries.find_result(connection, row["run_key"])))
    (folder / "w/again.yaml").write_text(text)
    assert len(load_spec(folder / "w/again.yaml").picture_paths()) == 5 - 1 * (row["content"] == "dog.png")
    planned = planning.plan_in(planning.prepare(folder / "w/again.yaml"), None).planned
    assert [run_key(one.combination.run_settings()) for one in planned] == [row["run_key"]]

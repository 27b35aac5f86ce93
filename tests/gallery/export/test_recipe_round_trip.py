"""A recipe goes out with a picture and comes back as the same run."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories import GATYS, made_up_workspace
from hypothesis import given
from hypothesis import strategies as st

from db.workspace import Workspace
from gallery.export.best import select_best
from gallery.export.bundle import ExportOptions, export_results
from gallery.export.describe import with_recipe
from gallery.export.reading import read_recipe
from gallery.export.recipe import combination_of, recipe_of
from gallery.export.spec import rerun_spec, unnormalised
from sweep.combination import Combination, LayerSet, Settings, normalised_weights, run_key
from sweep.recipe import Origin
from sweep.recipe import recipe as worker_recipe
from sweep.spec import load_spec


@pytest.fixture(scope="module")
def bundle(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six results of a made-up sweep, exported."""
    folder = tmp_path_factory.mktemp("recipes")
    with workspace.reader().connect() as connection:
        best = select_best(connection, "demo", 6, None, "balance")
    assert export_results(workspace, best, folder / "out", ExportOptions()).problems == ()
    return folder / "out"


def rows(bundle: Path) -> list[dict[str, Any]]:
    return json.loads((bundle / "runs.json").read_text())


def simply_loaded(sidecar: Path) -> str:
    """The run_key of a sidecar, read without any code of the export or of the spec."""
    plan = yaml.safe_load(sidecar.read_text())
    sha256 = {path: hashlib.sha256((sidecar.parent / path).read_bytes()).hexdigest() for path in (plan["content"], plan["style"])}
    layers = plan["parameters"]["layers"]["values"][0]
    combination = Combination(
        content=sha256[plan["content"]], style=((sha256[plan["style"]], 1.0),),
        alpha=float(plan["parameters"]["alpha"]["value"]), beta=float(plan["parameters"]["beta"]["value"]),
        layers=LayerSet.of(layers["content"], layers["style"]), settings=Settings(network_hash="test", **plan["settings"]),
    )  # fmt: skip
    return run_key(combination.run_settings())


def test_a_sidecar_is_a_sweep_of_exactly_its_run(bundle: Path) -> None:
    for row in rows(bundle):
        assert simply_loaded(bundle / row["recipe_file"]) == row["run_key"]


def test_the_sweep_reader_takes_a_sidecar_and_plans_the_same_run(bundle: Path) -> None:
    for row in rows(bundle):
        spec = load_spec(bundle / row["recipe_file"])
        sha256 = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in spec.picture_paths()}
        planned = list(spec.combinations(sha256, dict.fromkeys(spec.network_files(), "test")))
        assert [run_key(one.combination.run_settings()) for one in planned] == [row["run_key"]]
        assert spec.name == f"rerun-{row['run_key'][3:11]}"


def test_picture_sidecar_and_json_say_the_same(bundle: Path, tmp_path: Path) -> None:
    for row in rows(bundle):
        from_picture, from_sidecar = (read_recipe((bundle / row[name]).read_bytes(), name) for name in ("image", "recipe_file"))
        from_json = read_recipe(json.dumps(row).encode(), "runs.json")
        assert from_picture == from_sidecar == from_json == row["stylesweep"]
        assert run_key(combination_of(from_picture).run_settings()) == row["run_key"]


def test_alpha_and_beta_are_those_of_the_combination_not_of_the_run(bundle: Path) -> None:
    assert {row["stylesweep"]["alpha"] for row in rows(bundle)} == {1.0}
    assert all(row["stylesweep"]["beta"] == row["beta"] >= 1 for row in rows(bundle))


def test_a_picture_as_the_worker_made_it_is_read_too(bundle: Path) -> None:
    row = rows(bundle)[0]
    settings = combination_of(row["stylesweep"]).run_settings()
    names = {picture["sha256"]: picture["name"] for picture in (row["stylesweep"]["content"], *row["stylesweep"]["style"])}
    made = worker_recipe(settings, Origin(run_key=row["run_key"], sweep="demo", names=names, alpha=1.0, beta=row["beta"], layers="gatys"))
    original = with_recipe((bundle / row["image"]).read_bytes(), row["stylesweep"] | made)
    assert run_key(combination_of(read_recipe(original, "worker.png")).run_settings()) == row["run_key"]


def test_nothing_in_a_bundle_names_a_folder_or_a_host(bundle: Path) -> None:
    for path in bundle.rglob("*.*"):
        assert str(bundle.parent).encode() not in path.read_bytes()


def test_names_lose_their_folders(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    with workspace.reader().connect() as connection:
        result = select_best(connection, "demo", 1, None, "balance")[0]
    own = {**result.parameters, "content": "/home/ada/cat.png", "style": "C:\\ada\\waves.png"}
    recipe = recipe_of(replace(result, parameters=own), {})
    assert (recipe["content"]["name"], recipe["style"][0]["name"]) == ("cat.png", "waves.png")


def test_a_changed_sidecar_is_no_recipe_any_more(bundle: Path) -> None:
    row = rows(bundle)[0]
    text = (bundle / row["recipe_file"]).read_text()
    changed = text.replace("size: 96", "size: 128")
    assert changed != text
    with pytest.raises(Exception, match=r"was changed since .* use `stylesweep run"):
        read_recipe(changed.encode(), "a.yaml")
    moved = text.replace("../inputs/", "/elsewhere/")  # where the pictures lie is no part of the recipe
    assert read_recipe(moved.encode(), "a.yaml") == row["stylesweep"]


def test_a_larger_rerun_changes_the_size_alone_and_has_a_name_of_its_own(bundle: Path) -> None:
    recipe = rows(bundle)[0]["stylesweep"]
    same, larger = (yaml.safe_load(rerun_spec(recipe, "c.png", ["s.png"], size)) for size in (None, 1024))
    assert larger["settings"].pop("size") == 1024 and same["settings"].pop("size") == 96
    assert larger.pop("name") == f"{same.pop('name')}-1024"
    assert larger == same


def test_a_blend_comes_back_with_its_shares() -> None:
    style = normalised_weights({"a" * 64: 0.7, "b" * 64: 0.2, "c" * 64: 0.1})
    combination = Combination(
        content="d" * 64, style=style, alpha=1, beta=7.3, layers=GATYS, settings=Settings(steps=33, init="noise", seed=5, tv=1e-4)
    )
    key = run_key(combination.run_settings())
    recipe = {
        "run_key": key, "content": {"name": "d", "sha256": "d" * 64}, "style": [{"name": s[0], "sha256": s, "share": w} for s, w in style],
        "alpha": 1.0, "beta": 7.3, "layers": {"name": "gatys", "content": dict(GATYS.content), "style": dict(GATYS.style)},
        "settings": asdict(combination.settings),
    }  # fmt: skip
    plan = yaml.safe_load(rerun_spec(recipe, "d", [sha256 for sha256, _ in style]))
    assert normalised_weights(plan["style"][0]) == style
    assert plan["settings"] == {"network": "vgg19", "recipe": "pyramid", "size": 512, "steps": 33, "init": "noise", "seed": 5, "tv": 1e-4}
    assert run_key(combination_of(recipe).run_settings()) == key


@given(st.dictionaries(st.sampled_from([f"relu{n}_1" for n in range(1, 8)]), st.floats(1e-6, 1e6), min_size=1))
def test_written_layer_weights_normalise_to_the_same_digits(weights: dict[str, float]) -> None:
    wanted = normalised_weights(weights)
    again = yaml.safe_load(yaml.safe_dump(unnormalised(dict(wanted))))
    assert normalised_weights(again) == wanted


def test_simple_proportions_are_written_simply() -> None:
    assert unnormalised(dict(normalised_weights({"a": 64, "b": 32, "c": 1}))) == {"a": 64, "b": 32, "c": 1}

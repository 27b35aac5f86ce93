"""A recipe goes out with a picture and comes back as the same run."""

import hashlib
import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories import GATYS, finished_event, input_picture, made_up_workspace, plan_of
from hypothesis import given
from hypothesis import strategies as st

from db.drivers import become_driver
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from gallery.export.best import select_best
from gallery.export.bundle import ExportOptions, export_results
from gallery.export.describe import parameters_line, with_recipe
from gallery.export.reading import read_recipe
from gallery.export.recipe import combination_of, recipe_of
from gallery.export.spec import rerun_spec, unnormalised
from sweep.axes import read_parameters
from sweep.combination import Combination, LayerSet, Settings, normalised_weights, run_key
from sweep.recipe import Origin
from sweep.recipe import recipe as worker_recipe
from sweep.spec import load_spec
from sweep.transfer.controls import Stop
from sweep.transfer.recipe import NUMBERS
from sweep.yaml_file import YamlFile


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


# A value for every setting that is not the neutral one, and that a file may hold.
CHANGES: list[dict[str, Any]] = [
    {"size": 128}, {"size_by": "area"}, {"steps": 33}, {"init": "noise", "seed": 2**40}, {"tv": 0.3}, {"style_scale": 0.7},
    {"pooling": "l2"}, {"padding": "replicate"}, {"colors": "matched"}, {"style_loss": "moments"}, {"loss": "gatys"}, {"later_steps": 7},
    {"learning_rate": 1 / 30}, {"momentum": 0.0}, {"variance_decay": 0.999}, {"levels": 1}, {"epsilon": 1e-4}, {"averaging": 0.0},
    {"smallest": 64}, {"factor": 2.0}, {"recipe": "gatys", "history": 5}, {"stop": Stop(below=0.005, per=25)}, {"dtype": "bfloat16"},
]  # fmt: skip


def test_every_setting_but_the_network_is_among_the_changes_above() -> None:
    neutral = Settings()
    assert all(getattr(neutral, name) != value for change in CHANGES for name, value in change.items())
    assert {name for change in CHANGES for name in change} == {field.name for field in fields(Settings)} - {"network", "network_hash"}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Combination], Path]:
    """One run of each change, done and exported: combinations by run_key, and the bundle."""
    workspace = open_workspace(tmp_path_factory.mktemp("changed") / "w", create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    content, style = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
    record_inputs(store, [content, style])
    (one,) = plan_of([content], [style], [10.0], [GATYS])
    made = [replace(one.combination, settings=replace(one.combination.settings, **change)) for change in CHANGES]
    record = SweepRecord(name="changed", spec_text="x", spec_path="x.yaml", search_seed=None, resources={"cpus": 1})
    record_sweep(store, record, [replace(one, combination=combination) for combination in made], extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for number, run in enumerate(store.claim(owner, 100)):
        store.finished(owner, finished_event(run, number))
    with workspace.reader().connect() as connection:
        best = select_best(connection, "changed", None, None, "balance")
    assert export_results(workspace, best, workspace.folder / "out", ExportOptions()).problems == ()
    return {run_key(combination.run_settings()): combination for combination in made}, workspace.folder / "out"


def test_every_setting_comes_back_from_the_picture_and_from_the_sidecar(changed: tuple[dict[str, Combination], Path]) -> None:
    combinations, bundle = changed
    found = rows(bundle)
    assert {row["run_key"] for row in found} == set(combinations) and len(found) == len(CHANGES)
    for row in found:
        made = combinations[row["run_key"]]
        for name in ("image", "recipe_file"):
            read = combination_of(read_recipe((bundle / row[name]).read_bytes(), name))
            assert read.settings == made.settings
            assert run_key(read.run_settings()) == row["run_key"]
        spec = load_spec(bundle / row["recipe_file"])
        sha256 = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in spec.picture_paths()}
        (again,) = spec.combinations(sha256, dict.fromkeys(spec.network_files(), "test"))
        assert again.combination.settings == made.settings
        assert run_key(again.combination.run_settings()) == row["run_key"]
    stops = {row["stop"]: row["stylesweep"]["settings"]["stop"] for row in found}
    assert stops == {"off": None, "0.5 % per 25 steps": {"below": 0.005, "per": 25}}


def test_what_is_not_neutral_is_told_to_other_programs_too(changed: tuple[dict[str, Combination], Path]) -> None:
    _, bundle = changed
    lines = {row["run_key"]: parameters_line(row["stylesweep"]).split("\n")[1] for row in rows(bundle)}
    for row in rows(bundle):
        told = lines[row["run_key"]]
        assert ("learning_rate: 0.0333" in told) == (row["learning_rate"] is not None)
        assert ("stop: 0.5 % per 25 steps" in told) == (row["stop"] != "off")
        assert ("size_by: area" in told) == (row["size_by"] == "area")


own = {name: st.integers(int(n.low), int(n.high)) if n.kind is int else st.floats(n.low, n.high) for name, n in NUMBERS.items()}
any_settings = st.sampled_from(["pyramid", "gatys"]).flatmap(
    lambda recipe: st.builds(
        Settings,
        recipe=st.just(recipe),
        size=st.integers(16, 8192),
        size_by=st.sampled_from(["long_side", "area"]),
        stop=st.none() | st.builds(Stop, below=st.floats(1e-9, 0.999), per=st.integers(1, 10**6)),
        network_hash=st.just("test"),
        dtype=st.sampled_from(["float32", "bfloat16"]),
        **{name: st.none() | values for name, values in own.items() if NUMBERS[name].recipe == recipe},
    )
)


@given(any_settings)
def test_any_numbers_come_back_from_a_recipe_and_from_the_file_made_of_it(settings: Settings) -> None:
    combination = Combination(content="d" * 64, style=(("a" * 64, 1.0),), alpha=1, beta=7.3, layers=GATYS, settings=settings)
    key = run_key(combination.run_settings())
    names = {"d" * 64: "d", "a" * 64: "a"}
    origin = Origin(run_key=key, sweep="s", names=names, alpha=1.0, beta=7.3, layers="gatys")
    recipe = read_recipe(json.dumps(worker_recipe(combination.run_settings(), origin)).encode(), "a.json")
    assert combination_of(recipe).settings == settings
    file = YamlFile(rerun_spec(recipe, "d", ["a"]), "s.yaml")
    point = {name: axis.values[0] for name, axis in read_parameters(file, file.data["parameters"], file.data["settings"], Path()).items()}
    layers, alpha, beta = point.pop("layers"), point.pop("alpha"), point.pop("beta")
    del point["weights"]
    again = replace(combination, layers=layers, alpha=alpha, beta=beta, settings=Settings(**point, network_hash="test"))
    assert run_key(again.run_settings()) == key


def test_simple_proportions_are_written_simply() -> None:
    assert unnormalised(dict(normalised_weights({"a": 64, "b": 32, "c": 1}))) == {"a": 64, "b": 32, "c": 1}

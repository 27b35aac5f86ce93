"""The recipe that a picture carries: enough to make it again, in plain JSON and in the words of a sweep's file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from factories import made_up_workspace
from hypothesis import given
from hypothesis import strategies as st

from db.drivers import become_driver
from db.store import ClaimedRun, Store
from sweep import __version__
from sweep.combination import Combination, LayerSet, RunSettings, Settings, normalised_weights, run_key
from sweep.recipe import SCHEMA, Origin, recipe, run_recipe

CONTENT, STYLE, SECOND = "c" * 64, "a" * 64, "b" * 64
MADE = Combination(
    content=CONTENT, style=normalised_weights({STYLE: 0.7, SECOND: 0.3}), alpha=2.0, beta=60.0,
    layers=LayerSet.of({"relu4_2": 1}, {"relu1_1": 1, "relu3_1": 2}, "mine"),
    settings=Settings(network="vgg16-hed", network_hash="h", recipe="gatys", size=300, steps=50, init="noise", seed=7, tv=0.1),
)  # fmt: skip
NAMES = {CONTENT: "café [1].jpg", STYLE: "waves.png", SECOND: "glass.png"}


def recipe_of(made: Combination) -> dict[str, object]:
    run = made.run_settings()
    origin = Origin(run_key=run_key(run), sweep="demo", names=NAMES, alpha=made.alpha, beta=made.beta, layers=made.layers.name)
    return json.loads(json.dumps(recipe(run, origin), allow_nan=False))


def made_again(said: dict) -> RunSettings:
    """What someone would type who has nothing but the recipe."""
    layers = LayerSet.of(said["layers"]["content"], said["layers"]["style"], said["layers"]["name"])
    style = normalised_weights({one["sha256"]: one["share"] for one in said["style"]})
    settings = Settings(**said["settings"])
    combination = Combination(
        content=said["content"]["sha256"], style=style, alpha=said["alpha"], beta=said["beta"], layers=layers, settings=settings
    )
    return combination.run_settings()


def test_a_recipe_tells_everything_by_name_and_hash() -> None:
    said = recipe_of(MADE)
    assert (said["schema"], said["sweep"], said["tool"]) == (SCHEMA, "demo", f"stylesweep {__version__}")
    assert said["content"] == {"name": "café [1].jpg", "sha256": CONTENT}
    assert said["style"] == [{"name": "waves.png", "sha256": STYLE, "share": 0.7}, {"name": "glass.png", "sha256": SECOND, "share": 0.3}]
    assert (said["alpha"], said["beta"]) == (2.0, 60.0)
    assert said["layers"]["name"] == "mine"
    settings = said["settings"]
    assert (settings["network"], settings["recipe"], settings["size"], settings["steps"]) == ("vgg16-hed", "gatys", 300, 50)
    assert settings["tv"] == pytest.approx(0.1, rel=1e-9)


@given(
    alpha=st.integers(1, 10**5).map(lambda n: n / 100),
    beta=st.integers(0, 10**7).map(lambda n: n / 100),
    tv=st.integers(0, 10**6).map(lambda n: n / 1000),
    weights=st.lists(st.floats(1e-3, 1e3), min_size=5, max_size=5), seed=st.integers(0, 2**40),
)  # fmt: skip
def test_what_is_made_by_the_recipe_is_the_same_run(alpha: float, beta: float, tv: float, weights: list[float], seed: int) -> None:
    layers = LayerSet.of({"relu4_2": 1}, {f"relu{block}_1": weight for block, weight in enumerate(weights, start=1)})
    made = replace(MADE, alpha=alpha, beta=beta, layers=layers, settings=replace(MADE.settings, tv=tv, seed=seed))
    said = recipe_of(made)
    assert run_key(made_again(said)) == said["run_key"] == run_key(made.run_settings())


def test_the_recipe_of_a_claimed_run_is_that_of_the_combination_that_wanted_it_first(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, unfinished=1)
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    claimed: ClaimedRun = store.claim(owner, 1)[0]
    said = run_recipe(claimed)
    assert (said["run_key"], said["sweep"], said["alpha"], said["beta"]) == (claimed.run_key, "demo", claimed.alpha, claimed.beta)
    assert said["content"]["name"] == "cat.png"
    assert said["style"][0]["name"] == "glass.png"
    assert run_key(made_again(said)) == claimed.run_key

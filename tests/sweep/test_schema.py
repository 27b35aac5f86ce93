"""The published schema of a sweep's file: that it is current, and that it takes what `plan` takes and refuses what a value alone shows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from factories import picture_bytes
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sweep.errors import SpecError
from sweep.parameters import PARAMETERS
from sweep.schema import sweep_schema
from sweep.spec import parse_spec
from sweep.spec_file import Limits, Resources, SweepFile
from sweep.yaml_file import YamlFile, read_yaml

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "sweep.schema.json"
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
SCHEMA = sweep_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
HEAD = "name: x\ncontent: [a.png, b.png]\nstyle: [s.png, {s.png: 0.7, t.png: 0.3}]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schema")
    for number, name in enumerate(["a.png", "b.png", "s.png", "t.png", "m.png"]):
        (folder / name).write_bytes(picture_bytes(number))
    return folder


def test_the_published_schema_is_that_of_the_code() -> None:
    """Else: stylesweep schema > docs/sweep.schema.json."""
    said = subprocess.check_output([sys.executable, "-m", "sweep.cli.main", "schema"], cwd=ROOT, text=True)
    assert json.loads(said) == SCHEMA
    assert PUBLISHED.read_text("utf-8") == said


def test_it_is_a_schema_of_draft_2020_12_that_says_something_of_every_key() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(SweepFile.model_fields)
    models = [SCHEMA, SCHEMA["$defs"]["Resources"], SCHEMA["$defs"]["Limits"]]
    assert [set(model["properties"]) for model in models[1:]] == [set(Resources.model_fields), set(Limits.model_fields)]
    assert [name for model in models for name, one in model["properties"].items() if len(one.get("description", "")) < 10] == []
    assert [name for name in PARAMETERS if len(SCHEMA["$defs"][name].get("description", "")) < 10] == []
    for section in ("parameters", "settings"):
        assert list(SCHEMA["properties"][section]["properties"]) == list(PARAMETERS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_one_and_tells_editors_so(example: Path) -> None:
    assert list(VALIDATOR.iter_errors(read_yaml(example).data)) == []
    first = example.read_text("utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (example.parent / first.partition("=")[2]).resolve() == PUBLISHED


GOOD = [
    "",
    "method: grid\nparameters:\nsettings:\nresources:\nlimits:\nzip:\nwhen:\nexclude:\nsnapshots:\n",
    "parameters: {beta: 3, alpha: [1, 2.5], size: {value: 5.12e2, distribution: constant}, tv: {values: [0, 1]}, steps: null}\n",
    "parameters: {beta: {min: 1, max: 9, count: 3, distribution: log_uniform_values}, seed: {min: 1, max: 4, distribution: int_uniform}}\n",
    "parameters: {layers: [gatys, {content: relu4_2}, {style: {relu1_1: 1}}, {content: [relu1_1], style: [relu1_1, relu2_1]}]}\n",
    "parameters: {layers: {content: [relu4_2]}, stop: [off, 'off', {below: 0.5%, per: 25 steps}, {below: 0.005, per: 25}]}\n",
    "settings: {network: vgg16, dtype: bfloat16, stop: off, layers: deep, seed: 9223372036854775807, levels: 3}\n",
    "method: random\nruns: 5\nparameters: {beta: {min: 1, max: 9}, layers: {values: [deep, gatys], probabilities: [1, 3]}}\n",
    "method: sobol\nruns: 4\nsearch_seed: 3\nparameters: {size: {min: 32, max: 64, distribution: q_uniform, q: 8}, tv: {value: 1}}\n",
    "zip: [content, style]\n",
    "parameters: {size: [32, 64], tv: [1, 2]}\nzip: [[content, style], [size, tv]]\n",
    "when: {if: {recipe: gatys}, then: {history: 3}}\nparameters: {recipe: [gatys, pyramid]}\n",
    "when: [{if: {recipe: [gatys], beta: {min: 1}}, then: {history: {values: [1, 2]}}}]\nparameters: {recipe: [gatys, pyramid]}\n",
    "exclude: {content: a.png, style: {s.png: 7, t.png: 3}}\n",
    "exclude: [{content: [a.png], beta: {max: 30}}, {style: s.png, layers: {style: [relu1_1]}}]\n",
    "resources: {cpus: 2, gpus: 0.5, device: cpu, pack: auto, memory: 4000000000, price_per_hour: 1.5}\nlimits: {run_minutes: 30}\n",
    "snapshots: [1, 10, 100]\n",
    "snapshots: off\n",
]  # fmt: skip
STYLES = ["s.png", "'*.png'", "{s.png: 1, t.png: 2}", "[{regions: [{mask: m.png, style: s.png}, {mask: s.png, style: {t.png: 1}}]}]"]


@pytest.mark.parametrize("extra", GOOD)
def test_what_plan_takes_the_schema_takes(folder: Path, extra: str) -> None:
    file = YamlFile(HEAD + extra, "s.yaml")
    assert parse_spec(file, folder / "s.yaml").points() > 0
    assert list(VALIDATOR.iter_errors(file.data)) == []


@pytest.mark.parametrize("style", STYLES)
def test_every_form_of_a_style_is_taken(folder: Path, style: str) -> None:
    file = YamlFile(f"name: x\ncontent: a.png\nstyle: {style}\n", "s.yaml")
    assert parse_spec(file, folder / "s.yaml").points() > 0
    assert list(VALIDATOR.iter_errors(file.data)) == []


BAD = [
    "names: y\n", "method: bayes\n", "method: random\n", "runs: 3\n", "search_seed: 3\n", "method: random\nruns: 0\n",
    "parametrs: {beta: 1}\n", "parameters: {bta: 1}\n", "settings: {bta: 1}\n", "settings: {beta: [1, 2]}\n", "parameters: [1]\n",
    "parameters: {beta: -1}\n", "parameters: {beta: '1'}\n", "parameters: {beta: true}\n", "parameters: {beta: []}\n",
    "parameters: {beta: {value: 1, values: [2]}}\n", "parameters: {beta: {min: 1, count: 3}}\n",
    "parameters: {beta: {min: 1, max: 2, distribution: normal, count: 2}}\n", "parameters: {beta: {min: 1, max: 2, count: 0}}\n",
    "parameters: {beta: {min: 1, max: 2, count: 3, step: 1}}\n", "parameters: {network: {min: 1, max: 2, count: 2}}\n",
    "parameters: {network: vgg91}\n", "settings: {size: 15}\n", "settings: {size: 99.5}\n", "settings: {recipe: piramid}\n",
    "settings: {history: 0}\n", "settings: {stop: on}\n", "settings: {stop: {below: 0.5%}}\n", "settings: {stop: {below: half, per: 25}}\n",
    "settings: {layers: gatis}\n", "settings: {layers: {contents: [relu4_2]}}\n", "settings: {layers: {style: []}}\n",
    "settings: {layers: {style: {relu1_1: -1}}}\n", "settings: {layers: {style: [relu1_1, relu1_1]}}\n",
    "zip: 3\n", "zip: [[content]]\n", "zip: [content, stile]\n", "zip: [[content, content]]\n",
    "when: 3\n", "when: [{if: {recipe: gatys}}]\n", "when: [{if: {recipe: gatys}, then: {}}]\n",
    "when: [{if: {}, then: {history: 3}}]\n", "when: [{if: {recipe: gatis}, then: {history: 3}}]\n",
    "when: [{if: {recipe: gatys}, then: {style: s.png}}]\n", "when: {if: {recipe: {min: 3}}, then: {tv: 3}}\n",
    "exclude: [{}]\n", "exclude: [{contents: a.png}]\n", "exclude: [{content: 3}]\n", "exclude: {tv: []}\n",
    "resources: {gpu: 1}\n", "resources: {cpus: 0}\n", "resources: {pack: 65}\n", "resources: [1]\n", "limits: {run_minutes: 0}\n",
    "snapshots: 51\n", "snapshots: [0]\n", "snapshots: many\n",
]  # fmt: skip


@pytest.mark.parametrize("extra", BAD)
def test_what_a_value_alone_shows_to_be_wrong_both_refuse(folder: Path, extra: str) -> None:
    file = YamlFile(HEAD + extra, "s.yaml")
    with pytest.raises(SpecError):
        parse_spec(file, folder / "s.yaml")
    assert list(VALIDATOR.iter_errors(file.data)) != []


@pytest.mark.parametrize("missing", ["name", "content", "style"])
def test_what_a_sweep_needs_is_required(missing: str) -> None:
    data = YamlFile(HEAD, "s.yaml").data
    del data[missing]
    assert list(VALIDATOR.iter_errors(data)) != []


plain = st.none() | st.booleans() | st.integers(-10, 10_000) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
SIMPLE = [name for name in PARAMETERS if name not in ("weights", "layers", "stop")]  # these three are in the lists above


@given(st.sampled_from(SIMPLE), plain | st.sampled_from([one for name in SIMPLE for one in PARAMETERS[name].schema.get("enum", [])]))
def test_the_schema_of_a_value_says_what_its_reader_says(name: str, value: Any) -> None:
    try:
        PARAMETERS[name].read(value, Path())
        taken = True
    except ValueError:
        taken = False
    assert Draft202012Validator(PARAMETERS[name].schema).is_valid(value) is taken

"""Sweep files that are wrong or hostile, through the command line; each kind once as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("unchanged")

WRONG = {
    "unknown layer": ("settings: {network: vgg16-hed, layers: {content: [relu9_1]}}\n", ["line 4, settings.layers", "relu9_1", "conv1_1"]),
    "layer of another network": ("settings: {network: vgg16-hed, layers: {content: [relu4_4]}}\n", ["vgg16-hed has no layer relu4_4"]),
    "unknown network": ("settings: {network: resnet50}\n",
    ["line 4, settings.network", "'resnet50' is not allowed", "vgg19, vgg16, vgg16-hed"]),
    "unknown recipe": ("settings: {recipe: magic}\n", ["settings.recipe", "'magic' is not allowed", "pyramid, gatys"]),
    "misspelt key": ("parametrs: {beta: 1}\n", ["line 5, parametrs", "did you mean `parameters`?"]),
    "misspelt parameter": ("parameters: {bta: 1}\n", ["line 5, parameters.bta", "did you mean `beta`?"]),
    "misspelt resource": ("resources: {gpu: 1}\n", ["line 5, resources.gpu", "did you mean `gpus`?"]),
    "negative weight": ("parameters: {beta: [1, -1]}\n", ["line 5, parameters.beta[1]", "-1 is not allowed", "zero or more"]),
    "nan": ("parameters: {alpha: .nan}\n", ["line 5, parameters.alpha", "nan is not allowed", "finite"]),
    "infinite": ("parameters: {alpha: .inf}\n", ["line 5, parameters.alpha", "inf is not allowed", "finite"]),
    "both zero": ("parameters: {alpha: 0, beta: 0}\n", ["line 5, parameters.beta", "both zero"]),
    "all layer weights zero": ("parameters: {layers: {style: {relu1_1: 0}}}\n", ["line 5, parameters.layers", "above zero"]),
    "empty grid": ("parameters: {beta: []}\n", ["line 5, parameters.beta", "the list is empty"]),
    "duplicate key": ("name: again\n", ["line 5", "'name' is given twice"]),
    "code": ("x: !!python/object/apply:os.system ['echo pwned']\n", ["line 5, x", "tag", "refused"]),
    "laughs": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", ["line 6, b[0]", "aliases"]),
    "deep": (f"x: {'[' * 5000}\n", ["nests too deep"]),
    "terminal codes": ('"\\e[31mred\\e[0m\\e]0;title\\a": 1\n', ["line 5", "\\x1b[31mred"]),
    "terminal codes in a layer": ('settings: {layers: {style: {"\\e[31mred": 1}}}\n', ["no layer \\x1b[31mred"]),
    "a grid for ever": (
        "parameters:\n" + "".join(f"  {name}: {{min: 1, max: 9, count: 10000}}\n" for name in ("alpha", "beta", "tv")),
        ["1,000,000,000,000", "at most"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_refused_with_exit_code_2(here: Callable, told: Callable, spec: Callable, workspace: Path, kind: str) -> None:
    extra, parts = WRONG[kind]
    for command in ("plan", "run"):
        message = told(here(command, spec(extra), "--workspace", workspace), 2)
        assert [part for part in ("sweep.yaml", *parts) if part not in message] == []
        assert message.isprintable()


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n\x00", b"- a\n- list\n", b"name: a\x00b\n", b"caf\xe9: 1\n", b"#" * 10_000_000])
def test_a_file_that_is_no_sweep_is_refused(here: Callable, told: Callable, workspace: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "odd.yaml").write_bytes(data)
    assert "odd.yaml" in told(here("run", tmp_path / "odd.yaml", "--workspace", workspace), 2)


@pytest.mark.parametrize("name", ["", "gone.yaml", "x" * 300, "good.png/sweep.yaml"])
def test_a_path_that_is_no_file_is_refused(
    here: Callable, told: Callable, spec: Callable, workspace: Path, tmp_path: Path, name: str
) -> None:
    spec()
    assert "cannot be read" in told(here("plan", tmp_path / name, "--workspace", workspace), 2)


def test_code_in_yaml_never_runs(process: Callable, told: Callable, spec: Callable, workspace: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = spec(f"x: !!python/object/apply:os.system ['touch {marker}']\n")
    assert "line 5, x: the YAML tag" in told(process("run", path, "--workspace", workspace), 2)
    assert not marker.exists()


def test_an_exploding_yaml_is_refused_at_once(process: Callable, told: Callable, spec: Callable, workspace: Path) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    said = process("plan", spec("\n".join(lines)), "--workspace", workspace, memory=4_000_000_000)
    assert "aliases" in told(said, 2)
    assert said.cpu < 20


def test_a_negative_weight_is_refused_as_a_process_too(process: Callable, told: Callable, spec: Callable, workspace: Path) -> None:
    message = told(process("run", spec("parameters: {beta: -1}\n"), "--workspace", workspace), 2)
    assert "line 5, parameters.beta: -1 is not allowed" in message


@pytest.mark.parametrize(
    "arguments",
    [["plan"], ["run", "--no-such-option", "x"], ["nonsense"], ["plan", "a", "b"],
     ["gallery", "--port", "99999999"], ["status", "--json=3"],
     ["export", "demo"], ["weights", "fetch", "vgg99"]],
)  # fmt: skip
def test_wrong_usage_ends_with_2_and_without_a_traceback(here: Callable, arguments: list[str]) -> None:
    said = here(*arguments)
    assert said.code == 2
    assert "Traceback" not in said.err
    assert said.err


@pytest.mark.parametrize("name", ["gone", "%", "'; DROP TABLE run; --", "r1-%", "_"])
def test_names_that_are_not_there_are_refused(here: Callable, told: Callable, workspace: Path, name: str) -> None:
    for command in ("status", "runs", "logs", "retry"):
        message = told(here(command, name, "--workspace", workspace), 2)
        assert repr(name) in message


def test_a_sheet_by_a_parameter_that_does_not_vary_is_refused(here: Callable, told: Callable, workspace: Path, tmp_path: Path) -> None:
    said = here("sheet", "demo", "--out", tmp_path / "sheets", "--rows", "layers", "--columns", "size", "--workspace", workspace)
    assert "--columns size" in told(said, 2) and "choose one of layers" in said.err
    assert not (tmp_path / "sheets").exists()
    said = here("sheet", "demo", "--out", tmp_path / "sheets", "--rows", "layers", "--workspace", workspace)
    assert (said.code, said.out) == (0, f"contact sheet: {tmp_path}/sheets/demo.png\n")


def test_a_name_of_bytes_that_are_no_text_is_refused(workspace: Path) -> None:
    command = [os.fsencode(sys.executable), b"-m", b"sweep.cli.main", b"logs", b"caf\xe9", b"--workspace", os.fsencode(workspace)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 2, done.stderr
    assert b"Traceback" not in done.stderr


def test_good_files_still_plan_beside_all_that(here: Callable, spec: Callable, workspace: Path) -> None:
    said = here("plan", spec("parameters: {beta: [1, 1e2]}\n"), "--workspace", workspace, "--json")
    assert (said.code, json.loads(said.out)["runs"]) == (0, 2)

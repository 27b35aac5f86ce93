"""The sweep's file as a whole: what it means, and that whatever is wrong with it ends as one sentence."""

import itertools
import os
import time
from pathlib import Path

import pytest
from factories import picture_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.combination import run_key
from sweep.errors import SpecError, StylesweepError
from sweep.spec import MAX_COMBINATIONS, SweepSpec, load_spec, parse_spec
from sweep.transfer.recipe import NUMBERS
from sweep.yaml_file import YamlFile

VALID = """\
name: starry-hoover
method: grid
content: photos/*.jpg
style: [starry.jpg, {starry.jpg: 0.7, scream.png: 0.3}]
parameters:
  alpha: {value: 1}
  beta: {min: 1, max: 100, distribution: log_uniform_values, count: 3}
  layers: {values: [gatys, {content: [relu4_2], style: {relu1_1: 1, relu3_1: 2}}]}
settings: {network: vgg19, recipe: pyramid, size: 512}
resources: {cpus: 1, gpus: 0.5}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures to name; a spec is not read further than their names."""
    folder = tmp_path_factory.mktemp("spec")
    for number, name in enumerate(
        ["starry.jpg", "scream.png", "photos/b.jpg", "photos/a.jpg", "photos/notes.txt", "odd [1]*.jpg", "empty/x.txt"]
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(picture_bytes(number))
    return folder


def parse(text: str, folder: Path) -> SweepSpec:
    return parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml")


def refusal(text: str, folder: Path) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, folder)
    message = str(caught.value)
    assert message.startswith("s.yaml")
    assert "\n" not in message
    return message


def names_of(spec: SweepSpec) -> list[str]:
    return [path.name for path in spec.contents]


def test_the_example_of_the_design_means_what_it_says(folder: Path) -> None:
    spec = parse(VALID, folder)
    assert spec.name == "starry-hoover"
    assert names_of(spec) == ["a.jpg", "b.jpg"]
    assert [style.name() for style in spec.styles] == ["starry.jpg", "0.3 scream.png + 0.7 starry.jpg"]
    assert spec.axes["beta"].values == (1.0, 10.0, 100.0)
    assert spec.points() == 2 * 2 * 3 * 2
    assert (spec.resources.cpus, spec.resources.gpus) == (1, 0.5)


def test_combinations_are_the_full_product_with_content_outermost_and_beta_innermost(folder: Path) -> None:
    spec = parse(VALID, folder)
    sha256 = {path: f"{number:064x}" for number, path in enumerate(spec.picture_paths())}
    found = list(spec.combinations(sha256, dict.fromkeys(spec.network_files(), "hash")))
    assert len(found) == spec.points()
    axes = [spec.contents, spec.styles, spec.axes["layers"].values, spec.axes["beta"].values]
    expected = [(content, style.name(), layers.name, beta) for content, style, layers, beta in itertools.product(*axes)]
    assert [(one.content, one.style_name, one.combination.layers.name, one.combination.beta) for one in found] == expected
    assert {one.combination.content for one in found} == {sha256[path] for path in spec.contents}
    assert len({run_key(one.combination.run_settings()) for one in found}) == 24


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("starry.jpg", ["starry.jpg"]),
        ("./starry.jpg", ["starry.jpg"]),
        ("[starry.jpg, scream.png, starry.jpg, ./starry.jpg]", ["starry.jpg", "scream.png"]),
        ("photos", ["a.jpg", "b.jpg"]),
        ("photos/", ["a.jpg", "b.jpg"]),
        ("photos/*", ["a.jpg", "b.jpg", "notes.txt"]),
        ("'**/?.jpg'", ["a.jpg", "b.jpg"]),
        ("'photos/[ab].jpg'", ["a.jpg", "b.jpg"]),
        ("'odd [1]*.jpg'", ["odd [1]*.jpg"]),
        ("[photos/b.jpg, 'photos/*.jpg']", ["b.jpg", "a.jpg"]),
    ],
)
def test_a_picture_is_a_path_a_list_a_folder_or_a_glob(folder: Path, written: str, names: list[str]) -> None:
    assert names_of(parse(f"name: x\nstyle: starry.jpg\ncontent: {written}\n", folder)) == names


def test_an_absolute_path_and_an_absolute_glob_are_taken_as_they_are(folder: Path, tmp_path: Path) -> None:
    spec = parse(f"name: x\nstyle: {folder}/starry.jpg\ncontent: {folder}/photos/*.jpg\n", tmp_path)
    assert names_of(spec) == ["a.jpg", "b.jpg"]


def test_pictures_are_looked_for_relative_to_the_file_not_to_the_shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "relative.yaml").write_text("name: x\ncontent: photos/*.jpg\nstyle: starry.jpg\n")
    monkeypatch.chdir(folder / "photos")
    assert len(load_spec(Path("../relative.yaml")).contents) == 2
    monkeypatch.chdir(folder)
    assert len(load_spec(Path("relative.yaml")).contents) == 2


def test_a_section_with_nothing_under_it_is_an_empty_section(folder: Path) -> None:
    assert parse("name: x\ncontent: photos\nstyle: starry.jpg\nparameters:\nsettings:\nresources:\n", folder).points() == 2


def test_two_names_of_one_picture_in_a_blend_are_one_share(folder: Path) -> None:
    spec = parse("name: x\ncontent: photos\nstyle: {starry.jpg: 1, scream.png: 3}\n", folder)
    same = dict.fromkeys(spec.picture_paths(), "a" * 64)
    assert {one.combination.style for one in spec.combinations(same, dict.fromkeys(spec.network_files(), "h"))} == {(("a" * 64, 1.0),)}


BASE = "name: x\ncontent: photos\nstyle: starry.jpg\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # top-level keys
        (BASE + "paramters: {beta: 1}\n",
         ["line 4", "paramters", "no such key", "did you mean `parameters`", "Allowed here: name, method"]),
        (BASE + "beta: 3\n", ["line 4", "beta", "no such key", "belongs under `parameters` or `settings`"]),
        (BASE + "cpus: 3\n", ["line 4", "cpus", "no such key", "belongs under `resources`"]),
        (BASE + "resources: {beta: 3}\n", ["line 4", "beta", "no such key", "belongs under `parameters` or `settings`"]),
        (BASE + "resources: {snapshots: 3}\n", ["line 4", "snapshots", "no such key", "belongs at the top of the file"]),
        (BASE + "settings: {snapshots: 8}\n", ["line 4", "settings.snapshots", "no parameter", "at the top of the file, beside `name`"]),
        (BASE + "parameters: {gpus: [0.5, 1]}\n", ["line 4", "parameters.gpus", "no parameter", "belongs under `resources`"]),
        (BASE + "resources: {cpu: 1}\n", ["line 4", "resources.cpu", "did you mean `cpus`", "Allowed here: cpus, gpus, memory"]),
        (BASE + "method: bayes\n", ["line 4", "method", "'bayes' is not allowed", "'grid'"]),
        ("content: photos\nstyle: starry.jpg\n", ["'name' is missing", "a sweep needs name, content and style"]),
        ("name: x\nstyle: starry.jpg\n", ["'content' is missing"]),
        ("nam: x\ncontent: photos\nstyle: starry.jpg\n", ["line 1, nam: there is no such key; did you mean `name`? Allowed"]),
        ("name: x\ncontent: []\nstyle: starry.jpg\n", ["line 2, content: [] is not allowed: give at least one picture"]),
        (BASE + "parameters: [beta, 1]\n", ["line 4, parameters: ['beta', 1] is not allowed: it must hold names with values below it"]),
        (BASE + "resources: 3\n", ["line 4, resources: 3 is not allowed: it must hold names with values below it"]),
        # names
        ("name: ''\ncontent: photos\nstyle: starry.jpg\n", ["line 1, name", "'' is not allowed", "at least 1 character"]),
        ("name: a/b\ncontent: photos\nstyle: starry.jpg\n", ["line 1, name", "'a/b' is not allowed", "anything but slashes"]),
        ('name: "a\\0b"\ncontent: photos\nstyle: starry.jpg\n', ["line 1, name", "'a\\x00b' is not allowed", "control characters"]),
        ('name: "\\uD800"\ncontent: photos\nstyle: starry.jpg\n', ["line 1, name", "\\ud800", "is not allowed"]),
        ("name: 7\ncontent: photos\nstyle: starry.jpg\n", ["line 1, name", "7 is not allowed", "it must be text", "quotes"]),
        (f"name: {'n' * 201}\ncontent: photos\nstyle: starry.jpg\n", ["line 1, name", "... is not allowed", "200 characters"]),
        # pictures
        ("name: x\ncontent: gone.jpg\nstyle: starry.jpg\n", ["line 2, content", "no file 'gone.jpg'", "relative to the sweep's file"]),
        ("name: x\ncontent:\n  - photos\n  - gone.jpg\nstyle: starry.jpg\n", ["line 4, content[1]", "no file 'gone.jpg'"]),
        ("name: x\ncontent: gone/*.jpg\nstyle: starry.jpg\n", ["line 2, content", "'gone/*.jpg' matches no file"]),
        ("name: x\ncontent: empty\nstyle: starry.jpg\n", ["line 2, content", "folder 'empty' holds no picture", ".jpg, .jpeg, .png"]),
        ("name: x\ncontent: ''\nstyle: starry.jpg\n", ["line 2, content", "there is no file ''"]),
        ("name: x\ncontent: 3\nstyle: starry.jpg\n", ["line 2, content", "3 is not allowed", "it must be text"]),
        ("name: x\ncontent: {starry.jpg: 1}\nstyle: starry.jpg\n", ["line 2, content", "is not allowed", "it must be text"]),
        ("name: x\ncontent: ~nobody-here/a.jpg\nstyle: starry.jpg\n", ["line 2, content", "'~nobody-here/a.jpg'", "home directory"]),
        (f"name: x\ncontent: {'x' * 5000}.jpg\nstyle: starry.jpg\n", ["line 2, content", "name too long"]),
        ('name: x\ncontent: "a\\0.jpg"\nstyle: starry.jpg\n', ["line 2, content", "'a\\x00.jpg'"]),
        ('name: x\ncontent: "*\\0.jpg"\nstyle: starry.jpg\n', ["line 2, content", "'*\\x00.jpg'"]),
        ("name: x\ncontent: 'a**b.jpg'\nstyle: starry.jpg\n", ["line 2, content", "'a**b.jpg'"]),
        ("name: x\ncontent: starry.jpg/*.jpg\nstyle: starry.jpg\n", ["line 2, content", "'starry.jpg/*.jpg' matches no file"]),
        # blends
        ("name: x\ncontent: photos\nstyle: []\n", ["line 3, style", "[] is not allowed"]),
        ("name: x\ncontent: photos\nstyle: [{}]\n", ["line 3, style[0]", "{} is not allowed", "{first.jpg: 0.7, second.jpg: 0.3}"]),
        ("name: x\ncontent: photos\nstyle: [3]\n", ["line 3, style[0]", "3 is not allowed", "{first.jpg: 0.7, second.jpg: 0.3}"]),
        ("name: x\ncontent: photos\nstyle:\n  - {starry.jpg: a}\n", ["line 4, style[0].starry.jpg", "'a' is not allowed", "finite number"]),
        ("name: x\ncontent: photos\nstyle: {starry.jpg: true}\n", ["line 3, style[0].starry.jpg", "True is not allowed"]),
        ("name: x\ncontent: photos\nstyle: {starry.jpg: .nan}\n", ["style[0].starry.jpg", "nan is not allowed", "finite number"]),
        ("name: x\ncontent: photos\nstyle: {starry.jpg: -1, scream.png: 2}\n", ["style[0]", "weight of starry.jpg is -1", "zero or more"]),
        ("name: x\ncontent: photos\nstyle: {starry.jpg: 0, scream.png: 0}\n", ["style[0]", "above zero"]),
        ("name: x\ncontent: photos\nstyle: {starry.jpg: 1e308, scream.png: 1e308}\n", ["style[0]", "too large"]),
        ("name: x\ncontent: photos\nstyle: {photos: 1}\n", ["style[0]", "'photos' names 2 pictures"]),
        ("name: x\ncontent: photos\nstyle: {gone.jpg: 1}\n", ["style[0].gone.jpg", "no file 'gone.jpg'"]),
        # resources
        (BASE + "resources: {cpus: 0}\n", ["line 4, resources.cpus", "0 is not allowed", "greater than 0"]),
        (BASE + "resources: {cpus: .nan}\n", ["line 4, resources.cpus", "nan is not allowed"]),
        (BASE + "resources: {cpus: many}\n", ["resources.cpus", "'many' is not allowed", "number"]),
        (BASE + "resources: {gpus: -1}\n", ["resources.gpus", "-1 is not allowed", "greater than or equal to 0"]),
        (BASE + "resources: {device: tpu}\n", ["resources.device", "'tpu' is not allowed", "'auto', 'cpu' or 'cuda'"]),
        (BASE + "resources: [1]\n", ["line 4, resources", "[1] is not allowed"]),
        # values that only together are wrong
        (BASE + "parameters: {alpha: [0, 1], beta: [0, 1]}\n", ["line 4, parameters.beta", "alpha and beta are both zero"]),
        (BASE + "parameters: {alpha: 1e-300, beta: 1e300}\n", ["parameters.beta", "beta / alpha", "out of the range"]),
        (BASE + "settings: {alpha: 1e-300, beta: 1e-300, tv: 1e12}\n", ["settings.tv", "out of the range"]),
        (BASE + "settings: {layers: {content: [relu9_9]}}\n",
         ["line 4, settings.layers", "no layer relu9_9", "its layers are conv1_1, relu1_1"]),
        (BASE + "settings: {layers: {style: [pool1]}}\n", ["settings.layers", "no layer pool1"]),
        (BASE + "parameters: {network: [vgg19, vgg16], layers: {style: [relu3_4]}}\n", ["parameters.layers", "vgg16 has no layer relu3_4"]),
        # size
        (BASE + "parameters:\n" + "".join(f"  {n}: {{min: 1, max: 9, count: 10000}}\n" for n in ("alpha", "beta", "tv")),
         ["combinations", "1,000,000"]),
        (BASE + "parameters:\n" + "".join(f"  {n}: {{min: 1, max: 900000, count: 9999}}\n"
         for n in ("alpha", "beta", "tv", "seed", "steps")),
         ["1,000,000"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_line_key_value_and_what_is_allowed(folder: Path, text: str, parts: list[str]) -> None:
    message = refusal(text, folder)
    assert [part for part in parts if part not in message] == []


def test_the_largest_grid_that_is_allowed_is_checked_in_seconds(folder: Path) -> None:
    began = time.process_time()
    beta = "{min: 1, max: 10, count: 1000}"
    spec = parse(f"name: x\ncontent: starry.jpg\nstyle: starry.jpg\nparameters: {{alpha: {beta}, beta: {beta}}}\n", folder)
    assert spec.points() == MAX_COMBINATIONS
    assert time.process_time() - began < 20


def test_a_picture_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        Path(os.fsdecode(odd)).write_bytes(picture_bytes(1))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    message = refusal("name: x\ncontent: '*.jpg'\nstyle: '*.jpg'\n", tmp_path)
    assert "line 2, content" in message
    assert "not UTF-8" in message
    message.encode()


lines = VALID.splitlines()
snippets = st.sampled_from(
    ["{", "}", "[", "]", ":", ",", "-", "#", "*", "&a", "*a", "!!int ", "!!python/name:os.system ",
     "'", '"', "|", ">", "\t", "\n", "  ", "1e999",
     "-1", ".nan", ".inf", "null", "true", "~", "''", "0x", "1_", "\x00", "é",
     "\ud7ff", "{}", "[]", "values", "min: 1", "count: 0", "**", "../", "/",
     "99999999999999999999", "name: x", "%", "@", "`", "? ", "<<: ", "---\n", "..."]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The valid file with a few things put in, cut out, swapped or doubled."""
    text = VALID
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        end = min(end, at + draw(st.integers(0, 25)))
        text = text[:at] + draw(snippets | st.just("") | st.just(text[at:end] * 2) | st.text(max_size=5)) + text[end:]
    return text


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(mutated())
def test_a_mutilated_file_is_a_sweep_or_a_sentence(folder: Path, text: str) -> None:
    try:
        spec = parse(text, folder)
    except StylesweepError as error:
        assert str(error).startswith("s.yaml")
        assert "\n" not in str(error)
        assert len(str(error)) < 2000
        return
    assert 1 <= spec.points() <= MAX_COMBINATIONS
    if spec.points() <= 1000:
        sha256 = {path: f"{number:064x}" for number, path in enumerate(spec.picture_paths())}
        for one in spec.combinations(sha256, dict.fromkeys(spec.network_files(), "hash")):
            one.combination.combination_key()


@pytest.mark.parametrize(
    ("written", "found"),
    [("8", 8), ("0", 0), ("", 0), ("off", 0), ("50", 50), ("[100, 1, 10, 10]", [1, 10, 100]), ("[]", []), ("2.0", 2),
     (str(list(range(1, 51))), list(range(1, 51)))],
)  # fmt: skip
def test_snapshots_are_a_number_or_steps(folder: Path, written: str, found: int | list[int]) -> None:
    assert parse(BASE + f"snapshots: {written}\n", folder).snapshots == found
    assert parse(BASE, folder).snapshots == 0


@pytest.mark.parametrize("written", ["51", "-1", "true", "many", "2.5", "[0]", "[1, x]", "[-3]", "{a: 1}", ".nan", str(list(range(1, 52)))])
def test_what_is_no_number_of_snapshots_is_refused(folder: Path, written: str) -> None:
    message = refusal(BASE + f"snapshots: {written}\n", folder)
    assert "line 4, snapshots: " in message and "from 0 to 50, or a list of at most 50 steps" in message
    assert "is not allowed: give how many" in message


def test_snapshots_are_no_parameter_and_no_part_of_a_combination(folder: Path) -> None:
    assert "snapshots is no parameter" in refusal(BASE + "settings: {snapshots: 3}\n", folder)

    def keys(text: str) -> set[str]:
        spec = parse(text, folder)
        sha256 = dict.fromkeys(spec.picture_paths(), "a" * 64)
        return {one.combination.combination_key() for one in spec.combinations(sha256, dict.fromkeys(spec.network_files(), "h"))}

    assert keys(BASE + "snapshots: 9\n") == keys(BASE)


@pytest.mark.parametrize("name", list(NUMBERS))
def test_a_number_of_one_recipe_is_refused_beside_the_other_with_what_to_do(folder: Path, name: str) -> None:
    own, value = NUMBERS[name].recipe, NUMBERS[name].high
    value = int(value) if NUMBERS[name].kind is int else value
    other = "gatys" if own == "pyramid" else "pyramid"
    assert parse(BASE + f"settings: {{recipe: {own}, {name}: {value}}}\n", folder).axes[name].values == (value,)
    assert parse(BASE + f"parameters: {{recipe: [pyramid, gatys]}}\nsettings: {{{name}: null}}\n", folder).points() == 4
    both = refusal(BASE + f"parameters: {{recipe: [pyramid, gatys], {name}: [null, {value}]}}\n", folder)
    for part in (
        f"line 4, parameters.{name}: {value} is not allowed",
        f"belongs to the recipe {own}",
        f"or move it to `when: [{{if: {{recipe: {own}}}, then: {{{name}: ...}}}}]`.",
    ):
        assert part in both
    wrong = refusal(BASE + f"settings: {{recipe: {other}, {name}: {value}}}\n", folder)
    assert f"leave it out, take recipe {own} alone." in wrong


def test_limits_are_read_and_what_is_no_limit_is_refused(folder: Path) -> None:
    text = "name: a\ncontent: starry.jpg\nstyle: scream.png\nlimits: {run_minutes: 30, silent_minutes: 0.5}\n"
    assert (parse(text, folder).limits.run_minutes, parse(text, folder).limits.silent_minutes) == (30, 0.5)
    for wrong, told in (("run_minuets: 30", "run_minutes"), ("run_minutes: 0", "limits.run_minutes"), ("run_minutes: .nan", "line 4")):
        with pytest.raises(SpecError, match=told):
            parse(text.replace("run_minutes: 30", wrong), folder)

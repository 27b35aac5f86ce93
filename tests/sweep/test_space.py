"""Which combinations a file means: grids, draws, `zip`, `when` and `exclude`, against plain loops over dicts."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from factories import picture_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep.conditions import NAMES
from sweep.errors import SpecError
from sweep.spec import SweepSpec, parse_spec
from sweep.yaml_file import YamlFile

VALUES: dict[str, list[Any]] = {
    "content": ["a.png", "b.png", "c.png"],
    "style": ["s.png", "t.png", "u.png"],
    "size": [32, 48, 64],
    "init": ["content", "noise", "style_noise"],
    "pooling": ["max", "average", "l2"],
    "colors": ["style", "content"],
    "tv": [0.0, 0.5, 1.0],
}
"""Every value that these tests give a name; written here in the order of `NAMES`."""
NAMED = list(VALUES)
HEAD = "name: x\ncontent: [a.png, b.png, c.png]\nstyle: [s.png, t.png, u.png]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space")
    for number, name in enumerate([*VALUES["content"], *VALUES["style"]]):
        (folder / name).write_bytes(picture_bytes(number))
    return folder


def parse(text: str, folder: Path) -> SweepSpec:
    return parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml")


def refusal(text: str, folder: Path) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def points(spec: SweepSpec) -> list[dict[str, Any]]:
    """Each as a dict, with the pictures by their names."""
    made = [dict(zip(NAMES, point, strict=True)) for point in spec.space.points()]
    return [point | {"content": point["content"].name, "style": point["style"].name()} for point in made]


def chosen(spec: SweepSpec) -> list[tuple[Any, ...]]:
    """Of each point the names of these tests."""
    return [tuple(point[name] for name in NAMED) for point in points(spec)]


# The oracle: a point is any choice of values that obeys every sentence of the file.


def holds(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, dict):
        return wanted.get("min", value) <= value <= wanted.get("max", value)
    return value in (wanted if isinstance(wanted, list) else [wanted])


def obeyed(file: Mapping[str, Any], point: Mapping[str, Any]) -> bool:
    grouped = {name for group in file["zip"] for name in group}
    for name in NAMED:
        allowed = file["values"][name]
        for rule in file["when"]:  # the last that applies counts
            if name in rule["then"] and all(holds(wanted, point[other]) for other, wanted in rule["if"].items()):
                allowed = rule["then"][name]
        if name not in grouped and point[name] not in allowed:
            return False
    for group in file["zip"]:
        if tuple(point[name] for name in group) not in zip(*(file["values"][name] for name in group), strict=True):
            return False
    return not any(all(holds(wanted, point[name]) for name, wanted in entry.items()) for entry in file["exclude"])


def meant(file: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for values in itertools.product(*VALUES.values()):
        if obeyed(file, dict(zip(NAMED, values, strict=True))):
            yield values


def written(file: Mapping[str, Any], extra: str = "") -> str:
    given = file["values"]
    lines = [f"{name}: {json.dumps(file[name])}\n" for name in ("zip", "when", "exclude")]
    parameters = {name: values for name, values in given.items() if name not in ("content", "style")}
    return (
        f"name: x\ncontent: {json.dumps(given['content'])}\nstyle: {json.dumps(given['style'])}\n"
        f"parameters: {json.dumps(parameters)}\n{''.join(lines)}{extra}"
    )


def some(name: str, least: int = 1, most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(VALUES[name]), min_size=least, max_size=most, unique=True)


def wanted_of(name: str, given: list[Any]) -> st.SearchStrategy[Any]:
    """What a condition may ask of a name; of pictures those alone that the file has."""
    if name in ("content", "style"):
        return st.sampled_from(given) | st.lists(st.sampled_from(given), min_size=1)
    plain = st.sampled_from(VALUES[name]) | some(name)
    if name in ("size", "tv"):
        return plain | st.fixed_dictionaries({}, optional={"min": st.integers(0, 70), "max": st.integers(0, 70)}).filter(bool)
    return plain


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """A sweep's file as a dict: groups that do not overlap, rules that do not go in a circle."""
    values: dict[str, list[Any]] = {name: draw(some(name)) for name in NAMED}
    order = draw(st.permutations(NAMED))
    groups = draw(st.sampled_from([[], [order[:2]], [order[:3]], [order[:2], order[2:4]]]))
    for group in groups:
        length = draw(st.integers(1, 4))
        values |= {name: draw(st.lists(st.sampled_from(VALUES[name]), min_size=length, max_size=length)) for name in group}
    free = [name for name in order if not any(name in group for group in groups) and name not in ("content", "style")]
    rules = []
    for _ in range(draw(st.integers(0, 3))):
        if free:
            target = draw(st.sampled_from(free))
            earlier = [name for name in order if order.index(name) < order.index(target)]
            asked = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=2, unique=True)) if earlier else []
            if asked:
                rules.append({"if": {name: draw(wanted_of(name, values[name])) for name in asked}, "then": {target: draw(some(target))}})
    excluded = [
        {name: draw(wanted_of(name, values[name])) for name in draw(st.lists(st.sampled_from(NAMED), min_size=1, max_size=3, unique=True))}
        for _ in range(draw(st.integers(0, 2)))
    ]
    return {"values": values, "zip": groups, "when": rules, "exclude": excluded}


plenty = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@plenty
@given(files())
def test_a_grid_is_every_point_that_obeys_the_file_once(folder: Path, file: dict[str, Any]) -> None:
    expected = set(meant(file))
    if not expected:
        assert "no combination is left" in refusal(written(file), folder)
        return
    spec = parse(written(file), folder)
    found = chosen(spec)
    assert len(found) == len(set(found)) == spec.points()
    assert set(found) == expected
    assert {(content.name, style.name()) for content, style in spec.pairs()} == {point[:2] for point in expected}
    assert spec.smallest() == min(point[2] for point in expected)


@plenty
@given(files(), st.sampled_from(["random", "sobol"]), st.integers(0, 2**63 - 1), st.integers(1, 15), st.integers(1, 15))
def test_a_longer_draw_begins_with_the_shorter_one(folder: Path, file: dict[str, Any], method: str, seed: int, few: int, more: int) -> None:
    expected = set(meant(file))
    if not expected:
        return

    def draw(runs: int) -> list[tuple[Any, ...]]:
        spec = parse(written(file, f"method: {method}\nruns: {runs}\nsearch_seed: {seed}\n"), folder)
        found = chosen(spec)
        assert len(found) == spec.points()
        return found

    first, both = draw(few), draw(few + more)
    assert both[: len(first)] == first
    assert len(both) == len(set(both)) == min(few + more, len(expected))  # every point is found in the end
    assert set(both) <= expected


def test_a_grid_with_groups_and_exclusions_keeps_content_outermost_and_beta_innermost(folder: Path) -> None:
    spec = parse(
        HEAD + "parameters: {beta: [3, 1], size: [64, 32], tv: [0, 1]}\nzip: [size, tv]\nexclude: {content: b.png, beta: 3}\n", folder
    )
    expected = [
        (content, style, size, tv, beta)
        for content in VALUES["content"] for style in VALUES["style"] for size, tv in [(64, 0), (32, 1)] for beta in [3, 1]
        if (content, beta) != ("b.png", 3)
    ]  # fmt: skip
    assert [tuple(point[name] for name in ("content", "style", "size", "tv", "beta")) for point in points(spec)] == expected


def test_photographs_and_styles_in_pairs(folder: Path) -> None:
    spec = parse(HEAD + "zip: [content, style]\n", folder)
    assert [(point["content"], point["style"]) for point in points(spec)] == list(zip(VALUES["content"], VALUES["style"], strict=True))
    doubled = parse(HEAD.replace("[s.png, t.png, u.png]", "[s.png, t.png, s.png]") + "zip: [content, style]\n", folder)
    assert [point["style"] for point in points(doubled)] == ["s.png", "t.png", "s.png"]
    assert {path.name for path in doubled.picture_paths()} == {*VALUES["content"], "s.png", "t.png"}
    excluded = parse(HEAD + "exclude: {content: b.png}\n", folder)  # the file names it still, wherever it is read again
    assert {path.name for path in excluded.picture_paths()} == {*VALUES["content"], *VALUES["style"]}


def test_masks_are_wanted_for_the_photographs_that_meet_their_style_alone(folder: Path) -> None:
    text = HEAD.replace("[s.png, t.png, u.png]", '[s.png, t.png, {regions: [{mask: "{content}-sky.png", style: u.png}]}]')
    (folder / "c-sky.png").write_bytes(picture_bytes(9))
    try:
        assert "a-sky.png" in refusal(text, folder)
        spec = parse(text + "zip: [content, style]\n", folder)
        assert [(content.name, region.blend.name()) for content, region in spec.masked()] == [("c.png", "u.png")]
    finally:
        (folder / "c-sky.png").unlink()


def test_networks_and_their_own_weights_move_together(folder: Path) -> None:
    for name in ("a.pth", "b.pth"):
        (folder / name).touch()
    text = HEAD + "parameters: {network: [vgg16, vgg19], weights: [a.pth, b.pth]}\n"
    assert len(parse(text, folder).network_files()) == 4
    files = parse(text + "zip: [network, weights]\n", folder).network_files()
    assert [(network, path and path.name) for network, path in files] == [("vgg16", "a.pth"), ("vgg19", "b.pth")]


def test_numbers_of_a_recipe_are_swept_where_it_is_and_nowhere_else(folder: Path) -> None:
    text = HEAD.replace("[a.png, b.png, c.png]", "a.png").replace("[s.png, t.png, u.png]", "s.png")
    rules = (
        "when:\n- {if: {recipe: gatys}, then: {history: [10, 20]}}\n- {if: {recipe: pyramid}, then: {levels: {min: 1, max: 4, count: 4}}}\n"
    )
    spec = parse(text + "parameters: {recipe: [gatys, pyramid]}\n" + rules, folder)
    found = [(point["recipe"], point["history"], point["levels"]) for point in points(spec)]
    assert sorted(found, key=str) == sorted(
        [("gatys", 10, None), ("gatys", 20, None), *(("pyramid", None, levels) for levels in (1, 2, 3, 4))], key=str
    )


@pytest.mark.parametrize(
    "also",
    ["parameters: {recipe: [gatys, pyramid], history: [10, 20]}\n",
     "parameters: {recipe: [gatys, pyramid], history: [10, 20]}\nzip: [recipe, history]\n",
     "parameters: {recipe: [gatys, pyramid]}\nwhen: {if: {size: 512}, then: {history: 10}}\n",
     "parameters: {recipe: [gatys, pyramid], history: [null, 20]}\nexclude: {recipe: gatys}\n",
     "method: random\nruns: 20\nparameters: {recipe: [gatys, pyramid], history: {min: 1, max: 30}}\n"],
)  # fmt: skip
def test_a_number_that_would_meet_another_recipe_is_refused(folder: Path, also: str) -> None:
    assert "history belongs to the recipe gatys" in refusal(HEAD + also, folder)


@pytest.mark.parametrize(
    "also",
    ["parameters: {recipe: [gatys, pyramid], history: [10, null]}\nzip: [recipe, history]\n",
     "parameters: {recipe: [gatys, pyramid], history: [null, 20]}\nexclude: {recipe: pyramid, history: {min: 1}}\n",
     "parameters: {loss: [relative, gatys], style_loss: [gram, moments]}\nexclude: {loss: gatys, style_loss: moments}\n",
     "parameters: {alpha: [0, 1], beta: [0, 1]}\nexclude: {alpha: 0, beta: 0}\n",
     "parameters: {network: [vgg19, vgg16]}\nwhen: {if: {network: vgg19}, then: {layers: {style: [relu3_4]}}}\n"],
)  # fmt: skip
def test_what_never_meets_is_not_held_against_the_file(folder: Path, also: str) -> None:
    assert parse(HEAD + also, folder).points() > 0


def test_the_last_condition_that_applies_counts_and_conditions_may_follow_from_conditions(folder: Path) -> None:
    rules = [
        {"if": {"size": {"max": 48}}, "then": {"tv": [0.25]}},
        {"if": {"size": 32}, "then": {"tv": [0.75]}},
        {"if": {"tv": 0.75}, "then": {"beta": [7]}},
    ]
    spec = parse(HEAD + f"parameters: {{size: [32, 48, 64], beta: [1, 2]}}\nwhen: {json.dumps(rules)}\n", folder)
    found = {(point["size"], point["tv"], point["beta"]) for point in points(spec)}
    assert found == {(32, 0.75, 7), (48, 0.25, 1), (48, 0.25, 2), (64, 0, 1), (64, 0, 2)}


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_ranges_are_drawn_within_their_ends_whatever_rule_applies(folder: Path, method: str) -> None:
    text = (
        f"method: {method}\nruns: 64\nparameters:\n  beta: {{min: 1, max: 100, distribution: log_uniform_values}}\n"
        "  size: {min: 32, max: 256, distribution: q_uniform, q: 32}\n  tv: {min: 0.25, max: 0.5}\n"
        "  steps: {min: 3, max: 5}\n"
        "when: {if: {size: {min: 128}}, then: {beta: {min: 1000, max: 2000}}}\n"
    )
    found = points(parse(HEAD + text, folder))
    assert len(found) == 64
    assert {point["size"] for point in found} == set(range(32, 257, 32))
    assert {point["steps"] for point in found} == {3, 4, 5}
    for point in found:
        assert (1000 <= point["beta"] <= 2000) if point["size"] >= 128 else (1 <= point["beta"] <= 100)
        assert 0.25 <= point["tv"] <= 0.5
        assert (type(point["size"]), type(point["beta"]), type(point["tv"])) == (int, float, float)
        assert float(f"{point['beta']:.6g}") == point["beta"]
    below = sum(point["beta"] < 10 for point in found if point["size"] < 128)
    assert 0.25 < below / sum(point["size"] < 128 for point in found) < 0.75


def test_another_parameter_moves_none_of_the_others_at_random(folder: Path) -> None:
    text = HEAD + "method: random\nruns: 40\nsearch_seed: 5\nparameters:\n  beta: {min: 1, max: 100}\n"
    few, more = parse(text, folder), parse(text + "  tv: {min: 0, max: 1}\n  pooling: [max, l2]\n", folder)
    names = ("content", "style", "beta")
    assert [[point[name] for name in names] for point in points(few)] == [[point[name] for name in names] for point in points(more)]
    other = parse(text.replace("search_seed: 5", "search_seed: 6"), folder)
    assert points(other) != points(few)


def test_values_are_drawn_as_often_as_their_probabilities_say(folder: Path) -> None:
    layers = "{values: [gatys, deep, shallow, upto1], probabilities: [5, 3, 2, 0]}"
    spec = parse(HEAD + f"method: random\nruns: 2000\nparameters: {{layers: {layers}, beta: {{min: 1, max: 2}}}}\n", folder)
    counted = Counter(point["layers"].name for point in points(spec))
    assert set(counted) == {"gatys", "deep", "shallow"}
    for name, share in (("gatys", 0.5), ("deep", 0.3), ("shallow", 0.2)):
        assert counted[name] / 2000 == pytest.approx(share, abs=0.04)
    evenly = Counter(point["content"] for point in points(spec))
    assert all(number / 2000 == pytest.approx(1 / 3, abs=0.04) for number in evenly.values())


def test_probabilities_of_one_of_a_group_are_those_of_the_group(folder: Path) -> None:
    parameters = "{size: {values: [32, 64], probabilities: [0, 1]}, init: [noise, content], beta: {min: 1, max: 2}}"
    spec = parse(HEAD + f"method: random\nruns: 30\nparameters: {parameters}\nzip: [[size, init]]\n", folder)
    assert {(point["size"], point["init"]) for point in points(spec)} == {(64, "content")}


GOLDEN = {
    "random": [
        ("b.png", "s.png", 24, "max", 0.794208, 3.67039),
        ("a.png", "t.png", 32, "l2", 0.664187, 8.94041),
        ("a.png", "u.png", 16, "l2", 0.0289027, 17.8633),
        ("c.png", "s.png", 32, "l2", 0.80401, 5.3167),
    ],
    "sobol": [
        ("b.png", "u.png", 18, "l2", 0.711837, 2.57776),
        ("a.png", "s.png", 64, "max", 0.390422, 68.4186),
        ("b.png", "u.png", 34, "l2", 0.233968, 14.5764),
        ("c.png", "t.png", 90, "l2", 0.930375, 3.83476),
    ],
}  # fmt: skip
"""Never edit these: people extend draws that an older version began."""


@pytest.mark.parametrize("method", list(GOLDEN))
def test_golden_draws(folder: Path, method: str) -> None:
    text = (
        f"method: {method}\nruns: 4\nsearch_seed: 7\nparameters:\n  beta: {{min: 1, max: 100, distribution: log_uniform_values}}\n"
        "  tv: {min: 0, max: 1}\n  pooling: {values: [max, l2], probabilities: [1, 3]}\n"
        "  steps: {min: 10, max: 90, distribution: int_uniform}\n"
    )
    names = ("content", "style", "steps", "pooling", "tv", "beta")
    assert [tuple(point[name] for name in names) for point in points(parse(HEAD + text, folder))] == GOLDEN[method]


def test_what_its_writer_may_want_to_know_is_said(folder: Path) -> None:
    def remarks(also: str) -> tuple[str, ...]:
        return parse(HEAD + also, folder).remarks

    assert remarks("") == remarks("exclude: {content: a.png}\n") == ()
    (said,) = remarks("parameters: {size: [32, 64]}\nexclude:\n- {size: 32}\n- {size: 48}\n")
    assert said.startswith("s.yaml, line 7, exclude[1]: leaves out no combination")
    (said,) = remarks("when:\n- {if: {recipe: gatys}, then: {history: 3}}\n")
    assert said == "s.yaml, line 5, when[0]: applies to no combination."
    (said,) = remarks("method: random\nruns: 100\n")
    assert said == "s.yaml, line 5, runs: there are only 9 different combinations, not 100."
    (said,) = remarks("method: random\nruns: 2\nexclude:\n- {content: [b.png, c.png]}\n- {style: [t.png, u.png]}\n")
    assert said == "s.yaml, line 5, runs: there is only one combination, not 2."
    (said,) = remarks("method: sobol\nruns: 5\nparameters: {beta: {min: 1, max: 2}}\n")
    assert "powers of two, as 4 or 8" in said
    assert remarks("method: sobol\nruns: 8\nparameters: {beta: {min: 1, max: 2}}\n") == ()


def test_nothing_that_varies_is_one_combination_however_many_are_asked_for(folder: Path) -> None:
    one = "name: x\ncontent: a.png\nstyle: s.png\n"
    for method in ("random", "sobol"):
        assert parse(one + f"method: {method}\nruns: 8\n", folder).points() == 1
        assert "no combination is left" in refusal(one + f"method: {method}\nruns: 8\nexclude: {{content: a.png}}\n", folder)


def test_a_grid_is_too_large_before_what_is_excluded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = "parameters: {beta: {min: 1, max: 9, count: 1000}, tv: {min: 1, max: 9, count: 200}}\n"
    assert "the grid has 1,800,000 combinations" in refusal(HEAD + wide + "exclude: {beta: {min: 2}}\n", folder)
    monkeypatch.setattr("sweep.space.MAX_COMBINATIONS", 1000)
    some = "parameters: {size: [32, 64], seed: {min: 1, max: 10, distribution: int_uniform}}\n"
    rule = "when: {if: {size: 32}, then: {beta: {min: 1, max: 9, count: %d}}}\n"
    assert parse(HEAD + some + rule % 10, folder).points() == 9 * (10 * 10 + 10)
    assert "over 1,000,000 combinations" in refusal(HEAD + some + rule % 11, folder)

"""`zip`, `when`, `exclude`, and the keys of draws: that what is wrong with them is named with line, key, value and what is allowed."""

from pathlib import Path

import pytest
from factories import picture_bytes

from sweep.errors import SpecError
from sweep.spec import SweepSpec, parse_spec
from sweep.yaml_file import YamlFile

HEAD = "name: x\ncontent: [a.png, b.png]\nstyle: [s.png, {s.png: 0.7, t.png: 0.3}]\n"
DRAWN = HEAD + "method: random\nruns: 9\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conditions")
    for number, name in enumerate(["a.png", "b.png", "s.png", "t.png"]):
        (folder / name).write_bytes(picture_bytes(number))
    return folder


def parse(text: str, folder: Path) -> SweepSpec:
    return parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # zip
        (HEAD + "zip: 3\n", ["line 4, zip", "3 is not allowed", "[content, style]"]),
        (HEAD + "zip: [[content]]\n", ["zip[0]", "a list of two names or more"]),
        (HEAD + "zip: [[content, 3]]\n", ["zip[0]", "['content', 3] is not allowed"]),
        (HEAD + "zip: [[content, stile]]\n", ["line 4, zip[0][1]", "no such parameter", "did you mean `style`", "Allowed: content, style"]),
        (HEAD + "zip: [content, stile]\n", ["line 4, zip[1]", "did you mean `style`"]),
        (HEAD + "zip: [[content, content]]\n", ["zip[0][1]", "content is in `zip` already"]),
        (HEAD + "zip: [[content, style], [beta, style]]\n", ["zip[1][1]", "style is in `zip` already"]),
        (HEAD + "parameters: {beta: [1, 2, 3]}\nzip: [content, beta]\n", ["line 5, zip", "content has 2, beta has 3", "equally many"]),
        (HEAD + "settings: {size: 64}\nzip: [content, size]\n", ["content has 2, size has 1"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 2}}\nzip: [content, beta]\n", ["zip[1]", "beta is a range", "needs a list"]),
        (DRAWN + "parameters:\n  beta: {values: [1, 2], probabilities: [1, 1]}\n"
         "  tv: {values: [1, 2], probabilities: [1, 1]}\nzip: [tv, beta]\n",
         ["line 9, zip", "two of the group have probabilities"]),
        # when
        (HEAD + "when: 3\n", ["line 4, when[0]", "3 is not allowed", "{if: {recipe: gatys}, then: {history: [10, 20]}}"]),
        (HEAD + "when: [{if: {recipe: gatys}}]\n", ["when[0]", "an entry is written"]),
        (HEAD + "when: [{if: {recipe: gatys}, then: {history: 3}, else: {levels: 2}}]\n", ["when[0]", "an entry is written"]),
        (HEAD + "when: [{if: {}, then: {history: 3}}]\n", ["when[0].if", "{} is not allowed", "{size: 512, beta: {min: 100}}"]),
        (HEAD + "when: [{if: {recipe: gatys}, then: {}}]\n", ["when[0].then", "{} is not allowed"]),
        (HEAD + "when: [{if: {recipe: gatis}, then: {history: 3}}]\n",
         ["when[0].if.recipe", "'gatis' is not allowed", "did you mean 'gatys'"]),
        (HEAD + "when: [{if: {resipe: gatys}, then: {history: 3}}]\n", ["when[0].if.resipe", "did you mean `recipe`"]),
        (HEAD + "when: [{if: {recipe: gatys}, then: {histori: 3}}]\n", ["when[0].then.histori", "did you mean `history`"]),
        (HEAD + "when: [{if: {recipe: gatys}, then: {history: [3, x]}}]\n", ["when[0].then.history[1]", "'x' is not allowed"]),
        (HEAD + "when: [{if: {recipe: gatys}, then: {style: s.png}}]\n",
         ["when[0].then.style", "cannot be conditional", "`zip` or `exclude`"]),
        (HEAD + "parameters: {tv: [0, 1]}\nzip: [content, tv]\nwhen: [{if: {size: 9}, then: {tv: 3}}]\n",
         ["line 6, when[0].if.size", "9 is not allowed"]),
        (HEAD + "parameters: {tv: [0, 1]}\nzip: [content, tv]\nwhen: [{if: {size: 99}, then: {tv: 3}}]\n",
         ["line 6, when[0].then.tv", "moves together with others (`zip`)"]),
        (HEAD + "when:\n- {if: {tv: 1}, then: {beta: 3}}\n- {if: {beta: 3}, then: {tv: 1}}\n", ["line 5, when[0]", "circle"]),
        (HEAD + "when: {if: {tv: 1}, then: {tv: 3}}\n", ["line 4, when[0]", "circle"]),
        (HEAD + "when: {if: {recipe: {min: 3}}, then: {tv: 3}}\n", ["when[0].if.recipe", "recipe is no number"]),
        (HEAD + "when: {if: {tv: {min: x}}, then: {tv: 3}}\n", ["when[0].if.tv.min", "'x' is not allowed"]),
        (HEAD + "when: {if: {tv: []}, then: {beta: 3}}\n", ["when[0].if.tv", "the list is empty"]),
        # exclude
        (HEAD + "exclude: 3\n", ["line 4, exclude[0]", "3 is not allowed", "a list of values or {min: a, max: b}"]),
        (HEAD + "exclude: [{}]\n", ["exclude[0]", "{} is not allowed"]),
        (HEAD + "exclude: [{contents: a.png}]\n", ["exclude[0].contents", "did you mean `content`"]),
        (HEAD + "exclude: [{content: c.png}]\n", ["exclude[0].content", "there is no file 'c.png'"]),
        (HEAD + "exclude: [{content: t.png}]\n", ["exclude[0].content", "'t.png' is none of this sweep's: a.png, b.png."]),
        (HEAD + "exclude: [{content: 3}]\n", ["exclude[0].content", "3 is not allowed", "by its name or its path"]),
        (HEAD + "exclude: [{style: [s.png, t.png]}]\n",
         ["exclude[0].style[1]", "'t.png' is none of this sweep's: s.png, 0.7 s.png + 0.3 t.png."]),
        (HEAD + "exclude: [{style: {s.png: 1, t.png: 1}}]\n", ["exclude[0].style", "is none of this sweep's"]),
        (HEAD + "exclude: [{style: 3}]\n", ["exclude[0].style", "3 is not allowed"]),
        (HEAD + "exclude: [{content: [a.png, b.png]}]\n", ["line 4, exclude", "no combination is left"]),
        # draws
        (HEAD + "method: random\n", ["line 4, method", "say how many by `runs`"]),
        (HEAD + "method: random\nruns: 0\n", ["line 5, runs", "0 is not allowed"]),
        (HEAD + "method: sobol\nruns: 2000000\n", ["line 5, runs", "2000000 is not allowed", "1000000"]),
        (HEAD + "method: random\nruns: 3\nsearch_seed: -1\n", ["line 6, search_seed", "-1 is not allowed"]),
        (HEAD + "runs: 3\n", ["line 4, runs", "a grid tries every combination", "random or sobol"]),
        (HEAD + "search_seed: 3\n", ["line 4, search_seed", "a grid tries every combination"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 3, count: 3}}\n",
         ["beta.count", "count spaces the values of a grid", "`runs` says how many"]),
        (DRAWN + "parameters: {beta: {min: -1, max: 3}}\n", ["parameters.beta.min", "-1.0 is not allowed", "zero or more"]),
        (DRAWN + "parameters: {size: {min: 64, max: 9000}}\n", ["parameters.size.max", "9000 is not allowed", "16 to 8192"]),
        (DRAWN + "parameters: {beta: {min: 0, max: 3, distribution: q_log_uniform_values, q: 1}}\n", ["beta.min", "above zero for q_log"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 3, distribution: log_uniform}}\n", ["distribution", "exponents", "log_uniform_values"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 3, distribution: q_uniform}}\n", ["parameters.beta.q", "None is not allowed", "q: 5"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 3, distribution: q_uniform, q: 0}}\n", ["parameters.beta.q", "0 is not allowed"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 3, q: 1}}\n", ["parameters.beta.q", "q belongs to the distributions"]),
        (DRAWN + "parameters: {size: {min: 64, max: 128, distribution: q_uniform, q: 2.5}}\n",
         ["size.q", "2.5 is not allowed", "whole number"]),
        (DRAWN + "parameters: {beta: {min: 5, max: 7, distribution: q_uniform, q: 4}}\n", ["parameters.beta", "no multiple of 4", "widen"]),
        (DRAWN + "parameters: {beta: {min: 1.2, max: 1.8, distribution: int_uniform}}\n", ["parameters.beta", "no whole number lies"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 1e300, distribution: q_uniform, q: 1e-300}}\n", ["parameters.beta.q", "too small"]),
        (DRAWN + "parameters: {beta: {min: 1, max: 3, distribution: normal}}\n",
         ["'normal' is not allowed", "uniform, log_uniform_values"]),
        (DRAWN + "parameters: {beta: {min: 1}}\n", ["parameters.beta", "{min: a, max: b, distribution", "got the keys min"]),
        # probabilities
        (HEAD + "parameters: {beta: {values: [1, 2], probabilities: [1, 1]}}\n", ["beta.probabilities", "a grid tries every value"]),
        (DRAWN + "parameters: {beta: {values: [1, 2], probabilities: [1]}}\n",
         ["beta.probabilities", "[1] is not allowed", "the 2 values"]),
        (DRAWN + "parameters: {beta: {values: [1, 2], probabilities: 1}}\n", ["beta.probabilities", "1 is not allowed"]),
        (DRAWN + "parameters: {beta: {values: [1, 2], probabilities: [1, -1]}}\n", ["beta.probabilities", "zero or more"]),
        (DRAWN + "parameters: {beta: {values: [1, 2], probabilities: [0, 0]}}\n", ["beta.probabilities", "one is above zero"]),
        (DRAWN + "parameters: {beta: {probabilities: [0, 0]}}\n", ["parameters.beta", "got the keys probabilities"]),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_with_line_key_value_and_remedy(folder: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, folder)
    message = str(caught.value)
    assert message.startswith("s.yaml, line ") and "\n" not in message
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize(
    ("entry", "left"),
    [("{content: a.png}", 2), ("{content: ./a.png}", 2), ("{content: '[ab].png', style: s.png}", 2), ("{style: s.png}", 2),
     ("{style: 0.7 s.png + 0.3 t.png}", 2), ("{style: {s.png: 7, t.png: 3}, content: b.png}", 3)],
)  # fmt: skip
def test_pictures_are_told_by_name_path_pattern_or_blend(folder: Path, entry: str, left: int) -> None:
    assert parse(HEAD + f"exclude: {entry}\n", folder).points() == left


@pytest.mark.parametrize("key", ["zip", "when", "exclude"])
def test_a_list_with_nothing_in_it_is_none(folder: Path, key: str) -> None:
    assert parse(HEAD + f"{key}:\n", folder).points() == parse(HEAD + f"{key}: []\n", folder).points() == 4

"""The values that a parameter takes: single ones, lists and ranges, and what is refused, by file, line, key, value and remedy."""

import itertools
import math
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.axes import MAX_COUNT, PARAMETERS, Axis, read_parameters
from sweep.combination import LayerSet, Settings
from sweep.errors import SpecError
from sweep.ranges import Range
from sweep.transfer.controls import Stop
from sweep.transfer.presets import DEFAULT_LAYER_SET, GATYS, LAYER_SETS, PYRAMID
from sweep.transfer.recipe import NUMBERS
from sweep.yaml_file import YamlFile


def axes_of(text: str, folder: Path = Path()) -> dict[str, Axis]:
    file = YamlFile(text, "s.yaml")
    return read_parameters(file, file.data.get("parameters", {}), file.data.get("settings", {}), folder)


def values_of(name: str, written: str) -> tuple[Any, ...]:
    return axes_of(f"parameters:\n  {name}: {written}\n")[name].values


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        axes_of(text)
    message = str(caught.value)
    assert message.startswith("s.yaml, line ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("written", ["{value: 1e5}", "{values: [1e5]}", "[1e5]", "1e5", "100000", "{min: 1e5, max: 1e5, count: 3}"])
def test_one_value_may_be_written_in_many_ways(written: str) -> None:
    assert values_of("beta", written) == (1e5,)
    assert type(values_of("beta", written)[0]) is float


def test_values_keep_their_order_and_stand_once() -> None:
    assert values_of("beta", "[30, 1, 30.0, 3e1, 2]") == (30.0, 1.0, 2.0)
    assert values_of("layers", "[shallow, gatys, shallow]") == (
        LayerSet.of(*LAYER_SETS["shallow"], "shallow"), LayerSet.of(*LAYER_SETS["gatys"], "gatys"),
    )  # fmt: skip


def test_parameters_that_are_not_given_take_one_default_each() -> None:
    axes = axes_of("{}")
    assert set(axes) == set(PARAMETERS)
    assert {len(axis.values) for axis in axes.values()} == {1}
    assert (axes["network"].values, axes["alpha"].values, axes["steps"].values) == (("vgg19",), (1.0,), (None,))


@given(low=st.floats(1e-290, 1e290), factor=st.floats(1, 1e9), count=st.integers(2, 60))
def test_a_logarithmic_range_has_exact_ends_and_equal_ratios(low: float, factor: float, count: int) -> None:
    high = min(low * factor, 1e300)
    found = values_of("beta", f"{{min: {low!r}, max: {high!r}, count: {count}, distribution: log_uniform_values}}")
    assert (found[0], found[-1]) == (low, high)
    assert len(found) == count or high / low < 1 + 1e-7
    expected = math.log(high / low) / (count - 1)
    if len(found) == count:
        for first, second in itertools.pairwise(found):
            assert math.log(second / first) == pytest.approx(expected, abs=2e-9)


def test_a_logarithmic_range_over_all_numbers_does_not_overflow() -> None:
    found = values_of("beta", "{min: 1e-300, max: 1e300, count: 5, distribution: log_uniform_values}")
    assert found == pytest.approx((1e-300, 1e-150, 1.0, 1e150, 1e300), rel=1e-11)


def test_a_logarithmic_range_hits_the_round_numbers_between() -> None:
    assert values_of("beta", "{min: 1, max: 10000, count: 5, distribution: log_uniform_values}") == (1.0, 10.0, 100.0, 1000.0, 10000.0)


@given(low=st.floats(0, 1e300), high=st.floats(0, 1e300), count=st.integers(2, 60))
def test_a_uniform_range_has_exact_ends_and_equal_steps(low: float, high: float, count: int) -> None:
    low, high = min(low, high), max(low, high)
    found = values_of("beta", f"{{min: {low!r}, max: {high!r}, count: {count}}}")
    assert (found[0], found[-1]) == (low, high)
    if len(found) == count:
        for index, value in enumerate(found):
            assert value == pytest.approx(low * (1 - index / (count - 1)) + high * (index / (count - 1)), rel=1e-9, abs=1e-300)


def test_a_range_of_whole_numbers_is_rounded_and_loses_its_doubles() -> None:
    assert values_of("size", "{min: 64, max: 512, count: 3}") == (64, 288, 512)
    assert values_of("seed", "{min: 0, max: 2, count: 9}") == (0, 1, 2)
    assert {type(value) for value in values_of("size", "{min: 64, max: 512, count: 3}")} == {int}


def test_layers_are_a_name_or_lists_or_weights_and_a_side_left_out_is_the_default() -> None:
    written = values_of("layers", "{content: relu4_2, style: {relu1_1: 1, relu3_1: 3}}")[0]
    assert written.content == (("relu4_2", 1.0),)
    assert written.style == (("relu1_1", 0.25), ("relu3_1", 0.75))
    only_content = values_of("layers", "{values: [{content: [conv4_2, relu3_1]}]}")[0]
    assert only_content.content == (("conv4_2", 0.5), ("relu3_1", 0.5))
    assert only_content.style == values_of("layers", DEFAULT_LAYER_SET)[0].style


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # misspelt and misplaced keys
        ("parameters: {betta: 1}", ["line 1", "parameters.betta", "no such parameter", "did you mean `beta`", "alpha"]),
        ("settings:\n  sizes: 3", ["line 2", "settings.sizes", "did you mean `size`", "Allowed: network"]),
        ("settings: {zzz: 3}", ["settings.zzz", "no such parameter. Allowed: network, weights"]),
        ("parameters: {beta: 1}\nsettings:\n  beta: 2", ["line 3", "settings.beta", "under `parameters` too"]),
        # values that are no weights
        ("parameters: {beta: -1}", ["line 1", "parameters.beta", "-1 is not allowed", "finite number, zero or more"]),
        ("parameters:\n  beta: [1,\n    .nan]", ["line 3", "parameters.beta[1]", "nan is not allowed", "finite"]),
        ("parameters: {beta: {values: [1, .inf]}}", ["parameters.beta.values[1]", "inf is not allowed"]),
        ("parameters: {beta: {value: 1e999}}", ["parameters.beta.value", "inf is not allowed"]),
        ("parameters: {alpha: true}", ["parameters.alpha", "True is not allowed", "finite number"]),
        ("parameters: {alpha: '1'}", ["parameters.alpha", "'1' is not allowed", "finite number"]),
        ("parameters: {alpha: }", ["parameters.alpha", "None is not allowed", "finite number"]),
        ("parameters: {tv: [0, -0.5]}", ["parameters.tv[1]", "-0.5 is not allowed"]),
        (f"parameters: {{alpha: 1{'0' * 400}}}", ["parameters.alpha", "000... is not allowed", "finite number"]),
        (f"parameters: {{alpha: 0x1{'0' * 9000}}}", ["parameters.alpha", "thousands of digits is not allowed", "finite number"]),
        (f"parameters: {{alpha: 1{'0' * 5000}}}", ["parameters.alpha", "cannot be read"]),
        (f"parameters: {{alpha: {{min: 1, max: 1{'0' * 400}, count: 2}}}}", ["parameters.alpha.max", "finite number"]),
        # empty
        ("parameters: {beta: []}", ["line 1", "parameters.beta", "empty", "at least one value"]),
        ("parameters: {beta: {values: []}}", ["parameters.beta", "empty"]),
        # shapes
        ("parameters: {beta: {values: 3}}", ["parameters.beta", "{values: [x, y]}"]),
        ("parameters: {beta: {value: 1, values: [2]}}", ["parameters.beta", "got the keys value, values"]),
        ("parameters: {beta: {min: 1, count: 3}}", ["parameters.beta", "{min: a, max: b", "got the keys count, min"]),
        ("parameters: {beta: {min: 1, max: 2, count: 3, step: 1}}", ["parameters.beta", "got the keys count, max, min, step"]),
        ("parameters: {beta: {}}", ["parameters.beta", "{} is not allowed"]),
        ("parameters: {beta: [[1, 2]]}", ["parameters.beta[0]", "[1, 2] is not allowed"]),
        # ranges
        ("parameters: {beta: {min: 1, max: 2}}", ["parameters.beta: a range in a grid needs `count`, how many values it has"]),
        ("parameters: {beta: {min: 1, max: 2, count: 0}}", ["parameters.beta.count", "0 is not allowed", "from 1 to 10,000"]),
        (f"parameters: {{beta: {{min: 1, max: 2, count: {MAX_COUNT + 1}}}}}", ["parameters.beta.count", "10001 is not allowed"]),
        ("parameters: {beta: {min: 1, max: 2, count: 2.5}}", ["parameters.beta.count", "2.5 is not allowed"]),
        ("parameters: {beta: {min: 1, max: 2, count: true}}", ["parameters.beta.count", "True is not allowed"]),
        ("parameters: {beta: {min: 3, max: 2, count: 2}}", ["parameters.beta.min", "3 is not allowed", "not be above max", "max is 2"]),
        ("parameters: {beta: {min: a, max: 2, count: 2}}", ["parameters.beta.min", "'a' is not allowed", "finite number"]),
        ("parameters: {beta: {min: 0, max: 2, count: 2, distribution: log_uniform_values}}",
         ["parameters.beta.min", "0 is not allowed", "above zero"]),
        ("parameters: {beta: {min: -1, max: 2, count: 2}}", ["parameters.beta", "-1.0 is not allowed", "zero or more"]),
        ("parameters: {beta: {min: 1, max: 2, count: 2, distribution: normal}}",
         ["distribution", "'normal' is not allowed", "uniform, log_uniform_values"]),
        ("parameters: {network: {min: 1, max: 2, count: 2}}", ["parameters.network", "no number", "{values: [...]}"]),
        # whole numbers
        ("settings: {size: 15}", ["settings.size", "15 is not allowed", "from 16 to 8192"]),
        ("settings: {size: 100000}", ["settings.size", "100000 is not allowed"]),
        ("settings: {size: 99.5}", ["settings.size", "99.5 is not allowed", "whole number"]),
        ("settings: {steps: 0}", ["settings.steps", "0 is not allowed", "at least 1"]),
        ("settings: {seed: -1}", ["settings.seed", "-1 is not allowed"]),
        ("settings: {seed: 9223372036854775808}", ["settings.seed", "is not allowed"]),
        ("settings: {seed: .nan}", ["settings.seed", "nan is not allowed"]),
        ("settings: {steps: [1]}", ["settings.steps", "[1] is not allowed"]),
        ("settings: {later_steps: 0}", ["settings.later_steps", "0 is not allowed", "whole number from 1 to 1,000,000", "leave it out"]),
        ("settings: {history: 2.5}", ["settings.history", "2.5 is not allowed", "steps that L-BFGS remembers"]),
        ("settings: {smallest: 8}", ["settings.smallest", "8 is not allowed", "from 16"]),
        ("settings: {learning_rate: 2}", ["settings.learning_rate", "2 is not allowed", "from 1e-06 to 1.0"]),
        ("settings: {averaging: 1}", ["settings.averaging", "1 is not allowed", "0 for none"]),
        ("settings: {momentum: x}", ["settings.momentum", "'x' is not allowed", "Adam's decay"]),
        ("parameters: {factor: {min: 1, max: 2, count: 2}}", ["parameters.factor", "1.0 is not allowed", "from 1.05"]),
        # early stops
        ("settings: {stop: on}", ["settings.stop", "True is not allowed", "{below: 0.5%, per: 25 steps}", "or off"]),
        ("settings: {stop: 25}", ["settings.stop", "25 is not allowed", "{below: 0.5%, per: 25 steps}"]),
        ("settings: {stop: {below: 0.5%}}", ["settings.stop", "is not allowed", "per: 25 steps"]),
        ("settings: {stop: {below: 0.5%, per: 25, at: 3}}", ["settings.stop", "is not allowed"]),
        ("settings: {stop: {below: 0.5, per: 25 scales}}", ["settings.stop", "stop.per is '25 scales'"]),
        ("settings: {stop: {below: half, per: 25}}", ["settings.stop", "stop.below is 'half'"]),
        ("settings: {stop: {below: -0.5%, per: 25}}", ["settings.stop", "stop.below is '-0.5%'"]),
        ("settings: {stop: {below: 100%, per: 25}}", ["settings.stop", "stop.below must be a fraction between 0 and 1"]),
        ("settings: {stop: {below: .nan, per: 25}}", ["settings.stop", "stop.below is nan"]),
        ("settings: {stop: {below: 0.1, per: 0}}", ["settings.stop", "stop.per must be at least 1"]),
        ("settings: {stop: {below: 0.1, per: 1e300}}", ["settings.stop", "stop.per is 1e+300"]),
        ("settings: {stop: {below: true, per: 25}}", ["settings.stop", "stop.below is True"]),
        ("parameters: {stop: [off, {below: 2, per: 3}]}", ["parameters.stop[1]", "stop.below must be"]),
        ("parameters: {stop: {min: 1, max: 2, count: 2}}", ["parameters.stop", "no number", "{values: [...]}"]),
        # choices
        ("settings: {size_by: areas}", ["settings.size_by", "did you mean 'area'", "long_side"]),
        ("settings: {dtype: float16}", ["settings.dtype", "'float16' is not allowed", "float32, bfloat16"]),
        ("parameters: {tv: [0, 1e30]}", ["parameters.tv[1]: 1e+30 is not allowed", "at most 1e12"]),
        ("settings: {network: vgg91}", ["settings.network", "'vgg91' is not allowed", "did you mean 'vgg19'", "vgg16-hed"]),
        ("settings: {recipe: piramid}", ["settings.recipe", "'piramid' is not allowed", "did you mean 'pyramid'", "gatys"]),
        ("settings: {init: noisy}", ["settings.init", "'noisy' is not allowed", "did you mean 'noise'", "style_noise"]),
        ("settings: {network: [vgg19]}", ["settings.network", "['vgg19'] is not allowed", "choose one of"]),
        ("settings: {network: }", ["settings.network", "None is not allowed", "choose one of"]),
        ("settings: {weights: gone.pth}", ["settings.weights", "'gone.pth' is not allowed", "no such file"]),
        ("settings: {weights: ~nobody-here/w.pth}", ["settings.weights", "no such file"]),
        (f"settings: {{weights: {'w' * 5000}}}", ["settings.weights", "no such file"]),
        ('settings: {weights: "a\\0b"}', ["settings.weights", "no such file"]),
        # layers
        ("parameters: {layers: gatis}", ["parameters.layers", "'gatis' is not allowed", "did you mean 'gatys'", "shallow"]),
        ("parameters: {layers: [gatys, 3]}", ["parameters.layers[1]", "3 is not allowed", "give one of"]),
        ("parameters: {layers: {contents: [relu4_2]}}", ["parameters.layers", "is not allowed", "{content: [relu4_2]"]),
        ("parameters: {layers: {style: []}}", ["parameters.layers", "is not allowed", "give one of"]),
        ("parameters: {layers: {style: {}}}", ["parameters.layers", "is not allowed", "give one of"]),
        ("parameters: {layers: {style: [relu1_1, relu1_1]}}", ["parameters.layers", "listed twice"]),
        ("parameters: {layers: {style: {relu1_1: -1}}}", ["parameters.layers", "weight of relu1_1 is -1", "zero or more"]),
        ("parameters: {layers: {style: {relu1_1: 0}}}", ["parameters.layers", "at least one weight must be above zero"]),
        ("parameters: {layers: {style: {relu1_1: .nan}}}", ["parameters.layers", "weight of relu1_1 is nan"]),
        ("parameters: {layers: {style: {relu1_1: true}}}", ["parameters.layers", "weight of relu1_1 is True"]),
        ("parameters: {layers: {style: {relu1_1: x}}}", ["parameters.layers", "weight of relu1_1 is 'x'"]),
        (f"parameters: {{layers: {{style: {{relu1_1: 1{'0' * 400}}}}}}}", ["parameters.layers", "weight of relu1_1", "finite number"]),
        ("parameters: {layers: {style: {relu1_1: 1e308, relu2_1: 1e308}}}", ["parameters.layers", "too large"]),
    ],
)  # fmt: skip
def test_what_is_refused_is_named_with_line_key_value_and_remedy(text: str, parts: list[str]) -> None:
    message = refusal(text)
    assert [part for part in parts if part not in message] == []
    assert len(message) < 600


def test_a_whole_number_may_be_written_as_a_float() -> None:
    assert values_of("size", "[5.12e2, 64.0]") == (512, 64)


@pytest.mark.parametrize("written", ["off", "'off'", "false", "null", "", "~"])
def test_a_stop_that_is_off_is_none_however_yaml_reads_the_word(written: str) -> None:
    assert axes_of(f"settings:\n  stop: {written}\n")["stop"].values == (None,)
    assert values_of("stop", f"{{value: {written}}}") == (None,)


@pytest.mark.parametrize(
    "written",
    ["{below: 0.5%, per: 25 steps}", "{below: 0.5 %, per: 25}", "{below: 0.005, per: 25}", "{per: '25', below: 5e-3}",
     "{below: '0.50%', per: 25.0}"],
)  # fmt: skip
def test_a_stop_may_be_written_in_many_ways(written: str) -> None:
    assert values_of("stop", written) == (Stop(below=0.005, per=25),)
    assert values_of("stop", f"{{values: [off, {written}]}}") == (None, Stop(below=0.005, per=25))


@given(st.decimals("0.0001", "99.9999", places=4))
def test_a_percentage_is_its_fraction_to_the_last_digit(percent: Decimal) -> None:
    assert values_of("stop", f"{{below: {percent:f}%, per: 1 step}}") == (Stop(below=float(percent / 100), per=1),)


def test_numbers_of_the_recipes_are_swept_like_any_other_and_none_is_the_recipe_s_own() -> None:
    assert values_of("learning_rate", "[null, 0.05, 5e-2, 1]") == (None, 0.05, 1.0)
    assert values_of("smallest", "{min: 32, max: 128, count: 3, distribution: log_uniform_values}") == (32, 64, 128)
    assert values_of("momentum", "{min: 0, max: 0.9, count: 3}") == (0.0, 0.45, 0.9)
    assert [axes_of("{}")[name].values for name in NUMBERS] == [(None,)] * len(NUMBERS)
    assert {name: PARAMETERS[name].numeric for name in NUMBERS} == {name: number.kind for name, number in NUMBERS.items()}


def test_every_setting_is_a_parameter_of_the_file() -> None:
    settings = {field.name for field in fields(Settings)} - {"network_hash"} | {"weights"}
    assert set(PARAMETERS) == settings | {"layers", "alpha", "beta"}
    assert {name: axes_of("{}")[name].values for name in settings - {"weights"}} == {
        field.name: (field.default,) for field in fields(Settings) if field.name != "network_hash"
    }


def test_own_weights_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").touch()
    assert axes_of("settings: {weights: mine.safetensors}", tmp_path)["weights"].values == (tmp_path / "mine.safetensors",)


def test_the_readme_tells_every_parameter_and_the_recipes_own_numbers() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines() if line.startswith("| `")]
    told = {name: cells for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}
    assert set(PARAMETERS) - set(told) == set()
    for name, number in NUMBERS.items():
        own = getattr(PYRAMID if number.recipe == "pyramid" else GATYS, name)
        names = re.findall(r"`(\w+)`", told[name][0])
        said = told[name][2].split(", ")[names.index(name)]
        assert told[name][1] == f"`{number.recipe}`"
        assert said == "half of `steps`" if own is None else float(said) == pytest.approx(own, rel=1e-3)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("{min: 1, max: 4, distribution: int_uniform}", (1.0, 2.0, 3.0, 4.0)),
        ("{min: 0.5, max: 3.5, distribution: int_uniform}", (1.0, 2.0, 3.0)),
        ("{min: 1, max: 100, count: 3, distribution: int_uniform}", (1.0, 50.0, 100.0)),
        ("{min: 0.1, max: 0.5, q: 0.1, distribution: q_uniform}", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("{min: 1, max: 20, q: 5, distribution: q_uniform}", (5.0, 10.0, 15.0, 20.0)),
        ("{min: 5, max: 100, q: 5, count: 4, distribution: q_log_uniform_values}", (5.0, 15.0, 35.0, 100.0)),
        ("{min: 1, max: 100, count: 3, distribution: inv_log_uniform_values}", (1.0, 10.0, 100.0)),
        ("{value: 3, distribution: constant}", (3.0,)),
        ("{values: [3, 4], distribution: categorical}", (3.0, 4.0)),
    ],
)
def test_the_other_words_of_w_and_b_mean_what_they_mean_there(written: str, found: tuple[float, ...]) -> None:
    assert values_of("beta", written) == found


@given(low=st.floats(1e-6, 1e6), factor=st.floats(1, 1e6), share=st.floats(0, 1, exclude_max=True), log=st.booleans())
def test_a_share_of_a_range_is_the_value_with_so_much_of_it_below(low: float, factor: float, share: float, log: bool) -> None:
    high = low * factor
    value = Range(low=low, high=high, logarithmic=log).at(share)
    assert low <= value <= high
    exact = low * factor**share if log else low + share * (high - low)
    assert value == pytest.approx(exact, rel=1e-5)


@given(
    first=st.integers(-50, 50),
    many=st.integers(1, 40),
    quantum=st.sampled_from([1, 5, 0.1, 0.25, 3e-4]),
    share=st.floats(0, 1, exclude_max=True),
)
def test_every_multiple_has_an_equal_share_of_a_range(first: int, many: int, quantum: float, share: float) -> None:
    span = Range(low=first * quantum, high=(first + many - 1) * quantum, quantum=quantum)
    assert len(span.every()) == span.multiples() == many
    assert span.every() == pytest.approx([(first + index) * quantum for index in range(many)])
    assert span.at(share) == span.every()[math.floor(share * many)]

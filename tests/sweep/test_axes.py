"""The values that a parameter takes: single ones, lists and ranges, and what is refused, by file, line, key, value and remedy."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.axes import MAX_COUNT, PARAMETERS, Axis, read_parameters
from sweep.combination import LayerSet
from sweep.errors import SpecError
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS
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
        ("parameters: {beta: {min: 1, max: 2}}", ["parameters.beta.count", "None is not allowed", "from 1 to 10,000"]),
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
        # choices
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


def test_own_weights_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").touch()
    assert axes_of("settings: {weights: mine.safetensors}", tmp_path)["weights"].values == (tmp_path / "mine.safetensors",)

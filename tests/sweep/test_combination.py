"""Which combinations share a run, and which never may: run keys, normalised weights, and their way through JSON."""

import json
import math
import os
import random
import subprocess
import sys
from dataclasses import asdict, fields, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.combination import (
    Combination,
    LayerSet,
    RunSettings,
    Settings,
    canonical_json,
    normalised_ratio,
    normalised_tv,
    normalised_weights,
    round_significant,
    run_key,
)
from sweep.keys import Keys
from sweep.transfer.controls import Stop

ROOT = Path(__file__).parents[2]
LAYERS = LayerSet.of({"relu4_2": 1}, {"relu1_1": 1, "relu2_1": 3}, "mine")


def combination(**changed: Any) -> Combination:
    fields: dict[str, Any] = {"content": "c" * 64, "style": (("a" * 64, 1.0),), "alpha": 1.0, "beta": 30.0, "layers": LAYERS}
    fields |= {"settings": Settings(network="vgg16-hed", network_hash="h", size=256)}
    return Combination(**(fields | changed))


def key_of(**changed: Any) -> str:
    return run_key(combination(**changed).run_settings())


def with_settings(**changed: Any) -> str:
    return key_of(settings=replace(combination().settings, **changed))


weights = st.floats(min_value=1e-60, max_value=1e60) | st.integers(1, 10**9) | st.decimals("0.001", "1000", places=3).map(float)
factors = (
    st.floats(min_value=1e-30, max_value=1e30) | st.integers(-90, 90).map(lambda n: 2.0**n) | st.integers(-25, 25).map(lambda n: 10.0**n)
)
short_numbers = st.builds(lambda digits, power: float(f"{digits}e{power}"), st.integers(1, 99_999), st.integers(-12, 12))


@given(alpha=short_numbers, beta=short_numbers, factor=factors)
def test_equal_ratios_of_plain_numbers_give_the_same_run_bit_for_bit(alpha: float, beta: float, factor: float) -> None:
    first = combination(alpha=alpha, beta=beta).run_settings()
    second = combination(alpha=alpha * factor, beta=beta * factor).run_settings()
    assert (first.alpha.hex(), first.beta.hex()) == (second.alpha.hex(), second.beta.hex())
    assert run_key(first) == run_key(second)


@given(alpha=weights, beta=weights, power=st.integers(-60, 60))
def test_a_power_of_two_times_both_weights_changes_nothing(alpha: float, beta: float, power: int) -> None:
    assert normalised_ratio(alpha, beta) == normalised_ratio(alpha * 2.0**power, beta * 2.0**power)


@pytest.mark.parametrize("denominator", [2**15, 2**16, 2**17])
@pytest.mark.parametrize("numerator", [1, 3, 6, 12, 30])
@pytest.mark.parametrize("scale", [0.1, 0.7, 1.1, 3.3, 1e5])
def test_a_ratio_half_way_between_two_roundings_is_rounded_alike_however_it_is_written(
    numerator: int, denominator: int, scale: float
) -> None:
    """3 / 32768 = 9.155273437|5e-05: the last digit of its quotient by scaled weights must not decide."""
    assert normalised_ratio(denominator, numerator) == normalised_ratio(denominator * scale, numerator * scale)


@given(alpha=weights, beta=weights)
def test_the_normalised_weights_keep_the_ratio_to_nine_digits_and_sum_to_one(alpha: float, beta: float) -> None:
    a, b = normalised_ratio(alpha, beta)
    assert a + b == pytest.approx(1, abs=1e-15)
    true = Fraction(beta) / (Fraction(alpha) + Fraction(beta))
    assert abs(Fraction(b) - true) <= true * Fraction(1, 10**9)


@given(alpha=st.integers(1, 10**6), beta=st.integers(1, 10**6))
def test_whole_numbers_and_floats_are_the_same_weights(alpha: int, beta: int) -> None:
    assert key_of(alpha=alpha, beta=beta) == key_of(alpha=float(alpha), beta=float(beta))


def test_different_ratios_differ_even_in_the_ninth_digit() -> None:
    assert key_of(beta=30.0) != key_of(beta=30.0000001)


def test_texture_and_reconstruction_are_legitimate_and_different() -> None:
    assert normalised_ratio(0, 5) == normalised_ratio(0.0, 1e9) == (0.0, 1.0)
    assert normalised_ratio(5, 0) == normalised_ratio(1e-9, 0) == (1.0, 0.0)
    assert key_of(alpha=0) != key_of(beta=0)


def test_minus_zero_is_zero() -> None:
    assert key_of(beta=-0.0) == key_of(beta=0.0)
    assert key_of(alpha=-0.0) == key_of(alpha=0.0)
    assert with_settings(tv=-0.0) == with_settings(tv=0.0)
    assert math.copysign(1, round_significant(-0.0)) == 1


@pytest.mark.parametrize(
    ("alpha", "beta"),
    [(-1, 1), (1, -1), (math.nan, 1), (1, math.nan), (math.inf, 1), (1, math.inf), (-math.inf, 1),
     (0, 0), (0.0, -0.0), (1e300, 1e-300), (1e-300, 1e300), (1, 1.7976931348623157e308)],
)  # fmt: skip
def test_weights_without_a_meaningful_ratio_are_refused(alpha: float, beta: float) -> None:
    with pytest.raises(ValueError, match=r"alpha|beta"):
        normalised_ratio(alpha, beta)
    with pytest.raises(ValueError, match=r"alpha|beta"):
        combination(alpha=alpha, beta=beta).run_settings()


@given(
    alpha=st.floats(allow_nan=True, allow_infinity=True),
    beta=st.floats(allow_nan=True, allow_infinity=True),
    tv=st.floats(0, 1e12) | st.floats(),
)
def test_any_three_numbers_give_finite_weights_or_a_value_error(alpha: float, beta: float, tv: float) -> None:
    try:
        run = combination(alpha=alpha, beta=beta, settings=Settings(tv=tv)).run_settings()
    except ValueError:
        return
    assert all(math.isfinite(value) and value >= 0 for value in (run.alpha, run.beta, run.tv))
    assert (run.alpha > 0, run.beta > 0, run.tv > 0) == (alpha > 0, beta > 0, tv > 0)
    run_key(run)  # canonical JSON refuses what is not finite


@pytest.mark.parametrize("tv", [-1.0, math.nan, math.inf])
def test_a_weight_of_total_variation_that_is_negative_or_not_finite_is_refused(tv: float) -> None:
    with pytest.raises(ValueError, match="tv"):
        normalised_tv(tv, 1, 1)


def test_total_variation_that_overflows_beside_tiny_weights_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="out of the range"):
        combination(alpha=1e-300, beta=1e-300, settings=Settings(tv=1e12)).run_settings()


@given(alpha=short_numbers, beta=short_numbers, tv=short_numbers, power=st.integers(-40, 40))
def test_total_variation_is_scaled_with_alpha_and_beta(alpha: float, beta: float, tv: float, power: int) -> None:
    plain = combination(alpha=alpha, beta=beta, settings=Settings(tv=tv)).run_settings()
    factor = 2.0**power
    scaled = combination(alpha=alpha * factor, beta=beta * factor, settings=Settings(tv=tv * factor)).run_settings()
    assert plain.tv == scaled.tv
    exact = Fraction(tv) / (Fraction(alpha) + Fraction(beta))
    assert abs(Fraction(plain.tv) - exact) <= exact * Fraction(1, 10**9)


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
shares = st.floats(min_value=1e-6, max_value=1e6)


@given(st.dictionaries(names, shares, min_size=1, max_size=12))
def test_normalising_twice_is_normalising_once(given_weights: dict[str, float]) -> None:
    once = normalised_weights(given_weights)
    assert normalised_weights(once) == once


@given(st.dictionaries(names, shares | st.just(0.0), min_size=1, max_size=12))
def test_normalised_weights_are_sorted_positive_and_in_proportion(given_weights: dict[str, float]) -> None:
    total = sum(map(Fraction, given_weights.values()))
    if total == 0:
        with pytest.raises(ValueError, match="above zero"):
            normalised_weights(given_weights)
        return
    found = normalised_weights(given_weights)
    assert [name for name, _ in found] == sorted(name for name, weight in given_weights.items() if weight > 0)
    for name, weight in found:
        exact = Fraction(given_weights[name]) / total
        assert abs(Fraction(weight) - exact) <= exact * Fraction(3, 10**8)  # within 1e-8 of sum 1 the weights stay as they are


@pytest.mark.parametrize(
    "refused",
    [{}, {"a": 0.0}, {"a": -1.0, "b": 2.0}, {"a": math.nan}, {"a": math.inf, "b": 1.0}, {"a": 1e308, "b": 1e308}, {"a": 0, "b": -0.0}],
)
def test_layer_and_style_weights_that_mean_nothing_are_refused(refused: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        normalised_weights(refused)


def test_a_weight_too_small_beside_the_others_to_be_a_number_is_dropped() -> None:
    assert normalised_weights({"a": 1e300, "b": 1e-300}) == (("a", 1.0),)


def test_the_order_in_which_layers_and_styles_are_written_does_not_matter() -> None:
    layers = {f"relu{block}_1": float(block) for block in range(1, 6)}
    chance = random.Random(0)
    keys = set()
    for _ in range(10):
        shuffled = chance.sample(sorted(layers.items()), len(layers))
        style = normalised_weights(chance.sample([("a" * 64, 0.7), ("b" * 64, 0.2), ("e" * 64, 0.1)], 3))
        keys.add(key_of(style=style, layers=LayerSet.of(dict(shuffled), dict(reversed(shuffled)), "x")))
    assert len(keys) == 1


def test_weights_of_equal_proportion_give_the_same_run() -> None:
    halves = LayerSet.of({"relu4_2": 0.5}, {"relu1_1": 0.25, "relu2_1": 0.75}, "another name")
    assert key_of(layers=halves) == key_of()


runs = st.builds(
    combination,
    alpha=short_numbers,
    beta=short_numbers,
    layers=st.builds(
        LayerSet.of,
        st.dictionaries(names, shares, min_size=1, max_size=4),
        st.dictionaries(names, shares, min_size=1, max_size=6),
    ),
    settings=st.builds(
        Settings, network=names, network_hash=names, recipe=names, size=st.integers(16, 8192), steps=st.none() | st.integers(1, 10**6),
        init=st.sampled_from(["content", "style_noise", "noise"]), seed=st.integers(0, 2**63 - 1), tv=st.just(0.0) | short_numbers,
        size_by=st.sampled_from(["long_side", "area"]), later_steps=st.none() | st.integers(1, 10**6),
        learning_rate=st.none() | st.floats(1e-6, 1), epsilon=st.none() | short_numbers, averaging=st.none() | st.floats(0, 0.9999),
        history=st.none() | st.integers(1, 1000), dtype=names,
        stop=st.none() | st.builds(Stop, below=st.floats(1e-9, 0.999), per=st.integers(1, 10**6)),
    ),
)  # fmt: skip


@given(runs)
def test_a_run_read_back_from_its_canonical_json_is_the_same_run(made: Combination) -> None:
    run = made.run_settings()
    back = RunSettings.from_canonical(json.loads(canonical_json(run.canonical())))
    assert back.canonical() == run.canonical()
    assert run_key(back) == run_key(run)
    assert (back.alpha.hex(), back.beta.hex(), back.tv.hex()) == (run.alpha.hex(), run.beta.hex(), run.tv.hex())
    assert (back.content, back.style, back.content_layers, back.style_layers) == (
        run.content,
        run.style,
        run.content_layers,
        run.style_layers,
    )
    assert replace(back.settings, seed=0) == replace(run.settings, seed=0, tv=run.tv)


def test_settings_at_their_neutral_value_are_not_in_the_key() -> None:
    plain = combination().run_settings().canonical()
    assert not {"tv", "steps", "init", "seed"} & set(plain)
    assert with_settings(tv=0.0, steps=None, init="content") == key_of()


def test_a_seed_counts_only_where_random_numbers_are_drawn() -> None:
    assert with_settings(seed=1) == with_settings(seed=2) == key_of()
    for init in ("noise", "style_noise"):
        assert with_settings(init=init, seed=1) != with_settings(init=init, seed=2)
        assert with_settings(init=init, seed=0) != key_of()


CHANGES = [
    {"content": "d" * 64},
    {"style": (("b" * 64, 1.0),)},
    {"style": (("a" * 64, 0.5), ("b" * 64, 0.5))},
    {"alpha": 2.0},
    {"beta": 31.0},
    {"layers": LayerSet.of({"relu4_1": 1}, {"relu1_1": 1, "relu2_1": 3})},
    {"layers": LayerSet.of({"relu4_2": 1}, {"relu1_1": 1, "relu2_1": 2})},
    {"layers": LayerSet.of({"relu4_2": 1}, {"relu1_1": 1, "relu3_1": 3})},
]
SETTINGS_CHANGES: list[dict[str, Any]] = [
    {"network": "vgg19"}, {"network_hash": "other"}, {"recipe": "gatys"}, {"size": 257}, {"steps": 10}, {"init": "noise"}, {"tv": 0.1},
    {"style_scale": 0.5}, {"pooling": "average"}, {"padding": "replicate"}, {"colors": "content"},
    {"style_loss": "moments"}, {"loss": "gatys"}, {"size_by": "area"}, {"dtype": "bfloat16"}, {"later_steps": 7}, {"learning_rate": 0.05},
    {"momentum": 0.5}, {"variance_decay": 0.9}, {"levels": 2}, {"epsilon": 1e-4}, {"averaging": 0.0}, {"smallest": 64}, {"factor": 2.0},
    {"history": 5}, {"stop": Stop(below=0.005, per=25)}, {"stop": Stop(below=0.005, per=26)}, {"stop": Stop(below=0.006, per=25)},
]  # fmt: skip


def test_whatever_changes_the_picture_changes_the_key() -> None:
    keys = [key_of(), *(key_of(**change) for change in CHANGES), *(with_settings(**change) for change in SETTINGS_CHANGES)]
    assert len(set(keys)) == 1 + len(CHANGES) + len(SETTINGS_CHANGES)


def test_every_setting_but_the_seed_is_among_the_changes_above() -> None:
    covered = {name for change in SETTINGS_CHANGES for name in change}
    assert covered == set(Settings.__dataclass_fields__) - {"seed"}


def test_what_the_user_called_the_layers_is_not_in_the_run_key_but_is_in_the_combination_key() -> None:
    renamed = replace(LAYERS, name="another")
    assert key_of(layers=renamed) == key_of()
    assert combination(layers=renamed).combination_key() != combination().combination_key()


def test_a_control_at_its_neutral_value_is_in_neither_key() -> None:
    neutral = {field.name: field.default for field in fields(Settings)}
    written = asdict(combination())["settings"]
    of_the_first_keys = ("network", "network_hash", "recipe", "size", "steps", "init", "seed", "tv")
    controls = [name for name in neutral if name not in of_the_first_keys]
    assert with_settings(**{name: neutral[name] for name in controls}) == key_of()
    assert combination().settings.departures() == {name: value for name, value in written.items() if value != neutral[name]}
    assert set(combination().run_settings().canonical()) & set(controls) == set()


def test_combinations_of_equal_ratio_stay_different_combinations() -> None:
    first, second = combination(alpha=1.0, beta=30.0), combination(alpha=2.0, beta=60.0)
    assert run_key(first.run_settings()) == run_key(second.run_settings())
    assert first.combination_key() != second.combination_key()


GOLDEN = {
    "plain": "r1-516098d903614606fe5810398c950c0f2cd0dc51",
    "everything": "r1-7661f225e8a577e55ec4d9c5249f72c5db221066",
    "texture": "r1-0d436d982864e5526ced3313d3d21341f0cf398b",
}
"""Never edit a key here: results in people's workspaces are found by them. A changed engine raises ENGINE_VERSION instead."""


def golden_runs() -> dict[str, Combination]:
    layers = LayerSet.of({"relu4_2": 1}, {f"relu{block}_1": 1 for block in range(1, 6)}, "gatys")
    plain = Combination(
        content="1" * 64, style=(("2" * 64, 1.0),), alpha=1.0, beta=100.0, layers=layers,
        settings=Settings(network="vgg19", network_hash="torchvision-sha256-dcbb9e9d", recipe="pyramid", size=512),
    )  # fmt: skip
    everything = replace(
        plain, alpha=3, style=normalised_weights({"2" * 64: 0.7, "3" * 64: 0.3}),
        settings=Settings(network="vgg16-hed", network_hash="é", recipe="gatys", size=96, steps=40, init="noise", seed=2**40, tv=0.1),
    )  # fmt: skip
    return {"plain": plain, "everything": everything, "texture": replace(plain, alpha=0.0, beta=1.0)}


def test_golden_run_keys() -> None:
    assert {name: run_key(made.run_settings()) for name, made in golden_runs().items()} == GOLDEN


GOLDEN_COMBINATIONS = {
    "plain": "c1-9f55a4b1d7d4a7e6911042dc38a0ea3eb53d33b2",
    "everything": "c1-e8a31f6d315c9aded60e9c2783d9eccf7c428803",
    "texture": "c1-0bb65b71bc11166e650d1c39bcde14ba52509c9e",
}


def test_golden_combination_keys() -> None:
    made = golden_runs()
    assert {name: one.combination_key() for name, one in made.items()} == GOLDEN_COMBINATIONS
    regions = ((("4" * 64), (("2" * 64, 1.0),)),)
    stopped = replace(made["everything"].settings, stop=Stop(below=0.005, per=25))
    with_regions = replace(made["everything"], regions=regions, settings=stopped)
    assert with_regions.combination_key() == "c1-98d7229efefbaeb8eeea026744a12f24385e9826"
    assert run_key(with_regions.run_settings()) == "r1-dc79d52aee3d50bdbcc68d69187716e80bcafd81"


regional = st.lists(st.tuples(st.sampled_from(["d" * 64, "e" * 64]), st.just((("a" * 64, 1.0),))), max_size=2).map(tuple)


@given(
    st.lists(st.tuples(runs, regional), min_size=1, max_size=4), st.lists(st.tuples(short_numbers, short_numbers), min_size=1, max_size=4)
)
def test_keys_made_together_are_those_made_one_by_one(
    made: list[tuple[Combination, tuple[Any, ...]]], weights_of: list[tuple[float, float]]
) -> None:
    keys = Keys()
    for alpha, beta in [*weights_of, (0, 1), (2, 0)]:
        for one, regions in made:  # neighbours share their settings and layers as objects
            neighbour = replace(one, alpha=alpha, beta=beta, regions=regions)
            assert keys.of(neighbour) == (neighbour.combination_key(), run_key(neighbour.run_settings()))


def test_a_key_does_not_depend_on_the_process_or_its_hash_seed() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_combination as t\n"
        "print({name: t.run_key(made.run_settings()) for name, made in t.golden_runs().items()})"
    )
    for seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.strip() == str(GOLDEN)


@given(st.floats(min_value=-1e308, max_value=1e308))
def test_rounding_keeps_ten_significant_digits(value: float) -> None:
    rounded = round_significant(value)
    assert round_significant(rounded) == rounded
    if value and abs(value) > 1e-290:
        assert abs(Decimal(rounded) - Decimal(value)) <= abs(Decimal(value)) * Decimal("5.1e-10")


def test_a_layer_set_without_a_name_is_called_after_its_layers() -> None:
    assert LayerSet.of({"relu4_2": 1}, {"relu2_1": 1, "relu1_1": 1}).name == "relu4_2 | relu1_1 relu2_1"
    assert LayerSet.of({"relu4_2": 5}, {"relu1_1": 2, "relu2_1": 6}).name == "relu4_2 | relu1_1:1 relu2_1:3"
    assert LayerSet.of({"relu4_2": 5}, {"relu1_1": 1}, "mine").name == "mine"


def test_a_layer_set_lists_each_of_its_layers_once() -> None:
    assert LayerSet.of({"relu4_2": 1, "relu1_1": 1}, {"relu2_1": 1, "relu1_1": 1}).layers() == ("relu1_1", "relu2_1", "relu4_2")

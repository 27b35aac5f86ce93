"""Names of layers, recipes, scales, costs: what the planner relies on without torch."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import InputError
from sweep.transfer.cost import peak_bytes, work
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS, NETWORKS, deepest_layer, layer_names
from sweep.transfer.recipe import CURVE_POINTS, Recipe, fitted, kept_steps


def test_vgg19_has_the_layers_of_the_paper_in_network_order() -> None:
    names = layer_names("vgg19")
    assert names[:5] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1")
    assert sum(name.startswith("conv") for name in names) == 16
    # torchvision's vgg19().features has 37 modules; relu4_2 is number 22 and relu5_1 number 29 there.
    assert len(names) == 37
    assert (names.index("relu4_2"), names.index("relu5_1")) == (22, 29)


def test_vgg16_has_13_convs_and_relu4_2_where_torchvision_has_it() -> None:
    names = layer_names("vgg16")
    assert (len(names), sum(name.startswith("conv") for name in names)) == (31, 13)
    assert names.index("relu4_2") == 20
    assert names == layer_names("vgg16-hed")


def test_every_layer_set_fits_every_network() -> None:
    assert DEFAULT_LAYER_SET in LAYER_SETS
    for content, style in LAYER_SETS.values():
        for network in NETWORKS:
            assert deepest_layer(network, content, style) in layer_names(network)
        assert all(weight > 0 for weight in [*content.values(), *style.values()])


def test_the_published_layer_sets_are_those_of_the_papers() -> None:
    content, style = LAYER_SETS["johnson"]
    assert (content, style) == ({"relu3_3": 1.0}, {"relu1_2": 1.0, "relu2_2": 1.0, "relu3_3": 1.0, "relu4_3": 1.0})
    content, style = LAYER_SETS["novak-nikulin"]
    relus = [name for name in layer_names("vgg16") if name.startswith("relu")]
    assert list(style) == relus and len(relus) == 13
    # w_l = 2^(D - d(l)): d counts from 1 to D.
    assert [style[name] for name in relus] == [2 ** (13 - depth) for depth in range(1, 14)]
    assert [len(LAYER_SETS[f"upto{depth}"][1]) for depth in range(1, 6)] == [1, 2, 3, 4, 5]


def test_an_unknown_layer_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(InputError, match=r"vgg16 has no layer relu3_4.*relu3_3"):
        deepest_layer("vgg16", {"relu4_2": 1.0}, {"relu3_4": 1.0})
    with pytest.raises(InputError, match="pool1"):
        deepest_layer("vgg16", {"pool1": 1.0})
    with pytest.raises(InputError, match="no network 'vgg20'"):
        layer_names("vgg20")


def test_scales_grow_by_sqrt_2_to_the_size_and_later_ones_take_half_the_steps() -> None:
    scales = Recipe(size=512, steps=100).scales(600, 800)
    assert [max(h, w) for h, w, _ in scales] == [128, 181, 256, 362, 512]
    assert [steps for *_, steps in scales] == [100, 50, 50, 50, 50]
    assert scales[-1][:2] == (384, 512)


def test_a_small_photograph_is_not_enlarged() -> None:
    assert Recipe(size=512).scales(60, 80)[-1][:2] == (60, 80)
    assert Recipe(name="gatys", size=512, steps=7).scales(60, 80) == [(60, 80, 7)]


def test_a_panorama_has_no_scale_that_is_too_thin_but_the_last() -> None:
    scales = Recipe(size=256).scales(500, 4000)
    assert [(h, w) for h, w, _ in scales] == [(32, 256)]


@given(st.integers(16, 5000), st.integers(16, 5000), st.integers(16, 2048), st.sampled_from(["pyramid", "gatys"]))
def test_scales_end_at_the_fitted_size_and_grow(height: int, width: int, size: int, name: str) -> None:
    scales = Recipe(name=name, size=size).scales(height, width)
    assert scales[-1][:2] == fitted(height, width, size)
    sides = [max(h, w) for h, w, _ in scales]
    assert sides == sorted(set(sides))
    assert all(h >= 1 and w >= 1 and steps >= 1 for h, w, steps in scales)


@given(st.integers(16, 4096), st.integers(1, 5000))
def test_a_curve_keeps_the_first_and_last_step_of_each_scale_and_about_200_in_all(size: int, steps: int) -> None:
    scales = Recipe(size=size, steps=steps).scales(size, size)
    kept = kept_steps(scales)
    assert sum(map(len, kept)) <= CURVE_POINTS
    for (*_, count), chosen in zip(scales, kept, strict=True):
        assert chosen[0] == 0 and chosen[-1] == count - 1
        assert chosen == sorted(set(chosen))


@pytest.mark.parametrize("wrong", [{"name": "adam"}, {"size": 8}, {"steps": 0}, {"init": "grey"}], ids=lambda wrong: next(iter(wrong)))
def test_a_wrong_recipe_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        Recipe(**wrong)


def test_work_of_one_vgg19_step_is_twice_the_published_forward_pass() -> None:
    # 94.7 GMAC: VGG-19 to relu5_1 at 512 x 512, added up by hand from the layers' shapes.
    forward = 0
    side, channels_in = 512, 3
    for convs, channels in zip((2, 2, 4, 4, 1), (64, 128, 256, 512, 512), strict=True):
        for _ in range(convs):
            forward += 9 * channels_in * channels * side**2
            channels_in = channels
        side //= 2
    grams = sum(c**2 * (512 // 2**i) ** 2 for i, c in enumerate((64, 128, 256, 512, 512)))
    one = work("vgg19", "relu5_1", (512, 512), Recipe(name="gatys", steps=1)) / 1.1
    assert forward == pytest.approx(94.7e9, rel=0.01)
    assert one == pytest.approx(2 * forward + 2 * grams, rel=1e-9)


def test_cost_grows_with_size_depth_and_steps() -> None:
    small = work("vgg16", "relu3_1", (256, 256), Recipe(size=256, steps=10))
    assert small < work("vgg16", "relu4_1", (256, 256), Recipe(size=256, steps=10))
    assert small < work("vgg16", "relu3_1", (512, 512), Recipe(size=512, steps=10))
    assert work("vgg16", "relu3_1", (256, 256), Recipe(size=256, steps=20)) == pytest.approx(2 * small)
    assert peak_bytes("vgg16", "relu4_2", (512, 512), Recipe()) > peak_bytes("vgg16", "relu4_2", (256, 256), Recipe(size=256))


def test_the_planner_s_modules_do_not_import_torch() -> None:
    code = (
        "import sys; import sweep.transfer.presets, sweep.transfer.curve, sweep.transfer.controls, "
        "sweep.transfer.cost, sweep.transfer.recipe, "
        "sweep.transfer.images; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("network", ["vgg16-hed", "vgg19"])
def test_the_memory_of_a_run_is_counted_layer_by_layer(network: str) -> None:
    """Every convolution's outputs and weights once, every pool's outputs with 8 bytes of index, the largest layer seven times."""
    outputs, pools, weights, side, channels_in = [], 0, 0, 64, 3
    for convs, channels in zip((2, 2, 3 if network == "vgg16-hed" else 4, 1), (64, 128, 256, 512), strict=True):
        for _ in range(convs):
            outputs.append(channels * side * side)
            weights += 9 * channels_in * channels
            channels_in = channels
        side //= 2
        pools += channels * side * side if channels < 512 else 0
    expected = 4 * (sum(outputs) + weights + 7 * max(outputs)) + 12 * pools + 8 * 4 * 3 * 64 * 64 + 15 * 2**20
    assert peak_bytes(network, "relu4_1", (64, 64), Recipe(size=64)) == pytest.approx(expected, rel=1e-9)
    lbfgs = peak_bytes(network, "relu4_1", (64, 64), Recipe(name="gatys", size=64, history=30))
    assert lbfgs - expected == pytest.approx((2 * 30 + 10 - 8) * 4 * 3 * 64 * 64, rel=1e-6)
    assert peak_bytes(network, "relu4_1", (512, 512), Recipe(), "bfloat16") < 0.8 * peak_bytes(network, "relu4_1", (512, 512), Recipe())

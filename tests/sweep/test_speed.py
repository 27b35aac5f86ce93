"""What a run takes by what was measured of a step."""

import random

import pytest

from sweep.speed import Curve, Measured, Speed, curves_of, makespan


def row(work: float = 1e9, seconds: float = 0.1, **fields: object) -> Measured:
    same = {
        "node": "here", "device": "cpu x86_64", "threads": 1, "network": "vgg19", "recipe": "pyramid", "dtype": "float32",
        "size": 128, "pack": 1, "seconds_fixed": 0.5, "peak_memory": 600_000_000,
    }  # fmt: skip
    return Measured(**{**same, **fields}, work=work, seconds_per_step=seconds)  # type: ignore[arg-type]


def test_a_step_that_was_measured_takes_what_was_measured() -> None:
    curve = Curve([row(1e9, 0.1), row(4e9, 0.3, seconds_fixed=0.7), row(16e9, 1.5, seconds_fixed=0.9)])
    assert curve.seconds([(200, 1e9), (100, 4e9)]) == pytest.approx(200 * 0.1 + 100 * 0.3 + 0.7)
    assert curve.seconds([(10, 16e9)]) == pytest.approx(15 + 0.9)


@pytest.mark.parametrize("power", [0.6, 1.0, 1.2])
def test_between_two_steps_a_power_of_the_work_is_met_exactly(power: float) -> None:
    curve = Curve([row(work, 1e-9 * work**power, seconds_fixed=0) for work in (1e9, 4e9, 16e9)])
    for work in (1.5e9, 3e9, 7e9, 15e9):
        assert curve.seconds([(1, work)]) == pytest.approx(1e-9 * work**power, rel=1e-6)


def test_beyond_what_was_measured_a_step_takes_time_by_its_work() -> None:
    curve = Curve([row(1e9, 0.1, seconds_fixed=0), row(4e9, 0.3, seconds_fixed=0)])
    assert curve.seconds([(1, 8e9)]) == pytest.approx(0.6)
    assert curve.seconds([(1, 5e8)]) == pytest.approx(0.05)


def test_what_a_run_needs_beside_its_steps_does_not_vanish_with_the_picture() -> None:
    curve = Curve([row(1e9, 0.0, seconds_fixed=0.5, peak_memory=500), row(4e9, 0.0, seconds_fixed=0.8, peak_memory=800)])
    assert curve.seconds([(1, 1e6)]) == pytest.approx(0.5)
    assert curve.seconds([(1, 6e9)]) == pytest.approx(1.0)
    assert (curve.memory([(1, 1e9)]), curve.memory([(1, 6e9)])) == (500, 1000)


def test_two_nodes_of_equal_work_count_as_their_mean() -> None:
    assert Curve([row(1e9, 0.1), row(1e9, 0.3)]).seconds([(10, 1e9)]) == pytest.approx(2.5)


def test_curves_are_those_of_this_node_and_of_as_many_threads() -> None:
    rows = [row(), row(node="there", seconds=9.0), row(threads=4, seconds=0.05), row(device="cuda H100", seconds=0.001), row(pack=4)]
    curves, node = curves_of(rows, on_gpu=False, threads=1, pack=1, here="here")
    assert node == "here"
    assert curves["vgg19", "pyramid", "float32"].seconds([(10, 1e9)]) == pytest.approx(1.5)
    assert curves_of(rows, on_gpu=False, threads=4, pack=1, here="here")[0]["vgg19", "pyramid", "float32"].seconds([(10, 1e9)]) == 1.0
    assert curves_of(rows, on_gpu=False, threads=2, pack=1, here="here") == ({}, "")
    assert curves_of(rows, on_gpu=False, threads=1, pack=1, here="elsewhere")[1] == "here, there"


def test_the_curve_is_that_of_the_pack_nearest_to_the_one_that_will_be_run() -> None:
    rows = [row(device="cuda H100", pack=pack, size=size, seconds=1 / (pack + size)) for pack in (1, 2, 4, 8) for size in (128, 256)]

    def pack_of(asked: int) -> int:
        return curves_of(rows, on_gpu=True, threads=1, pack=asked, here="here")[0]["vgg19", "pyramid", "float32"].pack

    assert [pack_of(asked) for asked in (1, 2, 3, 5, 8, 64)] == [1, 2, 4, 4, 8, 8]


def test_runs_that_share_a_gpu_take_it_in_turn() -> None:
    curves = {("vgg19", "pyramid", "float32"): Curve([row(seconds_fixed=0.0)])}
    speeds = [Speed(rate=1.0, slots=1, measured=False, curves=curves, gpus=gpus) for gpus in (0.0, 1.0, 0.5)]
    assert [speed.seconds(("vgg19", "pyramid", "float32"), [(10, 1e9)]) for speed in speeds] == pytest.approx([1.0, 1.0, 2.0])
    assert speeds[0].seconds(("vgg19", "gatys", "float32"), [(10, 1e9)]) == 1e10  # never measured: by the rate
    assert [speeds[0].basis(("vgg19", recipe, "float32")) for recipe in ("pyramid", "gatys")] == ["calibration", "guess"]


@pytest.mark.parametrize("seed", range(5))
def test_the_time_of_all_runs_is_that_of_workers_who_each_take_the_next(seed: int) -> None:
    chance = random.Random(seed)
    durations = [chance.uniform(1, 20) for _ in range(chance.randrange(40))]
    slots = chance.randrange(1, 9)
    busy_until = [0.0] * slots
    for one in durations:
        first = busy_until.index(min(busy_until))
        busy_until[first] += one
    assert makespan(durations, slots) == pytest.approx(max(busy_until))

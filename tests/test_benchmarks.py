"""The benchmarks of the engine and of planning: that the bare loop does the same work, and that they run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


pytestmark = pytest.mark.usefixtures("benchmarks_importable")


@pytest.mark.weights
def test_the_bare_loop_gives_the_engines_own_picture() -> None:
    from bare_loop import BareLoop
    from engine_setting import LAYERS, RATIO, pictures, problem, single_scale

    from sweep.transfer.networks import Features
    from sweep.transfer.stylize import Outcome, stylize
    from sweep.transfer.weights import load_weights

    weights = load_weights("vgg16-hed")
    *_, outcome = stylize(Features(weights, "relu5_1"), problem(64, single_scale(64, 12)))
    assert isinstance(outcome, Outcome) and outcome.steps == 12
    loop = BareLoop(weights, LAYERS, RATIO)
    loop.begin(*pictures(64))
    for _ in range(12):
        loop.step()
    # Sums in another order: Adam divides by the size of the gradient, so where that is tiny a pixel may go another way.
    apart = np.abs(outcome.pixels.astype(int) - loop.picture())
    moved = np.abs(outcome.pixels.astype(int) - pictures(64)[0])
    assert np.mean(apart) < 0.005 * np.mean(moved)
    assert np.mean(apart > 1) < 0.01


def test_a_drift_of_the_machine_falls_on_both_alike() -> None:
    from engine_steps import neighbours_ratio

    engine, bare = 1.04, 1.0
    slower_and_slower = [seconds * 1.1**turn for turn, seconds in enumerate([engine, bare] * 4)]
    assert neighbours_ratio(slower_and_slower) == pytest.approx(1.04, rel=0.1)
    assert neighbours_ratio([engine, bare] * 4 + [engine]) == pytest.approx(1.04)
    with_a_hiccup = [engine, bare] * 4
    with_a_hiccup[3] = 9.0
    assert neighbours_ratio(with_a_hiccup) == pytest.approx(1.04)


@pytest.mark.weights
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_benchmark_prints_every_figure_for_machines() -> None:
    command = [sys.executable, str(BENCHMARKS / "engine.py"), "--sizes", "48", "--quick", "--turns", "1", "--json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout)
    assert all(np.isfinite(row["value"]) for row in rows)
    # The start of a run is a difference of two times: on a busy machine it may come out as a little less than nothing.
    assert all(row["value"] > 0 for row in rows if "start of a run" not in row["what"] and "off by" not in row["what"])
    named = {(row["what"], row["at"]) for row in rows}
    assert len(named) == len(rows)
    assert {
        ("step of a run in a pack of 4 over alone, gatys", "48 px"),
        ("step over bare loop, wall clock", "48 px"),
        ("all yardsticks", "256 px"),
        ("peak memory, measured", "gatys 48 px"),
    } <= named


def test_the_benchmark_of_planning_prints_every_figure_for_machines() -> None:
    command = [sys.executable, str(BENCHMARKS / "planning.py"), "--combinations", "150", "--method", "random", "--json"]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout)
    assert figures["combinations"] == 150
    kinds = ("seconds", "cpu_seconds", "peak_megabytes")
    assert {f"{what}_{kind}" for what in ("start", "plan", "record") for kind in kinds} <= set(figures)
    assert all(value > 0 for value in figures.values())


def test_a_benchmark_finds_the_package_beside_the_file_of_the_same_name() -> None:
    """benchmarks/sweep.py stands first on the path of every script beside it."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import sweep.errors, sweep; print(sweep.__version__, sweep.errors.InputError)"
    done = subprocess.run([sys.executable, "-c", script, str(BENCHMARKS)], capture_output=True, text=True, check=True)
    assert "sweep.errors.InputError" in done.stdout

"""The benchmark of sweeping: that it prints its figures. A file of its own, as the tests that start a Ray take turns."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def rows_of_sweeping(parts: str) -> dict[str, float]:
    command = [sys.executable, str(BENCHMARKS / "sweep.py"), "--quick", "--json", "--parts", parts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert all(np.isfinite(row["value"]) and row["load"] >= 0 for row in rows)
    return {row["what"]: row["value"] for row in rows}


@pytest.mark.ray
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_benchmark_of_sweeping_holds_the_driver_against_a_bare_loop() -> None:
    found = rows_of_sweeping("costs")
    assert set(found) == {
        "driver, CPU per run",
        "driver, CPU per run over the bare loop's",
        "driver, wall clock per run",
        "driver, wall clock per run over the bare loop's",
        "bare loop, CPU per run",
    }
    assert found["driver, CPU per run over the bare loop's"] == pytest.approx(
        found["driver, CPU per run"] / found["bare loop, CPU per run"]
    )
    assert all(value > 0 for value in found.values())


@pytest.mark.soak
@pytest.mark.ray
@pytest.mark.weights
def test_the_benchmark_of_sweeping_prints_every_figure() -> None:
    found = rows_of_sweeping("tune,slots,memory,real")
    assert {
        "Tune's best, wall clock per trial over ours",
        "slots busy through one driver",
        "rate at which one driver saturates",
        "driver, memory at the end over that at the start",
        "real runs, share of worker time that is optimising",
    } <= set(found)
    assert 0 < found["real runs, share of worker time that is optimising"] <= 1
    assert 0 < found["slots busy through one driver"] <= 1

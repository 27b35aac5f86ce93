"""Two people browse while a process finishes 20 runs a second, and the benchmark's other parts, shortly: what benchmarks/gallery.py says.

The server, the writer and chromium are real; only the pictures are small. No wall clock is looked at but that of the news, which are
promised within five seconds and get some more here, as the machine may be busy with other tests.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.syspath_prepend(BENCHMARKS)
        import gallery_pictures
        from gallery_speed import benches

        patch.setattr(gallery_pictures, "SIDE", 48)
        yield benches(stack, tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def plan(at: Any) -> Any:
    from gallery_speed import Plan

    return Plan(sizes=(600,), turns=1, loads=1, warm=4, flips=4, keys=20, soak_seconds=8.0)


def test_two_browse_while_a_sweep_writes_and_nothing_locks_moves_or_gets_stale(at: Any, plan: Any) -> None:
    from gallery_soak import soak

    told = {row.what: row.value for row in soak(plan, at)}
    assert told["runs finished while two browsed"] > 10
    assert told["lock errors and others, of pages, server and writer"] == 0
    assert told["times that a tile moved though nobody asked"] == 0
    assert told["oldest news beside what the database had"] < 15
    assert told["what is new, shown when asked for"] > 0


def test_no_key_is_lost_at_ten_a_second(at: Any, plan: Any) -> None:
    from gallery_speed import keys

    assert [row.value for row in keys(plan, at)] == [0, 0]  # in the grid, and in Cull


def test_a_rerun_is_few_elements_and_no_picture_is_in_streamlits_memory(at: Any, plan: Any) -> None:
    from gallery_speed import ELEMENTS, PAGE_BYTES, counts

    told = {row.what: row.value for row in counts(plan, at)}
    assert 10 < told["elements of a rerun, at most"] <= ELEMENTS
    assert 5_000 < told["data of a page of 48, at most"] <= PAGE_BYTES
    assert told["Streamlit's store of pictures"] == 0
    assert told["memory of the server, over that after 4 flips"] < 20


def test_everything_is_timed(at: Any, plan: Any) -> None:
    from gallery_speed import LIMITS, speed

    rows = list(speed(plan, at))
    assert {f"{what}, p95" for what in LIMITS} <= {row.what for row in rows}
    assert all(row.value > 0 for row in rows)


def test_the_writer_says_so_when_nothing_is_left_to_do(at: Any) -> None:
    command = [sys.executable, str(BENCHMARKS / "gallery_writer.py"), str(at.workspace(600)), "100", "60"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(BENCHMARKS.parent)}, timeout=120)
    assert '"finished": ' in done.stdout, done.stderr

"""One driver as `stylesweep run` has it, on a Ray that runs already, with fake runs; a process of its own, so that its costs are its own.

    python benchmarks/sweep_ours.py ADDRESS WORKSPACE ...

Drives the sweep of each workspace (`record`) in turn and prints a JSON line for each. The first starts the worker processes, the others
find them warm.
"""

import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sweep_fakes import run_fakes, steps_for

from db import drivers
from db.store import Store
from db.sweeps import InputPicture, PlannedCombination, SweepRecord, record_inputs, record_sweep
from db.workspace import open_workspace
from sweep.backend import Silent
from sweep.cluster import RayCluster
from sweep.combination import Combination, LayerSet, Settings
from sweep.driver import Driver
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS
from sweep.transfer.weights import Weights

CONTENT, STYLE = "a" * 64, "b" * 64


class NoInputs:
    """Pictures and weights that nobody looks at."""

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)

    mask = pixels

    def weights(self, network: str, network_hash: str) -> Weights:
        return Weights(network=network, arrays={}, content_hash=network_hash)

    def checkpoint(self, run_key: str) -> bytes:
        return b""


def record(folder: Path, runs: int, seconds: float = 0.0) -> Path:
    """A new workspace with a sweep of so many runs, each of so many seconds; gives the folder back."""
    workspace = open_workspace(folder, create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    pictures = [
        InputPicture(
            sha256=sha256, data=sha256.encode(), format="png", width=256, height=192, mean_colour="#000000", name=f"{sha256[0]}.png",
            thumbnail=b"x",
        ) for sha256 in (CONTENT, STYLE)
    ]  # fmt: skip
    record_inputs(store, pictures)
    layers = LayerSet.of(*LAYER_SETS[DEFAULT_LAYER_SET], DEFAULT_LAYER_SET)
    settings = Settings(network="vgg16-hed", network_hash="fake", size=256, steps=steps_for(seconds))
    planned = (
        PlannedCombination(
            combination=Combination(
                content=CONTENT, style=((STYLE, 1.0),), alpha=1.0, beta=1.0 + number / runs, layers=layers, settings=settings
            ),
            content_name="a.png",
            style_name="b.png",
            work=1e9,
        )
        for number in range(runs)
    )
    wants = {"cpus": 1, "gpus": 0, "device": "cpu"}
    sweep = SweepRecord(name="fake", spec_text="name: fake\n", spec_path="fake.yaml", search_seed=None, resources=wants)
    record_sweep(store, sweep, planned, extend=False)
    return folder


def resident() -> tuple[float, float]:
    """Megabytes in memory now: the process's own, and those of Ray's object store that it has looked at, which every process shares."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own, file, store = (int(told[name].split()[0]) * 1024 / 1e6 for name in ("RssAnon", "RssFile", "RssShmem"))
    return own + file, store


def measured(run: Any) -> dict[str, float]:
    """Wall clock and CPU seconds of this process, all threads, and its memory before and after."""
    before, wall, cpu = resident(), time.perf_counter(), time.process_time()
    run()
    after = resident()
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return spent | {"memory_before": before[0], "memory_after": after[0], "store_after": after[1]}


def attempts(database: Path) -> dict[str, float]:
    """What a workspace knows: runs that are done, the time they took together, and the span from the first start to the last end."""
    with sqlite3.connect(database) as connection:
        query = "SELECT count(*), sum(seconds), max(finished_at) - min(started_at) FROM attempt WHERE state = 'done'"
        done, busy, span = connection.execute(query).fetchone()
    connection.close()
    return {"runs": done, "busy": busy, "span": span}


def drive(address: str, sweeps: list[Path]) -> Iterator[dict[str, float]]:
    """The sweep of each workspace in turn, through one connection to Ray."""
    backend = RayCluster(address, NoInputs(), run_fakes)
    try:
        for folder in sweeps:
            workspace = open_workspace(folder, create=False)
            store = Store(workspace.writer(), workspace.artifacts)
            owner, _ = drivers.become_driver(store.engine, address)
            assert owner is not None
            yield measured(partial(Driver(store, backend, owner, Silent()).drive, lambda: False)) | attempts(folder / "sweeps.db")
    finally:
        backend.stop()


if __name__ == "__main__":
    for line in drive(sys.argv[1], [Path(folder) for folder in sys.argv[2:]]):
        print(json.dumps(line), flush=True)

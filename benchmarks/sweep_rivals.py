"""The same fake runs, recorded just as well, without stylesweep; a process of its own, so that its costs are its own.

    python benchmarks/sweep_rivals.py bare|tune|tune-lean ADDRESS FOLDER RUNS SLOTS

bare: a window of plain Ray tasks, as one would write it in a page: the files of the picture and of its thumbnail durably (temporary
file, fsync, rename, fsync of the folder), then run and curve in one SQLite transaction with the pragmas that stylesweep has.
tune: Ray Tune as it comes; tune-lean: actors used again, no loggers, no progress, no output. In both a trial reports once, its curve as
a list, its two files as the checkpoint that Tune keeps: reporting each of the 200 points by itself would cost Tune far more.
A JSON line with the costs is printed.
"""

import hashlib
import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from sweep_fakes import curve, picture, thumbnail

TABLES = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, seed TEXT UNIQUE, picture TEXT, thumbnail TEXT, bytes INTEGER, started REAL, finished REAL
);
CREATE TABLE loss (run INTEGER, step INTEGER, size INTEGER, content REAL, style REAL, tv REAL, PRIMARY KEY (run, step)) WITHOUT ROWID;
"""


def outcome(seed: str) -> tuple[bytes, bytes, list[tuple[int, int, float, float, float]]]:
    """What a fake run gives."""
    return picture(seed), thumbnail(seed), curve()


class Recorder:
    """A folder of pictures and a SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = sqlite3.connect(folder / "runs.db", isolation_level=None)
        self.database.execute("PRAGMA journal_mode=TRUNCATE")
        self.database.execute("PRAGMA synchronous=FULL")
        self.database.executescript(TABLES)

    def record(self, seed: str, began: float, files: tuple[bytes, bytes], points: list[tuple[int, int, float, float, float]]) -> None:
        """Files first, rows second."""
        names = [self.put(data, suffix) for data, suffix in zip(files, ("png", "webp"), strict=True)]
        self.database.execute("BEGIN IMMEDIATE")
        values = (seed, *names, len(files[0]), began, time.time())
        insert = "INSERT INTO run (seed, picture, thumbnail, bytes, started, finished) VALUES (?, ?, ?, ?, ?, ?)"
        run = self.database.execute(insert, values).lastrowid
        self.database.executemany("INSERT INTO loss VALUES (?, ?, ?, ?, ?, ?)", [(run, *point) for point in points])
        self.database.execute("COMMIT")

    def put(self, data: bytes, suffix: str) -> str:
        """Write a file durably, named by its SHA-256."""
        name = hashlib.sha256(data).hexdigest()
        partial = self.folder / f"{name}.partial"
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.folder / f"{name}.{suffix}")
        descriptor = os.open(self.folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        return name


def bare(address: str, folder: Path, runs: int, slots: int) -> dict[str, float]:
    """A window of tasks: every slot busy and one in four more waiting."""
    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    task: Any = ray.remote(max_retries=0)(outcome)
    recorder = Recorder(folder)

    def spread(seeds: list[str]) -> None:
        waiting, running = list(reversed(seeds)), {}
        while waiting or running:
            while waiting and len(running) < slots + max(1, slots // 4):
                seed = waiting.pop()
                running[task.remote(seed)] = (seed, time.time())
            ready, _ = ray.wait(list(running), num_returns=1, timeout=1.0)
            for one in ready:
                data, small, points = ray.get(one)
                recorder.record(*running.pop(one), (data, small), points)

    spread([f"warm {number}" for number in range(4 * slots)])
    wall, cpu = time.perf_counter(), time.process_time()
    spread([str(number) for number in range(runs)])
    return {"runs": runs, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def trial(config: dict[str, str]) -> None:
    """One trial of Tune's."""
    import tempfile

    from ray import tune

    data, small, points = outcome(config["seed"])
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "picture.png").write_bytes(data)
        (Path(made) / "thumbnail.webp").write_bytes(small)
        tune.report({"loss": points[-1][3], "curve": points}, checkpoint=tune.Checkpoint.from_directory(made))


def tuned(address: str, folder: Path, runs: int, *, lean: bool) -> dict[str, float]:
    """Ray Tune over the same runs."""
    if lean:
        os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_GLOBAL_CHECKPOINT_S": "3600", "TUNE_MAX_PENDING_TRIALS_PG": "8"}
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "1", "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1"}
    import ray
    from ray import tune

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")

    def fit(name: str, seeds: list[str]) -> None:
        results = tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"seed": tune.grid_search(seeds)},
            tune_config=tune.TuneConfig(reuse_actors=lean or None),
            run_config=tune.RunConfig(name=name, storage_path=str(folder), verbose=0 if lean else 1),
        ).fit()
        assert len(results) == len(seeds) and not results.errors

    fit("warm", ["warm 0", "warm 1"])
    wall, cpu = time.perf_counter(), time.process_time()
    fit("trials", [str(number) for number in range(runs)])
    return {"runs": runs, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def main() -> None:
    """Parse the command line, run, print."""
    which, address, folder, runs, slots = sys.argv[1:]
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    spent = bare(address, place, int(runs), int(slots)) if which == "bare" else tuned(address, place, int(runs), lean=which == "tune-lean")
    print(json.dumps(spent))


if __name__ == "__main__":
    main()

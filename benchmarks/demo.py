"""What a sweep costs here: runs the demo's sweep (or another file) in a fresh workspace and prints the figures the README quotes.

.venv/bin/python benchmarks/demo.py [SPEC] [--json] [--workspace DIR]
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def figures(database: Path) -> dict[str, float]:
    """From the attempts table of a workspace: seconds, memory, and how much of the workers' time went into optimising.

    The workers' time is their number times the span from the first start to the last end, so starting up and waiting count.
    """
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT started_at, finished_at, seconds, optimise_seconds, peak_memory, node || pid FROM attempt WHERE state = 'done'"
        ).fetchall()
    span = max(row[1] for row in rows) - min(row[0] for row in rows)
    workers = len({row[5] for row in rows})
    return {
        "runs": len(rows),
        "workers": workers,
        "mean_seconds_per_run": sum(row[2] for row in rows) / len(rows),
        "span_seconds": span,
        "share_of_worker_time_optimising": sum(row[3] for row in rows) / (workers * span),
        "peak_worker_megabytes": max(row[4] for row in rows) / 1e6,
    }


def measure(spec: Path, workspace: Path) -> dict[str, float]:
    """Run the sweep twice: the second time nothing is left to do."""
    command = [sys.executable, "-m", "sweep.cli.main", "run", str(spec), "--workspace", str(workspace)]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    first = time.monotonic() - began
    driver = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    second = time.monotonic() - began - first
    measured = figures(workspace / "sweeps.db")
    return {"first_seconds": first, "second_seconds": second, "peak_driver_megabytes": driver, **measured}


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", nargs="?", type=Path, default=ROOT / "examples" / "demo.yaml")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--workspace", type=Path, help="keep the results here instead of in a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.spec, options.workspace or Path(folder))
    print(json.dumps(found) if options.json else "\n".join(f"{name:34} {value:10.3g}" for name, value in found.items()))


if __name__ == "__main__":
    main()

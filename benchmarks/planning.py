"""What planning and recording a large sweep cost: seconds, seconds of processor time and peak memory, each in a process of its own.

.venv/bin/python benchmarks/planning.py [--combinations N] [--method grid|random|sobol] [--json]

`plan` is the whole command `stylesweep plan`, its start included (also measured alone, by a sweep of one combination); `record` is
planning in a fresh workspace and writing the sweep to its database, as `stylesweep run` does before anything runs.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CONTENTS, STYLES, LAYERS = 4, 5, ("painterly", "gatys", "shallow", "deep", "johnson")


def write_sweep(folder: Path, combinations: int, method: str) -> Path:
    """A sweep of so many combinations over tiny pictures; a grid has them to the next hundred."""
    chance = np.random.default_rng(0)
    for name in [*(f"content-{number}" for number in range(CONTENTS)), *(f"style-{number}" for number in range(STYLES))]:
        Image.fromarray(chance.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    betas = math.ceil(combinations / (CONTENTS * STYLES * len(LAYERS)))
    count = f", count: {betas}" if method == "grid" else ""
    lines = [
        "name: planning",
        f"method: {method}",
        "content: content-*.png",
        "style: style-*.png",
        "parameters:",
        f"  layers: [{', '.join(LAYERS)}]",
        f"  beta: {{min: 1, max: 1000, distribution: log_uniform_values{count}}}",
        "settings: {network: vgg16-hed, size: 64}",
    ]
    if method != "grid":
        lines += [f"runs: {combinations}", "when: [{if: {layers: gatys}, then: {tv: {min: 0, max: 10}}}]"]
    path = folder / "planning.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def measured(command: list[str]) -> tuple[dict[str, float], str]:
    """Wall clock, processor time and peak memory of a process, and what it said."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, stdout=said)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if child.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
        said.seek(0)
        figures = {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_megabytes": used.ru_maxrss / 1e3}
        return figures, said.read()


def record(spec: Path, folder: Path) -> None:
    """In a process of its own: plan and record; prints the seconds of recording alone, and how many combinations there were."""
    from db.store import Store
    from db.sweeps import SweepRecord, record_inputs, record_sweep
    from db.workspace import open_workspace
    from sweep.cli.running import plan_in, prepare

    workspace = open_workspace(folder, create=True)
    prepared = prepare(spec)
    made = plan_in(prepared, workspace)
    store = Store(workspace.writer(), workspace.artifacts)
    record_inputs(store, (file.picture() for file in prepared.files.values()))
    sweep = SweepRecord(name=made.name, spec_text=prepared.spec.text, spec_path=str(spec), search_seed=None, resources={})
    began, began_cpu = time.monotonic(), time.process_time()
    added = record_sweep(store, sweep, made.planned, extend=False)
    alone = {"alone_seconds": time.monotonic() - began, "alone_cpu_seconds": time.process_time() - began_cpu}
    print(json.dumps({"combinations": added} | alone))


def measure(combinations: int, method: str) -> dict[str, float]:
    """All figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = [sys.executable, "-m", "sweep.cli.main", "plan", "--json", "--workspace", str(folder / "none")]
        start, _ = measured([*plan, str(write_sweep(folder, 1, "random"))])
        spec = write_sweep(folder, combinations, method)
        planning, said = measured([*plan, str(spec)])
        recording, recorded = measured([sys.executable, __file__, "--record", str(spec), str(folder / "workspace")])
        alone = json.loads(recorded)
        assert json.loads(said)["combinations"] == alone.pop("combinations") >= combinations
        figures: dict[str, float] = {"combinations": json.loads(said)["combinations"]}
        for what, values in (("start", start), ("plan", planning), ("record", recording | alone)):
            figures |= {f"{what}_{key}": round(value, 3) for key, value in values.items()}
        figures["database_megabytes"] = round((folder / "workspace" / "sweeps.db").stat().st_size / 1e6, 1)
        return figures


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--combinations", type=int, default=100_000)
    parser.add_argument("--method", choices=("grid", "random", "sobol"), default="grid")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        record(*options.record)
        return
    figures = measure(options.combinations, options.method)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>24}  {value:,}")


if __name__ == "__main__":
    main()

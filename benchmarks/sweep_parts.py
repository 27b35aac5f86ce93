"""The parts of benchmarks/sweep.py: each starts a Ray of its own, measures in processes of their own, and gives rows."""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from operator import truediv
from pathlib import Path

HERE = Path(__file__).parent
SLOTS = 2
PER_RUN_MS, OVER_BARE, UNDER_TUNE, BUSY, MEMORY_MB, OPTIMISING = 15.0, 2.0, 10.0, 0.9, 200.0, 0.95


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, at what, its unit, what it should be at most or at least, and the machine's load then."""

    what: str
    at: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def line(self) -> str:
        """Of the table."""
        verdict = ""
        if self.most is not None:
            verdict = f"at most {self.most:g}: {'yes' if self.value <= self.most else 'NO'}"
        if self.least is not None:
            verdict = f"at least {self.least:g}: {'yes' if self.value >= self.least else 'NO'}"
        return f"{self.what:58} {self.at:22} {self.value:10.4g} {self.unit:7} {verdict:18} load {self.load:.1f}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured."""

    turns: int
    runs: int
    tune_runs: int
    slots: int
    slot_seconds: float
    memory_runs: int
    real_runs: int
    real_size: int
    real_steps: int


FULL = Plan(turns=9, runs=200, tune_runs=8, slots=100, slot_seconds=10.0, memory_runs=20_000, real_runs=8, real_size=128, real_steps=60)
QUICK = Plan(turns=1, runs=20, tune_runs=2, slots=4, slot_seconds=0.5, memory_runs=40, real_runs=2, real_size=48, real_steps=4)


@contextlib.contextmanager
def ray_with(cpus: int) -> Iterator[str]:
    """A Ray with so many CPUs, whether this machine has them or not; gives its address."""
    os.environ["RAY_AUTH_MODE"] = "disabled"  # for this process and its children: it ends with them
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": cpus, "num_gpus": 0, "include_dashboard": False})
    try:
        yield made.address
    finally:
        made.shutdown()


def told_by(script: str, *words: object) -> list[dict[str, float]]:
    """What a process of its own measured: the JSON lines that it printed."""
    return [json.loads(line) for line in said_by(sys.executable, HERE / script, *words).splitlines() if line.startswith("{")]


def said_by(*words: object) -> str:
    """What a command printed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def costs(plan: Plan, folder: Path, *, tune: bool) -> Iterator[Row]:
    """Runs that return at once, so that all there is to measure is what is done around them."""
    from sweep_ours import record

    rivals = ["bare", *(["tune-lean", "tune"] if tune else [])]
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", *rivals)}
    with ray_with(SLOTS) as address:
        for turn in range(plan.turns):
            place = folder / f"turn {turn}"
            warm, cold = record(place / "warm", 4 * SLOTS), record(place / "ours", plan.runs)
            spent["ours"].append(told_by("sweep_ours.py", address, warm, cold)[1])
            for name in rivals:
                runs = plan.runs if name == "bare" else plan.tune_runs
                spent[name] += told_by("sweep_rivals.py", name, address, place / name, runs, SLOTS)
    every = {of: {name: [1e3 * one[of] / one["runs"] for one in told] for name, told in spent.items()} for of in ("wall", "cpu")}
    wall, cpu = ({name: statistics.median(found) for name, found in every[of].items()} for of in ("wall", "cpu"))
    over = {of: statistics.median(map(truediv, every[of]["ours"], every[of]["bare"])) for of in ("wall", "cpu")}  # turn by turn
    at = f"{plan.turns} x {plan.runs} runs"
    yield Row("driver, CPU per run", at, cpu["ours"], "ms", most=PER_RUN_MS)
    yield Row("driver, CPU per run over the bare loop's", at, over["cpu"], most=OVER_BARE)
    yield Row("driver, wall clock per run", at, wall["ours"], "ms")
    yield Row("driver, wall clock per run over the bare loop's", at, over["wall"], most=OVER_BARE)
    yield Row("bare loop, CPU per run", at, cpu["bare"], "ms")
    if tune:
        at = f"{plan.turns} x {plan.tune_runs} trials"
        yield Row("Tune as it comes, wall clock per trial over ours", at, wall["tune"] / wall["ours"])
        yield Row("Tune lean, wall clock per trial over ours", at, wall["tune-lean"] / wall["ours"])
        yield Row("Tune's best, wall clock per trial over ours", at, min(wall["tune"], wall["tune-lean"]) / wall["ours"], least=UNDER_TUNE)
        yield Row("Tune's best, CPU of its driver per trial over ours", at, min(cpu["tune"], cpu["tune-lean"]) / cpu["ours"])


def slots(plan: Plan, folder: Path) -> Iterator[Row]:
    """How busy one driver keeps many slots with runs that sleep; then shorter and shorter ones, until slots are idle."""
    from sweep_ours import record

    lengths = [plan.slot_seconds / 2**halved for halved in range(5)]
    waves = [
        record(folder / "warm", 3 * plan.slots, plan.slot_seconds),
        *(record(folder / f"{seconds:g}", 4 * plan.slots, seconds) for seconds in lengths),
    ]
    with ray_with(plan.slots) as address:
        told = told_by("sweep_ours.py", address, *waves)[1:]
    shares = [one["busy"] / (plan.slots * one["span"]) for one in told]
    yield Row("slots busy through one driver", f"{plan.slots} x {lengths[0]:g} s", shares[0], least=BUSY)
    yield Row("driver, share of one CPU then", f"{plan.slots} x {lengths[0]:g} s", told[0]["cpu"] / told[0]["wall"])
    for seconds, share in zip(lengths[1:], shares[1:], strict=True):
        yield Row("slots busy through one driver", f"{plan.slots} x {seconds:g} s", share)
    kept = [one["runs"] / one["span"] for one, share in zip(told, shares, strict=True) if share >= BUSY]
    yield Row("rate up to which slots are that busy", f"{plan.slots} slots", max(kept, default=0.0), "runs/s")
    yield Row("rate at which one driver saturates", f"{plan.slots} slots", max(one["runs"] / one["span"] for one in told), "runs/s")


def memory(plan: Plan, folder: Path) -> Iterator[Row]:
    """What a driver holds after a long sweep beside what it held after a short one."""
    from sweep_ours import record

    with ray_with(SLOTS) as address:
        told = told_by("sweep_ours.py", address, record(folder / "short", 40), record(folder / "long", plan.memory_runs))
    start, end = told[0]["memory_before"], told[1]["memory_after"]
    yield Row("driver, memory at the start", f"{plan.memory_runs} runs", start, "MB")
    yield Row("driver, memory at the end over that at the start", f"{plan.memory_runs} runs", end - start, "MB", most=MEMORY_MB)
    yield Row("of Ray's object store, looked at by it", f"{plan.memory_runs} runs", told[1]["store_after"], "MB")


def real(plan: Plan, folder: Path) -> Iterator[Row]:
    """A real sweep by the command line: how much of the workers' time went into optimising, from the first start to the last end."""
    from demo import figures

    made, workspace = folder / "samples", folder / "workspace"
    stylesweep = [sys.executable, "-m", "sweep.cli.main"]
    said_by(*stylesweep, "samples", made)
    betas = [10.0 * 1.3**number for number in range(plan.real_runs)]
    (made / "real.yaml").write_text(
        f"name: real\ncontent: photographs/cat.jpg\nstyle: styles/woodcut.png\nparameters: {{beta: {{values: {betas}}}}}\n"
        f"settings: {{network: vgg16-hed, size: {plan.real_size}, steps: {plan.real_steps}}}\nresources: {{cpus: 1, gpus: 0}}\n"
    )
    said_by(*stylesweep, "run", made / "real.yaml", "--workspace", workspace)
    found = figures(workspace / "sweeps.db")
    at = f"{found['runs']} runs, {found['workers']} workers"
    yield Row("real runs, seconds each", at, found["mean_seconds_per_run"], "s")
    share = found["share_of_worker_time_optimising"]
    yield Row("real runs, share of worker time that is optimising", at, share, least=OPTIMISING)


PARTS: dict[str, Callable[[Plan, Path], Iterator[Row]]] = {
    "costs": lambda plan, folder: costs(plan, folder, tune=False),
    "tune": lambda plan, folder: costs(plan, folder, tune=True),
    "slots": slots,
    "memory": memory,
    "real": real,
}


def main(about: str | None) -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few and short runs")
    parser.add_argument("--json", action="store_true", help="a list of rows for machines instead of the table")
    parser.add_argument("--parts", default="tune,slots,memory,real", help="which, with commas between; costs is tune without Tune")
    parser.add_argument("--turns", type=int, help="how often all take turns")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    if options.turns:
        plan = Plan(**{**asdict(plan), "turns": options.turns})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for part in options.parts.split(","):
            for row in PARTS[part](plan, Path(folder) / part):
                rows.append(row)
                if not options.json:
                    print(row.line(), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))

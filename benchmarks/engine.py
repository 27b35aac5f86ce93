"""What the engine costs here: steps against a bare PyTorch loop, packs, states, start of a run, yardsticks, memory against prediction.

    .venv/bin/python benchmarks/engine.py [--sizes 128,256,512] [--quick] [--json] [--network vgg19] [--threads N] [--device cuda]

Needs the samples (`pip install -e '.[samples]'`) and the network's weights (`stylesweep weights fetch`). Times are wall
clock: let nothing else run. `--quick` takes smaller sizes and fewer turns, and under 2 minutes on 2 cores.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from engine_memory import memory
from engine_packs import pack_costs, precision
from engine_setting import LAYERS, RATIO, Plan, Row, pictures
from engine_states import state_costs
from engine_steps import step_times

from sweep import process, worker
from sweep.combination import Combination, LayerSet, Settings, run_key
from sweep.events import Failed, Progress
from sweep.transfer.images import resized
from sweep.transfer.networks import Features
from sweep.transfer.presets import deepest_layer, network_info
from sweep.transfer.recipe import Recipe
from sweep.transfer.weights import Weights, load_weights
from sweep.transfer.yardsticks import NETWORK as YARDSTICK_NETWORK
from sweep.transfer.yardsticks import YardstickMeter


@dataclass
class HeldInputs:
    """A worker's inputs from memory."""

    pictures: dict[str, np.ndarray]
    weights_held: Weights

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        return resized(self.pictures[sha256], long_side)

    def weights(self, network: str, network_hash: str) -> Weights:
        return self.weights_held if network == self.weights_held.network else load_weights(network)


def start_times(plan: Plan, weights: Weights) -> Iterator[Row]:
    """How long a worker takes to the first step, in steps of the first scale: targets known, and not."""
    names = [digit * 64 for digit in "ab"]
    for size in plan.sizes:
        inputs = HeldInputs(dict(zip(names, pictures(2 * size), strict=True)), weights)

        def first_news(steps: int, size: int = size, inputs: HeldInputs = inputs) -> float:
            """Seconds from the call to the end of the first scale's `steps` steps."""
            settings = Settings(network=plan.network, network_hash=network_info(plan.network).source_hash, size=size, steps=steps)
            wanted = Combination(
                content=names[0], style=((names[1], 1.0),), alpha=1.0, beta=RATIO, layers=LayerSet.of(*LAYERS), settings=settings
            ).run_settings()
            request = worker.RunRequest(
                run_key=run_key(wanted), attempt=1, settings=wanted, device=plan.device, gpus=1.0, threads=torch.get_num_threads()
            )
            began, seen = time.perf_counter(), 0
            events = worker.run([request], inputs)
            while seen < steps:
                event = next(events)
                if isinstance(event, Failed):
                    raise RuntimeError(event.error)
                seen += len(event.points) if isinstance(event, Progress) else 0
            passed = time.perf_counter() - began
            events.close()
            return passed

        process.forget_targets("cuda:0" if plan.device == "cuda" else "cpu")
        cold = first_news(1)
        one, six = zip(*[(first_news(1), first_news(6)) for _ in range(plan.turns)], strict=True)
        step = (statistics.median(six) - statistics.median(one)) / 5
        first = f"steps of {min(Recipe(size=size).scales(size * 3 // 4, size))[1]} px"
        yield Row(
            "start of a run before its first step, targets known",
            f"{size} px",
            statistics.median(one) / step - 1,
            first,
            2.0,
        )
        yield Row("start of a run before its first step, targets unknown", f"{size} px", cold / step - 1, first)


def yardstick_times(plan: Plan) -> Iterator[Row]:
    """What measuring a finished picture of 256 pixels costs, in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    meter = YardstickMeter(Features(load_weights(YARDSTICK_NETWORK), "relu5_1"), device=plan.device)
    photograph, style = pictures(256)
    spent = []
    for shift in range(plan.turns + 1):
        picture = np.roll(photograph, 16 * shift, axis=1)
        began = time.process_time() if plan.device == "cpu" else time.perf_counter()
        meter.measure_all(picture, photograph, [(style, 1.0)])
        spent.append((time.process_time() if plan.device == "cpu" else time.perf_counter()) - began)
    torch.set_num_threads(threads)
    yield Row("all yardsticks, first of a pair", "256 px", spent[0], "s")
    yield Row("all yardsticks", "256 px", statistics.median(spent[1:]), "s", 0.6)
    yield Row("all yardsticks, share of a run of 30 s", "256 px", statistics.median(spent[1:]) / 30, "", 0.02)


def measure(plan: Plan) -> Iterator[Row]:
    """All of it."""
    weights = load_weights(plan.network)
    features = Features(weights, deepest_layer(plan.network, *LAYERS))
    yield from step_times(plan, weights, features)
    yield from pack_costs(plan, features)
    yield from precision(plan, features)
    yield from state_costs(plan, features)
    yield from start_times(plan, weights)
    yield from yardstick_times(plan)
    yield from memory(plan)


def as_line(row: Row) -> str:
    """The row of the table."""
    verdict = "" if row.goal is None else f"at most {row.goal:g}: {'yes' if row.value <= row.goal else 'NO'}"
    return f"{row.what:54} {row.at:16} {row.value:10.4g} {row.unit:16} {verdict}".rstrip()


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), help="long sides in pixels, with commas between")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer turns")
    parser.add_argument("--turns", type=int, help="how often engine and bare loop take turns")
    parser.add_argument("--json", action="store_true", help="a list of rows for machines instead of the table")
    parser.add_argument("--network", default="vgg16-hed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sizes = options.sizes or ((128, 256) if options.quick else (128, 256, 512))
    plan = Plan(
        network=options.network, device=options.device, sizes=sizes, turns=options.turns or (4 if options.quick else 7),
        memory_sizes=sizes if options.quick or options.sizes else (128, 256, 512, 768), turn_seconds=1.0 if options.quick else 3.0,
    )  # fmt: skip
    rows = []
    for row in measure(plan):
        rows.append(row)
        if not options.json:
            print(as_line(row), flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()

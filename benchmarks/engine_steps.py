"""Time per step: the engine and a bare PyTorch loop, turn by turn in one process."""

import statistics
import time
from collections.abc import Callable, Iterator

import torch
from bare_loop import BareLoop
from engine_setting import LAYERS, RATIO, Plan, Row, pictures, problem, single_scale
from torch import Tensor

from sweep.transfer.cost import work
from sweep.transfer.networks import Features
from sweep.transfer.presets import deepest_layer
from sweep.transfer.stylize import Outcome, TargetCache, stylize
from sweep.transfer.weights import Weights

STEPS_AT_MOST = 200  # up to so many, every step of the only scale is a point of the curve, so that points count steps


class EngineTurns:
    """The engine's own generator, pulled for some steps at a time."""

    def __init__(self, features: Features, size: int, device: str) -> None:
        self._news = stylize(features, problem(size, single_scale(size, STEPS_AT_MOST)), TargetCache(), device)

    def take(self, seconds: float, most: int) -> int:
        """Go on for about that many seconds or steps, whichever comes first; how many steps that was."""
        began, steps = time.perf_counter(), 0
        while not steps or (steps < most and time.perf_counter() - began < seconds):
            news = next(self._news)
            if isinstance(news, Outcome):
                raise RuntimeError("the engine ran out of steps before the turns were over")
            steps += len(news)
        return steps


class BareTurns:
    """The bare loop, likewise."""

    def __init__(self, weights: Weights, size: int, device: str) -> None:
        self._loop, self._device = BareLoop(weights, LAYERS, RATIO, device), device
        self._loop.begin(*pictures(size))

    def take(self, steps: int) -> None:
        """Do so many steps."""
        for _ in range(steps):
            self._loop.step()
        if self._device == "cuda":
            torch.cuda.synchronize()


def step_times(plan: Plan, weights: Weights, features: Features) -> Iterator[Row]:
    """Seconds per step; engine and bare loop turn by turn in this process, and the median ratio of neighbouring turns."""
    peak = matrix_multiply_peak(plan.device)
    yield Row("matrix-multiply peak, float32", f"{torch.get_num_threads()} threads", peak / 1e9, "GFLOP/s")
    most = STEPS_AT_MOST // (plan.turns + 2)
    for size in plan.sizes:
        engine, bare = EngineTurns(features, size, plan.device), BareTurns(weights, size, plan.device)
        bare.take(engine.take(plan.turn_seconds, most))  # warm up
        turns: list[tuple[float, float]] = []  # (wall clock, processor time) per step: engine, bare, engine, bare, ...
        for _ in range(plan.turns):
            wall, busy = time.perf_counter(), time.process_time()
            steps = engine.take(plan.turn_seconds, most)
            turns.append(((time.perf_counter() - wall) / steps, (time.process_time() - busy) / steps))
            wall, busy = time.perf_counter(), time.process_time()
            bare.take(steps)
            turns.append(((time.perf_counter() - wall) / steps, (time.process_time() - busy) / steps))
        seconds = statistics.median(wall for wall, _ in turns[::2])
        yield Row("step", f"{size} px", seconds, "s")
        for clock, name in enumerate(("wall clock", "processor time")):
            yield Row(f"step over bare loop, {name}", f"{size} px", neighbours_ratio([turn[clock] for turn in turns]), "x", 1.05)
        flops = 2 * work(plan.network, deepest_layer(plan.network, *LAYERS), (size * 3 // 4, size), single_scale(size, 1))
        yield Row("share of the matrix-multiply peak", f"{size} px", flops / seconds / peak, "")


def neighbours_ratio(turns: list[float]) -> float:
    """The median of A/B over all neighbours in A B A B ...: a drift of the machine falls on both alike."""
    pairs = [(turns[i], turns[i + 1]) if i % 2 == 0 else (turns[i + 1], turns[i]) for i in range(len(turns) - 1)]
    return statistics.median(a / b for a, b in pairs)


def matrix_multiply_peak(device: str) -> float:
    """The best of some products of square matrices, in floating-point operations per second.

    On a CPU by torch's matrix multiply and by oneDNN's, which convolutions use: on some processors they are far apart.
    """
    side = 1536 if device == "cpu" else 8192
    a, b = torch.rand(side, side, device=device), torch.rand(side, side, device=device)
    products: list[Callable[[], Tensor]] = [lambda: a @ b]
    if device == "cpu" and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        products.append(lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], ""))
    best = float("inf")
    for product in products * 6:
        began = time.perf_counter()
        float(product()[0, 0])  # waits for the device
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best

"""Peak memory of a run, predicted and measured: each run in a process of its own (this file with four arguments). Linux."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from engine_setting import LAYERS, Plan, Row, problem

from sweep.transfer.cost import peak_bytes
from sweep.transfer.networks import Features
from sweep.transfer.presets import deepest_layer
from sweep.transfer.recipe import Recipe
from sweep.transfer.stylize import Outcome, TargetCache, stylize
from sweep.transfer.weights import load_weights


def memory(plan: Plan) -> Iterator[Row]:
    """Megabytes, and how far the prediction is off."""
    for size in plan.memory_sizes:
        for name in ("pyramid", "gatys"):
            predicted = peak_bytes(plan.network, deepest_layer(plan.network, *LAYERS), (size * 3 // 4, size), recipe(name, size))
            command = [sys.executable, __file__, plan.network, plan.device, name, str(size)]
            measured = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout)
            yield Row("peak memory, measured", f"{name} {size} px", measured / 2**20, "MiB")
            yield Row("peak memory, predicted", f"{name} {size} px", predicted / 2**20, "MiB")
            yield Row("peak memory, prediction off by", f"{name} {size} px", abs(predicted / measured - 1), "", 0.15)


def recipe(name: str, size: int) -> Recipe:
    """Few steps: the pyramid's memory does not grow with them, and that of L-BFGS only until its history is full."""
    return Recipe(name=name, size=size, steps=2) if name == "pyramid" else Recipe(name=name, size=size, steps=6, history=4)


def measured_bytes(network: str, device: str, name: str, size: int) -> int:
    """What a run takes, weights included, beyond the interpreter, torch and what torch keeps after a first small run."""
    torch.set_num_threads(1)
    features = Features(load_weights(network), deepest_layer(network, *LAYERS))
    for small in (32, 40):
        _run(features, name, small, device)
    _return_freed_memory()
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak up to here: that of reading the weights
    outcome = _run(features, name, size, device)
    if outcome.peak_bytes is not None:
        return outcome.peak_bytes
    return _resident("VmHWM") - before + sum(parameter.nbytes for parameter in features.parameters())


def _run(features: Features, name: str, size: int, device: str) -> Outcome:
    asked = problem(size, recipe(name, size))
    *_, outcome = stylize(features, asked, TargetCache(), device)
    assert isinstance(outcome, Outcome)
    return outcome


def _return_freed_memory() -> None:
    """What is freed but not given back to the system would be used again unseen. glibc only."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident(field: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(measured_bytes(*sys.argv[1:4], int(sys.argv[4])))

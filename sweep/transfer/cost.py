"""What a run costs, in multiply-adds and in bytes, without running it. Standard library only, for the planner."""

from collections.abc import Iterator

from sweep.transfer.controls import Dtype
from sweep.transfer.presets import GATYS, layer_names, network_info
from sweep.transfer.recipe import Recipe

WORKER_BYTES = 450_000_000
"""Of a worker beside its run: Python, torch, the yardsticks' network and what is kept for other runs; measured with the demo's sweep."""
_FLOAT = 4  # bytes
_INDEX = 8  # bytes that a max pool remembers per output
_SCRATCH = 15 * 2**20  # what the libraries work in, whatever the size


def work(network: str, deepest_layer: str, size: tuple[int, int], recipe: Recipe, grams: int = 1) -> float:
    """Multiply-adds of a whole run on a photograph of (height, width) pixels, over all scales of the recipe.

    One step is a forward pass and the backward pass to the picture (as much again: no gradient of the weights), plus the
    Gram matrices of the first relu of each block, `grams` of each: one, or one for every region. Targets, resizing and yardsticks
    are left out: they are a few steps' worth.
    """
    return sum(steps * each for steps, each in work_of_scales(network, deepest_layer, size, recipe, grams))


def work_of_scales(network: str, deepest_layer: str, size: tuple[int, int], recipe: Recipe, grams: int = 1) -> list[tuple[int, float]]:
    """(steps, multiply-adds of one step) of each scale of the recipe, small to large; otherwise as `work`."""
    per_step = GATYS.evaluations_per_step if recipe.name == "gatys" else 1.0
    return [(steps, per_step * _step_work(network, deepest_layer, (h, w), grams)) for h, w, steps in recipe.scales(*size)]


def work_done(scales: list[tuple[int, float]], step: int) -> float:
    """Multiply-adds up to and with a step of the run, counted from 1; scales as `work_of_scales` gives them."""
    done = 0.0
    for steps, each in scales:
        here = min(steps, step)
        done, step = done + here * each, step - here
    return done


def peak_bytes(network: str, deepest_layer: str, size: tuple[int, int], recipe: Recipe, dtype: Dtype = "float32") -> int:
    """Estimate of the memory that a run on a photograph of (height, width) pixels holds at its largest scale.

    Weights, features and what pools remember, gradients on their way back, the optimiser's copies of the picture. The gradients'
    share was fitted to measured runs on a CPU (benchmarks/engine.py, from 128 to 768 pixels; readings scatter by 5 %), where the peak
    lies in the way back through the first block. The interpreter and torch itself are not in it. In bfloat16 the features that a
    loss reads are there in float32 too; that, and any GPU, was never measured.
    """
    height, width, _ = recipe.scales(*size)[-1]
    wide = _FLOAT if dtype == "float32" else _FLOAT // 2
    weights = features = largest = 0.0
    for name, channels_in, channels, rows, columns in _layers(network, deepest_layer, height, width):
        outputs = channels * rows * columns
        if name.startswith("pool"):
            features += outputs * (wide + _INDEX)
        elif name.startswith("conv"):
            weights += 9 * channels_in * channels * (_FLOAT if wide == _FLOAT else _FLOAT + wide)
            features += outputs * wide  # the relu works in place
            features += outputs * _FLOAT if name.endswith("_1") and wide != _FLOAT else 0.0
            largest = max(largest, outputs * wide)
    picture = 3 * height * width * _FLOAT
    copies = 2 * recipe.gatys.history + 10 if recipe.name == "gatys" else 8
    return int(_SCRATCH + weights + features + 7 * largest + copies * picture)


def _step_work(network: str, deepest: str, size: tuple[int, int], grams: int) -> float:
    total = 0.0
    for name, channels_in, channels, rows, columns in _layers(network, deepest, *size):
        positions = rows * columns
        if name.startswith("conv"):
            total += 2.0 * 9 * channels_in * channels * positions
        elif name.startswith("relu") and name.endswith("_1"):
            total += 2.0 * grams * channels * channels * positions  # F F^T, and its gradient (losses.py multiplies once on the way back)
    return total


def _layers(network: str, deepest: str, height: int, width: int) -> Iterator[tuple[str, int, int, int, int]]:
    """(name, channels in, channels out, rows, columns) of each layer up to the deepest one."""
    channels_in = 3
    for name in layer_names(network):
        block = int(name.split("_")[0][-1])
        channels = network_info(network).channels[block - 1]
        if name.startswith("pool"):
            height, width = height // 2, width // 2
        yield name, channels_in, channels, height, width
        if name == deepest:
            return
        channels_in = channels

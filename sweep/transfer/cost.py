"""What a run costs, in multiply-adds and in bytes, without running it. Standard library only, for the planner."""

from collections.abc import Iterator

from sweep.transfer.presets import GATYS, layer_names, network_info
from sweep.transfer.recipe import Recipe

_FLOAT = 4  # bytes
_INDEX = 8  # bytes that a max pool remembers per output


def work(network: str, deepest_layer: str, height: int, width: int, recipe: Recipe) -> float:
    """Multiply-adds of a whole run on a photograph of height x width pixels, over all scales of the recipe.

    One step is a forward pass and the backward pass to the picture (as much again: no gradient of the weights), plus the
    Gram matrices of the first relu of each block. Targets, resizing and yardsticks are left out: they are a few steps' worth.
    """
    per_step = GATYS.evaluations_per_step if recipe.name == "gatys" else 1.0
    return per_step * sum(steps * _step_work(network, deepest_layer, h, w) for h, w, steps in recipe.scales(height, width))


def peak_bytes(network: str, deepest_layer: str, height: int, width: int, recipe: Recipe) -> int:
    """Estimate of the memory that a run holds at its largest scale: weights, features, Gram matrices, optimiser.

    The factor before the largest layer stands for gradients on their way back and for what convolutions work in; it was
    fitted to measured runs on a CPU. The interpreter and torch itself are not in it.
    """
    h, w, _ = recipe.scales(height, width)[-1]
    weights = features = largest = 0.0
    for name, channels_in, channels, rows, columns in _layers(network, deepest_layer, h, w):
        size = channels * rows * columns * _FLOAT
        if name.startswith("pool"):
            features += size + size // _FLOAT * _INDEX
        elif name.startswith("conv"):
            weights += 9 * channels_in * channels * _FLOAT
            features += size  # the relu works in place
            features += size if name.endswith("_1") else 0  # the scaled copy that a Gram matrix keeps for its gradient
            largest = max(largest, size)
    picture = 3 * h * w * _FLOAT
    copies = 2 * recipe.gatys.history + 10 if recipe.name == "gatys" else 8
    return int(weights + features + 6 * largest + copies * picture)


def _step_work(network: str, deepest: str, height: int, width: int) -> float:
    total = 0.0
    for name, channels_in, channels, rows, columns in _layers(network, deepest, height, width):
        positions = rows * columns
        if name.startswith("conv"):
            total += 2.0 * 9 * channels_in * channels * positions
        elif name.startswith("relu") and name.endswith("_1"):
            total += 3.0 * channels * channels * positions  # F F^T, and its gradient by both factors
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

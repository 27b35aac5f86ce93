"""A resumable state of a run: everything that its next step depends on, as the bytes of a safetensors file.

A run of `pyramid` that goes on from its state ends at the very picture and curve, bit by bit, of one that was never disturbed (on
the same kind of machine, with the same threads and pack size): the state holds Adam's moments at all levels, the averaged
picture, the powers by which both are corrected, and the losses that a plateau is told by. Of L-BFGS only the picture is kept.
Its memory is a hundred pictures and more; it starts anew, and the run ends elsewhere in the same valley.

The pictures that are only compared and shown (where the scale began, the last finite one) are kept in 8 bits, as they are used.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from sweep.transfer.lbfgs import PackLBFGS
from sweep.transfer.optimizers import PackAdam
from sweep.transfer.problem import Problem, Styles
from sweep.transfer.recipe import Recipe

VERSION: Final = 1
"""Raised by hand whenever what a state holds, or what a step makes of it, has changed: an older one is then of no use."""
_LABEL: Final = "stylesweep-state"
_OWN: Final = ("seen", "begun", "finite")
Optimizer = PackAdam | PackLBFGS


class UnusableState(Exception):
    """A state that cannot be gone on from; says why. No user's fault: the run then starts from the beginning."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Saved:
    """Where a run is, between two steps. Tensors lie on the CPU.

    scale, number: the scale, from 0, and how many of its steps are done; steps: of the run. done: it waits for the next scale.
    seen: the losses of the scale's steps (n, 3), float64; begun, finite: the pictures that the scale began with and that was last
    seen to be finite, (H, W, 3) uint8. held: what the optimiser goes on from, by name.
    """

    scale: int
    number: int
    steps: int
    done: bool
    seen: np.ndarray
    begun: np.ndarray
    finite: np.ndarray
    held: dict[str, Tensor]


def optimizer_at(images: Tensor, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser, at pictures (B, 3, H, W)."""
    return PackAdam(images, recipe.pyramid) if recipe.name == "pyramid" else PackLBFGS.at(images, recipe.gatys)


def taken_up(saved: Saved, recipe: Recipe, device: torch.device) -> Optimizer:
    """The optimiser of one run, where it was."""
    held = {name: tensor.to(device) for name, tensor in saved.held.items()}
    height, width, _ = saved.begun.shape
    optimizer = optimizer_at(torch.zeros((1, 3, height, width), device=device), recipe)
    optimizer.take(held)
    return optimizer


def encoded(saved: Saved, identity: str) -> bytes:
    """The bytes of a state of the problem of that identity."""
    arrays = {name: np.ascontiguousarray(tensor.detach().cpu().numpy()) for name, tensor in saved.held.items()}
    where = {
        "version": VERSION,
        "problem": identity,
        "scale": saved.scale,
        "number": saved.number,
        "steps": saved.steps,
        "done": saved.done,
    }
    return save(arrays | {name: getattr(saved, name) for name in _OWN}, {_LABEL: json.dumps(where)})


def opened(data: bytes, problem: Problem) -> Saved:
    """Read a state back for the problem that it belongs to.

    Raises:
        UnusableState: it is damaged, was made by another version of the engine, or belongs to another problem.
    """
    try:
        where = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][_LABEL])
        arrays = load(data)
        found = {name: where[name] for name in ("scale", "number", "steps")}
        version, whose, done = where["version"], where["problem"], bool(where["done"])
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UnusableState(f"the state is damaged ({type(error).__name__})") from error
    if version != VERSION:
        raise UnusableState(f"the state was made by another version of the engine ({version} instead of {VERSION})")
    if whose != identity(problem):
        raise UnusableState("the state belongs to another problem")
    _check(found, arrays, problem)
    held = {name: torch.tensor(array) for name, array in arrays.items() if name not in _OWN}
    return Saved(**found, done=done, seen=arrays["seen"], begun=arrays["begun"], finite=arrays["finite"], held=held)


def identity(problem: Problem) -> str:
    """A name for all that a problem minimises, and how, but for the network. Ask before its styles are recoloured."""

    def keys(styles: Styles) -> list[tuple[str, float]]:
        return [(source.key, weight) for source, weight in styles]

    content = problem.content.key, problem.content.pixels.shape
    styles = keys(problem.styles), [(region.place.key, keys(region.styles)) for region in problem.regions]
    layers = sorted(problem.content_layers.items()), sorted(problem.style_layers.items())
    weights = problem.alpha, problem.beta, problem.tv
    controls = problem.style_scale, problem.pooling, problem.padding, problem.colors, problem.style_loss, problem.loss, problem.dtype
    return hashlib.sha256(repr((content, styles, layers, weights, controls, problem.recipe)).encode()).hexdigest()


def _check(where: dict[str, int], arrays: dict[str, np.ndarray], problem: Problem) -> None:
    """Raise UnusableState unless everything is there, in the shape that the scale asks for."""
    plan = problem.recipe.scales(*problem.content.pixels.shape[:2])
    if not (0 <= where["scale"] < len(plan) and 0 <= where["number"] <= plan[where["scale"]][2] and where["steps"] >= 1):
        raise UnusableState("the state is of a step that the run does not have")
    height, width, _ = plan[where["scale"]]
    like = optimizer_at(torch.empty((1, 3, height, width), device="meta"), problem.recipe).held()
    wanted = {name: (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for name, tensor in like.items()}
    wanted |= {"start_gradient": ((1,), "float32"), "seen": ((where["number"], 3), "float64")}
    wanted |= dict.fromkeys(("begun", "finite"), ((height, width, 3), "uint8"))
    if {name: (array.shape, str(array.dtype)) for name, array in arrays.items()} != wanted:
        raise UnusableState("the state is not of the shape that the run has there")

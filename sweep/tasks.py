"""How claimed runs become tasks: which of them share one, what a task asks of a node, and what its worker is handed."""

import functools
import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from db.store import ClaimedRun
from sweep.combination import Settings, Weights
from sweep.places import Ask
from sweep.recipe import run_recipe
from sweep.request import RunRequest
from sweep.transfer.cost import WORKER_BYTES, peak_bytes
from sweep.transfer.presets import deepest_layer
from sweep.transfer.recipe import Recipe

PACK_PIXELS = 512 * 512
"""With `pack: auto` a GPU gets as many pictures at once as have about this many pixels together; a larger picture fills it alone."""
MOST_AUTO = 8
REMEMBERED = 256
"""Different settings of which it is known what they take: a sweep's runs have few, and to work it out takes as long as a run's rows."""


def pack_size(resources: Mapping[str, Any], gpus: float, pixels: int) -> int:
    """How many runs of that many pixels share a task: what `resources.pack` says; `auto` is 1 on a CPU."""
    wanted = resources.get("pack", "auto")
    if wanted != "auto":
        return int(wanted)
    if gpus == 0 or resources.get("device") == "cpu":
        return 1
    return max(1, min(MOST_AUTO, PACK_PIXELS // max(1, pixels)))


def pixels_of(claimed: ClaimedRun) -> int:
    """Of the picture it makes; a run whose photograph the workspace does not know counts as too large for company."""
    if claimed.content_size is None:
        return PACK_PIXELS
    return _pixels(claimed.settings.settings, claimed.content_size)


@functools.lru_cache(maxsize=REMEMBERED)
def _pixels(settings: Settings, content_size: tuple[int, int]) -> int:
    height, width, _ = Recipe.of(vars(settings)).scales(*content_size)[-1]
    return height * width


def packs(claimed: Iterable[ClaimedRun], asks: Mapping[str, Ask], sizes: Mapping[str, int], free: int) -> list[list[ClaimedRun]]:
    """Claimed runs as tasks, in their order; those of a task can go through the network together (`transfer.pack`).

    asks, sizes: by run key. free: slots that nothing works on now.

    No slot is left idle so that a pack be full: few runs are spread over the free slots first.
    """
    claimed = list(claimed)
    if max(sizes.values(), default=1) == 1:
        return [[run] for run in claimed]
    together: dict[Hashable, list[ClaimedRun]] = {}
    for run in claimed:
        together.setdefault(_key(run, asks[run.run_key]), []).append(run)
    every = sum(len(runs) for runs in together.values())
    fair = max(1, math.ceil(every / max(1, free)))
    return [part for runs in together.values() for part in _parts(runs, min(sizes[runs[0].run_key], fair))]


def _parts(runs: Sequence[ClaimedRun], size: int) -> list[list[ClaimedRun]]:
    return [list(runs[start : start + size]) for start in range(0, len(runs), size)]


def _key(run: ClaimedRun, ask: Ask) -> Hashable:
    """Runs of equal key can share a task. A run that goes on from a state, or that has to be tried alone, shares with nobody."""
    settings = run.settings.settings
    if run.alone or run.start_step or run.content_size is None:
        return run.run_key
    recipe = Recipe.of(vars(settings))
    shapes = tuple((height, width) for height, width, _ in recipe.scales(*run.content_size))
    deepest = deepest_layer(settings.network, dict(run.settings.content_layers), dict(run.settings.style_layers))
    numbers = recipe.pyramid if recipe.name == "pyramid" else recipe.gatys
    same = (settings.pooling, settings.padding, settings.dtype, run.resources.get("device"), run.resources.get("pack"))
    return recipe.name, shapes, numbers, settings.network_hash, deepest, ask, same


def request_of(claimed: ClaimedRun) -> RunRequest:
    """What a worker is handed for a claimed run, the recipe for its picture's file included."""
    resources = claimed.resources
    snapshots = resources.get("snapshots", 0)
    return RunRequest(
        run_key=claimed.run_key,
        attempt=claimed.attempt,
        settings=claimed.settings,
        device=str(resources.get("device", "auto")),
        gpus=float(resources.get("gpus") or 0.0),
        threads=max(1, int(resources.get("cpus", 1))),
        text={"stylesweep": json.dumps(run_recipe(claimed), ensure_ascii=False, allow_nan=False)},
        content_size=claimed.content_size,
        snapshots=snapshots if isinstance(snapshots, int) else frozenset(snapshots),
        start_step=claimed.start_step,
    )


def bytes_needed(claimed: ClaimedRun) -> float:
    """What a run is expected to take, its worker included; 0 where that cannot be told."""
    if claimed.content_size is None:
        return 0.0
    run = claimed.settings
    return _bytes(run.settings, run.content_layers, run.style_layers, claimed.content_size)


@functools.lru_cache(maxsize=REMEMBERED)
def _bytes(settings: Settings, content_layers: Weights, style_layers: Weights, content_size: tuple[int, int]) -> float:
    deepest = deepest_layer(settings.network, dict(content_layers), dict(style_layers))
    recipe = Recipe.of(vars(settings))
    return WORKER_BYTES + peak_bytes(settings.network, deepest, content_size, recipe, settings.dtype)  # type: ignore[arg-type]

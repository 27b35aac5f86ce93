"""What a sweep would run: combinations to runs, shared and reused, with the time and the disk they take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.sweeps import PlannedCombination
from sweep.combination import Combination, run_key
from sweep.spec import NamedCombination, SweepSpec
from sweep.transfer.cost import peak_bytes, work
from sweep.transfer.presets import deepest_layer
from sweep.transfer.recipe import NUMBERS, Recipe, fitted, log_spaced

BYTES_PER_PIXEL = 2.6
BYTES_PER_RUN = 24_000
"""Of a stylised picture as PNG, and of its thumbnail, rows and curve; measured on the example sweeps. A snapshot counts as one more."""
CPU_RATE = 4.5e10
GPU_RATE = 8e12
"""Multiply-adds per second of one worker where nothing has been measured yet: a laptop's core, a mid-size GPU. Rough."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """runs: distinct runs of the sweep; reused: those that are done already; to_run: the rest.

    work: all steps are counted, also where a `stop` may end a run early. bytes: with snapshots, thumbnails and rows.
    memory: bytes that the largest run still to do takes beside Python and torch; 0 if nothing is to do.
    seconds: for the whole sweep on `slots` workers. measured: whether it rests on runs made in this workspace.
    """

    name: str
    planned: tuple[PlannedCombination, ...]
    combinations: int
    runs: int
    reused: int
    to_run: int
    work: float
    seconds: float
    seconds_per_run: float
    bytes: int
    memory: int
    slots: int
    measured: bool


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast a worker is (multiply-adds per second), how many work at once, and whether that was measured here."""

    rate: float
    slots: int
    measured: bool


def make_plan(
    spec: SweepSpec,
    named: Iterable[NamedCombination],
    sizes: Mapping[str, tuple[int, int]],
    states_of: Callable[[list[str]], Mapping[str, str]],
    speed: Speed,
) -> Plan:
    """Expand a sweep. sizes: (height, width) of each picture by its hash. states_of: run_key -> state, for known runs.

    Combinations of equal key (one picture under two names, a value written twice) count once.
    """
    planned: dict[str, PlannedCombination] = {}
    work_of: dict[str, float] = {}
    bytes_of: dict[str, float] = {}
    memory_of: dict[str, int] = {}
    cost = _Cost(sizes, spec.snapshots)
    for one in named:
        combination = one.combination
        key = combination.combination_key()
        if key in planned:
            continue
        run = run_key(combination.run_settings())
        if run not in work_of:
            work_of[run], bytes_of[run], memory_of[run] = cost.of(combination)
        planned[key] = PlannedCombination(
            combination=combination, content_name=one.content.name, style_name=one.style_name, work=work_of[run]
        )
    states = states_of(list(work_of))
    reused = {key for key in work_of if states.get(key) in ("done", "diverged")}
    remaining = sum(value for key, value in work_of.items() if key not in reused)
    to_run = len(work_of) - len(reused)
    seconds_all = remaining / speed.rate
    return Plan(
        name=spec.name,
        planned=tuple(planned.values()),
        combinations=len(planned),
        runs=len(work_of),
        reused=len(reused),
        to_run=to_run,
        work=remaining,
        seconds=seconds_all / max(1, min(speed.slots, to_run)),
        seconds_per_run=seconds_all / to_run if to_run else 0.0,
        bytes=int(sum(needed for key, needed in bytes_of.items() if key not in reused)),
        memory=max((needed for key, needed in memory_of.items() if key not in reused), default=0),
        slots=speed.slots,
        measured=speed.measured,
    )


_COSTLY = ("recipe", "size", "size_by", "steps", "dtype", *NUMBERS)
"""The settings by which runs differ in their scales and their memory; what else may differ costs no work that is counted."""


class _Cost:
    """Work, bytes on disk and bytes of memory of a combination; most combinations of a grid cost the same, so the answers are kept."""

    def __init__(self, sizes: Mapping[str, tuple[int, int]], snapshots: int | Sequence[int]) -> None:
        self._sizes = sizes
        self._snapshots = snapshots
        self._known: dict[tuple[object, ...], tuple[float, float, int]] = {}

    def of(self, combination: Combination) -> tuple[float, float, int]:
        settings, layers = combination.settings, combination.layers
        deepest = deepest_layer(settings.network, dict(layers.content), dict(layers.style))
        height, width = self._sizes[combination.content]
        key = (settings.network, deepest, height, width, *(getattr(settings, name) for name in _COSTLY))
        if key not in self._known:
            recipe = Recipe.of(vars(settings))
            pictures = [fitted(height, width, recipe.long_side(height, width)), *self._kept(recipe, height, width)]
            needed = sum(BYTES_PER_PIXEL * rows * columns + BYTES_PER_RUN for rows, columns in pictures)
            memory = peak_bytes(settings.network, deepest, (height, width), recipe, settings.dtype)  # type: ignore[arg-type]
            self._known[key] = work(settings.network, deepest, height, width, recipe), needed, memory
        return self._known[key]

    def _kept(self, recipe: Recipe, height: int, width: int) -> list[tuple[int, int]]:
        """(height, width) of every snapshot."""
        wanted = self._snapshots
        steps = log_spaced(wanted, recipe.total_steps(height, width)) if isinstance(wanted, int) else set(wanted)
        kept, before = [], 0
        for rows, columns, steps_here in recipe.scales(height, width):
            kept += [(rows, columns)] * sum(before < step <= before + steps_here for step in steps)
            before += steps_here
        return kept


def picture_sizes(files: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, int]]:
    """(sha256, width, height) triples -> sha256 -> (height, width)."""
    return {sha256: (height, width) for sha256, width, height in files}


def own_weights(spec: SweepSpec, network_hash: Mapping[tuple[str, Path | None], str]) -> dict[str, str]:
    """network_hash -> path, for the user's own weight files; recorded with the sweep, so that any driver finds them."""
    return {network_hash[pair]: str(pair[1]) for pair in spec.network_files() if pair[1] is not None}

"""What a sweep would run: combinations to runs, shared and reused, with the time and the disk they take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from db.models import GIVEN_UP
from db.sweeps import PlannedCombination
from sweep.combination import Combination, LayerSet
from sweep.errors import InputError
from sweep.keys import Keys
from sweep.spec import NamedCombination, SweepSpec
from sweep.speed import Speed, makespan
from sweep.transfer.cost import peak_bytes, work_of_scales
from sweep.transfer.presets import deepest_layer, least_side
from sweep.transfer.recipe import NUMBERS, Recipe, fitted, log_spaced

BYTES_PER_PIXEL = 2.6
BYTES_PER_RUN = 24_000
"""Of a stylised picture as PNG, and of its thumbnail, rows and curve; measured on the example sweeps. A snapshot counts as one more."""
CPU_RATE = 4.5e10
GPU_RATE = 8e12
"""Multiply-adds per second of one worker where nothing has been measured yet: a laptop's core, a mid-size GPU. Rough."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """runs: distinct runs of the sweep; reused: those that are done already; failed: those that failed in this sweep, which only a
    retry runs again; to_run: the rest.

    work: all steps are counted, also where a `stop` may end a run early. bytes: with snapshots, thumbnails and rows.
    memory: bytes that the largest run still to do takes beside Python and torch; 0 if nothing is to do. worker_memory: bytes that
    were measured of a whole worker (of a GPU, of all that it holds) with such a run; None without a calibration.
    seconds: for the whole sweep on `slots` workers. slots_up: on a cluster, how many of them there is room for now.
    measured: whether the time rests on what was measured here; basis: on a 'calibration', on 'runs' made in this workspace, or on a
    'guess': of several the weakest. node: whose calibration it is.
    price: None where no price_per_hour is given.
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
    basis: str
    node: str
    core_hours: float
    gpu_hours: float
    price: float | None
    worker_memory: int | None
    slots_up: int | None = None
    failed: int = 0


def make_plan(
    spec: SweepSpec,
    named: Iterable[NamedCombination],
    sizes: Mapping[str, tuple[int, int]],
    states_of: Callable[[list[str]], Mapping[str, str]],
    speed: Speed,
) -> Plan:
    """Expand a sweep. sizes: (height, width) of each picture by its hash. states_of: run_key -> state, for known runs; of what failed it
    is to tell only what failed in this very sweep, as what failed in another is queued by this one.

    Combinations of equal key (one picture under two names, a value written twice) count once.

    Raises:
        InputError: a photograph would be too narrow at its size for the layers that are asked for.
    """
    planned, cost_of = _planned(named, _Costs(sizes, spec.snapshots, speed))
    states = states_of(list(cost_of))
    failed = sum(states.get(key) in GIVEN_UP for key in cost_of)
    left = [one for key, one in cost_of.items() if states.get(key) not in ("done", "diverged", *GIVEN_UP)]
    worker_seconds = sum(one.seconds for one in left)
    hours = worker_seconds / 3600
    basis = next((basis for basis in BASES if any(one.basis == basis for one in left)), "guess")
    return Plan(
        name=spec.name,
        planned=tuple(planned.values()),
        combinations=len(planned),
        runs=len(cost_of),
        reused=len(cost_of) - len(left) - failed,
        failed=failed,
        to_run=len(left),
        work=sum(one.work for one in left),
        seconds=makespan((one.seconds for one in left), speed.slots),
        seconds_per_run=worker_seconds / len(left) if left else 0.0,
        bytes=int(sum(one.bytes for one in left)),
        memory=max((one.memory for one in left), default=0),
        slots=speed.slots,
        measured=basis != "guess",
        basis=basis,
        node=speed.node,
        core_hours=hours * speed.cpus,
        gpu_hours=hours * speed.gpus,
        price=None if speed.price_per_hour is None else hours * speed.price_per_hour,
        worker_memory=max((one.worker_memory for one in left if one.worker_memory is not None), default=None),
        slots_up=speed.slots_up,
    )


def _planned(named: Iterable[NamedCombination], costs: "_Costs") -> "tuple[dict[str, PlannedCombination], dict[str, _Cost]]":
    """The combinations by their keys, and what each of their runs costs, by its key."""
    planned: dict[str, PlannedCombination] = {}
    cost_of: dict[str, _Cost] = {}
    keys = Keys()
    for one in named:
        combination = one.combination
        key, run = keys.of(combination)
        if key in planned:
            continue
        if run not in cost_of:
            cost_of[run] = costs.of(combination)
            if cost_of[run].too_small:
                raise InputError(
                    f"{one.content} would be {cost_of[run].too_small}. "
                    "Give a larger size, size_by: area or shallower layers, or leave the photograph out."
                )
        planned[key] = PlannedCombination(
            combination=combination, content_name=one.content.name, style_name=one.style_name, work=cost_of[run].work, key=key, run=run
        )
    return planned, cost_of


BASES = ("guess", "runs", "calibration")
"""What an estimate of time may rest on, the weakest first."""
_costly = attrgetter("recipe", "size", "size_by", "steps", "dtype", *NUMBERS)
"""The settings by which runs differ in their scales and their memory; what else may differ costs no work that is counted."""


_where = attrgetter("content", "regions")


@dataclass(frozen=True, kw_only=True)
class _Cost:
    """Of one run. bytes: on disk."""

    work: float
    seconds: float
    basis: str
    bytes: float
    memory: int
    worker_memory: int | None
    too_small: str
    """Why it could not be run, if its picture is so narrow; else nothing."""


class _Costs:
    """The cost of a combination; most combinations of a grid cost the same, so the answers are kept."""

    def __init__(self, sizes: Mapping[str, tuple[int, int]], snapshots: int | Sequence[int], speed: Speed) -> None:
        self._sizes = sizes
        self._snapshots = snapshots
        self._speed = speed
        self._known: dict[tuple[object, ...], _Cost] = {}
        self._last: tuple[Combination, _Cost] | None = None
        self._deepest: dict[tuple[str, LayerSet], str] = {}

    def of(self, combination: Combination) -> _Cost:
        """Most neighbours have settings, layers and photograph in common, as one object."""
        one, last = combination, self._last
        if last is None or one.settings is not last[0].settings or one.layers is not last[0].layers or _where(one) != _where(last[0]):
            last = self._last = combination, self._looked_up(combination)
        return last[1]

    def _looked_up(self, combination: Combination) -> _Cost:
        settings, layers = combination.settings, combination.layers
        deepest = self._deepest.get((settings.network, layers))
        if deepest is None:
            deepest = deepest_layer(settings.network, dict(layers.content), dict(layers.style))
            self._deepest[settings.network, layers] = deepest
        size = self._sizes[combination.content]
        key = (settings.network, deepest, size, len(combination.regions), *_costly(settings))
        if key not in self._known:
            self._known[key] = self._cost(combination, deepest, size)
        return self._known[key]

    def _cost(self, combination: Combination, deepest: str, size: tuple[int, int]) -> _Cost:
        settings = combination.settings
        recipe = Recipe.of(vars(settings))
        scales = work_of_scales(settings.network, deepest, size, recipe, max(1, len(combination.regions)))
        kind = settings.network, settings.recipe, settings.dtype
        pictures = [fitted(*size, recipe.long_side(*size)), *self._kept(recipe, *size)]
        return _Cost(
            work=sum(steps * work for steps, work in scales),
            seconds=self._speed.seconds(kind, scales),
            basis=self._speed.basis(kind),
            bytes=sum(BYTES_PER_PIXEL * rows * columns + BYTES_PER_RUN for rows, columns in pictures),
            memory=peak_bytes(settings.network, deepest, size, recipe, settings.dtype),  # type: ignore[arg-type]
            worker_memory=self._speed.memory(kind, scales),
            too_small=_too_small(combination, deepest, pictures[0]),
        )

    def _kept(self, recipe: Recipe, height: int, width: int) -> list[tuple[int, int]]:
        """(height, width) of every snapshot."""
        wanted = self._snapshots
        steps = log_spaced(wanted, recipe.total_steps(height, width)) if isinstance(wanted, int) else set(wanted)
        kept, before = [], 0
        for rows, columns, steps_here in recipe.scales(height, width):
            kept += [(rows, columns)] * sum(before < step <= before + steps_here for step in steps)
            before += steps_here
        return kept


def _too_small(combination: Combination, deepest: str, size: tuple[int, int]) -> str:
    settings, least = combination.settings, least_side(combination.settings.network, deepest)
    if min(size) >= least:
        return ""
    return f"{size[1]} x {size[0]} pixels at size {settings.size}, and {deepest} needs {least} on the shorter side"


def picture_sizes(files: Iterable[tuple[str, int, int]]) -> dict[str, tuple[int, int]]:
    """(sha256, width, height) triples -> sha256 -> (height, width)."""
    return {sha256: (height, width) for sha256, width, height in files}


def own_weights(spec: SweepSpec, network_hash: Mapping[tuple[str, Path | None], str]) -> dict[str, str]:
    """network_hash -> path, for the user's own weight files; recorded with the sweep, so that any driver finds them."""
    return {network_hash[pair]: str(pair[1]) for pair in spec.network_files() if pair[1] is not None}

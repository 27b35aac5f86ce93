"""The points of a sweep: every value with every other (grid), or as many as are asked for (random, sobol), less what is excluded."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal

from sweep.axes import Axis
from sweep.conditions import AT, NAMES, Exclusion, Point, Rule
from sweep.search import SEARCHES
from sweep.transfer.recipe import NUMBERS
from sweep.yaml_file import Key

Method = Literal["grid", "random", "sobol"]
MAX_COMBINATIONS = 1_000_000

_PATIENCE = 2000
"""Draws that may bring nothing new before a space counts as exhausted; and 20 more for each point found: the last of many takes long."""

FACTS: tuple[tuple[str, ...], ...] = (
    ("content", "style"),
    ("network", "weights"),
    ("network", "layers"),
    ("loss", "style_loss"),
    ("alpha", "beta", "tv"),
    ("size", "size_by"),
    *(("recipe", name) for name in NUMBERS),
)
"""What is asked of all points together: which values of these meet."""


Mark = tuple[Any, ...]
"""What moves of a point, in the order of `Space.moving`: all that is kept of the points that are drawn."""


class Circle(ValueError):
    """Conditions that wait for each other. `key`: one of them."""

    def __init__(self, key: Key) -> None:
        """Of the entry of `when` that is one of them."""
        super().__init__("it waits for a value that waits for its own")
        self.key = key


class TooMany(ValueError):
    """A grid of more than MAX_COMBINATIONS."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Names that change together: one, or a group of `zip`, whose axis then has tuples. rules: those that set it, the last first."""

    at: tuple[int, ...]
    axis: Axis
    rules: tuple[Rule, ...] = ()

    def put(self, point: list[Any], value: Any) -> None:
        """Give a point its value."""
        if len(self.at) == 1:
            point[self.at[0]] = value
        else:
            for at, one in zip(self.at, value, strict=True):
                point[at] = one

    def axis_of(self, point: Point) -> Axis:
        """The values it takes beside those that the point has already."""
        for rule in self.rules:
            if rule.applies(point):
                return rule.axes[self.at[0]]
        return self.axis

    def most(self) -> float:
        """How many values it may have at most, all rules together."""
        return sum(axis.most() for axis in (self.axis, *(rule.axes[self.at[0]] for rule in self.rules)))

    def waits_for(self) -> set[int]:
        """What must be known before its values are."""
        return {condition.at for rule in self.rules for condition in rule.conditions}


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All points looked at once. facts: for those of FACTS that move, the values that meet. idle: entries without effect."""

    count: int
    facts: Mapping[tuple[str, ...], Iterable[tuple[Any, ...]]]
    idle: tuple[Key, ...]


@dataclass(frozen=True, kw_only=True)
class Space:
    """What can be combined. axes: of every one of NAMES; groups: those of `zip`; runs and seed: of random and sobol."""

    axes: Mapping[str, Axis]
    groups: tuple[tuple[str, ...], ...] = ()
    rules: tuple[Rule, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    method: Method = "grid"
    runs: int = 0
    seed: int = 0

    @property
    def plain(self) -> bool:
        """Whether it is the full product of its axes."""
        return self.method == "grid" and not (self.groups or self.rules or self.exclusions)

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """In the order of NAMES; a conditional one after what it waits for. Raises Circle."""
        grouped = {name: group for group in self.groups for name in group}
        pending = [self._unit(grouped.get(name, (name,))) for name in NAMES if name == grouped.get(name, (name,))[0]]
        order: list[Unit] = []
        known: set[int] = set()
        while pending:
            ready = next((unit for unit in pending if unit.waits_for() <= known), None)
            if ready is None:
                raise Circle(min((rule.key for unit in pending for rule in unit.rules), key=str))
            pending.remove(ready)
            order.append(ready)
            known |= set(ready.at)
        return tuple(order)

    def _unit(self, names: Sequence[str]) -> Unit:
        at = tuple(AT[name] for name in names)
        if len(names) == 1:
            return Unit(at=at, axis=self.axes[names[0]], rules=tuple(rule for rule in reversed(self.rules) if at[0] in rule.axes))
        axes = [self.axes[name] for name in names]
        together = tuple(zip(*(axis.listed for axis in axes), strict=True))
        shares = next((axis.shares for axis in axes if axis.shares), ())
        return Unit(at=at, axis=Axis(values=tuple(dict.fromkeys(together)), key=axes[0].key, listed=together, shares=shares))

    @cached_property
    def moving(self) -> tuple[Unit, ...]:
        """The units that have more than one value, or may have."""
        return tuple(unit for unit in self.units if unit.rules or unit.axis.varies)

    def at_least(self) -> int:
        """How many points a grid has before `exclude`, its conditional values counted as one."""
        return math.prod(len(unit.axis.values) for unit in self.units if not unit.rules)

    def points(self) -> Iterator[Point]:
        """Each point once. A grid's come content outermost and beta innermost; those that are drawn in the order they were drawn."""
        return self._points(set())

    def _points(self, used: set[Key]) -> Iterator[Point]:
        """used: the keys of the exclusions that leave something out are added to it."""
        if self.plain:
            return itertools.product(*(self.axes[name].values for name in NAMES))
        if self.method == "grid":
            return (point for point in self._bounded(self._walk(self._start(), 0)) if not self._excluded(point, used))
        marks, drawn_used = self._drawn
        used |= drawn_used
        return self._marked(marks)

    def _start(self) -> list[Any]:
        """A point with what does not move."""
        start: list[Any] = [None] * len(NAMES)
        for unit in self.units:
            unit.put(start, unit.axis.values[0] if unit.axis.values else None)
        return start

    def _marked(self, marks: Iterable[Mark]) -> Iterator[Point]:
        point, places = self._start(), self._places()
        for mark in marks:
            for at, value in zip(places, mark, strict=True):
                point[at] = value
            yield tuple(point)

    def _places(self) -> list[int]:
        return [at for unit in self.moving for at in unit.at]

    def _bounded(self, points: Iterator[Point]) -> Iterator[Point]:
        for number, point in enumerate(points):
            if number == MAX_COMBINATIONS:
                raise TooMany
            yield point

    def _excluded(self, point: Point, used: set[Key]) -> bool:
        for exclusion in self.exclusions:
            if exclusion.matches(point):
                used.add(exclusion.key)
                return True
        return False

    def _walk(self, point: list[Any], depth: int) -> Iterator[Point]:
        """Every value of the moving units from that depth on."""
        if depth == len(self.moving):
            yield tuple(point)
            return
        unit = self.moving[depth]
        for value in unit.axis_of(point).values:
            unit.put(point, value)
            yield from self._walk(point, depth + 1)

    def _draw(self, point: list[Any]) -> Iterator[Point]:
        """Points by chance, some perhaps alike. A group goes by its first name, a share is its name's whatever rule applies."""
        names = sorted((NAMES[unit.at[0]] for unit in self.moving), key=NAMES.index)
        places = [(unit, names.index(NAMES[unit.at[0]])) for unit in self.moving]
        for shares in SEARCHES[self.method](self.seed, names):
            for unit, place in places:
                unit.put(point, unit.axis_of(point).at(shares[place]))
            yield tuple(point)

    @cached_property
    def _drawn(self) -> tuple[list[Mark], set[Key]]:
        """As many different points as are asked for, or as there are, by what moves; and the exclusions that left something out."""
        places, used = self._places(), set[Key]()
        most = min(self.runs, math.prod(unit.most() for unit in self.moving))
        marks: dict[Mark, None] = {}
        in_vain = 0
        for point in self._draw(self._start()):
            mark = tuple(point[at] for at in places)
            if mark in marks or self._excluded(point, used):
                in_vain += 1
                if in_vain > _PATIENCE + 20 * len(marks):
                    break
                continue
            in_vain = 0
            marks[mark] = None
            if len(marks) >= most:
                break
        return list(marks), used

    def facts(self, *names: str) -> Iterable[tuple[Any, ...]]:
        """The values of these names (one of FACTS) that meet in any point, each once. Raises TooMany."""
        if self.plain or not self._moving_names() & set(names):
            return itertools.product(*(self.axes[name].values for name in names))
        return self.survey.facts[names]

    def _moving_names(self) -> set[str]:
        return {NAMES[at] for unit in self.moving for at in unit.at}

    @cached_property
    def survey(self) -> Survey:
        """One pass over all points of a space that is not plain. Raises TooMany where a grid is found to be too large."""
        moving = self._moving_names()
        facts: dict[tuple[str, ...], dict[Any, None]] = {names: {} for names in FACTS if moving & set(names)}
        met = [(itemgetter(*(AT[name] for name in names)), found) for names, found in facts.items()]
        used: set[Key] = set()
        idle = list(self.rules)
        count = 0
        for point in self._points(used):
            count += 1
            for pick, found in met:
                found[pick(point)] = None
            if idle:
                idle = [rule for rule in idle if not rule.applies(point)]
        unused = (*(rule.key for rule in idle), *(one.key for one in self.exclusions if one.key not in used))
        return Survey(count=count, facts=facts, idle=unused)

    def count(self) -> int:
        """How many points there are. Not `__len__`: that must fit 64 bits. Raises TooMany."""
        return self.at_least() if self.plain else self.survey.count

    def keys_of(self, name: str) -> list[Key]:
        """Where the values of a name stand in the file: the usual ones first, then those of `when`."""
        return [self.axes[name].key, *(rule.axes[AT[name]].key for rule in self.rules if AT[name] in rule.axes)]

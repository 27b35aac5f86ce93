"""What a sweep's file says of values together: `zip` (they move together), `when` (they count only if), `exclude` (they never meet)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.axes import Axis, read_axis, read_value, unknown_parameter
from sweep.errors import SpecError
from sweep.parameters import PARAMETERS
from sweep.pictures import resolve
from sweep.styles import Style, styles_of
from sweep.yaml_file import Key, YamlFile, is_number, short

PICTURES = ("content", "style")
NAMES = (*PICTURES, *PARAMETERS)
"""What a point has a value of, slowest-changing first."""
AT = {name: index for index, name in enumerate(NAMES)}

Point = Sequence[Any]
"""A value for each of `NAMES`."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a point's value of one name (its place in NAMES) must be: one of the values, or a number from low to high."""

    at: int
    values: frozenset[Any] | None = None
    low: float = 0
    high: float = 0

    def holds(self, point: Point) -> bool:
        """Whether it is."""
        value = point[self.at]
        if self.values is not None:
            return value in self.values
        return is_number(value) and self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One entry of `when`: where all conditions hold, these axes (by their place in NAMES) stand in the place of the usual ones."""

    conditions: tuple[Condition, ...]
    axes: Mapping[int, Axis]
    key: Key

    def applies(self, point: Point) -> bool:
        """Whether all conditions hold."""
        return all(condition.holds(point) for condition in self.conditions)


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """One entry of `exclude`: a point for which all conditions hold is left out."""

    conditions: tuple[Condition, ...]
    key: Key

    def matches(self, point: Point) -> bool:
        """Whether all conditions hold."""
        return all(condition.holds(point) for condition in self.conditions)


class Conditions:
    """Reads the three lists of a file. axes: of every name, the pictures too; folder: where relative paths begin.

    Each method raises SpecError, which names the file, the line, the key, the value and what is allowed.
    """

    def __init__(self, file: YamlFile, axes: Mapping[str, Axis], folder: Path, *, drawn: bool) -> None:
        self._file = file
        self._axes = axes
        self._folder = folder
        self._drawn = drawn

    def groups(self, given: list[Any]) -> tuple[tuple[str, ...], ...]:
        """`zip`: the names of each group in the order of NAMES. One group may stand without a list around it."""
        lists: list[tuple[Key, Any]] = [(("zip", index), one) for index, one in enumerate(given)]
        if given and all(isinstance(one, str) for one in given):
            lists = [(("zip",), given)]
        groups: list[tuple[str, ...]] = []
        for key, names in lists:
            groups.append(self._group(key, names, [name for group in groups for name in group]))
        return tuple(groups)

    def _group(self, key: Key, names: Any, taken: list[str]) -> tuple[str, ...]:
        if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
            raise SpecError(
                f"{self._file.where(key)}: {short(names)} is not allowed: a group is a list of two names or more, as in [content, style]."
            )
        for index, name in enumerate(names):
            where: Key = (*key, index)
            if name not in NAMES:
                raise unknown_parameter(self._file, where, name, *PICTURES)
            if name in taken or name in names[:index]:
                raise SpecError(f"{self._file.where(where)}: {name} is in `zip` already; a name moves together with one group.")
            if self._axes[name].span is not None:
                raise SpecError(f"{self._file.where(where)}: {name} is a range that is drawn from; to move with others it needs a list.")
        long = {name: len(self._axes[name].listed or self._axes[name].values) for name in names}
        if len(set(long.values())) > 1:
            told = ", ".join(f"{name} has {number}" for name, number in long.items())
            raise SpecError(f"{self._file.where(key)}: {told}; values that move together must be equally many.")
        if sum(bool(self._axes[name].shares) for name in names) > 1:
            raise SpecError(f"{self._file.where(key)}: two of the group have probabilities; leave them at one, for the group.")
        return tuple(sorted(names, key=NAMES.index))

    def rules(self, given: list[Any], groups: Sequence[Sequence[str]]) -> tuple[Rule, ...]:
        """`when`; groups: those of `zip`, whose members cannot be conditional."""
        return tuple(self._rule(("when", index), one, groups) for index, one in enumerate(given))

    def _rule(self, key: Key, one: Any, groups: Sequence[Sequence[str]]) -> Rule:
        how = "an entry is written {if: {recipe: gatys}, then: {history: [10, 20]}}"
        if not isinstance(one, dict) or set(one) != {"if", "then"}:
            raise SpecError(f"{self._file.where(key)}: {short(one)} is not allowed: {how}.")
        conditions = self._conditions((*key, "if"), one["if"])
        then = one["then"]
        if not isinstance(then, dict) or not then:
            raise SpecError(f"{self._file.where((*key, 'then'))}: {short(then)} is not allowed: {how}.")
        axes = {}
        for name, written in then.items():
            at: Key = (*key, "then", name)
            if name in PICTURES:
                raise SpecError(f"{self._file.where(at)}: {name} cannot be conditional; say what meets what by `zip` or `exclude`.")
            if name not in PARAMETERS:
                raise unknown_parameter(self._file, at, name)
            if any(name in group for group in groups):
                raise SpecError(f"{self._file.where(at)}: {name} moves together with others (`zip`), so it cannot be conditional too.")
            axes[AT[name]] = read_axis(self._file, at, written, self._folder, drawn=self._drawn)
        return Rule(conditions=conditions, axes=axes, key=key)

    def exclusions(self, given: list[Any]) -> tuple[Exclusion, ...]:
        """`exclude`."""
        keys: list[Key] = [("exclude", index) for index in range(len(given))]
        return tuple(Exclusion(conditions=self._conditions(key, one), key=key) for key, one in zip(keys, given, strict=True))

    def _conditions(self, key: Key, given: Any) -> tuple[Condition, ...]:
        if not isinstance(given, dict) or not given:
            raise SpecError(
                f"{self._file.where(key)}: {short(given)} is not allowed: give names with a value, a list of values or {{min: a, max: b}}, "
                "as in {size: 512, beta: {min: 100}}."
            )
        return tuple(self._condition((*key, name), name, wanted) for name, wanted in given.items())

    def _condition(self, key: Key, name: str, wanted: Any) -> Condition:
        if name not in NAMES:
            raise unknown_parameter(self._file, key, name, *PICTURES)
        if isinstance(wanted, dict) and wanted and set(wanted) <= {"min", "max"} and name not in PICTURES:
            return self._between(key, name, wanted)
        listed = wanted if isinstance(wanted, list) else [wanted]
        if not listed:
            raise SpecError(f"{self._file.where(key)}: the list is empty; give {name} a value, or leave it out.")
        values: set[Any] = set()
        for index, value in enumerate(listed):
            at = (*key, index) if isinstance(wanted, list) else key
            values |= self._pictures(at, name, value) if name in PICTURES else {read_value(self._file, at, value, self._folder, name)}
        return Condition(at=AT[name], values=frozenset(values))

    def _between(self, key: Key, name: str, wanted: Mapping[str, Any]) -> Condition:
        if PARAMETERS[name].numeric is None:
            raise SpecError(f"{self._file.where(key)}: {name} is no number, so it takes a value or a list, not min and max.")
        for end, value in wanted.items():
            if not is_number(value):
                raise SpecError(f"{self._file.where((*key, end))}: {short(value)} is not allowed: {end} is a finite number.")
        return Condition(at=AT[name], low=wanted.get("min", float("-inf")), high=wanted.get("max", float("inf")))

    def _pictures(self, key: Key, name: str, value: Any) -> set[Any]:
        """The sweep's photographs or styles that a name, a path, a glob or a blend means."""
        known = self._axes[name].values
        by_name = {one for one in known if value == (one.name if isinstance(one, Path) else one.name())}
        if by_name:
            return by_name
        found: set[Path] | set[Style]
        if name == "style":
            found = set(styles_of(self._file, key, value, self._folder))
        elif isinstance(value, str):
            found = set(resolve(self._file, key, value, self._folder))
        else:
            raise SpecError(f"{self._file.where(key)}: {short(value)} is not allowed: a photograph is told by its name or its path.")
        meant = {one for one in known if one in found}
        if not meant:
            names = ", ".join(one.name if isinstance(one, Path) else one.name() for one in known[:10])
            more = ", ..." if len(known) > 10 else ""
            raise SpecError(f"{self._file.where(key)}: {short(value)} is none of this sweep's: {names}{more}.")
        return meant

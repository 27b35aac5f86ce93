"""The values that each parameter of a sweep takes: lists, single values, and ranges, spaced for a grid or drawn from."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from sweep.errors import SpecError
from sweep.parameters import PARAMETERS
from sweep.ranges import DISTRIBUTIONS, MAX_COUNT, RANGE_KEYS, Range, read_range
from sweep.yaml_file import Key, YamlFile, did_you_mean, is_number, short

__all__ = ["DISTRIBUTIONS", "MAX_COUNT", "PARAMETERS", "Axis", "read_axis", "read_parameters", "unknown_parameter"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The values one parameter takes. key: where in the file it stands.

    values: each once, in the order written; () for a range that is drawn from. listed: as written, with doubles, for zip.
    shares: how often each of `listed` is drawn, sum 1; () is evenly over `values`. span: the range that is drawn from.
    """

    values: tuple[Any, ...]
    key: Key
    listed: tuple[Any, ...] = ()
    shares: tuple[float, ...] = ()
    span: Range | None = None

    @property
    def varies(self) -> bool:
        """Whether it has more than one value."""
        return self.span is not None or len(self.values) > 1

    def most(self) -> float:
        """How many different values it has; infinity where nobody counts them."""
        if self.span is not None:
            return math.inf if self.span.quantum is None else self.span.multiples()
        return len({value for value, share in zip(self.listed, self.shares, strict=True) if share}) if self.shares else len(self.values)

    def at(self, share: float) -> Any:
        """The value that a share from 0 to 1 (1 excluded) falls on."""
        if self.span is not None:
            return self.span.at(share)
        if self.shares:
            return self.listed[chosen(self.shares, share)]
        return self.values[int(share * len(self.values))]


def chosen(shares: tuple[float, ...], share: float) -> int:
    """Which of several a share of the whole falls on; never one whose own share is zero."""
    ends = list(accumulate(shares))
    return bisect_right(ends, share * ends[-1])


def read_parameters(
    file: YamlFile, swept: Mapping[str, Any], fixed: Mapping[str, Any], folder: Path, *, drawn: bool = False
) -> dict[str, Axis]:
    """The values of every parameter: swept ones from `parameters`, single ones from `settings`, the rest their default.

    drawn: combinations are drawn (random, sobol) instead of tried out in a grid.

    Raises:
        SpecError: an unknown key, a key in both places, a value that is not allowed, an empty list.
    """
    for section, given in (("parameters", swept), ("settings", fixed)):
        for name in given:
            if name not in PARAMETERS:
                raise unknown_parameter(file, (section, name), name)
            if section == "settings" and name in swept:
                raise SpecError(f"{file.where((section, name))}: {name} stands under `parameters` too; keep one of the two.")
    axes = {}
    for name, parameter in PARAMETERS.items():
        if name in swept:
            axes[name] = read_axis(file, ("parameters", name), swept[name], folder, drawn=drawn)
        elif name in fixed:
            key: Key = ("settings", name)
            axes[name] = Axis(values=(read_value(file, key, fixed[name], folder),), key=key)
        else:
            axes[name] = Axis(values=(parameter.read(parameter.default, folder),), key=("settings", name))
    return axes


def unknown_parameter(file: YamlFile, key: Key, name: str, *also: str) -> SpecError:
    """The error of a name that is no parameter; also: what is allowed there besides."""
    allowed = [*also, *PARAMETERS]
    return SpecError(f"{file.where(key)}: there is no such parameter{did_you_mean(name, allowed)} Allowed: {', '.join(allowed)}.")


def read_axis(file: YamlFile, key: Key, given: Any, folder: Path, *, drawn: bool) -> Axis:
    """{value: x}, {values: [...]}, {min, max, distribution, count}, or in short a list or a single value. The key ends in the name.

    Raises:
        SpecError: names the file, the line, the key, the value and what is allowed.
    """
    shape = set(given) if isinstance(given, dict) else set()
    if not shape & {"value", "values", "probabilities", *RANGE_KEYS}:
        raw = given if isinstance(given, list) else [given]
        at: list[Key] = [(*key, index) for index in range(len(raw))] if isinstance(given, list) else [key]
        return _listed(file, key, _read_all(file, at, raw, folder))
    if shape - {"distribution"} == {"value"} and given.get("distribution", "constant") == "constant":
        return _listed(file, key, _read_all(file, [(*key, "value")], [given["value"]], folder))
    if {"values"} <= shape <= {"values", "probabilities", "distribution"} and isinstance(given["values"], list):
        if given.get("distribution", "categorical") in ("categorical", "categorical_w_probabilities"):
            at = [(*key, "values", index) for index in range(len(given["values"]))]
            values = _read_all(file, at, given["values"], folder)
            return _listed(file, key, values, _probabilities(file, key, given, drawn=drawn))
    elif {"min", "max"} <= shape <= set(RANGE_KEYS):
        return _drawn(file, key, given, folder) if drawn else _spaced(file, key, given, folder)
    many = "" if drawn else ", count: n"
    raise SpecError(
        f"{file.where(key)}: write {{value: x}}, {{values: [x, y]}} or {{min: a, max: b{many}, distribution: "
        f"{' | '.join(DISTRIBUTIONS)}}}; got the keys {', '.join(sorted(shape))}."
    )


def _listed(file: YamlFile, key: Key, values: tuple[Any, ...], shares: tuple[float, ...] = ()) -> Axis:
    if not values:
        raise SpecError(f"{file.where(key)}: the list is empty, so the sweep would be too; give {key[-1]} at least one value.")
    return Axis(values=tuple(dict.fromkeys(values)), key=key, listed=values, shares=shares)


def _read_all(file: YamlFile, at: list[Key], raw: list[Any], folder: Path) -> tuple[Any, ...]:
    return tuple(read_value(file, place, value, folder) for place, value in zip(at, raw, strict=True))


def read_value(file: YamlFile, key: Key, value: Any, folder: Path, name: str | None = None) -> Any:
    """One value of a parameter: that of the name, else of the last part of the key that is one. Raises SpecError."""
    name = name or next(str(part) for part in reversed(key) if part in PARAMETERS)
    try:
        return PARAMETERS[name].read(value, folder)
    except ValueError as error:
        raise SpecError(f"{file.where(key)}: {short(value)} is not allowed: {error}.") from error


def _probabilities(file: YamlFile, key: Key, given: Mapping[str, Any], *, drawn: bool) -> tuple[float, ...]:
    if "probabilities" not in given:
        return ()
    where, values, shares = file.where((*key, "probabilities")), given["values"], given["probabilities"]
    if not drawn:
        raise SpecError(f"{where}: a grid tries every value; probabilities belong to method random or sobol. Leave them out.")
    if not isinstance(shares, list) or len(shares) != len(values):
        raise SpecError(f"{where}: {short(shares)} is not allowed: give one for each of the {len(values)} values.")
    if not all(is_number(share) and share >= 0 for share in shares) or not 0 < sum(shares) < 1e300:
        raise SpecError(f"{where}: {short(shares)} is not allowed: a probability is zero or more, and one is above zero.")
    total = sum(shares)
    return tuple(share / total for share in shares)


def _drawn(file: YamlFile, key: Key, given: Mapping[str, Any], folder: Path) -> Axis:
    if "count" in given:
        raise SpecError(
            f"{file.where((*key, 'count'))}: count spaces the values of a grid; here values are drawn, and `runs` says how many "
            "combinations. Leave count out."
        )
    span = read_range(file, key, given, PARAMETERS[str(key[-1])].numeric)
    for end, share in (("min", 0.0), ("max", 1 - 2**-53)):  # what lies between two values that are allowed is allowed
        read_value(file, (*key, end), span.at(share), folder, str(key[-1]))
    return Axis(values=(), key=key, span=span)


def _spaced(file: YamlFile, key: Key, given: Mapping[str, Any], folder: Path) -> Axis:
    """`count` values from min to max; without it every multiple, as in W&B, of int_uniform and q_uniform."""
    span, count = read_range(file, key, given, PARAMETERS[str(key[-1])].numeric), given.get("count")
    if "count" not in given and given.get("distribution") in ("int_uniform", "q_uniform") and span.multiples() <= MAX_COUNT:
        values = span.every()
    elif "count" not in given:
        raise SpecError(f"{file.where(key)}: a range in a grid needs `count`, how many values it has, as in count: 5.")
    elif isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
        raise SpecError(
            f"{file.where((*key, 'count'))}: {short(count)} is not allowed: `count` says how many values, from 1 to {MAX_COUNT:,}."
        )
    else:
        values = span.spaced(count)
    return _listed(file, key, _read_all(file, [key] * len(values), values, folder))

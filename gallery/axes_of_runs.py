"""What runs are laid out along: a yardstick or a parameter as a number for each combination of a view. No streamlit import."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection

from gallery.filters import FilterSpec, canonical_ranges
from gallery.look import Floats, Ints, Look
from gallery.view import NUMBERS, Range, Value
from gallery.wording import YARDSTICK_LABELS, label, shown

MOST_MARKS = 16
LOGARITHMIC_FROM = 20.0
"""A positive parameter whose largest value is so many times its smallest is drawn on a logarithmic axis."""


@dataclass(frozen=True, eq=False)
class Axis:
    """values: for each combination, NaN where there is none. ticks: what the values 0, 1, 2, ... stand for, where they are
    places among a parameter's values. log: whether to draw it so."""

    name: str
    label: str
    values: Floats
    ticks: tuple[Value, ...] = ()
    log: bool = False

    @property
    def extent(self) -> tuple[float, float]:
        """The lowest and the highest value; (0, 1) where there is none."""
        known = self.values[~np.isnan(self.values)]
        return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)

    def at(self, places: Ints) -> "Axis":
        """The same for some of them."""
        return replace(self, values=self.values[places])

    @property
    def few(self) -> list[float]:
        """The values, where a parameter has few of them: they make better marks at an axis than round numbers do."""
        if self.ticks or self.name in YARDSTICK_LABELS:
            return []
        distinct = np.unique(self.values[~np.isnan(self.values)])
        return distinct.tolist() if len(distinct) <= MOST_MARKS else []

    def tick_labels(self) -> list[str]:
        """The ticks as people read them."""
        return [shown(self.name, value, short=True) for value in self.ticks]


def axis(connection: Connection, look: Look, combinations: Ints, name: str) -> Axis:
    """A yardstick's or a parameter's axis for some combinations (places among the look's)."""
    if name in YARDSTICK_LABELS:
        return Axis(name=name, label=YARDSTICK_LABELS[name], values=look.yardstick(connection, name)[look.run_of[combinations]])
    column = look.columns.get(name)
    if column is None:
        return Axis(name=name, label=label(name), values=np.zeros(len(combinations)), ticks=(look.constants.get(name),))
    codes = column.codes[combinations]
    if name not in NUMBERS or None in column.values:
        return Axis(name=name, label=label(name), values=codes.astype(np.float64), ticks=column.values)
    low, high = float(np.nanmin(column.numbers)), float(np.nanmax(column.numbers))
    return Axis(name=name, label=label(name), values=column.numbers[codes], log=low > 0 and high / low >= LOGARITHMIC_FROM)


def narrowed(spec: FilterSpec, ranges: Mapping[str, tuple[float, float]], axes: Sequence[Axis]) -> FilterSpec:
    """The view with what lies within these ranges of the axes; names that are none of them are passed over."""
    known = {one.name: one for one in axes}
    for name, (low, high) in ranges.items():
        if name in known and math.isfinite(low) and math.isfinite(high):
            spec = _narrowed(spec, known[name], Range(low=min(low, high), high=max(low, high)))
    return spec


def _narrowed(spec: FilterSpec, one: Axis, ends: Range) -> FilterSpec:
    if one.name in YARDSTICK_LABELS:
        return spec.with_view(yardsticks=canonical_ranges(dict(spec.view.yardsticks) | {one.name: ends}))
    if one.ticks:
        return spec.with_choice(one.name, tuple(value for place, value in enumerate(one.ticks) if ends.low <= place <= ends.high))
    return spec.with_choice(one.name, ends)


def without(spec: FilterSpec, name: str, ends: tuple[float, float], axes: Sequence[Axis]) -> FilterSpec | None:
    """The view without what lies within a range of one axis; None where no filter says that (the middle of a yardstick)."""
    one = next((axis for axis in axes if axis.name == name), None)
    if one is None:
        return None
    low, high = min(ends), max(ends)
    kept = np.unique(one.values[(one.values < low) | (one.values > high)])
    if not len(kept):
        return None
    if one.ticks:
        return spec.with_choice(name, tuple(one.ticks[int(place)] for place in kept))
    if name not in YARDSTICK_LABELS and len(kept) <= 100:
        whole = NUMBERS[name] is int
        return spec.with_choice(name, tuple(int(value) if whole else float(value) for value in kept))
    if kept[0] > high or kept[-1] < low:  # one end is left
        return narrowed(spec, {name: (float(kept[0]), float(kept[-1]))}, axes)
    return None

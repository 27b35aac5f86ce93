"""How strongly each parameter moves a yardstick. No streamlit import.

Eta squared: of the variance of the yardstick among runs of one content and style, the share that lies between the runs of different
values of the parameter. 0: its values differ no more than anything does; 1: the value alone tells the yardstick. Pairs are taken
together, but never compared with each other, as some are easier than others.
"""

from dataclasses import dataclass

import numpy as np

from gallery.axes_of_runs import Axis
from gallery.look import Floats, Ints
from gallery.wording import number, shown

MOST_VALUES = 8
"""A number with more values is taken in as many stretches of equally many runs."""
PAIRS_OWN = ("content", "style")
"""Parameters that do not vary within a pair."""


@dataclass(frozen=True, kw_only=True)
class Influence:
    """share: eta squared. highest: the value (or stretch of values) of the highest mean within the pairs, in words; lowest alike.
    groups: pairs times values; runs: how many were measured."""

    name: str
    label: str
    share: float
    highest: str
    lowest: str
    groups: int
    runs: int


def influences(axes: list[Axis], yardstick: Floats, pair: Ints) -> list[Influence]:
    """Of each parameter, the strongest first; without those of a single value, and those of which every run has its own."""
    found = [one for axis in axes if axis.name not in PAIRS_OWN and (one := influence(axis, yardstick, pair)) is not None]
    return sorted(found, key=lambda one: (-one.share, one.name))


def influence(axis: Axis, yardstick: Floats, pair: Ints) -> Influence | None:
    """Of one parameter; None where nothing can be said."""
    known = np.flatnonzero(~(np.isnan(yardstick) | np.isnan(axis.values)))
    if not len(known):
        return None
    groups, words = _groups(axis, axis.values[known])
    measured = yardstick[known]
    pairs = np.unique(pair[known], return_inverse=True)[1]
    centred = measured - _means(measured, pairs)[pairs]
    total = float((centred**2).sum())
    cells = np.unique(pairs * len(words) + groups, return_inverse=True)[1]
    amount = int(cells.max()) + 1
    if len(words) < 2 or amount == len(known) or total <= 1e-12 * len(known):
        return None
    between = float((_means(centred, cells)[cells] ** 2).sum())
    by_value = _means(centred, groups)
    return Influence(
        name=axis.name,
        label=axis.label,
        share=between / total,
        highest=words[int(by_value.argmax())],
        lowest=words[int(by_value.argmin())],
        groups=amount,
        runs=len(known),
    )


def _means(values: Floats, group: Ints) -> Floats:
    """The mean of each group; groups are numbered without gaps."""
    return np.bincount(group, weights=values) / np.bincount(group)


def _groups(axis: Axis, values: Floats) -> tuple[Ints, list[str]]:
    """(the group of each run, the groups in words)."""
    distinct, group = np.unique(values, return_inverse=True)
    if axis.ticks:
        return group, [shown(axis.name, axis.ticks[int(place)], short=True) for place in distinct]
    if len(distinct) <= MOST_VALUES:
        return group, [number(float(value)) for value in distinct]
    ends = np.unique(np.quantile(values, np.linspace(0, 1, MOST_VALUES + 1)))
    group = np.clip(np.searchsorted(ends, values, side="right") - 1, 0, len(ends) - 2)
    used, group = np.unique(group, return_inverse=True)
    return group, [f"{number(float(ends[one]))} to {number(float(ends[one + 1]))}" for one in used]

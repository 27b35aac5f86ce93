"""Runs that exist, laid out along two parameters. No streamlit import.

A cell shows the first run of the view's order among those that fit it; how many those are is said. Cells that no combination of the
sweeps fits are missing, and can be asked for as a sweep of their own (gallery/missing.py); cells whose runs the filters hide are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gallery.look import Ints, Look
from gallery.selection import Selected
from gallery.view import Value

MOST = 24
"""Rows and columns that are drawn at most."""
_LIKELY = ("beta", "layers", "style", "content", "alpha", "seed", "size")
"""What people lay along axes, most likely first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Line:
    """What stands along an axis. codes: those of the values in the look; left_out: how many more did not fit.

    An empty name is an axis of one value.
    """

    name: str
    values: tuple[Value, ...]
    codes: Ints
    left_out: int = 0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """place: where its run stands in the selection, None if it has none; runs: how many fit it; hidden: filters hide some."""

    place: int | None
    runs: int
    hidden: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Pivot:
    """x along the columns, y along the rows (empty: a single row); cells by (row, column). left_out: values that did not fit."""

    x: str
    y: str
    columns: tuple[Value, ...]
    rows: tuple[Value, ...]
    cells: Mapping[tuple[int, int], Cell]
    left_out: int

    def filled(self) -> int:
        """How many cells show a run."""
        return sum(cell.place is not None for cell in self.cells.values())

    def missing(self) -> list[tuple[int, int]]:
        """The (row, column) that no combination fits, row by row."""
        return [at for at, cell in sorted(self.cells.items()) if cell.place is None and not cell.hidden]


def likely_axes(varying: Sequence[str], x: str, y: str) -> tuple[str, str]:
    """The axes that were asked for, where they vary; else likely ones. Never the same twice."""
    order = [*(name for name in _LIKELY if name in varying), *(name for name in varying if name not in _LIKELY)]
    chosen_x = x if x in varying else next((name for name in order if name != y), "")
    chosen_y = y if y in varying and y != chosen_x else next((name for name in order if name != chosen_x), "")
    return chosen_x, chosen_y


def line(look: Look, selected: Selected, name: str) -> Line:
    """The values of a parameter that a selection has, in their order."""
    column = look.columns.get(name)
    if column is None:
        return Line(name=name, values=(look.constants.get(name),), codes=np.zeros(1, dtype=np.int64))
    present = np.unique(column.codes[selected.first])
    kept = present[:MOST]
    values = tuple(column.values[int(code)] for code in kept)
    return Line(name=name, values=values, codes=kept, left_out=len(present) - len(kept))


def pivot(look: Look, ends: tuple[Line, Line], selected: Selected, known: Selected | None = None) -> Pivot:
    """Lay the runs of a selection along two lines, x and y. known: the selection with what filters hide; None where they hide nothing."""
    x, y = ends
    cells = {(row, column): Cell(place=None, runs=0) for row in range(len(y.values)) for column in range(len(x.values))}
    for at in _filled(look, ends, known) if known is not None else ():
        cells[at] = Cell(place=None, runs=0, hidden=True)
    for at, (first, amount) in _filled(look, ends, selected).items():
        cells[at] = Cell(place=first, runs=amount)
    return Pivot(x=x.name, y=y.name, columns=x.values, rows=y.values, cells=cells, left_out=x.left_out + y.left_out)


def _filled(look: Look, ends: tuple[Line, Line], selected: Selected) -> dict[tuple[int, int], tuple[int, int]]:
    """By (row, column): the place of the first run that fits, and how many do."""
    x, y = ends
    columns, rows = _along(look, x, selected.first), _along(look, y, selected.first)
    shown = np.flatnonzero((rows >= 0) & (columns >= 0))
    at = rows[shown] * max(len(x.values), 1) + columns[shown]
    cells, first, amounts = np.unique(at, return_index=True, return_counts=True)
    places = shown[first]
    return {
        divmod(cell, len(x.values)): (place, amount)
        for cell, place, amount in zip(cells.tolist(), places.tolist(), amounts.tolist(), strict=True)
    }


def _along(look: Look, one: Line, combinations: Ints) -> Ints:
    """The place of each combination along an axis, or -1."""
    column = look.columns.get(one.name)
    if column is None:
        return np.zeros(len(combinations), dtype=np.int64)
    if not len(one.codes):
        return np.full(len(combinations), -1, dtype=np.int64)
    codes = column.codes[combinations]
    places = np.minimum(np.searchsorted(one.codes, codes), len(one.codes) - 1)
    return np.where(one.codes[places] == codes, places, -1)


def means(pivoted: Pivot, values: Mapping[int, float]) -> tuple[list[float | None], list[float | None]]:
    """(mean of each column, of each row) over the runs that are shown. values: by place in the selection."""
    shown = {at: values[cell.place] for at, cell in pivoted.cells.items() if cell.place is not None and cell.place in values}

    def mean(which: int, amount: int) -> list[float | None]:
        lines = [[value for at, value in shown.items() if at[which] == line] for line in range(amount)]
        return [float(np.mean(line)) if line else None for line in lines]

    return mean(1, len(pivoted.columns)), mean(0, len(pivoted.rows))

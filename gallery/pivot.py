"""Runs that exist, laid out along two parameters. No streamlit import.

A cell shows the first run of the view's order among those that fit it; how many those are is said. Cells that no combination of the
sweeps fits are missing, and can be asked for as a sweep of their own (gallery/missing.py).
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


@dataclass(frozen=True, kw_only=True)
class Cell:
    """place: where its run stands in the selection, None for a missing cell; runs: how many fit it."""

    place: int | None
    runs: int


@dataclass(frozen=True, eq=False)
class Pivot:
    """x along the columns, y along the rows (empty: a single row); cells by (row, column). hidden: values that did not fit."""

    x: str
    y: str
    columns: tuple[Value, ...]
    rows: tuple[Value, ...]
    cells: Mapping[tuple[int, int], Cell]
    hidden: int
    open: tuple[str, ...]
    """Other parameters with several values here: of those each cell shows the best."""

    def missing(self) -> list[tuple[int, int]]:
        """The (row, column) that no combination fits, row by row."""
        return [at for at, cell in sorted(self.cells.items()) if cell.place is None]


def likely_axes(varying: Sequence[str], x: str, y: str) -> tuple[str, str]:
    """The axes that were asked for, where they vary; else likely ones. Never the same twice."""
    order = [*(name for name in _LIKELY if name in varying), *(name for name in varying if name not in _LIKELY)]
    chosen_x = x if x in varying else next((name for name in order if name != y), "")
    chosen_y = y if y in varying and y != chosen_x else next((name for name in order if name != chosen_x), "")
    return chosen_x, chosen_y


def pivot(look: Look, selected: Selected, x: str, y: str) -> Pivot:
    """Lay the runs of a selection along x and y, parameters that vary in the look; y may be empty."""
    combinations = selected.first
    columns, column_of, more_columns = _axis(look, combinations, x)
    rows, row_of, more_rows = _axis(look, combinations, y)
    cells = {(row, column): Cell(place=None, runs=0) for row in range(len(rows)) for column in range(len(columns))}
    shown = np.flatnonzero((row_of >= 0) & (column_of >= 0))
    at = row_of[shown] * max(len(columns), 1) + column_of[shown]
    firsts, where, amounts = np.unique(at, return_index=True, return_counts=True)
    for one, first, amount in zip(firsts.tolist(), where.tolist(), amounts.tolist(), strict=True):
        cells[divmod(one, len(columns))] = Cell(place=int(shown[first]), runs=amount)
    opened = tuple(name for name in selected.varying if name not in (x, y))
    return Pivot(x=x, y=y, columns=columns, rows=rows, cells=cells, hidden=more_columns + more_rows, open=opened)


def _axis(look: Look, combinations: Ints, name: str) -> tuple[tuple[Value, ...], Ints, int]:
    """(values that are there, the place of each combination among them or -1, how many values are left out)."""
    column = look.columns.get(name)
    if column is None:
        return (look.constants.get(name),), np.zeros(len(combinations), dtype=np.int64), 0
    codes = column.codes[combinations]
    present = np.unique(codes)
    kept = present[:MOST]
    places = np.searchsorted(kept, codes)
    places = np.where((places < len(kept)) & (kept[np.minimum(places, len(kept) - 1)] == codes), places, -1)
    return tuple(column.values[int(code)] for code in kept), places, len(present) - len(kept)


def means(pivoted: Pivot, values: Mapping[int, float]) -> tuple[list[float | None], list[float | None]]:
    """(mean of each column, of each row) over the runs that are shown. values: by place in the selection."""
    shown = {at: values[cell.place] for at, cell in pivoted.cells.items() if cell.place is not None and cell.place in values}

    def mean(which: int, amount: int) -> list[float | None]:
        lines = [[value for at, value in shown.items() if at[which] == line] for line in range(amount)]
        return [float(np.mean(line)) if line else None for line in lines]

    return mean(1, len(pivoted.columns)), mean(0, len(pivoted.rows))

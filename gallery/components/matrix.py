"""Runs along two axes: one table, whatever it shows."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from gallery import wording
from gallery.components.grid import Told, told
from gallery.components.mount import load, nothing
from gallery.pivot import Pivot
from gallery.routes import thumbnail_url
from gallery.tiles import Tile

_matrix = load("matrix")


def matrix(
    pivoted: Pivot, tiles: Mapping[int, Tile], params: Mapping[str, list[str]], means: tuple[list[float | None], ...]
) -> Told | None:
    """Draw the table; returns what was just opened. tiles: by place in the selection; means: of each column and row."""
    columns, rows = (
        [
            {"text": wording.shown(name, value, short=True), "note": "" if mean is None else f"{mean:.2f}"}
            for value, mean in zip(values, some, strict=True)
        ]
        for name, values, some in ((pivoted.x, pivoted.columns, means[0]), (pivoted.y, pivoted.rows, means[1]))
    )
    cells = [[cell_item(pivoted, tiles, params, (row, column)) for column in range(len(columns))] for row in range(len(rows))]
    corner = (
        f"{wording.label(pivoted.y)} \N{DOWNWARDS ARROW}  {wording.label(pivoted.x)} \N{RIGHTWARDS ARROW}"
        if pivoted.y
        else wording.label(pivoted.x)
    )
    data = {"columns": columns, "rows": rows if pivoted.y else [{"text": "", "note": ""}], "cells": cells, "corner": corner}
    return told(_matrix(key="matrix", data=data, on_ask_change=nothing).get("ask"))


def cell_item(pivoted: Pivot, tiles: Mapping[int, Tile], params: Mapping[str, list[str]], at: tuple[int, int]) -> dict[str, Any]:
    """What the script needs of one cell."""
    cell = pivoted.cells[at]
    tile = None if cell.place is None else tiles.get(cell.place)
    place = wording.caption(
        {pivoted.y: pivoted.rows[at[0]], pivoted.x: pivoted.columns[at[1]]}, [name for name in (pivoted.y, pivoted.x) if name]
    )
    if tile is None:
        why = ("filtered out", "hidden by the filters") if cell.hidden else ("not run", "no combination")
        return {"id": f"{at[0]}-{at[1]}", "missing": True, "none": why[0], "name": f"{place}: {why[1]}"}
    result = tile.result
    item: dict[str, Any] = {
        "id": f"{at[0]}-{at[1]}", "run": result.run_key, "href": "run?" + urlencode({"id": result.run_key, **params}, doseq=True),
        "name": place, "none": wording.STATE_LABELS[tile.state], "of": "" if cell.runs == 1 else f"best of {cell.runs}",
    }  # fmt: skip
    if tile.state == "done" and result.thumbnail and result.width and result.height:
        picture = {"src": thumbnail_url(result.thumbnail), "alt": wording.alternative(result.parameters)}
        item |= picture | {"w": result.width, "h": result.height, "colour": result.mean_colour}
    return item

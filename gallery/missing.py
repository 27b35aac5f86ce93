"""The cells of a pivot that no combination fits, as a sweep's file that makes just them. No streamlit import."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from db import browse, queries
from db.queries import Result
from gallery.export.recipe import pictures_of, recipe_of
from gallery.export.spec import plan_of
from gallery.export.spec import written as as_yaml
from gallery.look import Look
from gallery.pivot import Pivot
from gallery.selection import Selected
from gallery.view import Value


@dataclass(frozen=True, kw_only=True)
class Missing:
    """text: YAML, to be saved in the workspace's folder, where the input pictures are; runs: how many it makes."""

    text: str
    runs: int


def missing_spec(connection: Connection, look: Look, selected: Selected, pivoted: Pivot) -> Missing | None:
    """What is missing, everything else as in the first run of the view; None where nothing is, or a value cannot be written down.

    The file is the whole rectangle of the missing values without the cells that are there already.
    """
    cells = pivoted.missing()
    axes = [(name, place, values) for name, place, values in ((pivoted.y, 0, pivoted.rows), (pivoted.x, 1, pivoted.columns)) if name]
    wanted = {name: sorted({cell[place] for cell in cells}) for name, place, _ in axes}
    if not cells or not len(selected.runs) or any(values[at] is None for name, _, values in axes for at in wanted[name]):
        return None
    (first,) = browse.by_combination(connection, [int(look.combination[selected.first[0]])])
    plan = _plan(connection, first)
    written = {name: {at: _written(connection, look, name, values[at]) for at in wanted[name]} for name, _, values in axes}
    for name, _, _ in axes:
        _lay_out(plan, name, [written[name][at] for at in wanted[name]])
    if len(axes) == 2:
        y, x = pivoted.y, pivoted.x
        there = {row: [column for column in wanted[x] if (row, column) not in cells] for row in wanted[y]}
        exclude = [{y: written[y][row], x: [written[x][one] for one in some]} for row, some in there.items() if some]
        plan |= {"exclude": exclude} if exclude else {}
    plan["name"] = f"{first.sweep}-missing"
    return Missing(text=as_yaml(plan), runs=len(cells))


def _plan(connection: Connection, result: Result) -> dict[str, Any]:
    """A run's own file, as values."""
    recipe = recipe_of(result, {})
    paths = [_stored(connection, one["sha256"]) for one in pictures_of(recipe)]
    styles = len(recipe["style"])
    return plan_of(recipe, paths[0], paths[1 : 1 + styles], mask_paths=paths[1 + styles :])


def _stored(connection: Connection, sha256: str) -> str:
    """Path of an input picture relative to the workspace."""
    form = (queries.image(connection, sha256) or {}).get("format", "png")
    return queries.stored_path(sha256, form)


def _written(connection: Connection, look: Look, name: str, value: Value) -> Any:
    """A value as a file says it: pictures by path, layers by their weights, as a run that has it was recorded."""
    if name not in ("content", "style", "layers"):
        return value
    column = look.columns[name]
    holder = int(np.flatnonzero(column.codes == column.values.index(value))[0])
    (result,) = browse.by_combination(connection, [int(look.combination[holder])])
    plan = _plan(connection, result)
    if name == "layers":
        return plan["parameters"]["layers"]["values"][0]
    return plan[name][0] if isinstance(plan[name], list) else plan[name]


def _lay_out(plan: dict[str, Any], name: str, values: list[Any]) -> None:
    if name in ("content", "style"):
        plan[name] = values
        return
    plan["settings"].pop(name, None)
    plan["parameters"][name] = {"values": values}

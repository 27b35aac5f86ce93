"""The rows behind what is on screen: runs of a selection with their pictures and the newest reviews. No streamlit import."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db import browse
from db.models import RUN_STATES
from db.queries import Result
from gallery.look import Look
from gallery.selection import Selected
from gallery.view import Value


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A run in a view. run: its place among the look's; result: its first combination there; state: as of the look.

    shared: how many combinations of the view need it; stands_for: near-duplicates, itself included; group: the value that it is grouped by.
    """

    run: int
    result: Result
    shared: int
    state: str
    stands_for: int = 1
    group: Value = None


def tiles_at(connection: Connection, look: Look, selected: Selected, places: Sequence[int], group: str = "") -> list[Tile]:
    """The runs at these places of a selection, from 0; places beyond it are passed over."""
    wanted = [place for place in places if 0 <= place < len(selected.runs)]
    ids = [int(look.combination[selected.first[place]]) for place in wanted]
    found = {result.id: result for result in browse.by_combination(connection, ids)}
    column = look.columns.get(group)
    return [
        Tile(
            run=int(selected.runs[place]),
            result=found[one],
            shared=int(selected.shared[place]),
            state=RUN_STATES[int(look.state[selected.runs[place]])],
            stands_for=int(selected.stands_for[place]),
            group=None if column is None else column.values[int(column.codes[selected.first[place]])],
        )
        for place, one in zip(wanted, ids, strict=True)
        if one in found  # a sweep may have been deleted since the look
    ]

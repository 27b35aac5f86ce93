"""What else the view holds: the runs around the candidate, and which come next. No streamlit import."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from db import browse
from gallery.compare_view import Compared, Request
from gallery.look import DONE, Ints
from gallery.opened import Opened
from gallery.tiles import Tile, tiles_at
from gallery.wording import counted

AROUND = 12
"""Thumbnails before and after the candidate."""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """tiles: in the order of the view; following, previous: the run keys of what may take the candidate's place; place: in words."""

    tiles: tuple[Tile, ...] = ()
    following: str | None = None
    previous: str | None = None
    place: str = ""


def read_beside(connection: Connection, opened: Opened, compared: Compared, request: Request) -> Beside:
    """The view around the run on the right. Runs without a picture are passed over, and so are those that are compared already."""
    with_picture = places_with_pictures(opened)
    if not len(with_picture):
        return Beside()
    here = _places(opened, compared)
    candidate = here.get(candidate_of(compared, request) or "", -1)
    if candidate not in with_picture:  # it is no place of this view, or has no picture: the view begins anew
        candidate = -1
    free = with_picture[~np.isin(with_picture, list(here.values()))]
    after, before = free[free > candidate], free[free < candidate]
    centre = int(np.searchsorted(with_picture, max(candidate, 0)))
    window = with_picture[max(0, centre - AROUND) : centre + AROUND + 1]
    tiles = tiles_at(connection, opened.look, opened.selected, window.tolist())
    keys = _keys(connection, opened, [*after[:1].tolist(), *before[-1:].tolist()])
    ordinal = int(np.searchsorted(with_picture, candidate)) + 1
    return Beside(
        tiles=tuple(tiles),
        following=keys.get(int(after[0])) if len(after) else None,
        previous=keys.get(int(before[-1])) if len(before) else None,
        place=f"{ordinal:,} of {len(with_picture):,} in the view"
        if candidate >= 0
        else f"{counted(len(with_picture), 'picture')} in the view",
    )


def candidate_of(compared: Compared, request: Request) -> str | None:
    """The run whose place others may take: the second of the pair if it is one, else the last."""
    panes = compared.panes
    if max(request.pair) < len(panes) and panes[request.pair[1]].run:
        return panes[request.pair[1]].run
    return compared.runs[-1].run_key if compared.runs else None


def places_with_pictures(opened: Opened) -> Ints:
    """The places of a view's runs that are done."""
    return np.flatnonzero(opened.look.state[opened.selected.runs] == DONE)


def best_of_view(connection: Connection, opened: Opened, amount: int = 2) -> list[str]:
    """The run keys of the first pictures of a view."""
    places = places_with_pictures(opened)[:amount].tolist()
    keys = _keys(connection, opened, places)
    return [keys[place] for place in places if place in keys]


def _places(opened: Opened, compared: Compared) -> dict[str, int]:
    """run key -> place in the view, for those that it holds."""
    look, found = opened.look, {}
    for run in compared.runs:
        at = int(np.searchsorted(look.combination, run.id))
        if at < len(look.combination) and look.combination[at] == run.id:
            place = opened.selected.place(int(look.run_of[at]))
            if place is not None:
                found[run.run_key] = place
    return found


def _keys(connection: Connection, opened: Opened, places: Sequence[int]) -> dict[int, str]:
    ids = {place: int(opened.look.run[opened.selected.runs[place]]) for place in places}
    keys = browse.run_keys(connection, list(ids.values()))
    return {place: keys[run_id] for place, run_id in ids.items() if run_id in keys}

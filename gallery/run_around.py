"""A run among those beside it in a view, each with picture and review, so that a page goes on without a rerun. No streamlit import."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from db import browse
from db.queries import Result
from db.reviews import Said, said
from gallery.look import Look
from gallery.opened import Opened
from gallery.routes import original_url, thumbnail_url
from gallery.selection import percentile
from gallery.tiles import Tile, tiles_at
from gallery.wording import STATE_LABELS, alternative, caption
from gallery.yardstick_rows import Rank
from sweep.transfer.yardstick_names import NAMES, RISING

EACH_SIDE = 24


@dataclass(frozen=True, eq=False, kw_only=True)
class Around:
    """items: the runs from `first` on (a place in the view, from 0), as the script takes them; place: where the run itself stands."""

    items: list[dict[str, Any]]
    first: int
    place: int
    total: int
    at: float
    """When the reviews were read."""


def place_in_look(connection: Connection, look: Look, run_key: str) -> int | None:
    """Where a run stands among the look's runs."""
    ids = browse.run_ids(connection, [run_key])
    places, _ = look.places(np.array(list(ids.values()), dtype=np.int64))
    return int(places[0]) if len(places) else None


def around(connection: Connection, opened: Opened, run_key: str) -> Around | None:
    """The run and those beside it; None if the view does not hold it."""
    run = place_in_look(connection, opened.look, run_key)
    place = None if run is None else opened.selected.place(run)
    if place is None:
        return None
    first, total = max(0, place - EACH_SIDE), len(opened.selected.runs)
    at = time.time()
    tiles = tiles_at(connection, opened.look, opened.selected, range(first, min(place + EACH_SIDE + 1, total)))
    reviews = said(connection, opened.person, [tile.result.run_key for tile in tiles])
    items = [item(tile, reviews, opened.selected.varying) for tile in tiles]
    return Around(items=items, first=first, place=place, total=total, at=at)


def alone(result: Result) -> Around:
    """A run that no view holds any more: its sweep was deleted just now."""
    parameters = caption(result.parameters, ("content", "style"))
    only = {"id": result.run_key, "name": parameters, "none": STATE_LABELS[result.state], "review": review_item(None)}
    return Around(items=[only], first=0, place=0, total=1, at=time.time())


def item(tile: Tile, reviews: Mapping[str, Said], varying: Sequence[str]) -> dict[str, Any]:
    """What the script needs of one run."""
    result = tile.result
    shown: dict[str, Any] = {
        "id": result.run_key,
        "name": caption(result.parameters, varying) or caption(result.parameters, ("content", "style")),
        "none": STATE_LABELS[tile.state],
        "review": review_item(reviews.get(result.run_key)),
    }
    return shown | picture_item(result) if tile.state == "done" else shown


def picture_item(result: Result) -> dict[str, Any]:
    """The picture of a run by its URLs; empty where it has none."""
    if not (result.image and result.width and result.height):
        return {}
    shown = {"src": original_url(result.image, result.image_format), "w": result.width, "h": result.height, "colour": result.mean_colour}
    thumb = {"thumb": thumbnail_url(result.thumbnail)} if result.thumbnail else {}
    return shown | thumb | {"alt": alternative(result.parameters)}


def review_item(one: Said | None) -> dict[str, Any]:
    """A review as the scripts take it."""
    if one is None:
        return {"flag": None, "stars": 0, "tags": [], "note": ""}
    return {"flag": one.flag, "stars": one.stars, "tags": list(one.tags), "note": one.note}


def ranks(connection: Connection, look: Look, run_key: str) -> dict[str, Rank]:
    """How a run stands in its content-style pair, by each yardstick of which more or less is better; without those not measured."""
    run = place_in_look(connection, look, run_key)
    found: dict[str, Rank] = {}
    for name in NAMES if run is not None else ():
        share = percentile(connection, look, name)[run]
        if RISING[name] is not None and not np.isnan(share):
            values = look.yardstick(connection, name)
            peers = (look.pair == look.pair[run]) & (look.protocol == look.protocol[run]) & ~np.isnan(values)
            found[name] = Rank(better_than=float(share), others=int(peers.sum()) - 1)
    return found

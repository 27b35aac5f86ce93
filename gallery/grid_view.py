"""A page of the grid or of the table: its tiles, and what is said around them."""

import time
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from db.reviews import Said, said
from gallery.filters import FilterSpec
from gallery.opened import Opened
from gallery.selection import percentile
from gallery.tiles import Tile, tiles_at
from gallery.view import YARDSTICK_SORTS
from gallery.wording import counted


@dataclass(frozen=True, eq=False)
class GridPage:
    """reviews: run key -> the newest word of whose reviews are meant. read_at: when they were read;
    ranks: run key -> percentile in its pair, where that is the order."""

    opened: Opened
    spec: FilterSpec
    tiles: tuple[Tile, ...]
    reviews: dict[str, Said]
    read_at: float
    front: frozenset[str]
    ranks: dict[str, float]

    @property
    def pages(self) -> int:
        """How many pages the view has; at least one."""
        return max(1, -(-len(self.opened.selected.runs) // self.spec.per_page))

    def showing(self) -> str:
        """'Showing 1-48 of 312 combinations'; runs are told apart where several combinations share one."""
        selected, spec = self.opened.selected, self.spec
        first = (spec.page - 1) * spec.per_page
        reach = f"{first + 1:,}-{first + len(self.tiles):,}" if self.tiles else "0"
        hidden = int(selected.stands_for.sum()) - len(selected.runs)
        text = f"Showing {reach} of {counted(len(selected.runs), 'run')}"
        if len(selected.runs) == selected.combinations:
            text = f"Showing {reach} of {counted(selected.combinations, 'combination')}"
        elif not hidden:
            text += f" ({counted(selected.combinations, 'combination')}; equal ratios share a run)"
        return text + (f"; {counted(hidden, 'near-duplicate')} collapsed" if hidden else "")


def grid_page(connection: Connection, opened: Opened) -> GridPage:
    """Read the page that the view has open; one beyond the last is the last."""
    selected, look = opened.selected, opened.look
    read_at = time.time()
    last = max(1, -(-len(selected.runs) // opened.spec.per_page))
    spec = opened.spec.on_page(min(opened.spec.page, last))
    start = (spec.page - 1) * spec.per_page
    places = range(start, min(start + spec.per_page, len(selected.runs)))
    tiles = tiles_at(connection, look, selected, places, spec.view.group)
    keys = [tile.result.run_key for tile in tiles]
    ranked = percentile(connection, look, spec.view.sort) if spec.view.within and spec.view.sort in YARDSTICK_SORTS else None
    return GridPage(
        opened=opened, spec=spec, tiles=tuple(tiles), reviews=said(connection, opened.by, keys), read_at=read_at,
        front=frozenset(tile.result.run_key for tile in tiles if opened.front[tile.run]),
        ranks={} if ranked is None else {tile.result.run_key: float(ranked[tile.run]) for tile in tiles if not np.isnan(ranked[tile.run])},
    )  # fmt: skip

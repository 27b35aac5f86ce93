"""What one person said of the runs of a look, as columns beside it. No streamlit import."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection

from db import browse
from gallery.look import Ints, Look, Mask
from gallery.view import FLAGS, UNFLAGGED

_FLAG = {flag: place for place, flag in enumerate(FLAGS)}


@dataclass(frozen=True, eq=False)
class Reviewed:
    """flag: places in FLAGS; stars: 0 to 5; tags, notes: only of the runs that have some. All by place among the look's runs."""

    flag: Ints
    stars: Ints
    tags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def unreviewed(self) -> Mask:
        """The runs with neither flag nor stars."""
        found: Mask = (self.flag == _FLAG[UNFLAGGED]) & (self.stars == 0)
        return found


def nothing_said(look: Look) -> Reviewed:
    """As if nobody had reviewed anything."""
    amount = len(look.run)
    return Reviewed(flag=np.full(amount, _FLAG[UNFLAGGED], dtype=np.int64), stars=np.zeros(amount, dtype=np.int64))


def read_reviews(connection: Connection, look: Look, person: str) -> Reviewed:
    """The newest word of a person on every run of a look."""
    said = nothing_said(look)
    notes: dict[int, str] = {}
    for place, (_, flag, stars, note) in _placed(look, browse.reviews(connection, person)):
        said.flag[place] = _FLAG[flag or UNFLAGGED]
        said.stars[place] = stars or 0
        if note:
            notes[place] = note
    tags: dict[int, tuple[str, ...]] = {}
    for place, (_, tag) in _placed(look, browse.tags(connection, person)):
        tags[place] = (*tags.get(place, ()), tag)
    return Reviewed(flag=said.flag, stars=said.stars, tags=tags, notes=notes)


def _placed(look: Look, rows: browse.Rows) -> Iterable[tuple[int, Any]]:
    places, known = look.places(np.array([row[0] for row in rows], dtype=np.int64))
    return zip(places.tolist(), (row for row, there in zip(rows, known, strict=True) if there), strict=True)

"""The same region of all pictures of a view: what the page of crops shows. No streamlit import."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import queries
from db.queries import Result
from gallery.compare_beside import places_with_pictures
from gallery.compare_view import MOST_STYLES, seen_size, style_parts
from gallery.crops import LARGEST_WHOLE, Crop
from gallery.opened import Opened
from gallery.routes import original_url
from gallery.tiles import tiles_at
from gallery.wording import alternative, caption, counted

SMALLEST, LARGEST, USUAL = 96, 384, 192
STEP = 32
"""The sizes that a region can have are 32 pixels apart."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """The region: its middle as shares of width and height, and its side in pixels; on: what it is chosen on ('' is the content)."""

    x: float = 0.5
    y: float = 0.5
    side: int = USUAL
    on: str = ""

    def to_params(self) -> dict[str, str]:
        """Query parameters; what goes without saying stands in no URL."""
        params = {"cx": f"{self.x:.4g}", "cy": f"{self.y:.4g}", "cs": str(self.side), "on": self.on}
        usual = {"cx": "0.5", "cy": "0.5", "cs": str(USUAL), "on": ""}
        return {name: value for name, value in params.items() if value != usual[name]}


def read_where(params: Mapping[str, Sequence[str]]) -> Where:
    """From query parameters; anything that makes no sense is passed over, and what is out of bounds brought to them."""
    side = _number(params.get("cs", ()), float(USUAL))
    on = next(iter(params.get("on", ())), "")[:80]
    return Where(
        x=_rounded(_number(params.get("cx", ()), 0.5)), y=_rounded(_number(params.get("cy", ()), 0.5)),
        side=min(max(round(side / STEP) * STEP, SMALLEST), LARGEST), on=on,
    )  # fmt: skip


def _number(texts: Sequence[str], otherwise: float) -> float:
    try:
        number = float(texts[0]) if texts else otherwise
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def _rounded(share: float) -> float:
    return round(min(max(share, 0.0), 1.0), 4)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One picture to cut from. w, h: its pixels at `long`, the long side it is scaled to (None: its own size); whole: all of it."""

    token: str
    sha256: str
    name: str
    alt: str
    w: int
    h: int
    whole: str
    long: int | None = None
    colour: str | None = None
    run: str | None = None

    def item(self) -> dict[str, Any]:
        """As the script takes it; it adds the region to `crop`."""
        same = {name: getattr(self, name) for name in ("token", "name", "alt", "w", "h", "whole", "colour", "run")}
        return same | {"crop": Crop(self.sha256).url(), "long": self.long}


@dataclass(frozen=True, kw_only=True)
class Group:
    """The results of one content and style that were made at one size, beside what they were made from."""

    name: str
    inputs: tuple[Cut, ...]
    results: tuple[Cut, ...]


@dataclass(frozen=True, kw_only=True)
class CropsPage:
    """A page of a view's pictures. first: how many come before it."""

    groups: tuple[Group, ...]
    page: int
    pages: int
    total: int
    first: int

    @property
    def sizes(self) -> set[tuple[int, int]]:
        """(width, height) of the results here."""
        return {(one.w, one.h) for group in self.groups for one in group.results}

    def showing(self) -> str:
        """'Showing 1-48 of 312 pictures'."""
        here = sum(len(group.results) for group in self.groups)
        return f"Showing {self.first + 1:,}-{self.first + here:,} of {counted(self.total, 'picture')}"


def read_crops(connection: Connection, opened: Opened) -> CropsPage:
    """The page that the view has open, of the runs with a picture; one beyond the last is the last.

    In the order of the view, but what belongs to one content and style stands together: strokes are compared with theirs.
    """
    places = places_with_pictures(opened)
    per_page = opened.spec.per_page
    pages = max(1, -(-len(places) // per_page))
    page = min(opened.spec.page, pages)
    first = (page - 1) * per_page
    tiles = tiles_at(connection, opened.look, opened.selected, places[first : first + per_page].tolist(), opened.spec.view.group)
    together: dict[tuple[Any, ...], list[Result]] = {}
    for run in (tile.result for tile in tiles):
        if run.image and run.width and run.height:
            key = (run.content_sha256, run.parameters["style"], run.style_sha256, run.width, run.height, run.parameters["style_scale"])
            together.setdefault(key, []).append(run)
    varying = [name for name in opened.selected.varying if name not in ("content", "style", "size")] or ["beta"]
    rows = _Rows(connection)
    groups = tuple(_group(rows, runs, varying) for runs in together.values())
    return CropsPage(groups=groups, page=page, pages=pages, total=len(places), first=first)


class _Rows:
    """Rows of the image table, each read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[str, Mapping[str, Any] | None] = {}

    def __getitem__(self, sha256: str) -> Mapping[str, Any] | None:
        if sha256 not in self._rows:
            self._rows[sha256] = queries.image(self._connection, sha256)
        return self._rows[sha256]


def _group(rows: _Rows, runs: Sequence[Result], varying: Sequence[str]) -> Group:
    run = runs[0]
    wanted = [("content", run.content_sha256), *(("style", sha256) for sha256, _ in style_parts(run)[:MOST_STYLES])]
    inputs = tuple(_input(which, run, row) for which, sha256 in wanted if (row := rows[sha256]) is not None)
    name = f"{caption(run.parameters, ('content', 'style'))} · {run.width} x {run.height} px"
    return Group(name=name, inputs=inputs, results=tuple(_result(one, varying) for one in runs))


def _result(run: Result, varying: Sequence[str]) -> Cut:
    assert run.image and run.width and run.height
    return Cut(
        token=run.run_key, sha256=run.image, name=caption(run.parameters, varying), alt=alternative(run.parameters), w=run.width,
        h=run.height, whole=original_url(run.image, run.image_format), colour=run.mean_colour, run=run.run_key,
    )  # fmt: skip


def _input(which: str, run: Result, row: Mapping[str, Any]) -> Cut:
    w, h = seen_size(run, which, (row["width"], row["height"]))
    name = row["original_name"] or row["sha256"][:12]
    long = max(w, h)
    return Cut(
        token=f"{which}-{row['sha256'][:12]}-{long}", sha256=row["sha256"], name=f"{which.capitalize()}: {name}", long=long,
        alt=f"{which.capitalize()} image {name}", w=w, h=h, whole=Crop(row["sha256"], min(long, LARGEST_WHOLE)).url(),
        colour=row["mean_colour"],
    )  # fmt: skip

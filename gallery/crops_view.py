"""The same region of all pictures of a view: what the page of crops shows. No streamlit import."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import queries
from db.queries import Result
from gallery.compare_beside import places_with_pictures
from gallery.compare_view import seen_size
from gallery.crops import LARGEST_WHOLE, Crop
from gallery.opened import Opened
from gallery.routes import original_url
from gallery.tiles import tiles_at
from gallery.wording import alternative, caption, counted
from sweep.combination import RunSettings

SMALLEST, LARGEST, USUAL = 96, 384, 192
STEP = 32
"""The sizes that a region can have are 32 pixels apart."""
MOST_INPUTS = 12


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
    note: str
    alt: str
    w: int
    h: int
    whole: str
    long: int | None = None
    colour: str | None = None
    run: str | None = None

    def item(self) -> dict[str, Any]:
        """As the script takes it; it adds the region to `crop`."""
        same = {name: getattr(self, name) for name in ("token", "name", "note", "alt", "w", "h", "whole", "colour", "run")}
        return same | {"crop": Crop(self.sha256).url(), "long": self.long}


@dataclass(frozen=True, kw_only=True)
class CropsPage:
    """A page of a view's pictures, with the contents and styles that they were made from. sizes: (width, height) of the results here."""

    inputs: tuple[Cut, ...]
    results: tuple[Cut, ...]
    page: int
    pages: int
    total: int
    first: int
    left_out: int = 0

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Of the results, each once."""
        return tuple(dict.fromkeys((one.w, one.h) for one in self.results))

    def showing(self) -> str:
        """'1-48 of 312 pictures'."""
        return f"{self.first + 1:,}-{self.first + len(self.results):,} of {counted(self.total, 'picture')}"


def read_crops(connection: Connection, opened: Opened) -> CropsPage:
    """The page that the view has open, of the runs with a picture; one beyond the last is the last."""
    places = places_with_pictures(opened)
    per_page = opened.spec.per_page
    pages = max(1, -(-len(places) // per_page))
    page = min(opened.spec.page, pages)
    first = (page - 1) * per_page
    tiles = tiles_at(connection, opened.look, opened.selected, places[first : first + per_page].tolist(), opened.spec.view.group)
    results = [tile.result for tile in tiles if tile.result.image and tile.result.width and tile.result.height]
    inputs = _inputs(connection, results)
    return CropsPage(
        inputs=tuple(inputs[:MOST_INPUTS]), results=tuple(_result(one, opened.selected.varying) for one in results), page=page, pages=pages,
        total=len(places), first=first, left_out=max(0, len(inputs) - MOST_INPUTS),
    )  # fmt: skip


def _result(run: Result, varying: Sequence[str]) -> Cut:
    assert run.image and run.width and run.height
    return Cut(
        token=run.run_key, sha256=run.image, name=caption(run.parameters, varying) or caption(run.parameters, ("content", "style", "beta")),
        note="", alt=alternative(run.parameters), w=run.width, h=run.height, whole=original_url(run.image, run.image_format),
        colour=run.mean_colour, run=run.run_key,
    )  # fmt: skip


def _inputs(connection: Connection, results: Sequence[Result]) -> list[Cut]:
    """Every content and style of these runs once for each size at which they saw it: contents first."""
    found: dict[tuple[str, int], Cut] = {}
    for which in ("content", "style"):
        for run in results:
            settings = RunSettings.from_canonical(run.settings)
            shares = [(settings.content, 1.0)] if which == "content" else settings.style
            for sha256, _ in shares:
                row = queries.image(connection, sha256) if (sha256, -1) not in found else None
                if row is None:
                    continue
                cut = _input(which, run, row)
                found.setdefault((sha256, max(cut.w, cut.h)), cut)
    return list(found.values())


def _input(which: str, run: Result, row: Mapping[str, Any]) -> Cut:
    w, h = seen_size(run, which, (row["width"], row["height"]))
    name = row["original_name"] or row["sha256"][:12]
    long = max(w, h)
    whole = Crop(row["sha256"], long).url() if long <= LARGEST_WHOLE else original_url(row["sha256"], row["format"])
    return Cut(
        token=f"{which}-{row['sha256'][:12]}-{long}", sha256=row["sha256"], name=f"{which.capitalize()}: {name}", note=f"at {w} x {h} px",
        alt=f"{which.capitalize()} image {name}", w=w, h=h, whole=whole, long=long, colour=row["mean_colour"],
    )  # fmt: skip

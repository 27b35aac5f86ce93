"""The grid of results: one element, whatever it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from db.reviews import Said
from gallery import wording
from gallery.ahead import scripts_ahead
from gallery.components.mount import load, nothing
from gallery.grid_view import GridPage
from gallery.routes import thumbnail_url
from gallery.tiles import Tile
from gallery.view import YARDSTICK_SORTS

_grid = load("grid", uses=("reviews", "review_marks", "ahead", "grid_tiles", "grid_selection", "grid_bar", "grid_keys"))
FRONT_HELP = "On the Pareto front of its content and style: no run of theirs is better in both content kept and style gained."
KINDS = ("open", "compare", "export")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a reader asks for: to open a run, or to do something with those that are selected."""

    kind: str
    ids: tuple[str, ...]


def grid(shown: GridPage) -> Told | None:
    """Draw the grid; returns what was just asked for, if anything was."""
    view = urlencode(shown.spec.to_params() | {"p": [str(shown.spec.page)]}, doseq=True)
    items = [tile_item(tile, shown) for tile in shown.tiles]
    tags = sorted(shown.opened.overview.tags)
    whose = {"person": shown.opened.person, "by": shown.opened.by, "own": owns(shown), "at": shown.read_at}
    data = {"items": items, "ratio": frame_ratio(shown.tiles), "view": view, "tags": tags[:200], "ahead": scripts_ahead(), **whose}
    return told(_grid(key="grid", data=data, on_ask_change=nothing).get("ask"))


def owns(shown: GridPage) -> bool:
    """Whether the reviews on screen are the reader's, and so may be changed."""
    return shown.opened.by == shown.opened.person


def told(asked: Any) -> Told | None:
    """From the script's own words; anything else is nothing."""
    if not isinstance(asked, Mapping) or asked.get("kind") not in KINDS:
        return None
    ids = tuple(str(one)[:64] for one in asked.get("ids", ()))[:1000]
    return Told(kind=str(asked["kind"]), ids=ids) if ids else None


def frame_ratio(tiles: Sequence[Tile]) -> float:
    """Width by height of every tile's frame: as high as the highest picture of the page needs, but never higher than wide."""
    results = [tile.result for tile in tiles]
    shapes = [result.width / result.height for result in results if result.width and result.height]
    return round(max(1.0, min(shapes)), 3) if shapes else 1.5


def tile_item(tile: Tile, shown: GridPage) -> dict[str, Any]:
    """What the script needs of one tile."""
    result, spec = tile.result, shown.spec
    has_picture = tile.state == "done" and result.thumbnail and result.width and result.height
    item: dict[str, Any] = {
        "id": result.run_key,
        "href": "run?" + urlencode({"id": result.run_key, **spec.to_params()}, doseq=True),
        "name": caption(tile, shown),
        "value": sorted_by(tile, shown),
        "front": FRONT_HELP if result.run_key in shown.front else "",
        "badges": badges(tile),
        "none": wording.STATE_LABELS[tile.state],
        "review": review_item(shown.reviews.get(result.run_key)),
    }
    if spec.view.group:
        item["group"] = wording.label(spec.view.group) + ": " + wording.shown(spec.view.group, tile.group)
    if has_picture:
        picture = {"src": thumbnail_url(str(result.thumbnail)), "alt": wording.alternative(result.parameters)}
        item |= picture | {"w": result.width, "h": result.height, "colour": result.mean_colour}
    return item


def caption(tile: Tile, shown: GridPage) -> str:
    """Only what varies in the view, without what its group says already."""
    names = [name for name in shown.opened.selected.varying if name != shown.spec.view.group]
    return wording.caption(tile.result.parameters, names) or wording.caption(tile.result.parameters, ("content", "style"))


def review_item(said: Said | None) -> dict[str, Any]:
    """A review as the scripts take it."""
    return {"flag": said.flag, "stars": said.stars, "note": said.note, "tags": list(said.tags)} if said else {}


def sorted_by(tile: Tile, shown: GridPage) -> str:
    """The yardstick that the view is sorted by; balance where it is sorted by none."""
    if tile.state != "done":
        return ""
    sort = shown.spec.view.sort
    name = sort if sort in YARDSTICK_SORTS else "balance"
    value = tile.result.yardsticks[name]
    text = f"{wording.YARDSTICK_LABELS[name].lower()} {wording.NOTHING if value is None else f'{value:.3f}'}"
    rank = shown.ranks.get(tile.result.run_key)
    return text if rank is None else f"{text} · better than {rank:.0%} of its pair"


def badges(tile: Tile) -> list[dict[str, str]]:
    """Small marks over the picture, for what is the exception; what most tiles may be stands below it."""
    marks = []
    if tile.state in ("failed", "quarantined", "diverged", "running"):
        marks.append({"text": wording.STATE_LABELS[tile.state], "kind": tile.state, "hint": tile.result.error or ""})
    if tile.shared > 1:
        hint = f"{tile.shared} combinations here share this run: only beta / alpha matters."
        marks.append({"text": f"x{tile.shared}", "kind": "shared", "hint": hint})
    if tile.stands_for > 1:
        hint = f"Stands for {tile.stands_for} pictures of the same content and style that look nearly the same."
        marks.append({"text": f"{tile.stands_for} alike", "kind": "shared", "hint": hint})
    return marks

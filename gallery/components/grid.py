"""The grid of results: one element, whatever it shows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from db.browse import YARDSTICK_SORTS, Tile
from gallery import wording
from gallery.components.mount import load
from gallery.routes import thumbnail_url

_grid = load("grid")


@dataclass(frozen=True, kw_only=True)
class GridLook:
    """How tiles are captioned. varying: parameters in the caption; front: run keys on the Pareto front; params: the view, for links."""

    varying: Sequence[str]
    sort: str
    front: Collection[str]
    params: dict[str, list[str]]
    page: int


def grid(tiles: Sequence[Tile], look: GridLook) -> str | None:
    """Draw the grid; returns the run key of the tile that was just opened, if one was."""
    items = [tile_item(tile, look) for tile in tiles]
    view = urlencode(look.params | {"p": look.page}, doseq=True)
    result = _grid(key="grid", data={"items": items, "ratio": frame_ratio(tiles), "view": view}, on_open_change=_nothing)
    opened = result.get("open")
    return str(opened) if opened is not None else None


def _nothing() -> None:
    """Streamlit keeps a trigger only if something listens to it."""


def frame_ratio(tiles: Sequence[Tile]) -> float:
    """Width by height of every tile's frame: as high as the highest picture of the page needs, but never higher than wide."""
    shapes = [tile.result.width / tile.result.height for tile in tiles if tile.result.width and tile.result.height]
    return round(max(1.0, min(shapes)), 3) if shapes else 1.5


def tile_item(tile: Tile, look: GridLook) -> dict[str, Any]:
    """What the script needs of one tile."""
    result = tile.result
    has_picture = tile.state == "done" and result.thumbnail and result.width and result.height
    item: dict[str, Any] = {
        "id": result.run_key,
        "href": "run?" + urlencode({"id": result.run_key, **look.params}, doseq=True),
        "name": wording.caption(result.parameters, look.varying) or wording.caption(result.parameters, ("content", "style")),
        "value": sorted_by(tile, look.sort),
        "badges": badges(tile, on_front=result.run_key in look.front),
        "none": wording.STATE_LABELS[tile.state],
    }
    if has_picture:
        picture = {"src": thumbnail_url(str(result.thumbnail)), "alt": wording.alternative(result.parameters)}
        item |= picture | {"w": result.width, "h": result.height, "colour": result.mean_colour}
    return item


def sorted_by(tile: Tile, sort: str) -> str:
    """The yardstick that the view is sorted by; balance where it is sorted by none."""
    if tile.state != "done":
        return ""
    name = sort if sort in YARDSTICK_SORTS else "balance"
    value = tile.result.yardsticks[name]
    return f"{wording.YARDSTICK_LABELS[name].lower()} {wording.NOTHING if value is None else f'{value:.3f}'}"


def badges(tile: Tile, *, on_front: bool) -> list[dict[str, str]]:
    """Small marks over the picture."""
    marks = []
    if tile.state in ("failed", "quarantined", "diverged", "running"):
        marks.append({"text": wording.STATE_LABELS[tile.state], "kind": tile.state, "hint": tile.result.error or ""})
    if on_front:
        hint = "On the Pareto front of its content and style: no run of theirs is better in both content kept and style gained."
        marks.append({"text": "Pareto", "kind": "front", "hint": hint})
    if tile.shared > 1:
        hint = f"{tile.shared} combinations here share this run: only beta / alpha matters."
        marks.append({"text": f"x{tile.shared}", "kind": "shared", "hint": hint})
    return marks

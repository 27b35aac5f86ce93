"""One region, chosen on one picture, of many pictures at 1:1."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from gallery.components.mount import load, nothing
from gallery.crops_view import LARGEST, SMALLEST, STEP, CropsPage, Group, Where, read_where

_crops = load("crops")


def crops(shown: CropsPage, where: Where, params: Mapping[str, Sequence[str]], on_region: Callable[[], None], told: int = 0) -> str | None:
    """Draw it; returns the run key of the crop that was just opened, if one was. The callback finds in the session, under 'crops', what
    `region_of` reads. told: the last count that it read."""
    data = {
        "groups": [group_item(group) for group in shown.groups],
        "x": where.x, "y": where.y, "side": where.side, "on": where.on, "told": told, "view": urlencode(params, doseq=True),
        "smallest": SMALLEST, "largest": LARGEST, "step": STEP,
    }  # fmt: skip
    opened = _crops(key="crops", data=data, on_region_change=on_region, on_open_change=nothing).get("open")
    return str(opened)[:64] if opened is not None else None


def group_item(group: Group) -> dict[str, Any]:
    """As the script takes it."""
    return {
        "name": group.name,
        "inputs": [one.item() for one in group.inputs],
        "results": [one.item() for one in group.results],
    }


def region_of(state: Any) -> tuple[Where, int] | None:
    """(the region, the count of the change) from the script's own words; anything else is nothing."""
    said = state.get("region") if isinstance(state, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(said.get("told"), int):
        return None
    names = {"cx": "x", "cy": "y", "cs": "side", "on": "on"}
    return read_where({key: [str(said.get(name, ""))] for key, name in names.items()}), int(said["told"])

"""One picture after the other, judged by keys: one element that holds the whole page, so that no key waits for a rerun."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gallery.components.mount import load, nothing

_cull = load(
    "cull",
    uses=(
        *("reviews", "review_marks", "cull_runs", "cull_stage", "cull_badge", "cull_side", "cull_strip"),
        *("cull_panels", "cull_bar", "cull_top", "cull_ending", "cull_keys"),
    ),
)
KINDS = ("open", "grid", "picks", "compare", "export", "unreviewed", "all")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Where a person wants to go: to a run, to the grid, to the picks, to compare or export them, or through another queue."""

    kind: str
    ids: tuple[str, ...] = ()


def asked_place(state: Any, queue: str) -> int | None:
    """The place of this queue around which the script wants to know more; None if it has not asked."""
    asked = state.get("around") if isinstance(state, Mapping) else None
    if not isinstance(asked, Mapping) or asked.get("queue") != queue:
        return None
    place = asked.get("place")
    return max(0, place) if isinstance(place, int) and not isinstance(place, bool) and place < 2**31 else None


def cull(data: dict[str, Any]) -> Asked | None:
    """Draw the page; returns where to go, when something else is asked for."""
    result = _cull(key="cull", data=data, on_ask_change=nothing, on_around_change=nothing)
    return read_asked(result.get("ask"))


def read_asked(asked: Any) -> Asked | None:
    """From the script's own words; anything else is nothing."""
    if not isinstance(asked, Mapping) or asked.get("kind") not in KINDS:
        return None
    ids = asked.get("ids")
    return Asked(kind=str(asked["kind"]), ids=tuple(str(one)[:64] for one in ids[:100]) if isinstance(ids, list) else ())

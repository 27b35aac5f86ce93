"""The list of sweeps: a card each, with its best picture and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from db.models import RUN_STATES
from db.queries import SweepRow
from db.spending import Spending
from gallery import wording
from gallery.components.mount import load, nothing
from gallery.places import PLACES, Place
from gallery.routes import thumbnail_url
from sweep.amounts import amount_of_time

_list = load("sweep_list")
BAR_ORDER = ("done", "running", "diverged", "failed", "quarantined", "cancelled", "queued")
FIND_FROM = 9
"""So many sweeps, and there is a field to find one in."""


@dataclass(frozen=True, kw_only=True)
class Around:
    """What the cards say beside the rows. shapes: thumbnail -> width, height; spent: by sweep id."""

    driven: bool
    shapes: Mapping[str, tuple[int, int]]
    spent: Mapping[int, Spending]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was pressed on a card: the address of a page of a sweep, or `archive` or `unarchive`."""

    what: str
    sweep: str


def sweep_list(rows: Sequence[SweepRow], around: Around) -> Asked | None:
    """Draw the cards; returns what was just asked of one, if anything was."""
    data = {"items": [sweep_item(row, around) for row in rows], "find": len(rows) >= FIND_FROM}
    asked = _list(key="sweeps", data=data, on_ask_change=nothing).get("ask")
    known = {place.url for place in PLACES} | {"archive", "unarchive"}
    if isinstance(asked, Mapping) and asked.get("what") in known and isinstance(asked.get("sweep"), str):
        return Asked(what=str(asked["what"]), sweep=str(asked["sweep"]))
    return None


def sweep_item(row: SweepRow, around: Around) -> dict[str, Any]:
    """What the script needs of one card."""
    left = row.runs - row.settled
    item: dict[str, Any] = {
        "id": row.name,
        "title": row.name,
        "state": state_text(row, driven=around.driven),
        "kind": state_kind(row, driven=around.driven),
        "counts": counts_text(row.states),
        "percent": f"{percent(row)} %",
        "runs": runs_text(row),
        "age": " · ".join(part for part in (f"begun {wording.age(row.created_at)}", spent_text(around.spent.get(row.id))) if part),
        "why": row.reason or "",
        "none": "No picture yet",
        "parts": bar_parts(row),
        "links": [{"what": place.url, "text": place.title, "href": _href(place, row.name)} for place in PLACES],
        "archive": "Unarchive" if row.archived_at is not None else "Archive",
        "archivable": row.archived_at is not None or not (row.states.get("running") or (row.state == "active" and left)),
    }
    if row.best_thumbnail:
        width, height = around.shapes.get(row.best_thumbnail, (3, 2))
        alt = f"The best picture of {row.name} by balance"
        item |= {"src": thumbnail_url(row.best_thumbnail), "alt": alt, "w": width, "h": height}
    return item


def _href(place: Place, sweep: str) -> str:
    return f"{place.url}?" + urlencode({"sweep": sweep})


def percent(row: SweepRow) -> int:
    """How much of it has ended; 100 only when all has."""
    return 100 * row.settled // row.runs if row.runs else 100


def spent_text(spent: Spending | None) -> str:
    """'1.25 spent', or the time of workers where no price was given."""
    if spent is None or not spent.worker_hours:
        return ""
    return f"{spent.cost:,.2f} spent" if spent.cost is not None else f"{amount_of_time(spent.worker_hours * 3600)} of work"


def bar_parts(row: SweepRow) -> list[dict[str, Any]]:
    """The pieces of the progress bar, in the order of `BAR_ORDER`."""
    return [
        {"kind": state, "share": row.states[state], "hint": f"{row.states[state]:,} {state}"}
        for state in BAR_ORDER
        if row.states.get(state)
    ]


def state_text(row: SweepRow, *, driven: bool) -> str:
    """How a sweep stands, in a word or two."""
    if row.archived_at is not None:
        return "Archived"
    if row.state != "active":
        return row.state.capitalize()
    if row.settled == row.runs:
        return "Finished"
    if not driven:
        return "Waiting for a driver"
    return "Running" if row.states.get("running") else "Queued"


def state_kind(row: SweepRow, *, driven: bool) -> str:
    """How the state is marked: at work, in need of somebody, or neither."""
    if row.archived_at is not None:
        return "quiet"
    if row.state == "paused" and row.reason:
        return "stopped"
    waiting = row.state == "active" and row.settled < row.runs
    return ("working" if driven else "waiting") if waiting else "quiet"


def counts_text(states: Mapping[str, int]) -> str:
    """'27 done, 2 failed, 3 queued'."""
    order = ("done", *(state for state in RUN_STATES if state != "done"))
    return ", ".join(f"{states[state]:,} {state}" for state in order if states.get(state)) or "no runs"


def runs_text(row: SweepRow) -> str:
    """Combinations against runs, where they differ."""
    combinations = wording.counted(row.combinations, "combination")
    if row.runs == row.combinations:
        return combinations
    return f"{combinations} in {wording.counted(row.runs, 'run')} (equal ratios share one)"

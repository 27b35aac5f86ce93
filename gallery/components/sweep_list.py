"""The list of sweeps: a card each, with its best picture and how far it is."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from db.models import RUN_STATES
from db.queries import SweepRow
from gallery import wording
from gallery.components.mount import load
from gallery.routes import thumbnail_url

_list = load("sweep_list")
BAR_ORDER = ("done", "running", "diverged", "failed", "quarantined", "cancelled", "queued")


def sweep_list(rows: Sequence[SweepRow], *, driven: bool, shapes: Mapping[str, tuple[int, int]]) -> str | None:
    """Draw the cards; returns the name of the sweep that was just opened, if one was. shapes: thumbnail -> width, height."""
    items = [sweep_item(row, driven=driven, shape=shapes.get(row.best_thumbnail or "", (3, 2))) for row in rows]
    opened = _list(key="sweeps", data={"items": items}, on_open_change=_nothing).get("open")
    return str(opened) if opened is not None else None


def _nothing() -> None:
    """Streamlit keeps a trigger only if something listens to it."""


def sweep_item(row: SweepRow, *, driven: bool, shape: tuple[int, int]) -> dict[str, Any]:
    """What the script needs of one card."""
    item: dict[str, Any] = {
        "id": row.name,
        "href": "gallery?" + urlencode({"sweep": row.name}),
        "title": row.name,
        "state": state_text(row, driven=driven),
        "counts": counts_text(row.states),
        "runs": runs_text(row),
        "age": f"begun {wording.age(row.created_at)}",
        "none": "No picture yet",
        "parts": bar_parts(row),
    }
    if row.best_thumbnail:
        alt = f"The best picture of {row.name} by balance"
        item |= {"src": thumbnail_url(row.best_thumbnail), "alt": alt, "w": shape[0], "h": shape[1], "eager": True}
    return item


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

"""A run's picture, large: fitted or 1:1, its content and style, its snapshots, its review; and the runs beside it by keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from gallery.components.mount import load

_viewer = load("viewer", uses=("reviews", "review_marks", "cull_stage", "viewer_review"))
KINDS = ("open", "grid")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """To another run, or back to the grid."""

    kind: str
    id: str = ""


def viewer(data: Mapping[str, Any], go_to: Callable[[str], None]) -> Asked | None:
    """Draw it; returns what was just asked for. go_to: is told of the run to show before the page is drawn."""

    def changed() -> None:
        words = asked(st.session_state["viewer"].get("ask"))
        if words is not None and words.kind == "open":
            go_to(words.id)

    return asked(_viewer(key="viewer", data=dict(data), on_ask_change=changed).get("ask"))


def asked(words: Any) -> Asked | None:
    """From the script's own words; anything else is nothing."""
    if not isinstance(words, Mapping) or words.get("kind") not in KINDS:
        return None
    return Asked(kind=str(words["kind"]), id=str(words.get("id", ""))[:64])

"""Runs as points between two axes: what is pointed at is shown beside them, a click keeps it there, a box filters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from gallery.components.mount import load

_scatter = load("scatter", uses=("plotting",))
KINDS = ("open", "gallery", "filter", "exclude", "order")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a reader asks for: a run to open, ranges to filter by, or an order of the axes."""

    kind: str
    key: str = ""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    names: tuple[str, ...] = ()


Act = Callable[[Asked], None]


def scatter(data: Mapping[str, Any], act: Act) -> Asked | None:
    """Draw the points; returns what was just asked for, if anything was. act: is told of it before the page is drawn."""
    return told(_scatter, "scatter", data, act)


def told(component: ComponentRenderer, key: str, data: Mapping[str, Any], act: Act) -> Asked | None:
    """Draw a component with the trigger "ask"."""

    def changed() -> None:
        words = asked(st.session_state[key].get("ask"))
        if words is not None:
            act(words)

    return asked(component(key=key, data=dict(data), on_ask_change=changed).get("ask"))


def asked(words: Any) -> Asked | None:
    """From a script's own words; anything else is nothing."""
    if not isinstance(words, Mapping) or words.get("kind") not in KINDS:
        return None
    ranges: dict[str, tuple[float, float]] = {}
    given = words.get("ranges")
    for name, ends in list(given.items())[:60] if isinstance(given, Mapping) else ():
        if isinstance(ends, list | tuple) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends):
            ranges[str(name)] = (float(ends[0]), float(ends[1]))
    names = words.get("names")
    return Asked(
        kind=str(words["kind"]), key=str(words.get("key", ""))[:64], ranges=ranges,
        names=tuple(str(name) for name in names[:60]) if isinstance(names, list | tuple) else (),
    )  # fmt: skip

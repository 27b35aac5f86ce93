"""Counts and facets of a view, kept for a few seconds: they cost most of a page's queries and change slowly."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from db import browse
from db.browse import Count, Facet, View
from gallery.pareto import pareto_front
from gallery.reading import reading


@dataclass(frozen=True, kw_only=True)
class Look:
    """A view as it stood at one moment of one workspace: the key that everything here is kept by."""

    folder: Path
    view: View
    asof: int


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What surrounds the tiles. varying: parameters with several values under the filters, for captions."""

    count: Count
    varying: tuple[str, ...]
    states: Mapping[str, int]
    facets: tuple[Facet, ...]


@st.cache_data(ttl=5, max_entries=200, show_spinner=False)
def overview(look: Look) -> Overview:
    """Counts, and a facet for every parameter that the sweeps vary or the view restricts."""
    view, asof = look.view, look.asof
    with reading() as connection:
        swept = browse.varying(connection, View(sweeps=view.sweeps), asof)
        restricted = tuple(name for name, _ in view.choices if name not in swept)
        return Overview(
            count=browse.count(connection, view, asof),
            varying=browse.varying(connection, view, asof),
            states=browse.state_counts(connection, view, asof),
            facets=tuple(browse.facet(connection, view, asof, name) for name in swept + restricted),
        )


@st.cache_data(ttl=60, max_entries=50, show_spinner=False)
def front(folder: Path, sweeps: tuple[str, ...], asof: int) -> frozenset[str]:
    """The run keys on the Pareto front of their content-style pair."""
    with reading() as connection:
        return pareto_front(browse.front_points(connection, sweeps, asof))

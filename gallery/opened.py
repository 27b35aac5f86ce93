"""What every page that looks at runs begins with: the URL's view, the look it is of, and what it selects."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from sqlalchemy import Connection

from db import browse
from db.reviews import people
from gallery.filters import FilterSpec
from gallery.links import view_of_page
from gallery.look import AT_ONCE, Look, Mask, take_look
from gallery.pareto import front_of
from gallery.person import who
from gallery.reading import NothingYet, reading, workspace_folder
from gallery.reviewed import Reviewed, read_reviews
from gallery.selection import (
    Facet,
    Selected,
    extent,
    facets,
    flag_counts,
    select,
    star_counts,
    state_counts,
    tag_counts,
)
from gallery.sieve import Sieve
from gallery.view import View

LARGE = 20_000
"""Combinations from which a change of filters does not look anew: reading them all takes longer than a click should."""
LARGE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What surrounds the tiles: how many runs each choice would show, under all others."""

    facets: tuple[Facet, ...]
    states: Mapping[str, int]
    flags: Mapping[str, int]
    stars: Mapping[int, int]
    tags: Mapping[str, int]
    extents: Mapping[str, tuple[float, float]]
    """Lowest and highest value of the yardsticks that there is a control for."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When a view was opened: what is shown stays as it was then, until the reader asks for what is new."""

    view: View
    sweeps: tuple[str, ...]
    asof: int
    stamp: float
    at: float


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A page's view. sweeps: the names to choose from, newest first; person: who reads; by: whose reviews are meant; moment: as of when."""

    spec: FilterSpec
    look: Look
    reviewed: Reviewed
    selected: Selected
    overview: Overview
    sweeps: tuple[str, ...]
    unknown: tuple[str, ...]
    person: str
    by: str
    reviewers: tuple[str, ...]
    moment: Moment

    @property
    def front(self) -> Mask:
        """The runs of the look on the Pareto front of their pair."""
        return _front(workspace_folder(), self.look.sweeps, self.look.asof)


_MOMENT = "moment"


def opened_view(own: tuple[str, ...] = ()) -> Opened:
    """Read the URL and select. own: keys of the URL that the page keeps beside the view's.

    Raises:
        NothingYet: there is no sweep.
    """
    with reading() as connection:
        every, listed = _sweeps(connection)
        spec = view_of_page(listed, own)
        moment = _moment(connection, spec, spec.view.by or who())
        return _opened(connection, spec, moment, (every, listed))


def opened_as(spec: FilterSpec, moment: Moment | None = None) -> Opened:
    """Another view than the URL's: the whole sweep of a run that the URL's view does not hold, say. As of a moment, or of now."""
    with reading() as connection:
        moment = moment or _now(connection, spec, spec.view.by or who(), browse.newest_seq(connection))
        return _opened(connection, spec, moment, _sweeps(connection))


def _sweeps(connection: Connection) -> tuple[list[str], list[str]]:
    """(all, those to choose from): a link to an archived one opens it all the same."""
    every = list(browse.sweep_names(connection).values())
    if not every:
        raise NothingYet("there is no sweep yet.")
    return every, list(browse.sweep_names(connection, archived=False).values()) or every


def _opened(connection: Connection, spec: FilterSpec, moment: Moment, names: tuple[list[str], list[str]]) -> Opened:
    every, listed = names
    by = spec.view.by or who()
    found = _found(workspace_folder(), spec.view, moment.asof, by, moment.stamp)
    return Opened(
        spec=spec, look=_look(workspace_folder(), spec.view.sweeps, moment.asof), reviewed=found.reviewed, selected=found.selected,
        overview=found.overview, sweeps=tuple(dict.fromkeys([*listed, *(name for name in spec.view.sweeps if name in every)])),
        unknown=tuple(name for name in spec.view.sweeps if name not in every), person=who(), by=by,
        reviewers=tuple(people(connection)), moment=moment,
    )  # fmt: skip


def look_anew() -> None:
    """Let the next page show what is there now."""
    st.session_state.pop(_MOMENT, None)


def _moment(connection: Connection, spec: FilterSpec, by: str) -> Moment:
    """This session's moment: a new one for another view, unless the look is large and young."""
    kept = st.session_state.get(_MOMENT)
    newest = browse.newest_seq(connection)
    asof = newest if spec.asof is None else min(spec.asof, newest)
    if isinstance(kept, Moment) and kept.sweeps == spec.view.sweeps and kept.asof <= newest and spec.asof in (None, kept.asof):
        if kept.view == spec.view:
            return kept
        if time.time() - kept.at < LARGE_SECONDS and len(_look(workspace_folder(), kept.sweeps, kept.asof).combination) >= LARGE:
            asof = kept.asof
    moment = _now(connection, spec, by, asof)
    st.session_state[_MOMENT] = replace(moment, at=kept.at) if isinstance(kept, Moment) and kept.asof == asof else moment
    return moment


def _now(connection: Connection, spec: FilterSpec, by: str, asof: int) -> Moment:
    return Moment(view=spec.view, sweeps=spec.view.sweeps, asof=asof, stamp=browse.review_stamp(connection, by), at=time.time())


@st.cache_resource(max_entries=6, show_spinner=False)
def _look(folder: Path, sweeps: tuple[str, ...], asof: int) -> Look:
    with reading() as connection:
        return take_look(connection, sweeps, asof)


@dataclass(frozen=True, eq=False)
class _Found:
    reviewed: Reviewed
    selected: Selected
    overview: Overview


@st.cache_resource(max_entries=10, show_spinner=False)
def _found(folder: Path, view: View, asof: int, by: str, stamp: float) -> _Found:
    """stamp: what all reviews come to (`browse.review_stamp`); with it the same view is the same selection."""
    look = _look(folder, view.sweeps, asof)
    with reading() as connection:
        reviewed = read_reviews(connection, look, by)
        sieve = Sieve(connection, look, view, reviewed)
        controlled = dict.fromkeys([*AT_ONCE, *(name for name, _ in view.yardsticks)])
        extents = {name: ends for name in controlled if (ends := extent(connection, look, name))}
        overview = Overview(
            facets=facets(sieve), states=state_counts(sieve), flags=flag_counts(sieve), stars=star_counts(sieve), tags=tag_counts(sieve),
            extents=extents,
        )  # fmt: skip
        return _Found(reviewed=reviewed, selected=select(connection, sieve), overview=overview)


@st.cache_resource(max_entries=6, show_spinner=False)
def _front(folder: Path, sweeps: tuple[str, ...], asof: int) -> Mask:
    with reading() as connection:
        return front_of(connection, _look(folder, sweeps, asof))

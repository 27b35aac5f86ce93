"""The filters: one control for every parameter that the chosen sweeps vary. What they show is what the URL says."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from db.browse import NUMBERS, Choice, Facet, Range
from db.models import RUN_STATES
from db.queries import SweepRow
from gallery.cached import Overview
from gallery.filters import FilterSpec, choice_tokens, read_choice, read_token, token
from gallery.wording import STATE_LABELS, label, number, plain, shown

MOST_PILLS = 8
MOST_LISTED = 24
"""Numbers with more values than this get a range instead of a list."""

Open = Callable[[FilterSpec], None]


def sidebar(spec: FilterSpec, rows: Sequence[SweepRow], overview: Overview, go: Open) -> None:
    """Draw the filters; every change calls `go` with the view that it asks for."""
    with st.sidebar:
        _sweeps(spec, rows, go)
        if spec.view.choices or spec.view.states:
            st.button("Clear filters", on_click=go, args=(spec.with_view(choices=(), states=()),), width="stretch")
        for facet in overview.facets:
            if facet.name in NUMBERS and (not facet.complete or len(facet.values) > MOST_LISTED):
                _range(spec, facet, go)
            else:
                _values(spec, facet, go)
        _states(spec, overview.states, go)


def _sweeps(spec: FilterSpec, rows: Sequence[SweepRow], go: Open) -> None:
    key = "filter-sweep"
    st.session_state[key] = list(spec.view.sweeps)

    def changed() -> None:
        go(FilterSpec(per_page=spec.per_page).with_view(sweeps=tuple(st.session_state[key]), sort=spec.view.sort))

    names = list(dict.fromkeys([*(row.name for row in rows), *spec.view.sweeps]))
    st.multiselect("Sweeps", names, key=key, on_change=changed, placeholder="Choose a sweep")


def _values(spec: FilterSpec, facet: Facet, go: Open) -> None:
    """Pills for a few short values, a list to search for more."""
    key = f"filter-{facet.name}"
    counts = {token(value): (shown(facet.name, value, short=True), runs) for value, runs in facet.values}
    choice = spec.view.chosen(facet.name)
    chosen = choice_tokens(choice)
    for text in chosen:  # what a link asks for may not be there
        counts.setdefault(text, (text if isinstance(choice, Range) else shown(facet.name, read_token(facet.name, text)[1], short=True), 0))
    st.session_state[key] = chosen

    def changed() -> None:
        go(spec.with_choice(facet.name, read_choice(facet.name, st.session_state[key] or [])))

    _choose(label(facet.name), counts, key, changed)


def _choose(title: str, counts: Mapping[str, tuple[str, int]], key: str, changed: Callable[[], None]) -> None:
    """counts: option -> (how it reads, how many runs it would show)."""
    if len(counts) <= MOST_PILLS:
        st.pills(
            title, list(counts), selection_mode="multi", key=key, on_change=changed,
            format_func=lambda option: f"{plain(counts[option][0])} :gray[{counts[option][1]:,}]",
        )  # fmt: skip
    else:
        st.multiselect(
            title, list(counts), key=key, on_change=changed, placeholder="All",
            format_func=lambda option: f"{counts[option][0]} ({counts[option][1]:,})",
        )  # fmt: skip


def _range(spec: FilterSpec, facet: Facet, go: Open) -> None:
    """Two ends among the values that there are; where there are too many to list, among those listed and the highest."""
    key = f"filter-{facet.name}"
    steps = sorted({float(value) for value, _ in facet.values if isinstance(value, float | int)} | {facet.low or 0.0, facet.high or 0.0})
    low, high = _ends(spec.view.chosen(facet.name), steps)
    st.session_state[key] = (low, high)

    def changed() -> None:
        ends = st.session_state[key]
        whole = ends == (steps[0], steps[-1])
        go(spec.with_choice(facet.name, () if whole else Range(low=ends[0], high=ends[1])))

    both = (steps[0], steps[-1])  # two ends are what makes it a range
    st.select_slider(label(facet.name), steps, both, key=key, on_change=changed, format_func=number)


def _ends(choice: Choice, steps: Sequence[float]) -> tuple[float, float]:
    """The slider's ends nearest to a choice."""
    if isinstance(choice, Range):
        wanted = (choice.low, choice.high)
    else:
        numbers = [float(value) for value in choice if isinstance(value, float | int)]
        wanted = (min(numbers), max(numbers)) if numbers else (steps[0], steps[-1])
    low, high = (min(steps, key=lambda step: abs(step - end)) for end in wanted)
    return low, high


def _states(spec: FilterSpec, counts: Mapping[str, int], go: Open) -> None:
    key = "filter-state"
    options = {state: (STATE_LABELS[state], counts.get(state, 0)) for state in RUN_STATES if state in counts or state in spec.view.states}
    if len(options) < 2 and not spec.view.states:
        return
    st.session_state[key] = list(spec.view.states)

    def changed() -> None:
        chosen = st.session_state[key] or []
        go(spec.with_view(states=tuple(state for state in RUN_STATES if state in chosen)))

    _choose("State", options, key, changed)

"""The filters: reviews, yardsticks, and one control for every parameter that the chosen sweeps vary. They show what the URL says."""

import math
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from db.models import RUN_STATES
from gallery.filters import FilterSpec, canonical_ranges, choice_tokens, read_choice, read_token, token
from gallery.look import AT_ONCE
from gallery.opened import Opened
from gallery.person import call_me, keep_name
from gallery.selection import Facet
from gallery.view import FLAGS, NUMBERS, Choice, Range, View
from gallery.wording import FLAG_LABELS, STATE_LABELS, YARDSTICK_LABELS, label, number, plain, shown

MOST_PILLS = 8
MOST_LISTED = 24
"""Numbers with more values than this get a range instead of a list."""
MOST_OPTIONS = 1000
MOST_STEPS = 200

Open = Callable[[FilterSpec], None]


def sidebar(opened: Opened, go: Open) -> None:
    """Draw the filters; every change calls `go` with the view that it asks for."""
    spec, around = opened.spec, opened.overview
    with st.sidebar:
        _sweeps(opened, go)
        _text(spec, go)
        if restricted(spec.view):
            st.button("Clear filters", on_click=go, args=(cleared(spec),), width="stretch")
        for facet in around.facets:
            if facet.name in NUMBERS and len(facet.values) > MOST_LISTED:
                _range(spec, facet, go)
            else:
                _values(spec, facet, go)
        _states(spec, around.states, go)
        _reviews(opened, go)
        _yardsticks(spec, around.extents, go)


def restricted(view: View) -> bool:
    """Whether a view leaves anything out."""
    return bool(view.choices or view.states or view.yardsticks or view.flags or view.stars or view.tags or view.text)


def cleared(spec: FilterSpec) -> FilterSpec:
    """The same without any filter."""
    return spec.with_view(choices=(), states=(), yardsticks=(), flags=(), stars=None, tags=(), text="")


def _sweeps(opened: Opened, go: Open) -> None:
    key, spec = "filter-sweep", opened.spec
    st.session_state[key] = [name for name in spec.view.sweeps if name in opened.sweeps]

    def changed() -> None:
        kept = {name: getattr(spec.view, name) for name in ("sort", "within", "flags", "stars", "tags", "by")}
        go(FilterSpec(per_page=spec.per_page).with_view(sweeps=tuple(st.session_state[key]), **kept))

    st.multiselect("Sweeps", opened.sweeps, key=key, on_change=changed, placeholder="Choose a sweep")


def _text(spec: FilterSpec, go: Open) -> None:
    key = "filter-text"
    st.session_state[key] = spec.view.text
    st.text_input(
        "Search", key=key, placeholder="Pictures, layers, tags, notes, run key", label_visibility="collapsed",
        on_change=lambda: go(spec.with_view(text=st.session_state[key].strip())),
    )  # fmt: skip


def _values(spec: FilterSpec, facet: Facet, go: Open) -> None:
    """Pills for a few short values, a list to search for more."""
    key = f"filter-{facet.name}"
    counts = {token(value): (shown(facet.name, value, short=True), runs) for value, runs in facet.values[:MOST_OPTIONS]}
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
    """Two ends among the values that there are; where they are very many, among some of them and both ends."""
    values = [float(value) for value, _ in facet.values if isinstance(value, float | int)]
    every = max(1, len(values) // MOST_STEPS)
    steps = sorted({*values[::every], values[-1]})
    key = f"filter-{facet.name}"
    st.session_state[key] = _ends(spec.view.chosen(facet.name), steps)

    def changed() -> None:
        ends = st.session_state[key]
        go(spec.with_choice(facet.name, () if ends == (steps[0], steps[-1]) else Range(low=ends[0], high=ends[1])))

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


def _reviews(opened: Opened, go: Open) -> None:
    """Flags, stars and tags; of somebody else where others have reviewed too."""
    spec, around = opened.spec, opened.overview
    st.session_state["filter-flag"] = list(spec.view.flags)
    flags = {flag: (FLAG_LABELS[flag], around.flags.get(flag, 0)) for flag in FLAGS}
    _choose("Flag", flags, "filter-flag", lambda: go(spec.with_view(flags=_in_order(FLAGS, st.session_state["filter-flag"]))))
    ends = spec.view.stars or Range(low=0, high=5)
    st.session_state["filter-stars"] = (int(ends.low), int(ends.high))

    def starred() -> None:
        low, high = st.session_state["filter-stars"]
        go(spec.with_view(stars=None if (low, high) == (0, 5) else Range(low=low, high=high)))

    st.select_slider("Stars", range(6), (0, 5), key="filter-stars", on_change=starred)
    tags = {tag: (tag, around.tags.get(tag, 0)) for tag in dict.fromkeys([*around.tags, *spec.view.tags])}
    if tags:
        st.session_state["filter-tag"] = list(spec.view.tags)
        _choose("Tags", tags, "filter-tag", lambda: go(spec.with_view(tags=tuple(st.session_state["filter-tag"] or ()))))
    _name(opened)
    people = list(dict.fromkeys([opened.person, *opened.reviewers, opened.by]))
    if len(people) > 1:
        st.session_state["filter-by"] = opened.by
        st.selectbox(
            "Reviews by", people, key="filter-by", format_func=lambda one: f"{one} (you)" if one == opened.person else one,
            on_change=lambda: go(spec.with_view(by=_unless(st.session_state["filter-by"], opened.person))),
        )  # fmt: skip


def _name(opened: Opened) -> None:
    """Who says what is said here: everybody behind one server would else be the one who started it."""
    st.session_state["reviewer"] = opened.person

    def renamed() -> None:
        call_me(st.session_state["reviewer"])

    st.text_input("You review as", key="reviewer", max_chars=100, on_change=renamed)
    keep_name()


def _unless(name: str, person: str) -> str:
    return "" if name == person else name


def _in_order(words: Sequence[str], chosen: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(word for word in words if word in (chosen or ()))


def _yardsticks(spec: FilterSpec, extents: Mapping[str, tuple[float, float]], go: Open) -> None:
    """Ranges of the main yardsticks, and of any other that the URL restricts."""
    restricted_ones = dict(spec.view.yardsticks)
    for name in dict.fromkeys([*AT_ONCE, *restricted_ones]):
        low, high = extents.get(name, (0.0, 1.0))
        ends = restricted_ones.get(name)
        if name in extents and high > low:
            _yardstick(spec, name, (low, high), go)
        elif ends is not None:
            text = f"{YARDSTICK_LABELS[name]} {number(ends.low)} to {number(ends.high)}"
            st.button(plain(text), icon=":material/close:", key=f"drop-{name}", on_click=go, args=(_ranged(spec, name, None),))


def _yardstick(spec: FilterSpec, name: str, extent: tuple[float, float], go: Open) -> None:
    key = f"filter-{name}"
    low, high = _rounded(extent)
    ends = dict(spec.view.yardsticks).get(name)
    st.session_state[key] = (min(max(ends.low, low), high), max(min(ends.high, high), low)) if ends else (low, high)

    def changed() -> None:
        chosen = st.session_state[key]
        go(_ranged(spec, name, None if chosen == (low, high) else Range(low=chosen[0], high=chosen[1])))

    st.slider(YARDSTICK_LABELS[name], low, high, (low, high), step=0.01, key=key, on_change=changed)


def _rounded(extent: tuple[float, float]) -> tuple[float, float]:
    """Outwards to hundredths, so that both ends lie on the slider's steps and nothing is left out by rounding."""
    return math.floor(extent[0] * 100) / 100, math.ceil(extent[1] * 100) / 100


def _ranged(spec: FilterSpec, name: str, ends: Range | None) -> FilterSpec:
    """One yardstick restricted anew, or set free."""
    ranges = {one: found for one, found in spec.view.yardsticks if one != name}
    if ends is not None:
        ranges[name] = ends
    return spec.with_view(yardsticks=canonical_ranges(ranges))

"""Two to four runs compared on one stage; what is compared and how stands in the URL beside the view."""

import time
from collections.abc import Sequence

import streamlit as st

from db.reviews import said
from gallery.charts import SERIES, compared_chart
from gallery.compare_beside import best_of_view, read_beside
from gallery.compare_table import curve_words, curves_of, equal_words, parameter_lines, yardstick_lines
from gallery.compare_view import (
    INPUTS,
    MOST_RUNS,
    Compared,
    Request,
    read_compared,
    read_request,
    run_named,
    shortened,
    shown_params,
    style_parts,
    style_tokens,
)
from gallery.components.compare import Said, Stage, asked_of, compare, shown_of
from gallery.components.differences import differences
from gallery.links import url_params
from gallery.opened import Opened, opened_view
from gallery.reading import reading
from gallery.wording import plain

OWN = ("ids", "mode", "pair")
_KEY = "compare"
_TO = "compare-to"
_LAST = "last-compared"
MOST_REMARKS = 5


def page() -> None:
    opened = opened_view(own=OWN)
    request = asked_for()
    with reading() as connection:
        compared = read_compared(connection, request, opened.spec.view.sweeps)
        beside = read_beside(connection, opened, compared, request)
        at = time.time()
        reviews = said(connection, opened.by, [run.run_key for run in compared.runs])
    leave = st.session_state.pop(_TO, None)
    if leave is not None:
        to, ids = leave
        st.switch_page(f"app_pages/{to}.py", query_params={**ids, **opened.spec.to_params()})
    head(opened, compared)
    if compared.remarks:
        st.info("  \n".join(plain(remark) for remark in compared.remarks[:MOST_REMARKS]))
    if not compared.runs:
        nothing(opened)
        return
    st.session_state[_LAST] = {key: values for key, values in url_params().items() if key in OWN}
    last = shown_of(st.session_state.get(_KEY))
    compare(
        Stage(
            compared=compared, request=request, beside=beside, varying=opened.selected.varying, params=opened.spec.to_params(),
            told=last.told if last else 0, said=Said(reviews=reviews, person=opened.person, by=opened.by, at=at),
        ),
        on_shown=heard_shown,
        on_asked=heard_asked,
    )  # fmt: skip
    if len(compared.runs) == 1:
        st.caption("One run is on the stage. Add another: the next of the view, one of the row above, or one by its key.")
    else:
        apart(compared)


def asked_for() -> Request:
    """What the URL names; without any run, what this session compared last: the way back from a run, and from the navigation."""
    last = st.session_state.get(_LAST)
    if "ids" not in url_params() and last:
        st.query_params.from_dict(url_params() | last)
    return read_request(url_params())


def head(opened: Opened, compared: Compared) -> None:
    """Where one is, the way back, and what else may come onto the stage."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            params = opened.spec.to_params()
            st.page_link("app_pages/gallery.py", label="Gallery", icon=":material/grid_view:", query_params=params, width="content")
            st.title("Compare", anchor=False, width="content")
        if compared.runs:
            with st.popover("Add", icon=":material/add:", width="content"):
                adding(compared)


def adding(compared: Compared) -> None:
    """Content, style, and any run by its key."""
    tokens = [pane.token for pane in compared.panes]
    assert compared.inputs_of is not None  # there are runs
    styles, parts = style_tokens(compared.inputs_of), len(style_parts(compared.inputs_of))
    for which, wanted in (("content", INPUTS[:1]), ("style", styles)):
        key = f"pane-{which}"
        st.session_state[key] = set(wanted) <= set(tokens)

        def changed(wanted: Sequence[str] = wanted, key: str = key) -> None:
            others = [token for token in tokens if token not in wanted]
            open_ids([*others, *wanted] if st.session_state[key] else others)

        st.toggle(f"The {which} picture{'' if len(wanted) == 1 else 's'}", key=key, on_change=changed)
    if parts > len(styles):
        st.caption(f"The style is a blend of {parts} pictures; the {len(styles)} of the greatest shares are shown.")
    by_key(tokens, full=len(compared.runs) >= MOST_RUNS)


def by_key(tokens: Sequence[str], *, full: bool = False) -> None:
    """A field for the key of a run."""

    def entered() -> None:
        text = st.session_state["compare-key"].strip()
        if not text:
            return
        with reading() as connection:
            found, remark = run_named(connection, text[:64])
        st.session_state["compare-remark"] = "It is on the stage already." if found in tokens else remark
        if found and found not in tokens:
            st.session_state["compare-key"] = ""
            open_ids([*tokens, found])

    st.text_input(
        "A run by its key, or the beginning of it", key="compare-key", on_change=entered, disabled=full, placeholder="r1-...", max_chars=64,
    )  # fmt: skip
    if full:
        st.caption(f"{MOST_RUNS} runs are on the stage: take one away first.")
    elif remark := st.session_state.pop("compare-remark", ""):
        st.caption(plain(remark))


def nothing(opened: Opened) -> None:
    """How runs come here."""
    with reading() as connection:
        best = best_of_view(connection, opened)
    with st.container(width=640):
        st.info("Nothing is chosen to compare. In the gallery, select two to four pictures with Space and press V.")
        if len(best) == 2:
            st.button("Compare the first two of this view", on_click=open_ids, args=(best,), type="primary")
        by_key([])


def apart(compared: Compared) -> None:
    """What differs in words and numbers."""
    letters = compared.letters
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("What differs", anchor=False)
        lines = parameter_lines(compared.runs)
        note = equal_words(compared.runs)
        if lines:
            differences(letters, [("", lines)], key="parameters", note=note)
        else:
            st.caption(plain(note))
    with right:
        st.subheader("Yardsticks", anchor=False)
        tables = yardstick_lines(compared.runs)
        differences(letters, tables[:1], key="yardsticks")
        if len(tables) > 1:
            with st.expander("More yardsticks"):
                differences(letters, tables[1:], key="more-yardsticks")
    curves(compared)


def curves(compared: Compared) -> None:
    """Content and style loss of all runs, one colour each."""
    with reading() as connection:
        found = curves_of(connection, compared)
    if not found:
        return
    st.subheader("Loss curves", anchor=False)
    for name, column in zip(("content_loss", "style_loss"), st.columns(2, gap="large"), strict=True):
        with column:
            chart = compared_chart(found, name)
            if chart is None:
                st.caption(f"There is no {SERIES[name].lower()} over zero to draw.")
            else:
                st.altair_chart(chart, key=name)
    st.caption(plain(curve_words(compared.runs)))


def open_ids(keys: Sequence[str]) -> None:
    """Make these panes the page's, in the URL; for callbacks, which run before the page is drawn."""
    with reading() as connection:
        short = shortened(connection, keys)
    set_url({"ids": ",".join(short), "pair": ""} if len(keys) < 3 else {"ids": ",".join(short)})


def heard_shown() -> None:
    """What is on the stage and how, as it was just set there."""
    told = shown_of(st.session_state.get(_KEY))
    if told is not None:
        with reading() as connection:
            ids = shortened(connection, told.ids)
        set_url({"ids": ",".join(ids), "mode": "", "pair": ""} | shown_params(told.mode, told.pair))


def heard_asked() -> None:
    """Another page, when this one is drawn next."""
    asked = asked_of(st.session_state.get(_KEY))
    if asked is None:
        return
    if asked.kind == "clear":
        st.session_state.pop(_LAST, None)
        set_url({"ids": ""})
    elif asked.kind == "open" and asked.ids:
        st.session_state[_TO] = ("run", {"id": asked.ids[0]})
    elif asked.kind == "leave":
        st.session_state[_TO] = ("gallery", {})


def set_url(changes: dict[str, str]) -> None:
    """Some of the page's own parameters anew; '' takes one away."""
    params = url_params() | {key: [value] for key, value in changes.items()}
    st.query_params.from_dict({key: values for key, values in params.items() if any(values)})


page()

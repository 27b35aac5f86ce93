"""The results under filters, as a grid, along axes or as a table; everything that makes the view stands in the URL."""

import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from sqlalchemy.exc import DBAPIError

from db import browse
from gallery.axes_view import axes
from gallery.components.grid import Told, grid
from gallery.filters import LAYOUTS, PER_PAGE, FilterSpec
from gallery.grid_view import GridPage, grid_page
from gallery.links import open_view
from gallery.opened import Opened, look_anew, opened_view
from gallery.reading import reading
from gallery.sidebar import cleared, restricted, sidebar
from gallery.table_view import table
from gallery.view import SWEEP
from gallery.wording import COLLAPSE_HELP, SORT_HELP, SORT_LABELS, WITHIN_HELP, counted, label, plain
from sweep.errors import StylesweepError

REFRESH_SECONDS = 4
LAYOUT_ICONS = {"grid": ":material/grid_view:", "axes": ":material/grid_4x4:", "table": ":material/table_rows:"}


def page() -> None:
    opened = opened_view()
    sidebar(opened, open_view)
    if opened.unknown:
        st.warning(f"This workspace has no sweep named {plain(', '.join(opened.unknown))}.")
    page_of = page_shown(opened)
    head(page_of)
    if not len(opened.selected.runs):
        nothing_matches(opened.spec)
    elif page_of.spec.layout == "axes":
        answer(axes(opened, open_view), page_of)
    elif page_of.spec.layout == "table":
        answer(table(page_of), page_of)
        pager(page_of)
    else:
        answer(grid(page_of), page_of)
        pager(page_of)


def page_shown(opened: Opened) -> GridPage:
    """What is on screen; a page beyond the last one is the last one."""
    with reading() as connection:
        return grid_page(connection, opened)


def answer(told: Told | None, shown: GridPage) -> None:
    """Go where a tile or the selection was sent."""
    if told is None:
        return
    params: Mapping[str, Any] = shown.spec.to_params()
    if told.kind == "open":
        st.switch_page("app_pages/run.py", query_params={"id": told.ids[0], **params})
    elif told.kind in ("compare", "export"):
        ids = ",".join(told.ids)
        st.switch_page(f"app_pages/{told.kind}.py", query_params={"ids": ids, **params})


def head(shown: GridPage) -> None:
    """What is shown of how much, and in which order. News stand beside the title, where they move nothing."""
    spec = shown.spec
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            st.title(plain(", ".join(spec.view.sweeps)), anchor=False, width="content")
            st.caption(shown.showing(), width="content")
        news(spec.view.sweeps, shown.opened.moment.asof)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        controls(shown.opened, spec)


def controls(opened: Opened, spec: FilterSpec) -> None:
    """Layout, order and groups."""
    _control("layout", spec.layout)
    st.segmented_control(
        "View", LAYOUTS, key="layout", label_visibility="collapsed", format_func=lambda one: f"{LAYOUT_ICONS[one]} {one.capitalize()}",
        on_change=lambda: open_view(spec.laid_out(st.session_state["layout"] or spec.layout)),
    )  # fmt: skip
    _control("sort", spec.view.sort)
    st.selectbox(
        "Sort by", list(SORT_LABELS), key="sort", format_func=SORT_LABELS.__getitem__, help=SORT_HELP, width=190,
        on_change=lambda: open_view(spec.with_view(sort=st.session_state["sort"])),
    )  # fmt: skip
    groups = ["", *(name for name in (SWEEP, *opened.look.varying) if name in opened.look.columns)]
    _control("group", spec.view.group if spec.view.group in groups else "")
    st.selectbox(
        "Group by", groups, key="group", format_func=lambda name: label(name) if name else "Nothing", width=150,
        on_change=lambda: open_view(spec.with_view(group=st.session_state["group"])),
    )  # fmt: skip
    with st.popover("More", icon=":material/tune:"):
        _toggle("Rank within each content and style", "within", spec, WITHIN_HELP)
        _toggle("Collapse near-duplicates", "collapse", spec, COLLAPSE_HELP)
        _control("per-page", spec.per_page)
        st.segmented_control("Per page", PER_PAGE, key="per-page", on_change=lambda: open_view(resized(spec)))
        st.caption("In the grid, the key ? tells the others.")
        st.caption("A link to just this view, as it stands now:")
        st.code(link(opened, spec), language=None, wrap_lines=True)


def link(opened: Opened, spec: FilterSpec) -> str:
    """The address that shows a colleague the same, whatever has finished since."""
    params = spec.to_params() | {"asof": [str(opened.moment.asof)], "by": [opened.by]}
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(params, doseq=True)}"


def _control(key: str, value: object) -> None:
    """The URL is what a control shows."""
    st.session_state[key] = value


def _toggle(text: str, name: str, spec: FilterSpec, help_text: str) -> None:
    _control(name, getattr(spec.view, name))
    st.toggle(text, key=name, help=help_text, on_change=lambda: open_view(spec.with_view(**{name: st.session_state[name]})))


def resized(spec: FilterSpec) -> FilterSpec:
    """Another page size, on the page that holds the tile which came first."""
    first = (spec.page - 1) * spec.per_page
    per_page = int(st.session_state["per-page"] or spec.per_page)
    return spec.paged(per_page, first // per_page + 1)


@st.fragment(run_every=REFRESH_SECONDS)
def news(sweeps: tuple[str, ...], asof: int) -> None:
    """Says that results came in since; the grid itself stands still until asked."""
    fresh = 0
    with contextlib.suppress(StylesweepError, DBAPIError), reading() as connection:  # the page has said so, or the next look will
        fresh = browse.new_since(connection, sweeps, asof)
    with st.container(width="content"):
        if not fresh:
            st.space("medium")  # as high as the button, which then moves nothing
        # The key is who it is: without one it would be another button for every number, and a click on the one before would be lost.
        elif st.button(f"{counted(fresh, 'new result')} - show", key="news", icon=":material/refresh:", type="primary"):
            look_anew()
            st.rerun(scope="app")


def nothing_matches(spec: FilterSpec) -> None:
    with st.container(width=600):
        st.info("No combination matches these filters.")
        if restricted(spec.view):
            st.button("Show all", on_click=open_view, args=(cleared(spec),))


def pager(shown: GridPage) -> None:
    if shown.pages == 1:
        return
    _control("page", shown.spec.page)
    st.pagination(shown.pages, key="page", on_change=lambda: open_view(shown.spec.on_page(int(st.session_state["page"]))))


page()

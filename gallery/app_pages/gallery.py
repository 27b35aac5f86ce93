"""The grid of results under filters; everything that makes the view stands in the URL."""

import contextlib

import streamlit as st
from sqlalchemy.exc import DBAPIError

from db import browse, queries
from db.browse import Tile
from gallery.cached import Look, Overview, front, overview
from gallery.components.grid import GridLook, grid
from gallery.filters import PER_PAGE, FilterSpec
from gallery.links import open_view, view_of_page
from gallery.reading import NothingYet, reading, workspace_folder
from gallery.sidebar import sidebar
from gallery.wording import SORT_HELP, SORT_LABELS, counted, plain
from sweep.errors import StylesweepError

REFRESH_SECONDS = 4


def page() -> None:
    with reading() as connection:
        rows = queries.sweeps(connection)
        newest = browse.newest_seq(connection)
    if not rows:
        raise NothingYet("there is no sweep yet.")
    listed = [row for row in rows if row.archived_at is None] or rows  # a link to an archived one opens it all the same
    spec = view_of_page([row.name for row in listed])
    look = Look(folder=workspace_folder(), view=spec.view, asof=moment(spec, newest))
    around = overview(look)
    sidebar(spec, listed, around, open_view)
    unknown = [name for name in spec.view.sweeps if name not in {row.name for row in rows}]
    if unknown:
        st.warning(f"This workspace has no sweep named {plain(', '.join(unknown))}.")
    spec, tiles = page_of_tiles(spec, look, around)
    head(spec, look, around, len(tiles))
    if not tiles:
        nothing_matches(spec)
        return
    params = spec.to_params()
    captions = GridLook(
        varying=around.varying, sort=spec.view.sort, front=front(look.folder, spec.view.sweeps, look.asof), params=params, page=spec.page
    )
    opened = grid(tiles, captions)
    pager(spec, around)
    if opened is not None:
        st.switch_page("app_pages/run.py", query_params={"id": opened, **params})


def moment(spec: FilterSpec, newest: int) -> int:
    """The finished_seq up to which this view shows results; it stays while pages are turned, so that none moves."""
    kept = st.session_state.get("moment")
    if kept is None or kept[0] != spec.view or kept[1] > newest:
        kept = (spec.view, newest)
        st.session_state["moment"] = kept
    return int(kept[1])


def page_of_tiles(spec: FilterSpec, look: Look, around: Overview) -> tuple[FilterSpec, list[Tile]]:
    """The tiles of the open page; a page beyond the last one is the last one."""
    spec = spec.on_page(min(spec.page, last_page(spec, around)))
    with reading() as connection:
        offset = (spec.page - 1) * spec.per_page
        return spec, browse.tiles(connection, spec.view, look.asof, limit=spec.per_page, offset=offset)


def last_page(spec: FilterSpec, around: Overview) -> int:
    return max(1, -(-around.count.runs // spec.per_page))


def head(spec: FilterSpec, look: Look, around: Overview, here: int) -> None:
    """What is shown of how much, and in which order. News stand beside the title, where they move nothing."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(plain(", ".join(spec.view.sweeps)), anchor=False)
        news(look)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.markdown(showing(spec, around, here))
        with st.container(horizontal=True, width="content"):
            st.session_state["sort"] = spec.view.sort
            st.selectbox(
                "Sort by", list(SORT_LABELS), key="sort", format_func=SORT_LABELS.__getitem__, help=SORT_HELP, width=190,
                on_change=lambda: open_view(spec.with_view(sort=st.session_state["sort"])),
            )  # fmt: skip
            st.session_state["per-page"] = spec.per_page
            st.selectbox("Per page", PER_PAGE, key="per-page", width=110, on_change=lambda: open_view(resized(spec)))


def resized(spec: FilterSpec) -> FilterSpec:
    """Another page size, on the page that holds the tile which came first."""
    first = (spec.page - 1) * spec.per_page
    per_page = int(st.session_state["per-page"])
    return FilterSpec(view=spec.view, page=first // per_page + 1, per_page=per_page)


def showing(spec: FilterSpec, around: Overview, here: int) -> str:
    """'Showing 1-48 of 312 combinations'; runs are told apart where several combinations share one."""
    count = around.count
    first = (spec.page - 1) * spec.per_page
    reach = f"{first + 1:,}-{first + here:,}" if here else "0"
    if count.runs == count.combinations:
        return f"Showing {reach} of {counted(count.combinations, 'combination')}"
    return f"Showing {reach} of {counted(count.runs, 'run')} ({counted(count.combinations, 'combination')}; equal ratios share a run)"


@st.fragment(run_every=REFRESH_SECONDS)
def news(look: Look) -> None:
    """Says that results came in since; the grid itself stands still until asked."""
    fresh = 0
    with contextlib.suppress(StylesweepError, DBAPIError), reading() as connection:  # the page has said so, or the next look will
        fresh = browse.new_since(connection, look.view.sweeps, look.asof)
    with st.container(width="content"):
        if not fresh:
            st.space("medium")  # as high as the button, which then moves nothing
        elif st.button(f"{counted(fresh, 'new result')} - show", icon=":material/refresh:", type="primary"):
            st.session_state.pop("moment", None)
            st.rerun(scope="app")


def nothing_matches(spec: FilterSpec) -> None:
    with st.container(width=600):
        st.info("No combination matches these filters.")
        if spec.view.choices or spec.view.states:
            st.button("Show all", on_click=open_view, args=(spec.with_view(choices=(), states=()),))


def pager(spec: FilterSpec, around: Overview) -> None:
    pages = last_page(spec, around)
    if pages == 1:
        return
    st.session_state["page"] = spec.page
    st.pagination(pages, key="page", on_change=lambda: open_view(spec.on_page(int(st.session_state["page"]))))


page()

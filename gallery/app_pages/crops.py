"""The same region of every picture of the view, at 1:1; the region stands in the URL beside the view."""

import streamlit as st

from gallery.components.crops import crops, region_of
from gallery.crops_view import CropsPage, read_crops, read_where
from gallery.links import open_view, url_params
from gallery.opened import Opened, opened_view
from gallery.reading import reading
from gallery.sidebar import sidebar
from gallery.wording import plain

OWN = ("cx", "cy", "cs", "on")
_KEY = "crops"


def page() -> None:
    opened = opened_view(own=OWN)
    sidebar(opened, open_view)
    where = read_where(url_params())
    with reading() as connection:
        shown = read_crops(connection, opened)
    head(opened, shown)
    if not shown.groups:
        nothing(opened)
        return
    last = region_of(st.session_state.get(_KEY))
    params = opened.spec.to_params()
    run = crops(shown, where, params, heard, told=last[1] if last else 0)
    st.caption(sizes(shown))
    pager(opened, shown)
    if run is not None:
        st.switch_page("app_pages/run.py", query_params={"id": run, **params})


def head(opened: Opened, shown: CropsPage) -> None:
    """What is shown of how much."""
    params = opened.spec.to_params()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link("app_pages/gallery.py", label="Gallery", icon=":material/grid_view:", query_params=params, width="content")
        st.title("Crops", anchor=False, width="content")
    if shown.groups:
        sweeps = plain(", ".join(opened.spec.view.sweeps))
        st.markdown(f"{shown.showing()} of {sweeps}, the same region of each beside its content and style")


def sizes(shown: CropsPage) -> str:
    """What a crop is; of results that differ in size too."""
    words = "One pixel of a picture is one of the screen; content and style are cut at the size at which the run saw them."
    if len(shown.sizes) < 2:
        return words
    return f"{words} These pictures differ in size: each is cut around the same relative place, with the same number of its own pixels."


def nothing(opened: Opened) -> None:
    with st.container(width=600):
        if not len(opened.selected.runs):
            st.info("No combination matches these filters.")
        else:
            st.info("None of the runs in this view has a picture yet. Crops are cut from finished runs.")


def pager(opened: Opened, shown: CropsPage) -> None:
    if shown.pages == 1:
        return
    st.session_state["crops-page"] = shown.page
    st.pagination(shown.pages, key="crops-page", on_change=lambda: open_view(opened.spec.on_page(int(st.session_state["crops-page"]))))


def heard() -> None:
    """The region, as it was just chosen."""
    told = region_of(st.session_state.get(_KEY))
    if told is not None:
        params = {key: values for key, values in url_params().items() if key not in OWN}
        st.query_params.from_dict(params | {key: [value] for key, value in told[0].to_params().items()})


page()

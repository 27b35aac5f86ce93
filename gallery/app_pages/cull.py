"""One picture after the other of the view, judged by keys as in Lightroom. Without the filters beside it: all room is the picture's."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from gallery.components.cull import Asked, asked_place, cull
from gallery.cull_queue import MODES, CullQueue, counts, known_tags, make_queue, stretch
from gallery.filters import FilterSpec
from gallery.links import open_view, url_params
from gallery.opened import Opened, opened_view
from gallery.reading import reading
from gallery.sidebar import cleared, restricted
from gallery.wording import counted, plain, view_text

OWN = ("mode", "id")
_QUEUE = "cull-queue"


def page() -> None:
    opened = opened_view(OWN)
    if opened.unknown:
        st.warning(f"This workspace has no sweep named {plain(', '.join(opened.unknown))}.")
    mode = (url_params().get("mode") or [MODES[0]])[-1]
    queue = queue_of(opened, mode if mode in MODES else MODES[0])
    if len(queue.runs):
        go(cull(data_of(opened, queue)), opened.spec)
    else:
        nothing_to_do(opened, queue)


def queue_of(opened: Opened, mode: str) -> CullQueue:
    """This session's queue of the view: made once, so that nothing in it moves while it is gone through."""
    wanted = (url_params().get("id") or [""])[-1]
    sort_of = (opened.spec.view, opened.moment.asof, mode, wanted, opened.person)
    kept = st.session_state.get(_QUEUE)
    if kept is None or kept[0] != sort_of or not len(kept[1].runs):
        with reading() as connection:
            kept = (sort_of, make_queue(connection, opened, mode, wanted))
        st.session_state[_QUEUE] = kept
    return kept[1]


def data_of(opened: Opened, queue: CullQueue) -> dict[str, Any]:
    """What the component is handed: the stretch of the queue that it asked for, or the one that it begins with."""
    place = asked_place(st.session_state.get("cull"), queue.name)
    with reading() as connection:
        return {
            "queue": queue.name, "mode": queue.mode, "total": len(queue.runs), "start": queue.start, "whole": queue.whole,
            "view": view_text(opened.spec.view),
            "counts": counts(connection, opened.person, queue), "person": opened.person, "tags": known_tags(connection, opened.person),
            "links": {name: f"{page}?{urlencode(params, doseq=True)}" for name, (page, params) in ways(opened.spec).items()},
            **stretch(connection, opened, queue, queue.start if place is None else place),
        }  # fmt: skip


def ways(spec: FilterSpec) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """Where one goes on from here: name -> (page, its query parameters)."""
    picks = spec.with_view(flags=("pick",), by="").to_params()
    return {"grid": ("gallery", spec.on_page(1).to_params()), "picks": ("gallery", picks), "export": ("export", picks)}


def go(asked: Asked | None, spec: FilterSpec) -> None:
    """Follow the reader."""
    if asked is None:
        return
    params = spec.to_params()
    if asked.kind in MODES:
        through(spec, asked.kind)
        st.rerun()
    if asked.kind == "open" and asked.ids:
        st.switch_page("app_pages/run.py", query_params={"id": asked.ids[0], **params})
    elif asked.kind == "compare":
        st.switch_page("app_pages/compare.py", query_params={"ids": ",".join(asked.ids), **params})
    elif asked.kind in ("grid", "picks", "export"):
        name, wanted = ways(spec)[asked.kind]
        st.switch_page(f"app_pages/{name}.py", query_params=wanted)


def through(spec: FilterSpec, mode: str) -> None:
    """Another queue of the same view, made anew."""
    st.session_state.pop(_QUEUE, None)
    st.query_params.from_dict(spec.to_params() | ({} if mode == MODES[0] else {"mode": [mode]}))


def nothing_to_do(opened: Opened, queue: CullQueue) -> None:
    """Why there is no picture to judge, and what next."""
    spec = opened.spec
    with st.container(width=720):
        st.header(f"{why_nothing(queue)}.", anchor=False)
        st.caption(plain(view_text(spec.view)))
        with st.container(horizontal=True, vertical_alignment="center"):
            if queue.whole:
                st.page_link("app_pages/gallery.py", label="See the picks", icon=":material/flag:", query_params=ways(spec)["picks"][1])
                st.button("Go through all again", icon=":material/replay:", on_click=through, args=(spec, "all"))
            if restricted(spec.view):
                st.button("Without filters", on_click=open_view, args=(replace(cleared(spec), page=1),))
            st.page_link("app_pages/gallery.py", label="To the grid", icon=":material/grid_view:", query_params=spec.to_params())


def why_nothing(queue: CullQueue) -> str:
    """In a few words."""
    if queue.whole:
        return (
            f"All {counted(queue.whole, 'run')} of this view are reviewed" if queue.whole > 1 else "The only run of this view is reviewed"
        )
    if queue.pictureless:
        return f"{counted(queue.pictureless, 'run')} of this view, and no picture yet"
    return "No run matches these filters"


page()

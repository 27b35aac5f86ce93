"""A sweep at work: counts, speed, pictures as they come, failures, and the buttons that steer it."""

import time
from collections.abc import Callable

import streamlit as st

from db.queries import SweepRow
from gallery.components.live import KEY, live
from gallery.components.notice import driver_notice
from gallery.links import url_params
from gallery.live_view import LiveView, newest_active
from gallery.places import LIVE, PLACES
from gallery.reading import NothingYet, calm, reading, workspace_folder
from gallery.steering import PRIORITIES, Refused, Steering
from gallery.watched import census_of, sweep_rows, watch
from gallery.wording import counted, plain

REFRESH_SECONDS = 2
SAID_SECONDS = 60.0
"""How long the answer to a button stands."""


def page() -> None:
    with reading() as connection:
        rows = sweep_rows(connection)
    if not rows:
        raise NothingYet("there is no sweep yet.")
    names = [row.name for row in rows]
    wanted = (url_params().get("sweep") or [""])[0]
    if wanted and wanted not in names:
        st.info(f"This workspace has no sweep named {plain(wanted[:200])}. Choose one:")
    name = wanted if wanted in names else newest_active(rows)
    assert name is not None
    if wanted != name and not (wanted and wanted not in names):
        st.query_params["sweep"] = name
    choose(name, rows)
    following(name)


def choose(name: str, rows: list[SweepRow]) -> None:
    """Which sweep is looked at, and the other ways to look at it."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(plain(name), anchor=False)
        with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
            for place in PLACES:
                if place is not LIVE:
                    st.page_link(place.file, label=place.title, icon=place.icon, query_params={"sweep": name}, width="content")
            st.session_state["live-sweep"] = name
            shown = [row.name for row in rows if row.archived_at is None or row.name == name]
            st.selectbox(
                "Sweep", shown, key="live-sweep", width=260, label_visibility="collapsed",
                on_change=lambda: _open(st.session_state["live-sweep"]),
            )  # fmt: skip


def _open(name: str) -> None:
    st.query_params.from_dict({"sweep": name})


@st.fragment(run_every=REFRESH_SECONDS)
def following(name: str) -> None:
    """All that changes by itself: the page's only repeating fragment."""
    with calm():
        with reading() as connection:
            row = next((one for one in sweep_rows(connection) if one.name == name), None)
            if row is None:
                st.info(f"{plain(name)} has been deleted.")
                return
            view = watch(workspace_folder(), row.id, row.created_at).look(connection, row, census_of(connection, row.id))
        driver_notice(view)
        buttons(view)
        said(name)
        opened = live(view, cancel_run, lambda: retry_alike(name))
        if opened is not None:
            st.switch_page("app_pages/run.py", query_params={"id": opened, "sweep": name})


def buttons(view: LiveView) -> None:
    """What can be asked of the sweep. Every button is always there, so that none moves under the hand."""
    name, left = view.row.name, view.row.runs - view.row.settled
    steering = Steering(workspace_folder())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if view.row.state == "active":
            st.button("Pause", icon=":material/pause:", key="pause", disabled=not left, on_click=do, args=(steering.pause, name))
        else:
            st.button("Resume", icon=":material/play_arrow:", key="resume", type="primary", on_click=do, args=(steering.resume, name))
        with st.popover("Cancel", icon=":material/close:", disabled=not left or view.row.state == "cancelled", key="cancel"):
            st.markdown(f"This ends {counted(left, 'run')} that {'is' if left == 1 else 'are'} still to do. What is done stays.")
            st.button("Cancel the sweep", key="really-cancel", type="primary", on_click=do, args=(steering.cancel, name))
        label = f"Retry all {view.failed:,} failed" if view.failed > 1 else "Retry failed"
        st.button(label, icon=":material/replay:", key="retry-all", disabled=not view.failed, on_click=do, args=(steering.retry, name))
        with st.popover("Priority", icon=":material/low_priority:", key="priority-box"):
            low, high = PRIORITIES
            st.session_state["priority"] = view.limits.priority
            st.number_input(
                "Priority", low, high, step=1, key="priority", width=160, help="The sweep with the higher number goes first.",
                on_change=lambda: do(lambda text: steering.set_priority(text, int(st.session_state["priority"])), name),
            )  # fmt: skip


def do(act: Callable[[str], str], what: str) -> None:
    """Do what a button asks, and keep the answer for the page."""
    try:
        answer = (True, act(what))
    except Refused as error:
        answer = (False, str(error))
    st.session_state["live-said"] = (time.monotonic(), st.session_state.get("live-sweep"), *answer)


def said(name: str) -> None:
    """The answer to the last button, where it was of this sweep and not long ago."""
    at, sweep, went_well, text = st.session_state.get("live-said", (0.0, None, True, ""))
    if sweep != name or time.monotonic() - at > SAID_SECONDS:
        return
    if went_well:
        st.caption(f":material/check: {plain(text)}")
    else:
        st.warning(plain(text))


def cancel_run() -> None:
    run_key = st.session_state[KEY].get("cancel")
    if isinstance(run_key, str):
        do(Steering(workspace_folder()).cancel_run, run_key[:100])


def retry_alike(name: str) -> None:
    asked = st.session_state[KEY].get("retry")
    if isinstance(asked, dict) and isinstance(asked.get("state"), str) and isinstance(asked.get("what"), str):
        do(lambda text: Steering(workspace_folder()).retry(text, asked["state"], asked["what"]), name)


page()

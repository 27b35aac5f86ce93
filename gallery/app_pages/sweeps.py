"""Every sweep of the workspace, and how far it is."""

import streamlit as st

from db import browse, queries
from db.queries import SweepRow
from gallery.components.sweep_list import Around, Asked, sweep_list
from gallery.places import PLACES
from gallery.reading import NothingYet, calm, command, reading, workspace_folder
from gallery.steering import Refused, Steering
from gallery.watched import spent_on, sweep_rows
from gallery.wording import counted, plain

REFRESH_SECONDS = 4
MOST_COMMANDS = 5


@st.fragment(run_every=REFRESH_SECONDS)
def listing() -> None:
    """The cards, drawn anew every few seconds: the page's only repeating fragment."""
    with calm():
        with reading() as connection:
            rows = sweep_rows(connection)
            driven = queries.driver(connection) is not None
            shapes = browse.shapes(connection, [row.best_thumbnail for row in rows if row.best_thumbnail])
            spent = spent_on(connection)
        if not rows:
            raise NothingYet("there is no sweep yet.")
        listed = head(rows)
        waiting = [row for row in rows if row.state == "active" and row.settled < row.runs and row.archived_at is None]
        if waiting and not driven:
            no_driver(waiting)
        asked = sweep_list(listed, Around(driven=driven, shapes=shapes, spent=spent))
        if asked is not None:
            answer(asked)


def head(rows: list[SweepRow]) -> list[SweepRow]:
    """The title; the archived ones are left out unless they are asked for."""
    archived = sum(row.archived_at is not None for row in rows)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Sweeps", anchor=False)
        every = bool(archived) and st.toggle(f"Show {counted(archived, 'archived sweep')}", key="archived")
    went_well, text = st.session_state.get("sweeps-said", (True, ""))
    if text:
        (st.caption if went_well else st.warning)(plain(text))
    shown = [row for row in rows if every or row.archived_at is None]
    if not shown:
        st.info("Every sweep is archived. The switch shows them.")
    return shown


def answer(asked: Asked) -> None:
    """Go to a page of a sweep, or put it away."""
    place = next((place for place in PLACES if place.url == asked.what), None)
    if place is not None:
        st.session_state.pop("sweeps-said", None)
        st.switch_page(place.file, query_params={"sweep": asked.sweep})
    steering = Steering(workspace_folder())
    try:
        said = (True, (steering.archive if asked.what == "archive" else steering.unarchive)(asked.sweep))
    except Refused as error:
        said = (False, str(error))
    st.session_state["sweeps-said"] = said
    st.rerun()


def no_driver(waiting: list[SweepRow]) -> None:
    """What to type so that queued runs go on."""
    queued = sum(row.runs - row.settled for row in waiting)
    with st.container(width=900):
        st.info(f"No driver is running, and {counted(queued, 'run waits', 'runs wait')} for one. Type:")
        commands = list(dict.fromkeys(command("run", row.name) for row in waiting))
        st.code("\n".join(commands[:MOST_COMMANDS]), language="bash")
        if len(commands) > MOST_COMMANDS:
            st.caption(f"One driver serves them all, {counted(len(commands) - MOST_COMMANDS, 'more sweep')} too.")


listing()

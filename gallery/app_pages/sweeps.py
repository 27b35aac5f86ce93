"""Every sweep of the workspace, and how far it is."""

import streamlit as st

from db import browse, queries
from db.queries import SweepRow
from gallery.components.sweep_list import sweep_list
from gallery.reading import NothingYet, calm, command, reading
from gallery.wording import counted

REFRESH_SECONDS = 4


@st.fragment(run_every=REFRESH_SECONDS)
def listing() -> None:
    """The cards, drawn anew every few seconds: the page's only repeating fragment."""
    with calm():
        with reading() as connection:
            rows = queries.sweeps(connection)
            driven = queries.driver(connection) is not None
            shapes = browse.shapes(connection, [row.best_thumbnail for row in rows if row.best_thumbnail])
        if not rows:
            raise NothingYet("there is no sweep yet.")
        st.title("Sweeps", anchor=False)
        waiting = [row for row in rows if row.state == "active" and row.settled < row.runs]
        if waiting and not driven:
            no_driver(waiting)
        opened = sweep_list(shown(rows), driven=driven, shapes=shapes)
        if opened is not None:
            st.switch_page("app_pages/gallery.py", query_params={"sweep": opened})


def shown(rows: list[SweepRow]) -> list[SweepRow]:
    """Without the archived ones, unless they are asked for."""
    archived = [row for row in rows if row.archived_at is not None]
    if not archived or st.toggle(f"Show {counted(len(archived), 'archived sweep')}", key="archived"):
        return rows
    return [row for row in rows if row.archived_at is None]


def no_driver(waiting: list[SweepRow]) -> None:
    """What to type so that queued runs go on."""
    queued = sum(row.runs - row.settled for row in waiting)
    with st.container(width=900):
        st.info(f"No driver is running, and {counted(queued, 'run waits', 'runs wait')} for one. Type:")
        st.code("\n".join(dict.fromkeys(command("run", row.spec_path) for row in waiting[:5])), language="bash")


listing()

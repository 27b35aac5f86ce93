"""One run: its picture, how it was made, how it went, what people said of it, and how to make it again."""

from urllib.parse import urlencode

import streamlit as st

from db.models import UNSETTLED
from gallery.components.viewer import viewer
from gallery.links import url_params
from gallery.reading import calm, reading
from gallery.run_sections import again, attempts, curve, lineage, parameters, reviews, state_note, yardsticks
from gallery.run_view import NoSuchRun, RunView, is_unsettled, read_run, viewer_data
from gallery.wording import STATE_LABELS, plain

REFRESH_SECONDS = 4
# Where there is no room for two columns (a tablet), the second stands below the first.
STACKED = (
    "<style>@media (max-width: 1000px) { .st-key-run [data-testid='stHorizontalBlock']:has(> [data-testid='stColumn']) { flex-wrap: wrap; }"
    " .st-key-run [data-testid='stColumn'] { min-width: 100%; } }</style>"
)


def page() -> None:
    """All of it is one fragment, for runs of every state: what stood elsewhere would be another element to Streamlit, and a key pressed
    while elements are exchanged is lost. What keys ask for runs the fragment alone, so it goes by the address, not by what it began with.
    """
    with reading() as connection:
        going = is_unsettled(connection, wanted())
    st.fragment(drawn, run_every=REFRESH_SECONDS if going else None)(going)


def wanted() -> str:
    """The run that the address names."""
    return (url_params().get("id") or [""])[-1]


def drawn(going: bool) -> None:
    """The run. going: whether it is drawn anew every few seconds; where that has become wrong, the page begins again."""
    with calm():
        if not wanted():
            nothing("No run is chosen. Open one from the gallery.")
            return
        try:
            run = read_run(wanted())
        except NoSuchRun as error:
            nothing(plain(str(error)[:1].upper() + str(error)[1:300]))
            return
        if (run.result.state in UNSETTLED) != going:
            st.rerun(scope="app")
        body(run)


def nothing(words: str) -> None:
    with st.container(width=600):
        st.info(words)
        st.page_link("app_pages/gallery.py", label="To the gallery", icon=":material/arrow_back:")


def body(run: RunView) -> None:
    st.html(STACKED)
    with st.container(key="run"):
        left, right = st.columns([5, 2], gap="large")
    with left:
        picture(run)
        curve(run)
        attempts(run)
    with right:
        beside(run)


def beside(run: RunView) -> None:
    """What there is to read of it."""
    result = run.result
    st.title(f"{plain(result.parameters['content'])} in the style of {plain(result.parameters['style'])}", anchor=False)
    st.caption(f"{plain(result.sweep)} · {result.run_key[:11]} · {STATE_LABELS[result.state].lower()}")
    state_note(run)
    yardsticks(run)
    reviews(run)
    parameters(run)
    lineage(run)
    again(run)


def picture(run: RunView) -> None:
    """The picture with everything that keys reach; from here on to other runs, and back to the view."""
    view = run.spec.to_params()

    def go_to(run_key: str) -> None:
        st.query_params.from_dict({"id": run_key, **view})

    asked = viewer(viewer_data(run, f"gallery?{urlencode(view, doseq=True)}"), go_to)
    if asked is not None and asked.kind == "grid":
        st.switch_page("app_pages/gallery.py", query_params=view)


page()

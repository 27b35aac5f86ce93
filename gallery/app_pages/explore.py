"""All runs of a view at once: between two yardsticks, along all parameters, and which parameter moves what."""

from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from gallery.axes_of_runs import narrowed, without
from gallery.components.parallel import parallel
from gallery.components.scatter import Asked, scatter
from gallery.components.shares import shares
from gallery.explore_view import NO_COLOUR, ExploreSpec, axis_label, number_names
from gallery.explored import Explored, Seen, explored
from gallery.filters import FilterSpec
from gallery.links import open_view, url_params
from gallery.opened import Opened, opened_view
from gallery.reading import reading, workspace_folder
from gallery.sidebar import cleared, restricted, sidebar
from gallery.view import View
from gallery.wording import YARDSTICK_LABELS, plain
from sweep.transfer.yardstick_names import BY_NAME

SHARES_HELP = (
    "Eta squared: of the variance among runs of one content and style, the share that lies between the runs of different values of the "
    "parameter. 0: its values differ no more than anything does. 1: the value alone tells the yardstick. The shares need not add up to 1, "
    "and with few runs for each value they are high by chance."
)


def page() -> None:
    opened = opened_view(own=ExploreSpec.OWN)
    spec = ExploreSpec.from_params(url_params(), opened.look)
    sidebar(opened, open_view)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.title(f"Explore {plain(', '.join(opened.spec.view.sweeps))}", anchor=False)
        controls(opened, spec)
    found = kept(workspace_folder(), opened.spec.view, (opened.moment.asof, opened.moment.stamp, opened.by), spec, opened)
    if not found.plane.measured and not found.could_be_lines:
        nothing(opened)
        return
    view = urlencode(opened.spec.to_params(), doseq=True)

    def here(asked: Asked) -> None:
        stay(asked, opened.spec, found)

    st.caption(plain(found.points_drawn()))
    go(scatter(found.scatter_data(f"run?{view}"), here), opened.spec, found)
    st.subheader("All parameters at once", anchor=False)
    st.caption(plain(found.lines_drawn()))
    go(parallel(found.parallel_data(view), here), opened.spec, found)
    moving(found)


@st.cache_resource(max_entries=6, show_spinner=False)
def kept(folder: Path, view: View, moment: tuple[int, float, str], spec: ExploreSpec, _opened: Opened) -> Explored:
    """moment: with it the same view is the same selection."""
    with reading() as connection:
        seen = Seen(look=_opened.look, view=view, selected=_opened.selected, reviewed=_opened.reviewed, front=_opened.front)
        return explored(connection, seen, spec)


def controls(opened: Opened, spec: ExploreSpec) -> None:
    """What is laid out along what, and by what it is coloured."""
    numbers = number_names(opened.look)
    colours = [NO_COLOUR, *opened.look.varying, *YARDSTICK_LABELS]
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        _choice("Across", "xm", numbers, spec.x)
        _choice("Up", "ym", numbers, spec.y)
        _choice("Colour", "colour", colours, spec.colour or NO_COLOUR)


def _choice(text: str, key: str, names: list[str], chosen: str) -> None:
    st.session_state[f"explore-{key}"] = chosen

    def changed() -> None:
        _own(key, st.session_state[f"explore-{key}"])

    st.selectbox(
        text, names, key=f"explore-{key}", format_func=axis_label, width=190, on_change=changed,
    )  # fmt: skip


def _own(key: str, value: str) -> None:
    """Change one of the page's own parameters in the URL."""
    st.query_params.from_dict({**url_params(), key: [value]})


def nothing(opened: Opened) -> None:
    with st.container(width=600):
        if len(opened.selected.runs):
            st.info("No run of this view has both values yet. Choose other yardsticks above, or wait for the first results.")
        else:
            st.info("No combination matches these filters.")
        if restricted(opened.spec.view):
            st.button("Show all", on_click=open_view, args=(cleared(opened.spec),))


def stay(asked: Asked, spec: FilterSpec, found: Explored) -> None:
    """What changes this page's own view. Runs before the page is drawn, so that the URL says it at once."""
    if asked.kind == "order":
        _own("axes", ",".join(asked.names))
    elif asked.kind in ("filter", "exclude"):
        if (narrower := filtered(asked, spec, found)) is None:
            st.toast("No filter can say that: leave out values of a parameter, or an end of a yardstick.")
        else:
            open_view(narrower)


def go(asked: Asked | None, spec: FilterSpec, found: Explored) -> None:
    """To a run, or to the gallery with what lies within the chosen ranges."""
    if asked is not None and asked.kind == "open":
        st.switch_page("app_pages/run.py", query_params={"id": asked.key, **spec.to_params()})
    if asked is not None and asked.kind == "gallery" and (narrower := filtered(asked, spec, found)):
        st.switch_page("app_pages/gallery.py", query_params=narrower.to_params())


def filtered(asked: Asked, spec: FilterSpec, found: Explored) -> FilterSpec | None:
    """The view that the chosen ranges make; None where no filter says it."""
    axes = list(found.axes.values())
    if asked.kind != "exclude":
        return narrowed(spec, asked.ranges, axes)
    name, ends = next(iter(asked.ranges.items()), ("", (0.0, 0.0)))
    return without(spec, name, ends, axes)


def moving(found: Explored) -> None:
    """How strongly each parameter moves a yardstick of the plane."""
    name = found.moved
    st.subheader(f"What moves {YARDSTICK_LABELS[name].lower()}", anchor=False, help=SHARES_HELP)
    rows = found.shares
    if rows:
        st.caption("Of its variance within one content and style, the share that lies between the values of a parameter.")
        shares(rows, best_first=BY_NAME[name].rising)
    else:
        st.caption("Nothing can be said: no parameter has several values, each with several runs, within one content and style.")


page()

"""Taking pictures away: which ones, in what form, how large that gets; built while the pages go on, and downloaded."""

import secrets
from pathlib import Path

import streamlit as st

from db import browse
from gallery.components.exports import Asked, exports
from gallery.export.bundle import ExportOptions
from gallery.export.estimate import Estimate, estimate
from gallery.export.forms import FORMS
from gallery.export.jobs import Exports, Order
from gallery.export_view import COMMAND_RUNS, MOST_TOP, OWN, Wanted, chosen_ids, combination_ids, command_words, pictures_of
from gallery.links import url_params
from gallery.opened import Opened, opened_view
from gallery.places import GALLERY
from gallery.reading import calm, command, opened_workspace, reading, workspace_folder
from gallery.sidebar import restricted
from gallery.wording import SORT_LABELS, counted, plain
from sweep.amounts import amount_of_bytes
from sweep.errors import StylesweepError

REFRESH_SECONDS = 1
PRESET_WORDS = {
    "archive": "Everything: pictures, recipes, photographs and paintings, tables, a contact sheet. Any picture can be made again from it.",
    "share": "Without the photographs and paintings, which may not be yours to give away.",
    "table": "runs.csv, runs.json and the recipes; no pictures.",
}


def page() -> None:
    opened = opened_view(OWN)
    wanted = Wanted.from_params(url_params())
    head(opened)
    left, right = st.columns([3, 2], gap="large")
    with left:
        ids, remarks = source(opened, wanted)
        form(opened, wanted)
    with right:
        summary(opened, wanted, ids, remarks)
    st.subheader("Exports of this workspace", anchor=False)
    said()
    listing()


def head(opened: Opened) -> None:
    """What the pictures are taken from."""
    spec = opened.spec
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Export", anchor=False)
        st.page_link(GALLERY.file, label="Back to the gallery", icon=GALLERY.icon, query_params=spec.to_params(), width="content")
    filtered = ", under the filters of the gallery" if restricted(spec.view) else ""
    st.caption(f"From {plain(', '.join(spec.view.sweeps))}{filtered}, in its order: {SORT_LABELS[spec.view.sort].lower()}.")


def source(opened: Opened, wanted: Wanted) -> tuple[tuple[int, ...], list[str]]:
    """Which pictures: (ids of their combinations in order, what is to be said of it)."""
    amounts = {one: pictures_of(opened.selected, opened.look, opened.reviewed, wanted.changed(source=one)) for one in ("picks", "view")}
    titles = {
        "picks": f"Picks :gray[{len(amounts['picks']):,}]",
        "view": f"All of the view :gray[{len(amounts['view']):,}]",
        "top": "The first of the view",
        "pair": "The first of each content and style",
    }
    if wanted.ids:
        titles = {"chosen": f"Chosen :gray[{len(wanted.ids):,}]"} | titles
    st.session_state["export-from"] = wanted.source
    st.radio(
        "Which pictures", list(titles), key="export-from", format_func=titles.__getitem__,
        on_change=lambda: go(opened, wanted.changed(source=st.session_state["export-from"] or wanted.source)),
    )  # fmt: skip
    if wanted.source in ("top", "pair"):
        st.session_state["export-top"] = wanted.top
        st.number_input(
            "How many", 1, MOST_TOP, step=1, key="export-top", width=120,
            on_change=lambda: go(opened, wanted.changed(top=int(st.session_state["export-top"]))),
        )  # fmt: skip
    if wanted.source == "chosen":
        with reading() as connection:
            chosen = chosen_ids(connection, wanted.ids, opened.spec.view.sweeps)
        remarks = [f"{counted(chosen.unknown, 'chosen run is', 'chosen runs are')} not in this workspace."] if chosen.unknown else []
        remarks += [f"{counted(chosen.unfinished, 'chosen run has', 'chosen runs have')} no picture."] if chosen.unfinished else []
        return chosen.combinations, remarks
    places = pictures_of(opened.selected, opened.look, opened.reviewed, wanted)
    return combination_ids(opened.look, opened.selected, places), []


def form(opened: Opened, wanted: Wanted) -> None:
    """How they go out."""
    st.session_state["export-preset"] = wanted.preset
    st.segmented_control(
        "What goes with them", list(PRESET_WORDS), key="export-preset", format_func=str.capitalize,
        on_change=lambda: go(opened, wanted.changed(preset=st.session_state["export-preset"] or wanted.preset)),
    )  # fmt: skip
    st.caption(PRESET_WORDS[wanted.preset])
    if wanted.preset != "table":
        names = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}
        st.session_state["export-form"] = wanted.form
        st.segmented_control(
            "Pictures as", list(FORMS), key="export-form", format_func=names.__getitem__,
            on_change=lambda: go(opened, wanted.changed(form=st.session_state["export-form"] or wanted.form)),
        )  # fmt: skip
        st.caption(f"{names[wanted.form]}: {FORMS[wanted.form]}. Each carries its recipe.")
    st.session_state["export-reviews"] = wanted.reviews
    st.toggle(
        f"With the reviews of {plain(opened.by)}", key="export-reviews",
        help="Stars, flags and tags stand in the tables, and in each picture where photo managers look for them (XMP).",
        on_change=lambda: go(opened, wanted.changed(reviews=st.session_state["export-reviews"])),
    )  # fmt: skip
    if wanted.preset != "table" and wanted.form != "jpeg":
        st.session_state["export-opaque"] = wanted.opaque
        st.toggle(
            "Opaque, also where the photograph is transparent", key="export-opaque",
            on_change=lambda: go(opened, wanted.changed(opaque=st.session_state["export-opaque"])),
        )  # fmt: skip


def go(opened: Opened, wanted: Wanted) -> None:
    """The URL says what the page shows."""
    st.query_params.from_dict(opened.spec.to_params() | wanted.to_params())


def summary(opened: Opened, wanted: Wanted, ids: tuple[int, ...], remarks: list[str]) -> None:
    """How much that is, the button, and the command that does the same."""
    options = wanted.options(opened.spec.view, opened.by)
    found = measured(workspace_folder(), (hash(ids), opened.moment.stamp), options, ids)
    with st.container(border=True):
        if not ids:
            st.markdown("**Nothing to export**")
            st.caption("No picture is picked yet." if wanted.source == "picks" else "No run of this selection has a picture.")
        else:
            what = counted(len(ids), "picture") if options.pictures else f"{counted(len(ids), 'run')} in tables"
            st.markdown(f"**{what}** · about **{amount_of_bytes(found.bytes)}**")
            st.caption(f"{counted(found.files, 'file')} in one zip, with a manifest that sha256sum checks.")
        for remark in remarks:
            st.caption(f":material/info: {remark}")
        order = Order(title=" ".join(opened.spec.view.sweeps[:2]) or "export", combinations=ids, options=options, estimate=found)
        st.button("Build the zip", icon=":material/archive:", type="primary", disabled=not ids, on_click=build, args=(order,), key="build")
    words = None
    if ids:
        with reading() as connection:
            named = ids if len(ids) <= COMMAND_RUNS else ()
            keys = [result.run_key for result in browse.by_combination(connection, named)]
        words = command_words(wanted, opened.spec.view, keys)
    if words is not None:
        st.caption("The same on the command line:")
        st.code(command(*words), language="bash", wrap_lines=True)


@st.cache_data(max_entries=64, ttl=300, show_spinner=False)
def measured(folder: Path, key: tuple[int, float], options: ExportOptions, _ids: tuple[int, ...]) -> Estimate:
    """key: a hash of the ids, as Streamlit's own takes long for many, and when somebody last reviewed."""
    with reading() as connection:
        return estimate(connection, opened_workspace().artifacts, _ids, options)


@st.cache_resource(max_entries=2, show_spinner=False)
def exporting(folder: Path) -> Exports:
    """Of this server: an export goes on when its page is left or loaded anew."""
    return Exports(opened_workspace())


def build(order: Order) -> None:
    try:
        exporting(workspace_folder()).start(session(), order)
        st.session_state.pop("export-said", None)
    except StylesweepError as error:
        st.session_state["export-said"] = str(error)


def said() -> None:
    """Why the last button did nothing."""
    text = st.session_state.get("export-said")
    if text:
        st.warning(plain(text))


def session() -> str:
    """Who this visitor is, for as long as the page is open."""
    return str(st.session_state.setdefault("export-session", secrets.token_hex(8)))


@st.fragment(run_every=REFRESH_SECONDS)
def listing() -> None:
    """What is being built and what is there: the page's only repeating fragment."""
    with calm():
        everything = exporting(workspace_folder())
        asked = exports(everything.jobs(), everything.kept())
        if asked is not None:
            answer(everything, asked)
            st.rerun()


def answer(everything: Exports, asked: Asked) -> None:
    """Cancel, remove or dismiss one."""
    try:
        {"cancel": everything.cancel, "forget": everything.forget, "remove": everything.remove}[asked.what](asked.name)
    except StylesweepError as error:
        st.session_state["export-said"] = str(error)


page()

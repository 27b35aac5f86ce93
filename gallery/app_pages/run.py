"""One run: its picture, how it was made, how it went, and how to make it again."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from db.queries import PARAMETERS
from gallery.charts import loss_chart
from gallery.components.facts import Fact, facts
from gallery.components.filmstrip import filmstrip
from gallery.components.pictures import pictures
from gallery.links import url_params
from gallery.reading import calm, command
from gallery.routes import original_url
from gallery.run_view import NoSuchRun, RunView, film, input_pictures, main_picture, read_run, recipe_yaml
from gallery.wording import STATE_LABELS, age, duration, label, number, plain, shown
from gallery.yardstick_rows import main_rows, more_rows

REFRESH_SECONDS = 4


def page() -> None:
    params = url_params()
    wanted = (params.get("id") or [""])[-1]
    if not wanted:
        st.info("No run is chosen. Open one from the gallery.")
        st.page_link("app_pages/gallery.py", label="To the gallery", icon=":material/arrow_back:")
        return
    try:
        run = read_run(wanted)
    except NoSuchRun as error:
        st.info(plain(str(error)[:1].upper() + str(error)[1:300]))
        st.page_link("app_pages/gallery.py", label="To the gallery", icon=":material/arrow_back:")
        return
    way(run)
    if run.result.state in ("queued", "running"):
        unfinished(wanted)
    else:
        body(run)


@st.fragment(run_every=REFRESH_SECONDS)
def unfinished(wanted: str) -> None:
    """A run on its way, drawn anew every few seconds until it ends."""
    with calm():
        run = read_run(wanted)
        if run.result.state not in ("queued", "running"):
            st.rerun(scope="app")
        body(run)


def way(run: RunView) -> None:
    """Back to the view, and on to the runs beside this one there."""
    view, beside = run.spec.to_params(), run.neighbours
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link("app_pages/gallery.py", label="Gallery", icon=":material/grid_view:", query_params=view, width="content")
        if beside is None:
            return
        step("Previous", ":material/chevron_left:", beside.previous, view)
        step("Next", ":material/chevron_right:", beside.following, view)
        st.caption(f"{beside.place:,} of {beside.total:,}")


def step(text: str, icon: str, key: str | None, view: Mapping[str, list[str]]) -> None:
    """A button to a run beside this one; the arrow keys press it too."""
    shortcut = {"Previous": "Left", "Next": "Right"}[text]
    params = {"id": key or "", **view}
    st.button(text, icon=icon, disabled=key is None, type="tertiary", shortcut=shortcut, on_click=st.query_params.from_dict, args=(params,))


def body(run: RunView) -> None:
    result = run.result
    st.title(f"{plain(result.parameters['content'])} in the style of {plain(result.parameters['style'])}", anchor=False)
    st.caption(f"{plain(result.sweep)} · {result.run_key} · {STATE_LABELS[result.state].lower()}")
    state_note(run)
    left, right = st.columns([5, 3], gap="large")
    with left:
        pictures(main_picture(run), input_pictures(run))
        snapshots(run)
        curve(run)
        attempts(run)
    with right:
        yardsticks(run)
        parameters(run)
        sharing(run)
        again(run)


def state_note(run: RunView) -> None:
    """What a state other than done means, and what to type."""
    result = run.result
    if result.state in ("failed", "quarantined", "diverged"):
        st.error(plain(f"{STATE_LABELS[result.state]}: {result.error or 'no reason was recorded'}."))
        st.caption("To queue it again:")
        st.code(command("retry", result.run_key), language="bash")
    elif result.state == "queued" and not run.driven:
        st.info("Queued, and no driver is running. Type `stylesweep run` with the sweep's file; the Sweeps page has the command.")
    elif result.state in ("queued", "running"):
        st.info(f"{STATE_LABELS[result.state]}. This page follows it.")


def snapshots(run: RunView) -> None:
    """How the picture came about, where the sweep's file asks for it."""
    frames = film(run)
    if frames:
        st.subheader("Snapshots", anchor=False)
        filmstrip(frames)


def yardsticks(run: RunView) -> None:
    result = run.result
    if result.state != "done":
        return
    st.subheader("Yardsticks", anchor=False)
    facts([Fact(**row._asdict()) for row in main_rows(result.yardsticks, result.protocol)], key="yardsticks")
    with st.expander("More yardsticks"):
        tables = more_rows(result.yardsticks)
        for heading, rows in tables:
            st.markdown(f"**{heading}**")
            facts([Fact(**row._asdict()) for row in rows], key=f"yardsticks-{heading.lower()}")
        if not tables:
            st.caption("Not measured: this run is older than these yardsticks.")


def parameters(run: RunView) -> None:
    st.subheader("Parameters", anchor=False)
    own = run.result.parameters
    # Of the numbers that only one of the recipes has, those that were given.
    told = [name for name in PARAMETERS if name == "steps" or own[name] is not None]
    rows = [Fact(name=label(name), value=shown(name, own[name])) for name in told]
    layers = [
        Fact(
            name=f"{side.capitalize()} layers",
            value=", ".join(f"{name} {number(weight, 3)}" for name, weight in run.result.settings[f"{side}_layers"]),
        )
        for side in ("content", "style")
    ]
    facts([*rows, *layers], key="parameters")


def sharing(run: RunView) -> None:
    """The combinations that this one run stands for."""
    if len(run.shared) < 2:
        return
    st.subheader(f"Shared by {len(run.shared)} combinations", anchor=False)
    rows = [
        Fact(name=one.sweep, value=f"alpha {number(one.parameters['alpha'])}, beta {number(one.parameters['beta'])}")
        for one in run.shared[:20]
    ]
    facts(rows, key="sharing")
    st.caption("Only the ratio beta / alpha matters, so they are one run.")


def again(run: RunView) -> None:
    result = run.result
    st.subheader("Make it again", anchor=False)
    st.code(command("rerun", result.run_key), language="bash", wrap_lines=True)
    with st.expander("As a sweep of its own (YAML)"):
        st.caption("Save it in the workspace's folder; the input pictures are there.")
        st.code(recipe_yaml(run), language="yaml")
    if result.state == "done" and result.image:
        url = f"{original_url(result.image, result.image_format)}?dl=1&name={result.run_key}"
        st.link_button("Download the picture", url, icon=":material/download:")


def curve(run: RunView) -> None:
    st.subheader("Loss curve", anchor=False)
    if not run.curve:
        st.caption("No point of it is recorded yet." if run.result.state in ("queued", "running") else "None was recorded.")
        return
    st.altair_chart(loss_chart(run.curve), key="curve")
    st.caption("Losses are unweighted: alpha and beta are not in them. They tell how a run went, and cannot be compared across settings.")


def attempts(run: RunView) -> None:
    """Every try at the run: where, how long, and what went wrong."""
    if not run.attempts:
        return
    st.subheader("Attempts", anchor=False)
    for attempt in run.attempts:
        facts(attempt_facts(attempt), key=f"attempt-{attempt['number']}")
        if attempt["traceback"]:
            with st.expander("Traceback"):
                st.code(attempt["traceback"], language=None)


def attempt_facts(attempt: Mapping[str, Any]) -> list[Fact]:
    versions = ", ".join(f"{name} {version}" for name, version in sorted((attempt["versions"] or {}).items()))
    memory = attempt["peak_memory"]
    rows = [
        Fact(name=f"Attempt {attempt['number']}", value=f"{attempt['state']}, begun {age(attempt['started_at'] or attempt['created_at'])}"),
        Fact(name="Error", value=attempt["error"] or ""),
        Fact(name="Note", value=attempt["notes"] or ""),
        Fact(name="Where", value=", ".join(part for part in (attempt["node"], attempt["device"]) if part)),
        Fact(name="Took", value=duration(attempt["seconds"]) if attempt["seconds"] is not None else ""),
        Fact(name="Peak memory", value=f"{memory / 1e9:.2f} GB" if memory else ""),
        Fact(name="Versions", value=versions),
    ]
    return [row for row in rows if row.value]


page()

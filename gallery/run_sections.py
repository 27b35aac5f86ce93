"""The parts of a run's page beside its picture: how it measures up, how it was made, what people said, how to make it again."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from db.lineage import Relative
from db.models import UNSETTLED
from db.queries import PARAMETERS
from db.reviews import Said
from gallery.charts import loss_chart
from gallery.components.facts import Fact, facts
from gallery.components.save import save
from gallery.reading import command
from gallery.routes import original_url
from gallery.run_pictures import recipe_yaml
from gallery.run_view import RunView
from gallery.wording import STATE_LABELS, age, counted, duration, label, number, plain, shown
from gallery.yardstick_rows import main_rows, more_rows, rank_words

MOST_SHOWN = 20
MOST_SWEEPS = 5


def state_note(run: RunView) -> None:
    """What a state other than done means, and what to type."""
    result = run.result
    if result.state in ("failed", "quarantined", "diverged"):
        st.error(plain(f"{STATE_LABELS[result.state]}: {result.error or 'no reason was recorded'}."))
        st.caption("To queue it again:")
        st.code(command("retry", result.run_key), language="bash", wrap_lines=True)
    elif result.state == "queued" and not run.driven:
        st.info("Queued, and no driver is running. To start one, type:")
        st.code(command("run", result.sweep), language="bash", wrap_lines=True)
    elif result.state in UNSETTLED:
        st.info(f"{STATE_LABELS[result.state]}. This page follows it.")


def yardsticks(run: RunView) -> None:
    """The main five with the run's place in its pair, the others on request."""
    result = run.result
    if result.state != "done":
        return
    st.subheader("Yardsticks", anchor=False)
    facts([Fact(**row._asdict()) for row in main_rows(result.yardsticks, result.protocol, run.ranks)], key="yardsticks")
    if compared := rank_words(run.ranks):
        st.caption(compared)
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


def reviews(run: RunView) -> None:
    """What others said of it; one's own stands below the picture, where it is changed."""
    others = {person: said for person, said in run.reviews.items() if person != run.person}
    if others:
        st.subheader("What others said", anchor=False)
        facts([Fact(name=person, value=review_text(said), note=said.note) for person, said in others.items()], key="reviews")


def review_text(said: Said) -> str:
    """'picked, 4 stars, tagged print, sky'."""
    flag = {"pick": "picked", "reject": "rejected"}.get(said.flag or "", "")
    parts = [flag, counted(said.stars, "star") if said.stars else "", f"tagged {', '.join(said.tags)}" if said.tags else ""]
    return ", ".join(part for part in parts if part) or "a note"


def lineage(run: RunView) -> None:
    """Which sweeps and combinations share it; what it was made from, and what was made from it."""
    sweeps = list(dict.fromkeys(one.sweep for one in run.shared))
    if len(run.shared) > 1:
        st.subheader(f"Shared by {len(run.shared)} combinations", anchor=False)
        rows = [
            Fact(name=one.sweep, value=f"alpha {number(one.parameters['alpha'])}, beta {number(one.parameters['beta'])}")
            for one in run.shared[:MOST_SHOWN]
        ]
        facts(rows, key="sharing")
        st.caption("Only the ratio beta / alpha matters, so they are one run.")
    if run.made_from or run.made_into:
        st.subheader("Lineage", anchor=False)
        _relatives("Made from", run.made_from)
        _relatives("Made again as", run.made_into)
    for name in sweeps[:MOST_SWEEPS]:
        st.page_link("app_pages/gallery.py", label=f"In the sweep {plain(name)}", icon=":material/grid_view:", query_params={"sweep": name})


def _relatives(words: str, relatives: Sequence[Relative]) -> None:
    for one in relatives[:MOST_SHOWN]:
        label = f"{words} {plain(one.run_key[:11])}, {one.size} px, by {plain(one.sweep)}"
        st.page_link("app_pages/run.py", label=label, icon=":material/account_tree:", query_params={"id": one.run_key})


def again(run: RunView) -> None:
    """The command and the file that make it again, and its picture."""
    result = run.result
    st.subheader("Make it again", anchor=False)
    st.code(command("rerun", result.run_key), language="bash", wrap_lines=True)
    with st.expander("As a sweep of its own (YAML)"):
        st.caption("Save it in the workspace's folder; the input pictures are there.")
        text = recipe_yaml(run)
        # Above the text: what stands below it moves when Streamlit's highlighter arrives, away from under a click that has begun.
        save(text, name=f"rerun-{result.run_key[3:11]}.yaml", key="save-yaml")
        st.code(text, language="yaml")
    if result.state == "done" and result.image:
        url = f"{original_url(result.image, result.image_format)}?dl=1&name={result.run_key}"
        st.link_button("Download the picture", url, icon=":material/download:")


def curve(run: RunView) -> None:
    """The losses over all scales, or over one of them."""
    st.subheader("Loss curve", anchor=False)
    if not run.curve:
        st.caption("No point of it is recorded yet." if run.result.state in UNSETTLED else "None was recorded.")
        return
    sizes = list(dict.fromkeys(point["size"] for point in run.curve))
    chosen = None
    if len(sizes) > 1:
        chosen = st.segmented_control(
            "Scale", sizes, key="scale", format_func=lambda size: f"{size} px", label_visibility="collapsed", help="One scale alone"
        )
    points = [point for point in run.curve if chosen is None or point["size"] == chosen]
    st.altair_chart(loss_chart(points or run.curve), key="curve")
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

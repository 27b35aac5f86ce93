"""The queue of Cull and its page, without a browser: what is in it, what is sent of it, and what is said when there is nothing to do."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from factories import made_up_workspace
from gallery_factories import HOSTILE, Point, add_sweep, look_at, random_points
from page_harness import page as page_named
from sqlalchemy import delete, select
from streamlit.testing.v1 import AppTest

from db.models import Review, ReviewTag, Run
from db.review_operations import Operation
from db.reviews import apply
from db.workspace import Workspace, open_workspace
from gallery.components.cull import Asked, asked_place, read_asked
from gallery.cull_queue import AHEAD, BEHIND, CullQueue, counts, item, make_queue, stretch
from gallery.filters import FilterSpec
from gallery.opened import opened_as
from gallery.reading import reading
from gallery.view import View

ANN = "ann"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = made_up_workspace(tmp_path_factory.mktemp("culled"), betas=2, unfinished=2, failed=2)
    add_sweep(workspace, "long", [Point(beta=1 + n / 1000, content_kept=n / 3000) for n in range(2500)])
    add_sweep(workspace, "one", [Point(beta=7, content=HOSTILE)])
    add_sweep(workspace, "none", [Point(beta=8, state="failed"), Point(beta=9, state="queued")])
    add_sweep(workspace, "mixed", random_points(60, 3))
    return workspace


@pytest.fixture(autouse=True)
def workspace(shared: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    look_at(shared.folder, monkeypatch)
    monkeypatch.setenv("STYLESWEEP_PERSON", ANN)
    yield shared
    with shared.writer().begin() as connection:
        for table in (Review, ReviewTag):
            connection.execute(delete(table))


def say(workspace: Workspace, run_keys: list[str], field: str = "flag", value: Any = "pick", person: str = ANN) -> None:
    at = time.time()
    said = [Operation(id="c", run_key=key, field=field, value=value, at=at) for key in run_keys]
    with workspace.writer().begin() as connection:
        apply(connection, person, said, at)


def queue_of(sweep: str, mode: str = "unreviewed", wanted: str = "", **view: Any) -> tuple[CullQueue, list[str]]:
    """The queue, and the run keys in it."""
    opened = opened_as(FilterSpec(view=View(sweeps=(sweep,), **view)))
    with reading() as connection:
        queue = make_queue(connection, opened, mode, wanted)
        keys = {run_id: key for run_id, key in connection.execute(select(Run.id, Run.run_key))}
    return queue, [keys[int(run)] for run in queue.runs]


# --- the queue --------------------------------------------------------------------------------------------------------


def test_only_runs_with_a_picture_are_in_it_in_the_order_of_the_view() -> None:
    opened = opened_as(FilterSpec(view=View(sweeps=("mixed",), sort="plan")))
    every = [int(opened.look.run[run]) for run in opened.selected.runs]
    queue, _ = queue_of("mixed", sort="plan")
    with reading() as connection:
        states = {run_id: state for run_id, state in connection.execute(select(Run.id, Run.state))}
    assert [int(run) for run in queue.runs] == [run for run in every if states[run] == "done"]
    assert queue.whole == queue.unreviewed == len(queue.runs)
    assert queue.pictureless == len(every) - len(queue.runs) > 0


def test_what_is_judged_is_not_in_it_unless_all_are_asked_for(workspace: Workspace) -> None:
    _, before = queue_of("demo")
    say(workspace, before[:2])
    say(workspace, before[2:3], "stars", 1)
    say(workspace, before[3:4], "note", "hm")  # a note is no judgement
    say(workspace, before[4:5], "tag", "sky")
    say(workspace, before[5:6], person="bob")  # nor is somebody else's
    queue, keys = queue_of("demo")
    assert keys == before[3:]
    assert (queue.whole, queue.unreviewed, queue.start) == (len(before), len(before) - 3, 0)
    queue, keys = queue_of("demo", "all")
    assert keys == before
    assert queue.start == 3  # the first that is unreviewed


def test_it_begins_where_it_is_asked_to() -> None:
    _, keys = queue_of("demo")
    assert queue_of("demo", wanted=keys[4])[0].start == 4
    assert queue_of("demo", wanted=keys[4][3:20])[0].start == 4
    assert queue_of("demo", wanted="r1-nothing")[0].start == 0
    assert queue_of("demo", wanted="%")[0].start == 0


def test_filters_of_the_view_hold(workspace: Workspace) -> None:
    _, keys = queue_of("demo", "all")
    say(workspace, keys[:3], value="reject")
    assert sorted(queue_of("demo", "all", flags=("reject",))[1]) == sorted(keys[:3])
    assert queue_of("demo", flags=("reject",))[1] == []


def test_a_stretch_is_bounded_and_stretches_make_the_whole() -> None:
    opened = opened_as(FilterSpec(view=View(sweeps=("long",))))
    with reading() as connection:
        queue = make_queue(connection, opened, "unreviewed")
        seen: dict[int, str] = {}
        for place in range(0, len(queue.runs), AHEAD):
            sent = stretch(connection, opened, queue, place)
            assert len(sent["items"]) <= AHEAD + BEHIND
            assert len(json.dumps(sent)) < 300_000
            seen |= {sent["first"] + offset: one["id"] for offset, one in enumerate(sent["items"])}
    assert len(seen) == len(set(seen.values())) == len(queue.runs) == 2500
    assert sorted(seen) == list(range(2500))


def test_a_stretch_beyond_the_end_is_empty_or_the_end() -> None:
    opened = opened_as(FilterSpec(view=View(sweeps=("demo",))))
    with reading() as connection:
        queue = make_queue(connection, opened, "unreviewed")
        assert len(stretch(connection, opened, queue, 10**9)["items"]) == len(queue.runs)


def test_a_stretch_has_pictures_names_and_what_was_said(workspace: Workspace) -> None:
    _, keys = queue_of("demo", "all")
    say(workspace, keys[1:2], "stars", 4)
    say(workspace, keys[1:2], "tag", "sky")
    opened = opened_as(FilterSpec(view=View(sweeps=("demo",))))
    before = time.time()
    with reading() as connection:
        sent = stretch(connection, opened, make_queue(connection, opened, "all"), 0)
    assert before <= sent["at"] <= time.time()
    first, second = sent["items"][:2]
    assert "review" not in first
    assert second["review"] == {"flag": None, "stars": 4, "note": "", "tags": ["sky"]}
    assert first["src"].startswith("/app/static/f/") and first["thumb"].startswith("/app/static/t/")
    assert first["alt"] and first["name"]
    kinds = [sent["inputs"][sha256]["kind"] for sha256, _ in first["inputs"]]
    assert kinds == ["Content", "Style"]
    assert {share for _, share in first["inputs"]} == {None}


def test_a_run_that_was_deleted_since_leaves_a_gap() -> None:
    assert item(None, {}, ()) is None


def test_counts_tell_how_the_queue_stands_now(workspace: Workspace) -> None:
    opened = opened_as(FilterSpec(view=View(sweeps=("demo",))))
    with reading() as connection:
        queue = make_queue(connection, opened, "unreviewed")
        keys = [one["id"] for one in stretch(connection, opened, queue, 0)["items"]]
    say(workspace, keys[:2])
    say(workspace, keys[2:3], value="reject")
    say(workspace, keys[3:4], "stars", 2)
    with reading() as connection:
        assert counts(connection, ANN, queue) == {"picked": 2, "rejected": 1, "unreviewed": len(keys) - 4}


# --- what the script tells --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({"around": {"queue": "q", "place": 700}}, 700),
        ({"around": {"queue": "q", "place": -4}}, 0),
        ({"around": {"queue": "older", "place": 700}}, None),
        ({"around": {"queue": "q", "place": "7"}}, None),
        ({"around": {"queue": "q", "place": True}}, None),
        ({"around": {"queue": "q", "place": 2**40}}, None),
        ({"around": 3}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_place_is_taken_only_for_this_queue(state: Any, place: int | None) -> None:
    assert asked_place(state, "q") == place


def test_what_is_asked_is_one_of_a_few_things() -> None:
    assert read_asked({"kind": "open", "ids": ["r1-1"]}) == Asked(kind="open", ids=("r1-1",))
    assert read_asked({"kind": "grid"}) == Asked(kind="grid")
    assert read_asked({"kind": "picks", "ids": "r1"}) == Asked(kind="picks")
    assert read_asked({"kind": "drop tables", "ids": []}) is None
    assert read_asked(None) is None


# --- the page ---------------------------------------------------------------------------------------------------------


def page(**params: str) -> AppTest:
    return page_named("cull", **params)


def handed(at: AppTest) -> dict[str, Any]:
    (element,) = at.get("bidi_component")
    return dict(json.loads(element.proto.json))


def said(at: AppTest) -> str:
    return " ".join(str(one.value) for kind in (at.info, at.success, at.warning, at.header) for one in kind)


def test_thousands_come_as_one_element_with_the_first_stretch() -> None:
    data = handed(page(sweep="long"))
    assert (data["total"], data["whole"], data["first"], data["start"]) == (2500, 2500, 0, 0)
    assert len(data["items"]) == AHEAD
    assert data["counts"] == {"picked": 0, "rejected": 0, "unreviewed": 2500}
    assert data["person"] == ANN
    assert data["mode"] == "unreviewed"


def test_the_stretch_that_the_script_asks_for_comes_and_the_queue_stays(workspace: Workspace) -> None:
    at = page(sweep="long")
    data = handed(at)
    say(workspace, [one["id"] for one in data["items"][:20]])
    at.session_state["cull"] = {"around": {"queue": data["queue"], "place": 1000}}
    at.run()
    later = handed(at)
    assert (later["queue"], later["total"], later["first"]) == (data["queue"], 2500, 1000 - BEHIND)
    assert later["counts"] == {"picked": 20, "rejected": 0, "unreviewed": 2480}
    assert len(json.dumps(later)) < 300_000


def test_one_run_whose_name_is_hostile() -> None:
    data = handed(page(sweep="one"))
    assert data["total"] == 1
    assert data["items"][0]["alt"].startswith(HOSTILE)


def test_all_reviewed_says_so_and_offers_to_go_through_again(workspace: Workspace) -> None:
    _, keys = queue_of("demo")
    say(workspace, keys)
    at = page(sweep="demo")
    assert not at.get("bidi_component")
    assert f"All {len(keys)} runs of this view are reviewed." in said(at)
    next(one for one in at.button if one.label == "Go through all again").click().run()
    assert at.query_params["mode"] in ("all", ["all"])
    assert handed(at)["total"] == len(keys)


def test_without_any_picture_it_says_why() -> None:
    at = page(sweep="none")
    assert not at.get("bidi_component")
    assert "2 runs of this view, and no picture yet." in said(at)


def test_filters_that_match_nothing_can_be_dropped() -> None:
    at = page(sweep="demo", content="nothing.png")
    assert "No run matches these filters." in said(at)
    next(one for one in at.button if one.label == "Without filters").click().run()
    assert handed(at)["total"] == 12


def test_an_unknown_sweep_or_mode_is_no_trouble() -> None:
    assert "no sweep named" in said(page(sweep="nosuch"))
    assert handed(page(sweep="demo", mode="sideways"))["mode"] == "unreviewed"


def test_links_lead_on_with_the_view() -> None:
    links = handed(page(sweep="mixed", sort="plan"))["links"]
    assert links == {
        "grid": "gallery?sweep=mixed&sort=plan",
        "picks": "gallery?sweep=mixed&flag=pick&sort=plan",
        "export": "export?sweep=mixed&flag=pick&sort=plan",
    }


def test_an_empty_workspace_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (tmp_path / "none", tmp_path):
        if folder == tmp_path:
            open_workspace(tmp_path, create=True)
        look_at(folder, monkeypatch)
        st.cache_resource.clear()
        at = page()
        assert "make demo" in [element.value for element in at.code]

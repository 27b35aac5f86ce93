"""A run's page: its place in its pair, where it comes from, what people said, and how it goes on to others."""

import math
from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace
from gallery_factories import Point, add_sweep, look_at
from page_harness import component, page
from sqlalchemy import insert, select, update
from streamlit.testing.v1 import AppTest

from db import lineage, queries
from db.drivers import become_driver, resign
from db.models import Preview, Review, ReviewTag, Run, Sweep
from db.queries import Result
from db.store import Store
from db.workspace import Workspace
from gallery.components.viewer import Asked, asked
from gallery.run_around import EACH_SIDE
from gallery.yardstick_rows import Rank, main_rows, rank_words
from sweep.transfer.yardstick_names import RISING


def every(workspace: Workspace) -> list[Result]:
    with workspace.reader().connect() as connection:
        return queries.results(connection)


def done_in(workspace: Workspace, sweep: str) -> list[Result]:
    return [one for one in every(workspace) if one.sweep == sweep and one.state == "done"]


def links(at: AppTest) -> list[str]:
    """What the links to other pages say."""
    return [link.proto.label.replace("\\", "") for link in at.get("page_link")]


# --- its place in its pair --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("yardstick", ["balance", "content_kept", "d_style"])
def test_a_yardstick_says_how_many_of_the_pair_the_run_is_better_than(opened: Workspace, yardstick: str) -> None:
    results = done_in(opened, "wide")
    one = next(result for result in results if result.yardsticks[yardstick] is not None)
    pair = (one.content_sha256, one.style_sha256, one.parameters["style"])
    peers = {
        other.run_key: other.yardsticks[yardstick]
        for other in results
        if (other.content_sha256, other.style_sha256, other.parameters["style"]) == pair and other.yardsticks[yardstick] is not None
    }
    mine = peers.pop(one.run_key)
    assert mine is not None
    worse = sum((value < mine if RISING[yardstick] else value > mine) for value in peers.values() if value is not None)
    ties = sum(value == mine for value in peers.values())
    rows = component(page("run", id=one.run_key, sweep="wide"), "yardsticks")["rows"]
    label = {"balance": "Balance", "content_kept": "Content kept", "d_style": "Style distance"}[yardstick]
    row = next(row for row in rows if row["name"] == label)
    assert row["share"] == pytest.approx((worse + ties / 2) / len(peers))
    assert row["beside"] == f"better than {row['share']:.0%}"


def test_a_run_alone_in_its_pair_is_compared_with_nobody() -> None:
    rows = main_rows({"balance": 0.5}, "y1", {"balance": Rank(1.0, 0)})
    assert rows[0].share is None
    assert rank_words({"balance": Rank(1.0, 0)}) == rank_words({}) == ""
    assert "the 1 other run " in rank_words({"balance": Rank(0.0, 1)})
    assert "the 1,234 other runs " in rank_words({"balance": Rank(0.0, 1234)})


# --- going on to others -----------------------------------------------------------------------------------------------


def test_the_page_knows_the_runs_on_both_sides_with_their_pictures_and_reviews(opened: Workspace) -> None:
    keys = [item["id"] for item in component(page("gallery", sweep="wide", n="192"), "grid")["items"]]
    shown = component(page("run", id=keys[100], sweep="wide"), "viewer")
    assert (shown["first"], shown["place"]) == (100 - EACH_SIDE, 100)
    assert [item["id"] for item in shown["items"]] == keys[100 - EACH_SIDE : 101 + EACH_SIDE]
    for item in shown["items"]:
        assert item["review"] == {"flag": None, "stars": 0, "tags": [], "note": ""}
        assert ("src" in item) == (item["none"] == "Done")
    last = component(page("run", id=keys[0], sweep="wide"), "viewer")
    assert (last["first"], last["place"]) == (0, 0)


def test_a_run_that_the_view_does_not_hold_is_shown_among_its_own_sweep(opened: Workspace) -> None:
    one = done_in(opened, "demo")[0]
    shown = component(page("run", id=one.run_key, sweep="wide", state="failed"), "viewer")
    assert shown["total"] == 16
    assert one.run_key in [item["id"] for item in shown["items"]]
    assert shown["grid"].startswith("gallery?sweep=demo")


@pytest.mark.parametrize("said", [None, "open", {}, {"kind": "drop"}, {"kind": {"open": 1}}, ["open"]])
def test_what_is_no_request_is_none(said: Any) -> None:
    assert asked(said) is None


def test_a_request_names_a_run_or_the_grid() -> None:
    assert asked({"kind": "open", "id": "r1-" + "a" * 500}) == Asked(kind="open", id="r1-" + "a" * 61)
    assert asked({"kind": "grid", "id": None}) == Asked(kind="grid", id="None")


# --- where it comes from ----------------------------------------------------------------------------------------------


@pytest.fixture
def related(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Workspace, str, str]:
    """(workspace, a run, the run that was made from it by `stylesweep rerun --size`)."""
    workspace = made_up_workspace(tmp_path, betas=2)
    add_sweep(workspace, "larger", [Point(beta=77.0, size=512)])
    add_sweep(workspace, "unrelated", [Point(beta=78.0, size=512)])
    first = done_in(workspace, "demo")[0].run_key
    with workspace.writer().begin() as connection:
        connection.execute(update(Sweep).where(Sweep.name == "larger").values(name=f"rerun-{first[3:11]}-512"))
        connection.execute(update(Sweep).where(Sweep.name == "unrelated").values(name=f"rerun-{first[3:11]}-and-more"))
    look_at(tmp_path, monkeypatch)
    return workspace, first, done_in(workspace, f"rerun-{first[3:11]}-512")[0].run_key


def test_what_was_made_from_a_run_and_what_it_was_made_from_are_told(related: tuple[Workspace, str, str]) -> None:
    workspace, first, second = related
    with workspace.reader().connect() as connection:
        (into,) = lineage.made_into(connection, first)
        assert (into.run_key, into.size, into.sweep) == (second, 512, f"rerun-{first[3:11]}-512")
        (source,) = lineage.made_from(connection, [into.sweep], second)
        assert source.run_key == first
        assert lineage.made_from(connection, ["demo", "rerun-zzzzzzzz", "rerun-", f"rerun-{first[3:11]}-and-more"], first) == []
        assert lineage.made_into(connection, second) == []
    assert f"Made again as {second[:11]}, 512 px" in " ".join(links(page("run", id=first)))
    assert f"Made from {first[:11]}, 96 px" in " ".join(links(page("run", id=second)))


def test_sweeps_that_hold_a_run_are_links(opened: Workspace) -> None:
    at = page("run", id=done_in(opened, "demo")[0].run_key)
    assert "In the sweep demo" in links(at)
    assert [link.proto.query_string for link in at.get("page_link")] == ["sweep=demo"]


# --- what people said -------------------------------------------------------------------------------------------------


def test_ones_own_review_is_to_be_changed_and_others_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=2)
    key = done_in(workspace, "demo")[0].run_key
    times = dict.fromkeys(("flag_at", "stars_at", "note_at"), 1.0)
    with workspace.writer().begin() as connection:
        rows = [
            {"run_key": key, "person": "ann", "flag": "pick", "stars": 1, "note": "<b>the</b> *rim*"},
            {"run_key": key, "person": "me", "flag": "reject", "stars": 2, "note": "mine"},
            {"run_key": key, "person": "bob", "flag": None, "stars": 0, "note": "only this"},
        ]
        connection.execute(insert(Review), [row | times for row in rows])
        tags = [{"run_key": key, "person": "ann", "tag": tag, "at": 1.0, "present": True} for tag in ("print", "sky")]
        connection.execute(insert(ReviewTag), tags)
    look_at(tmp_path, monkeypatch)
    monkeypatch.setenv("STYLESWEEP_PERSON", "me")
    at = page("run", id=key)
    shown = component(at, "viewer")
    own = next(item for item in shown["items"] if item["id"] == key)
    assert own["review"] == {"flag": "reject", "stars": 2, "tags": [], "note": "mine"}
    assert shown["person"] == "me"
    assert shown["tags"] == ["print", "sky"]
    assert [(row["name"], row["value"], row["note"]) for row in component(at, "reviews")["rows"]] == [
        ("ann", "picked, 1 star, tagged print, sky", "<b>the</b> *rim*"),
        ("bob", "a note", "only this"),
    ]


# --- how it went ------------------------------------------------------------------------------------------------------


def test_one_scale_of_the_curve_can_be_looked_at_alone(opened: Workspace) -> None:
    key = done_in(opened, "wide")[0].run_key
    at = page("run", id=key)
    control = next(one for one in at.segmented_control if one.key == "scale")
    assert control.options == ["64 px", "96 px"]
    control.set_value(96).run()
    assert not at.exception
    chart = (at.get("vega_lite_chart") or at.get("arrow_vega_lite_chart"))[0]
    assert "96 px" not in chart.proto.spec  # no rule where a scale begins


def test_a_yaml_of_the_run_is_offered_as_a_file_made_in_the_browser(opened: Workspace) -> None:
    key = done_in(opened, "wide")[0].run_key
    file = component(page("run", id=key), "save-yaml")
    assert file["name"] == f"rerun-{key[3:11]}.yaml"
    assert file["text"].startswith("name: rerun-")


def test_the_page_of_a_measured_run_is_few_elements(opened: Workspace) -> None:
    at = page("run", id=done_in(opened, "wide")[0].run_key)
    assert len(list(at.main)) <= 60


def test_nan_is_never_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose yardsticks were not measured has no place in its pair, and its page holds no NaN, which is no JSON."""
    workspace = made_up_workspace(tmp_path, betas=2)
    with workspace.writer().begin() as connection:
        first = connection.execute(select(Run.run_key).where(Run.state == "done")).scalars().first()
        connection.execute(update(Run).where(Run.run_key == first).values(balance=None, content_kept=None, style_gained=None))
    look_at(tmp_path, monkeypatch)
    rows = component(page("run", id=str(first)), "yardsticks")["rows"]
    assert [row["share"] for row in rows[:3]] == [None, None, None]
    assert not any(isinstance(row["share"], float) and math.isnan(row["share"]) for row in rows)


def test_a_running_run_shows_how_it_looks_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1, unfinished=1)
    look_at(tmp_path, monkeypatch)
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    assert component(page("run", id=run.run_key), "viewer")["shown"]["none"].startswith("Running: ")
    with workspace.writer().begin() as connection:
        run_id = connection.execute(select(Run.id).where(Run.run_key == run.run_key)).scalar_one()
        connection.execute(insert(Preview), [{"run_id": run_id, "step": 1200, "picture": b"webp", "at": 1.0}])
    shown = component(page("run", id=run.run_key), "viewer")["shown"]
    assert shown["src"] == f"/app/static/p/{run.run_key}.webp?step=1200"
    assert shown["caption"] == "Running: after step 1,200"
    assert max(shown["w"], shown["h"]) == 384
    resign(store.engine, owner)

"""Every page, run by Streamlit's own test harness; what a browser adds is in tests/browser."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from factories import curve, finished_event, made_up_workspace, snapshot_event
from gallery_factories import HOSTILE, Point, add_sweep, look_at
from page_harness import component, page, words
from sqlalchemy import text
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

import db.engine
import gallery.reading
from db import queries
from db.drivers import become_driver, resign
from db.housekeeping import archive
from db.store import Store
from db.workspace import Workspace, open_workspace

PAGES = ("sweeps", "gallery", "live", "export", "run")


def run_in_state(workspace: Workspace, state: str) -> str:
    with workspace.reader().connect() as connection:
        return next(result.run_key for result in queries.results(connection) if result.state == state)


# --- nothing there, or not to be read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES[:4])
def test_without_a_workspace_a_page_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    look_at(tmp_path / "none", monkeypatch)
    at = page(name)
    said = [element.value for element in at.code]
    assert "make demo" in said
    assert any(line.startswith("stylesweep run SPEC.yaml") for line in said)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", PAGES[:4])
def test_an_empty_workspace_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    open_workspace(tmp_path, create=True)
    look_at(tmp_path, monkeypatch)
    assert "make demo" in words(page(name))


@pytest.mark.parametrize("name", PAGES)
def test_a_workspace_from_a_newer_version_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    open_workspace(tmp_path, create=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "sweeps.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    look_at(tmp_path, monkeypatch)
    at = page(name, id="r1-00")
    assert "written by a newer stylesweep" in at.warning[0].value.replace("\\", "")


@pytest.mark.parametrize("name", PAGES)
def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "sweeps.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    look_at(tmp_path, monkeypatch)
    assert "not a SQLite database" in page(name, id="r1-00").warning[0].value.replace("\\", "")


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_locked_database_is_no_traceback(wide: Workspace, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    look_at(wide.folder, monkeypatch)
    monkeypatch.setattr(gallery.reading, "PATIENCE_MS", 50)
    monkeypatch.setattr(db.engine, "BUSY_TIMEOUT_MS", 50)
    with locked(wide.folder / "sweeps.db"):
        at = page(name, id="r1-00", sweep="wide")
    assert "busy" in at.info[0].value
    at.button[0].click().run()
    assert not at.exception
    assert "busy" not in words(at)


# --- sweeps -------------------------------------------------------------------------------------------------------------


def test_the_sweeps_page_has_a_card_for_each_with_its_counts(opened: Workspace) -> None:
    cards = {card["id"]: card for card in component(page("sweeps"), "sweeps")["items"]}
    with opened.reader().connect() as connection:
        rows = {row.name: row for row in queries.sweeps(connection)}
    assert list(cards) == list(rows)  # newest first
    assert cards["demo"]["counts"] == "12 done, 2 queued, 2 failed"
    assert cards["demo"]["state"] == "Waiting for a driver"
    assert cards["demo"]["src"].endswith(f"/{rows['demo'].best_thumbnail}.webp")
    wide = cards["wide"]
    assert sum(part["share"] for part in wide["parts"]) == rows["wide"].runs
    assert wide["runs"] == f"260 combinations in {rows['wide'].runs} runs (equal ratios share one)"


def test_an_archived_sweep_is_listed_when_it_is_asked_for_and_opened_by_its_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_workspace(tmp_path, betas=1, name="kept")
    workspace = made_up_workspace(tmp_path, betas=1, name="away")
    archive(workspace.writer(), "away")
    look_at(tmp_path, monkeypatch)
    at = page("sweeps")
    assert [card["id"] for card in component(at, "sweeps")["items"]] == ["kept"]
    at.toggle[0].set_value(True).run()
    assert [(card["id"], card["state"]) for card in component(at, "sweeps")["items"]] == [("away", "Archived"), ("kept", "Finished")]
    at = page("gallery")
    assert (at.title[0].value, at.multiselect(key="filter-sweep").options) == ("kept", ["kept"])
    assert page("gallery", sweep="away").title[0].value == "away"


def test_queued_runs_without_a_driver_say_what_to_type(opened: Workspace) -> None:
    at = page("sweeps")
    assert "No driver is running" in at.info[0].value
    assert any("stylesweep run demo" in block.value for block in at.code)


def test_a_living_driver_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1, unfinished=2)
    look_at(tmp_path, monkeypatch)
    owner, _ = become_driver(workspace.writer(), "test")
    assert owner is not None
    at = page("sweeps")
    assert not at.info
    assert component(at, "sweeps")["items"][0]["state"] == "Queued"
    resign(workspace.writer(), owner)


# --- gallery ------------------------------------------------------------------------------------------------------------


def test_the_gallery_opens_on_the_newest_sweep_and_shows_what_is_in_it(opened: Workspace) -> None:
    at = page("gallery", sweep="demo")
    grid = component(at, "grid")
    assert len(grid["items"]) == 16
    assert "Showing 1-16 of 16 combinations" in words(at)
    assert grid["items"][0]["name"].count(" · ") == 3  # content, style, beta, layers; nothing that is the same everywhere
    assert sorted(item["none"] for item in grid["items"] if "src" not in item) == ["Failed", "Failed", "Queued", "Queued"]


def test_tiles_are_sorted_by_balance_unless_asked_otherwise(opened: Workspace) -> None:
    values = [item["value"] for item in component(page("gallery", sweep="wide"), "grid")["items"]]
    assert values == sorted(values, reverse=True)
    assert values[0].startswith("balance 0.")
    other = component(page("gallery", sweep="wide", sort="style_gained"), "grid")["items"]
    assert other[0]["value"].startswith("style gained")


def test_a_url_filters_and_its_controls_say_so(opened: Workspace) -> None:
    at = page("gallery", sweep="wide", beta=["10", "100"], content="cat.png", state="done")
    items = component(at, "grid")["items"]
    assert items
    assert all("cat in" in item["alt"] or "cat.png in" in item["alt"] for item in items)
    assert all("beta 10 to" in item["alt"] or "beta 100 to" in item["alt"] for item in items)
    assert at.session_state["filter-beta"] == ["10", "100"]
    assert at.session_state["filter-content"] == ["cat.png"]


def test_a_click_on_a_filter_narrows_the_grid_and_goes_to_the_first_page(opened: Workspace) -> None:
    at = page("gallery", sweep="wide", p="2")
    assert at.session_state["page"] == 2
    before = component(at, "grid")["items"]
    next(group for group in at.get("button_group") if group.label == "Content").set_value(["cat.png"]).run()
    assert not at.exception
    assert at.query_params["content"] == "cat.png"
    assert "p" not in at.query_params
    after = component(at, "grid")["items"]
    assert after != before
    assert all(item["alt"].startswith("cat.png") for item in after if "alt" in item)


def test_pages_hold_every_run_once(opened: Workspace) -> None:
    with opened.reader().connect() as connection:
        runs = queries.sweep_named(connection, "wide").runs
    seen: list[str] = []
    for number in range(1, -(-runs // 96) + 1):
        seen += [item["id"] for item in component(page("gallery", sweep="wide", n="96", p=str(number)), "grid")["items"]]
    assert len(seen) == len(set(seen)) == runs


def test_a_shared_run_is_one_tile_that_says_how_many_share_it(opened: Workspace) -> None:
    with opened.reader().connect() as connection:
        name = next(row.name for row in queries.sweeps(connection) if row.name.startswith("odd"))
    at = page("gallery", sweep=name, sort="plan")
    items = component(at, "grid")["items"]
    assert len(items) == 4
    assert "x2" in [badge["text"] for badge in items[0]["badges"]]
    assert "4 runs (5 combinations" in words(at)


def test_the_pareto_front_is_marked_per_content_and_style(opened: Workspace) -> None:
    items = component(page("gallery", sweep="demo"), "grid")["items"]
    marked = [item["alt"].split(", beta")[0] for item in items if item["front"]]
    finished = {item["alt"].split(", beta")[0] for item in items if "src" in item}
    assert set(marked) == finished  # every pair has a front
    assert len(marked) < sum("src" in item for item in items)


def test_a_failed_run_has_a_badge_and_no_picture(opened: Workspace) -> None:
    items = component(page("gallery", sweep="demo", state="failed"), "grid")["items"]
    assert len(items) == 2
    assert all("src" not in item and item["badges"][0]["text"] == "Failed" for item in items)


def test_no_match_is_said_and_can_be_undone(opened: Workspace) -> None:
    at = page("gallery", sweep="demo", beta="777")
    assert "No combination matches" in words(at)
    assert at.session_state["filter-beta"] == ["777"]
    next(button for button in at.button if button.label == "Show all").click().run()
    assert len(component(at, "grid")["items"]) == 16


@pytest.mark.parametrize(
    "params",
    [
        {"p": "9999"},
        {"p": "-3", "n": "7"},
        {"beta": ["abc", "nan", "1e999", "'; DROP TABLE run; --"]},
        {"beta": "1..x", "seed": "9" * 40, "steps": "auto"},
        {"beta": "5..50"},
        {"content": HOSTILE, "layers": "<b>"},
        {"state": ["done", "dead"], "sort": "total_loss"},
        {"network": "vgg19", "recipe": "", "sweep": ["wide", "no such sweep", "wide"]},
        {"unknown": "x", "id": "../../etc"},
    ],
)
def test_any_url_gives_a_page(opened: Workspace, params: dict[str, Any]) -> None:
    page("gallery", **({"sweep": "wide"} | params))


def test_an_unknown_sweep_is_named_and_its_markup_shows_as_text(opened: Workspace) -> None:
    at = page("gallery", sweep=HOSTILE)
    said = at.warning[0].value
    assert "no sweep named" in said
    assert "\\!\\[x\\]\\(http" in said
    assert "<img" not in said.replace("\\<img", "")


def test_new_results_wait_until_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1, unfinished=3)
    look_at(tmp_path, monkeypatch)
    at = page("gallery", sweep="demo")
    before = [item["id"] for item in component(at, "grid")["items"]]
    finish_one(workspace)
    st.cache_data.clear()  # as after some seconds
    at.run()
    grid = component(at, "grid")["items"]
    assert [item["id"] for item in grid] == before
    assert sum("src" in item for item in grid) == 5
    button = next(button for button in at.button if "1 new result" in button.label)
    button.click().run()
    assert not at.exception
    at.run()
    assert sum("src" in item for item in component(at, "grid")["items"]) == 6


def finish_one(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    store.finished(owner, finished_event(run, 99), curve(99))
    resign(store.engine, owner)


def test_a_number_with_many_values_has_a_range_that_stands_in_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    add_sweep(workspace, "random", [Point(beta=1.0 + number / 4) for number in range(40)])
    look_at(tmp_path, monkeypatch)
    at = page("gallery", sweep="random", beta="2..3")
    assert len(component(at, "grid")["items"]) == 5
    assert at.select_slider[0].value == (2.0, 3.0)
    at.select_slider[0].set_range(1.0, 4.0).run()
    assert not at.exception
    assert at.query_params["beta"] == "1..4"
    assert len(component(at, "grid")["items"]) == 13
    at.select_slider[0].set_range(1.0, 10.75).run()
    assert "beta" not in at.query_params


@pytest.mark.parametrize("per_page", ["48", "192"])
def test_a_page_of_results_is_few_elements_whatever_it_shows(opened: Workspace, per_page: str) -> None:
    at = page("gallery", sweep="wide", n=per_page)
    assert len(component(at, "grid")["items"]) == min(int(per_page), 192)
    assert count_elements(at) <= 60


def count_elements(at: AppTest) -> int:
    return sum(not isinstance(node, Block) for node in at._tree)


# --- run ----------------------------------------------------------------------------------------------------------------


def test_a_run_shows_its_picture_by_url_with_content_and_style(opened: Workspace) -> None:
    key = run_in_state(opened, "done")
    at = page("run", id=key)
    with opened.reader().connect() as connection:
        result = queries.find_result(connection, key)
    shown = component(at, "viewer")
    assert shown["shown"]["src"] == f"/app/static/f/{result.image}.png"
    assert [one["full"] for one in shown["inputs"]] == [
        f"/app/static/f/{result.content_sha256}.png",
        f"/app/static/f/{result.style_sha256}.png",
    ]
    assert all(one["src"].startswith("/app/static/t/") for one in shown["inputs"])
    assert all(one["alt"] for one in [shown["shown"], *shown["inputs"]])
    assert at.get("vega_lite_chart") or at.get("arrow_vega_lite_chart")
    assert "unweighted" in words(at)
    assert f"stylesweep rerun {key}" in words(at)
    rows = {row["name"]: row["value"] for row in component(at, "parameters")["rows"]}
    assert rows["Beta"] == "1"
    assert [row["name"] for row in component(at, "yardsticks")["rows"]][:3] == ["Balance", "Content kept", "Style gained"]
    assert len(component(at, "yardsticks")["rows"]) == 6


def test_a_run_shows_every_yardstick_with_its_meaning_by_what_it_looks_at(opened: Workspace) -> None:
    key = run_in_state(opened, "done")
    at = page("run", id=key)
    with opened.reader().connect() as connection:
        values = queries.find_result(connection, key).yardsticks
    tables = {group: component(at, f"yardsticks-{group}")["rows"] for group in ("together", "content", "style", "colour", "sanity")}
    rows = {row["name"]: row for group in tables.values() for row in group}
    assert [row["name"] for row in tables["sanity"]] == ["Sharpness", "Clipped"]
    assert float(rows["Structure kept"]["value"]) == pytest.approx(values["structure_kept"], abs=0.005)
    by_layer = [float(text) for text in rows["Style distance by layer"]["value"].split(" · ")]
    assert by_layer == pytest.approx([values[f"d_style_{number}"] for number in range(1, 6)], abs=0.005)
    assert all(row["note"] for row in rows.values())
    # Each of the 20 is somewhere: 5 above, 5 in one row, 10 in rows of their own.
    assert len(rows) == len(values) - 5 - 5 + 1


def test_a_run_from_before_there_were_more_yardsticks_says_so(opened: Workspace) -> None:
    with opened.reader().connect() as connection:
        old = next(one for one in queries.results(connection) if one.state == "done" and one.yardsticks["structure_kept"] is None)
    assert "older than these yardsticks" in words(page("run", id=old.run_key))


@pytest.mark.parametrize(("sort", "falls"), [("structure_kept", True), ("clipped", False), ("d_style_5", False)])
def test_tiles_can_be_sorted_by_any_yardstick_that_has_a_best_and_show_it(opened: Workspace, sort: str, falls: bool) -> None:
    at = page("gallery", sweep="wide", sort=sort)
    items = [item for item in component(at, "grid")["items"] if "src" in item]
    shown = [float(item["value"].split()[-1]) for item in items if not item["value"].endswith("\N{EN DASH}")]
    assert len(shown) > 20 and shown == sorted(shown, reverse=falls)
    label = next(box for box in at.selectbox if box.label == "Sort by")
    assert not [option for option in label.options if "harpness" in option]


@pytest.mark.parametrize(
    ("state", "says"), [("failed", "Failed: "), ("diverged", "Diverged: "), ("queued", "no driver is running"), ("cancelled", "cancelled")]
)
def test_a_run_without_a_picture_says_why(opened: Workspace, state: str, says: str) -> None:
    at = page("run", id=run_in_state(opened, state))
    assert says in words(at).replace("\\", "")


def test_a_failed_run_shows_its_traceback_and_how_to_retry(opened: Workspace) -> None:
    key = run_in_state(opened, "failed")
    said = words(page("run", id=key))
    assert "Traceback: made up" in said
    assert f"stylesweep retry {key}" in said


def test_a_diverged_run_shows_the_last_picture_that_was_kept(opened: Workspace) -> None:
    shown = component(page("run", id=run_in_state(opened, "diverged")), "viewer")["shown"]
    assert shown["src"].startswith("/app/static/f/")
    assert shown["caption"] == "The last picture kept, at step 7"


def test_snapshots_stand_in_a_row_by_step_each_with_its_own_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1, unfinished=1)
    look_at(tmp_path, monkeypatch)
    key = run_in_state(workspace, "queued")
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    for step, seed in ((100, 7), (1, 8), (10, 8)):  # told in any order; two steps with one picture
        assert store.snapshot(owner, snapshot_event(run, step, seed))
    assert component(page("run", id=run_in_state(workspace, "done")), "viewer")["film"] == []
    for _ in ("running", "done"):
        at = page("run", id=key)
        frames = component(at, "viewer")["film"]
        assert [frame["caption"] for frame in frames] == ["step 1", "step 10", "step 100"]
        assert [frame["alt"].rpartition(", ")[2] for frame in frames] == ["after step 1", "after step 10", "after step 100"]
        with workspace.reader().connect() as connection:
            kept = queries.snapshots(connection, key)
        assert [frame["full"] for frame in frames] == [f"/app/static/f/{image}.png" for _, image, _ in kept]
        assert [frame["src"] for frame in frames] == [f"/app/static/t/{thumbnail}.webp" for _, _, thumbnail in kept]
        store.finished(owner, finished_event(run, 99), curve(99))
    resign(store.engine, owner)


def test_a_run_tells_the_numbers_that_were_given_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    plain = run_in_state(workspace, "done")
    with workspace.writer().begin() as connection:
        connection.execute(text("UPDATE combination SET learning_rate = 0.05, stop = '0.5 % per 25 steps' WHERE position = 1"))
    look_at(tmp_path, monkeypatch)
    with workspace.reader().connect() as connection:
        given = next(result.run_key for result in queries.results(connection) if result.position == 1)
    rows = {row["name"]: row["value"] for row in component(page("run", id=given), "parameters")["rows"]}
    assert (rows["Learning rate"], rows["Early stop"], rows["Steps"]) == ("0.05", "0.5 % per 25 steps", "recipe's own")
    assert "Momentum" not in rows
    other = {row["name"]: row["value"] for row in component(page("run", id=plain), "parameters")["rows"]}
    assert "Learning rate" not in other and other["Early stop"] == "off"
    at = page("gallery", sweep="demo", learning_rate=["auto"])
    assert given not in [item["id"] for item in component(at, "grid")["items"]]
    assert at.session_state["filter-learning_rate"] == ["auto"]
    at = page("gallery", sweep="demo", stop=["0.5 % per 25 steps"])
    assert [item["id"] for item in component(at, "grid")["items"]] == [given]


def test_the_way_on_follows_the_view_that_the_run_was_opened_from(opened: Workspace) -> None:
    view = {"sweep": "wide", "content": "cat.png", "sort": "style_gained"}
    keys = [item["id"] for item in component(page("gallery", **view), "grid")["items"]]
    shown = component(page("run", id=keys[1], **view), "viewer")
    assert (shown["first"], shown["place"]) == (0, 1)
    assert [item["id"] for item in shown["items"]] == keys[:26]
    assert shown["total"] > 26
    assert shown["grid"] == "gallery?sweep=wide&content=cat.png&sort=style_gained"


def test_combinations_that_share_a_run_are_listed(opened: Workspace) -> None:
    with opened.reader().connect() as connection:
        shared = next(
            result for result in queries.results(connection) if result.sweep.startswith("odd") and result.parameters["beta"] == 10
        )
    rows = component(page("run", id=shared.run_key), "sharing")["rows"]
    assert [row["value"] for row in rows] == ["alpha 1, beta 5", "alpha 2, beta 10"]


def test_hostile_names_show_as_text(opened: Workspace) -> None:
    with opened.reader().connect() as connection:
        key = next(result.run_key for result in queries.results(connection) if result.parameters["content"] == HOSTILE)
    title = page("run", id=key).title[0].value
    assert "\\!\\[x\\]\\(http" in title
    assert "\\<img" in title


@pytest.mark.parametrize("wanted", ["", "garbage", "r1-", "%", "<script>alert(1)</script>", "'; DROP TABLE run; --", "\0", "x" * 5000])
def test_a_run_that_is_not_there_is_said_calmly(opened: Workspace, wanted: str) -> None:
    at = page("run", id=wanted) if wanted else page("run")
    assert at.info
    assert not at.error


def test_the_yaml_of_a_run_plans_exactly_that_run(opened: Workspace) -> None:
    from sweep.combination import run_key
    from sweep.spec import parse_spec
    from sweep.yaml_file import read_yaml

    key = run_in_state(opened, "done")
    (text,) = [code.value for code in page("run", id=key).code if code.language == "yaml"]
    path = opened.folder / "again.yaml"
    path.write_text(text)
    spec = parse_spec(read_yaml(path), path)
    hashes = {picture: picture.stem for picture in spec.picture_paths()}
    (combination,) = spec.combinations(hashes, dict.fromkeys(spec.network_files(), "test"))
    assert run_key(combination.combination.run_settings()) == key

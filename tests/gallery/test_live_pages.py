"""The Live, Sweeps and Export pages in every state, run by Streamlit's own test harness."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from factories import finished_event, made_up_workspace
from gallery_factories import Point, add_sweep, look_at, random_points
from page_harness import component, page, words
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

import gallery.export.jobs
from db import queries, reviews
from db.drivers import become_driver
from db.models import Run, Sweep
from db.review_operations import Operation, default_person
from db.store import Store
from db.workspace import Workspace
from sweep import events


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """`demo`: 8 runs, 4 done, 2 queued, 2 failed."""
    made = made_up_workspace(tmp_path / "w", betas=1, unfinished=2, failed=2)
    look_at(made.folder, monkeypatch)
    return made


def set_sweep(workspace: Workspace, **values: Any) -> None:
    with workspace.writer().begin() as connection:
        connection.execute(update(Sweep).where(Sweep.name == "demo").values(**values))


def sweep_state(workspace: Workspace) -> tuple[str, dict[str, int]]:
    with workspace.reader().connect() as connection:
        row = queries.sweep_named(connection, "demo")
        return row.state, dict(row.states)


def said(at: AppTest) -> str:
    """As it reads: Markdown that shows a mark has a stroke before it."""
    return words(at).replace("\\", "")


def elements(at: AppTest) -> int:
    def below(block: Any) -> int:
        return sum(1 + (below(child) if hasattr(child, "children") else 0) for child in block.children.values())

    return below(at.main) + below(at.sidebar)


# --- live ---------------------------------------------------------------------------------------------------------------


def test_without_a_driver_the_page_shows_the_command(workspace: Workspace) -> None:
    at = page("live")
    assert at.query_params["sweep"] == "demo"
    assert "No driver is running, and 2 runs wait for one" in said(at)
    assert at.code[0].value == f"stylesweep run demo --workspace {workspace.folder}"
    data = component(at, "live")
    assert data["bar"] == "4 done, 2 queued, 2 failed"
    assert [group["retry"] for group in data["groups"]] == ["Retry these 2"]
    assert len(data["newest"]) == 4
    assert elements(at) <= 60


def test_a_running_sweep_names_its_driver_and_shows_its_runs(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    store.started(owner, events.Started(run_key=run.run_key, attempt=run.attempt, node="n", pid=1, device="cpu", versions={}))
    at = page("live", sweep="demo")
    assert "Running. Driven by pid" in said(at)
    assert [item["run"] for item in component(at, "live")["running"]] == [run.run_key]


def test_the_buttons_steer_the_rows(workspace: Workspace) -> None:
    at = page("live", sweep="demo")
    at.button(key="pause").click().run()
    assert sweep_state(workspace)[0] == "paused"
    assert "Paused. What is running stops" in said(at)
    at.button(key="resume").click().run()
    assert sweep_state(workspace)[0] == "active"
    at.button(key="retry-all").click().run()
    assert sweep_state(workspace)[1] == {"done": 4, "queued": 4}
    at.number_input(key="priority").set_value(7).run()
    with workspace.reader().connect() as connection:
        assert connection.execute(select(Sweep.priority)).scalar() == 7
    at.button(key="really-cancel").click().run()
    assert sweep_state(workspace) == ("cancelled", {"done": 4, "cancelled": 4})
    assert not at.exception


def test_why_a_sweep_is_paused_is_said(workspace: Workspace) -> None:
    set_sweep(workspace, state="paused", reason="the time given by --max-hours is over; `stylesweep run` with its file goes on.")
    assert "Paused: the time given by --max-hours is over" in said(page("live", sweep="demo"))


def test_an_unknown_sweep_is_named_and_another_shown(workspace: Workspace) -> None:
    at = page("live", sweep="*nothing*")
    assert "no sweep named \\*nothing\\*" in at.info[0].value
    assert at.title[0].value == "demo"


def test_an_archived_sweep_opens_by_its_link_and_is_not_the_first_choice(workspace: Workspace) -> None:
    add_sweep(workspace, "other", [Point(beta=99.0)])
    set_sweep(workspace, state="paused", archived_at=time.time())
    assert page("live").title[0].value == "other"
    at = page("live", sweep="demo")
    assert "archived" in at.info[0].value


def test_a_finished_sweep_says_so(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for run in store.claim(owner, 2):
        store.finished(owner, finished_event(run, 3), ())
    at = page("live", sweep="demo")
    assert "Finished: 8 runs have ended, 2 of them without a picture" in said(at)
    assert at.button(key="pause").disabled


# --- sweeps -------------------------------------------------------------------------------------------------------------


def test_hundreds_of_sweeps_are_few_elements_and_can_be_searched(workspace: Workspace) -> None:
    for number in range(120):
        add_sweep(workspace, f"more-{number}", random_points(3, number))
    at = page("sweeps")
    data = component(at, "sweeps")
    assert (len(data["items"]), data["find"]) == (121, True)
    assert data["items"][0]["title"] == "more-119"
    assert elements(at) <= 60
    assert len(at.code[0].value.splitlines()) <= 5


def test_a_card_leads_everywhere_and_says_what_stops_a_sweep(workspace: Workspace) -> None:
    set_sweep(workspace, state="paused", reason="why it is")
    (card,) = component(page("sweeps"), "sweeps")["items"]
    assert {"gallery?sweep=demo", "live?sweep=demo", "export?sweep=demo"} <= {link["href"] for link in card["links"]}
    assert (card["kind"], card["why"], card["percent"], card["archivable"]) == ("stopped", "why it is", "75 %", True)
    set_sweep(workspace, state="active", reason=None)
    (card,) = component(page("sweeps"), "sweeps")["items"]
    assert (card["kind"], card["archivable"]) == ("waiting", False)


# --- export -------------------------------------------------------------------------------------------------------------


def wait_for_a_zip(workspace: Workspace) -> Path:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := list(workspace.folder.glob("exports/*.zip")):
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no zip within 60 s")


def test_the_view_is_exported_with_one_click(workspace: Workspace) -> None:
    at = page("export", sweep="demo")
    assert "**4 pictures** · about" in words(at)
    assert at.code[0].value == f"stylesweep export demo --out demo.zip --workspace {workspace.folder}"
    assert component(at, "exports") == {"jobs": [], "kept": []}
    assert elements(at) <= 60
    at.button(key="build").click().run()
    assert not at.exception
    built = wait_for_a_zip(workspace)
    (kept,) = component(page("export", sweep="demo"), "exports")["kept"]
    assert kept["href"] == f"/app/static/x/{built.name}"
    assert kept["text"].startswith("4 pictures · ")


def test_chosen_runs_keep_their_order_and_what_has_no_picture_is_said(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        results = queries.results(connection)
    done = [one.run_key for one in results if one.state == "done"][:2][::-1]
    failed = next(one.run_key for one in results if one.state == "failed")
    at = page("export", sweep="demo", ids=",".join([*done, failed, "r1-ffffffffffff"]))
    assert "**2 pictures**" in words(at)
    assert "1 chosen run is not in this workspace" in words(at)
    assert "1 chosen run has no picture" in words(at)
    assert f"--runs {done[0][:11]},{done[1][:11]}" in at.code[0].value


def test_picks_are_those_of_the_reader(workspace: Workspace) -> None:
    at = page("export", sweep="demo", **{"from": "picks"})
    assert "Nothing to export" in words(at)
    assert at.button(key="build").disabled
    with workspace.writer().begin() as connection:
        key = connection.execute(select(Run.run_key).where(Run.state == "done").limit(1)).scalar_one()
        reviews.apply(connection, default_person(), [Operation(id="1", run_key=key, field="flag", value="pick", at=1.0)], time.time())
    assert "**1 picture**" in words(page("export", sweep="demo", **{"from": "picks"}))


def test_a_choice_is_in_the_url_and_in_the_command(workspace: Workspace) -> None:
    at = page("export", sweep="demo", top="1", **{"from": "pair"}, preset="share", form="jpeg", reviews="0", sort="style_gained")
    (command,) = [one.value for one in at.code]
    for words_ in ("--per-pair 1", "--by style_gained", "--preset share", "--form jpeg", "--no-reviews"):
        assert words_ in command
    at.button_group(key="export-preset").set_value("table").run()
    assert at.query_params["preset"] == "table"


def test_what_cannot_be_built_is_said_calmly(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.export.jobs, "MOST_PICTURES", 2)
    at = page("export", sweep="demo")
    at.button(key="build").click().run()
    assert "At most 2 pictures go into one export" in at.warning[0].value
    assert json.dumps(component(at, "exports")["jobs"]) == "[]"

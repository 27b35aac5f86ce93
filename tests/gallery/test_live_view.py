"""What the Live page says of a sweep: numbers, running runs, failures that are alike, and the words around them."""

import itertools
import time
from pathlib import Path

import pytest
from factories import curve, finished_event, made_up_workspace, picture_bytes
from gallery_factories import Point, add_sweep
from sqlalchemy import select, update

from db import queries, steering
from db.drivers import DriverRow, become_driver, resign
from db.models import Run, Sweep
from db.store import ClaimedRun, Store
from db.tallies import Tallies
from db.workspace import Workspace
from gallery.components.live import facts, live_data
from gallery.components.notice import notice_of
from gallery.live_view import NEWEST, LiveView, Watch, failure_groups, newest_active, thinned
from gallery.wording import NOTHING
from sweep import events


class Sight:
    """The page's eye on the newest sweep of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.tallies, self.watches = workspace, Tallies(), dict[int, Watch]()

    def look(self, name: str = "demo") -> LiveView:
        with self.workspace.reader().connect() as connection:
            row = next(row for row in self.tallies.sweeps(connection) if row.name == name)
            watch = self.watches.setdefault(row.id, Watch(row.id))
            return watch.look(connection, row, self.tallies.census(connection, row.id))

    def data(self) -> dict[str, object]:
        return live_data(self.look(), time.time())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """`demo`: 16 runs, of which 6 are queued and 2 failed."""
    return made_up_workspace(tmp_path / "w", betas=2, unfinished=6, failed=2)


@pytest.fixture
def sight(workspace: Workspace) -> Sight:
    return Sight(workspace)


def drive(workspace: Workspace, runs: int) -> tuple[Store, str, list[ClaimedRun]]:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    return store, owner, store.claim(owner, runs)


def begin(store: Store, owner: str, run: ClaimedRun) -> None:
    told = events.Started(run_key=run.run_key, attempt=run.attempt, node="node-7", pid=1, device="cpu", versions={})
    store.started(owner, told)


def fail(store: Store, owner: str, run: ClaimedRun, error: str, traceback: str = "") -> None:
    store.failed(owner, events.Failed(run_key=run.run_key, attempt=run.attempt, kind="bug", error=error, traceback=traceback), ())


def test_the_numbers_are_those_of_the_rows(sight: Sight) -> None:
    view = sight.look()
    assert dict(view.row.states) == {"queued": 6, "done": 8, "failed": 2}
    said = {fact["name"]: fact for fact in facts(view, time.time())}
    assert (said["Ended"]["value"], said["Ended"]["note"]) == ("62 %", "10 of 16 runs")
    assert said["Time left"]["note"] == "nothing is running"
    assert "Spent" not in said


def test_a_running_run_shows_its_step_losses_place_and_picture(workspace: Workspace, sight: Sight) -> None:
    store, owner, (run, other) = drive(workspace, 2)
    begin(store, owner, run)
    points = curve(1, 40)
    store.progress(owner, [events.Progress(run_key=run.run_key, attempt=run.attempt, points=points)])
    store.preview(owner, [events.Preview(run_key=run.run_key, attempt=run.attempt, step=39, picture=picture_bytes(1, form="WEBP"))])
    running = sight.data()["running"]
    assert [item["run"] for item in running] == [run.run_key, other.run_key]  # type: ignore[attr-defined]
    first, second = running  # type: ignore[misc]
    assert first["src"] == f"/app/static/p/{run.run_key}.webp?step=39"
    assert first["step"].startswith("step 39 of ")
    assert first["curve"][-1] == [39, float(f"{points[-1].content_loss:.4g}"), float(f"{points[-1].style_loss:.4g}")]
    assert first["where"] == "node-7 · cpu"
    assert 0 < first["part"] < 1
    assert (second["src"], second["step"], second["where"]) == (None, "its worker is starting", "no node yet")
    resign(store.engine, owner)
    assert sight.data()["running"] == []


def test_the_newest_pictures_come_first_and_follow_what_is_done(workspace: Workspace, sight: Sight) -> None:
    before = [item["id"] for item in sight.data()["newest"]]  # type: ignore[attr-defined]
    with workspace.reader().connect() as connection:
        done = [result for result in queries.results(connection) if result.state == "done"]
    assert before == [one.run_key for one in sorted(done, key=lambda one: -(one.finished_seq or 0))][:NEWEST]
    store, owner, (run,) = drive(workspace, 1)
    store.finished(owner, finished_event(run, 77), curve(1))
    assert [item["id"] for item in sight.data()["newest"]] == [run.run_key, *before]  # type: ignore[attr-defined]


def test_failures_are_grouped_by_what_they_say_without_numbers_hashes_and_paths(workspace: Workspace, sight: Sight) -> None:
    store, owner, runs = drive(workspace, 6)
    for number, run in enumerate(runs[:4]):
        fail(store, owner, run, f"OSError: /data/node-{number}/x.png has {number} bytes", f"Traceback {number}")
    fail(store, owner, runs[4], "RuntimeError: other")
    view = sight.look()
    found = {group.what: group for group in view.groups}
    assert [group.runs for group in view.groups] == [4, 2, 1]
    (alike,) = [group for group in view.groups if group.runs == 4]
    assert sorted(alike.run_keys) == sorted(run.run_key for run in runs[:4])
    assert alike.example.startswith("OSError: /data/node-")
    assert alike.traceback is not None and alike.traceback.startswith("Traceback ")
    assert "RuntimeError: other" in found
    assert view.failed == 7


def test_of_very_many_different_failures_the_largest_groups_are_shown_and_the_rest_is_counted(workspace: Workspace, sight: Sight) -> None:
    from gallery import live_view

    store, owner, runs = drive(workspace, 6)
    for number, run in enumerate(runs):
        fail(store, owner, run, f"Error{chr(65 + number)}: no number")
    with workspace.reader().connect() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_view, "MOST_GROUPS", 3)
        sweep_id = queries.sweep_named(connection, "demo").id
        groups, left_out = failure_groups(connection, sweep_id)
    assert (len(groups), groups[0].runs, left_out) == (3, 2, 4)


def test_each_state_has_its_words_and_the_command_that_helps(workspace: Workspace, sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLESWEEP_WORKSPACE", str(workspace.folder))
    engine, now = workspace.writer(), time.time()
    notice = notice_of(sight.look(), now)
    assert "No driver is running, and 6 runs wait for one." in notice.text
    assert notice.commands == [f"stylesweep run demo --workspace {workspace.folder}"]
    store, owner, runs = drive(workspace, 1)
    begin(store, owner, runs[0])
    assert notice_of(sight.look(), now).text.startswith("Running. Driven by pid ")
    with engine.begin() as connection:
        sweep_id = queries.sweep_named(connection, "demo").id
        steering.pause(connection, sweep_id)
    assert notice_of(sight.look(), now).text == "Paused, as somebody asked. 1 run stops at the next step. 6 runs wait for Resume."
    with engine.begin() as connection:
        steering.resume(connection, sweep_id)
        steering.pause(connection, sweep_id, "its first 5 runs all failed alike: x. Mend that.")
    said = notice_of(sight.look(), now)
    assert (said.kind, said.text) == ("warning", "Paused: its first 5 runs all failed alike: x. Mend that.")
    with engine.begin() as connection:
        steering.cancel(connection, sweep_id)
    assert notice_of(sight.look(), now).text.startswith("Cancelled.")
    with engine.begin() as connection:
        connection.execute(update(Sweep).values(state="active", archived_at=now))
    assert "archived" in notice_of(sight.look(), now).text
    with engine.begin() as connection:
        connection.execute(update(Sweep).values(archived_at=None))
    finished = notice_of(sight.look(), now).text
    assert finished.startswith("Finished: 16 runs have ended, 2 of them without a picture")


def test_a_limit_and_a_price_are_facts(workspace: Workspace, sight: Sight) -> None:
    now = time.time()
    with workspace.writer().begin() as connection:
        connection.execute(update(Sweep).values(budget=10.0, deadline=now + 5400, resources={"price_per_hour": 2.0}))
    said = {fact["name"]: fact for fact in facts(sight.look(), now)}
    assert said["Spent"]["value"] == "0.00 of 10.00"
    assert said["Ends at"]["note"] == "in 90 min, by --max-hours" or said["Ends at"]["note"] == "in 1 h 30 min, by --max-hours"


def test_time_left_is_only_told_while_somebody_drives(workspace: Workspace, sight: Sight) -> None:
    store, owner, runs = drive(workspace, 2)
    for run in runs:
        begin(store, owner, run)
    view = sight.look()
    assert view.standing.seconds_left is not None and view.standing.seconds_left > 0
    assert {fact["name"]: fact["value"] for fact in facts(view, time.time())}["Time left"] != NOTHING
    with workspace.reader().connect() as connection:
        assert isinstance(queries.driver(connection), DriverRow)


def test_the_page_opens_on_what_is_at_work(workspace: Workspace) -> None:
    add_sweep(workspace, "later", [Point(beta=777.0)])
    with workspace.reader().connect() as connection:
        assert newest_active(queries.sweeps(connection)) == "demo"  # it waits; `later` is finished
    with workspace.writer().begin() as connection:
        connection.execute(update(Sweep).where(Sweep.name == "demo").values(archived_at=1.0))
    with workspace.reader().connect() as connection:
        assert newest_active(queries.sweeps(connection)) == "later"
    assert newest_active([]) is None


@pytest.mark.parametrize("points", [0, 1, 59, 60, 61, 200])
def test_a_curve_is_thinned_evenly_with_both_its_ends(points: int) -> None:
    whole = [(step, 1.0, 2.0) for step in range(points)]
    found = thinned(whole, 60)
    assert len(found) == min(points, 60)
    assert found[:1] == whole[:1]
    assert found[-1:] == whole[-1:]
    gaps = {after[0] - before[0] for before, after in itertools.pairwise(found)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_a_run_that_went_on_by_itself_is_not_shown_as_failed(workspace: Workspace, sight: Sight) -> None:
    assert len(sight.look().groups) == 1
    with workspace.writer().begin() as connection:
        connection.execute(update(Run).where(Run.state == "failed").values(state="queued", finished_seq=None, finished_at=None, error=None))
        assert connection.execute(select(Run.id).where(Run.state == "failed")).first() is None
    assert sight.look().groups == ()

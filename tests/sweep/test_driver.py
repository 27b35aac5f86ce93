"""The loop that hands out runs, with a scripted back end in place of workers; the store is the real one."""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import snapshot_event
from scripted import Notes, Scripted, column, crashed, drive, finished, progress, record, started, states, well
from sqlalchemy import event as hooks
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from db import drivers, queries, steering
from db.models import Driver as DriverTable
from db.store import Store
from db.workspace import Workspace, open_workspace
from sweep import driver as driver_module
from sweep.backend import Silent
from sweep.driver import Driver
from sweep.errors import SurroundingsError, WorkspaceBusy
from sweep.events import Event, Failed, Progress
from sweep.request import RunRequest
from sweep.tasks import request_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "workspace", create=True)


@pytest.fixture
def store(workspace: Workspace) -> Store:
    return Store(workspace.writer(), workspace.artifacts)


def test_every_run_is_run_once_and_recorded_with_its_whole_curve(workspace: Workspace, store: Store) -> None:
    runs, backend, notes = record(store, betas=6), Scripted(), Notes()
    assert drive(store, backend, notes) is True
    assert states(workspace) == {"done": runs}
    assert sorted(request.run_key for request in backend.submitted) == sorted(column(workspace, "SELECT run_key FROM run"))
    assert (
        column(workspace, "SELECT group_concat(step) FROM (SELECT * FROM loss_point ORDER BY run_id, step) GROUP BY run_id")
        == ["0,1,2,3"] * runs
    )
    assert len(set(column(workspace, "SELECT finished_seq FROM run"))) == runs
    assert Counter(kind for _, kind, _ in notes.told) == {"Started": runs, "Progress": 2 * runs, "Finished": runs}
    assert column(workspace, "SELECT ended_at FROM driver") != [None]


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 3), (4, 5), (8, 10)])
def test_the_window_is_the_slots_and_a_quarter(store: Store, slots: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "AHEAD_SECONDS", 0.0)  # no run is taken for a short one
    record(store, betas=12)
    backend = Scripted(slots=slots)
    drive(store, backend)
    assert backend.most == most


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 6), (4, 12)])
def test_of_very_short_runs_up_to_two_more_wait_for_each_slot(store: Store, slots: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "AHEAD_SECONDS", 60.0)  # every run is
    record(store, betas=40)
    backend = Scripted(slots=slots)
    drive(store, backend)
    assert backend.most == most


def test_the_driver_holds_nothing_beyond_its_window(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "AHEAD_SECONDS", 0.0)
    record(store, betas=15)
    owner, _ = drivers.become_driver(store.engine, "scripted")
    assert owner is not None
    backend = Scripted(slots=2)
    driver = Driver(store, backend, owner, Silent())
    seen: list[int] = []
    backend.between = lambda _: seen.append(len(driver._flights))
    driver.drive(lambda: False)
    assert max(seen) == 3
    assert len(driver._flights) == 0


def test_the_end_of_a_curve_that_comes_with_the_picture_is_recorded_and_told_as_progress(workspace: Workspace, store: Store) -> None:
    runs, notes = record(store, betas=1), Notes()

    def together(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        yield progress(request, 0, 1)
        yield replace(finished(request), points=progress(request, 2, 3).points)

    drive(store, Scripted(script=together), notes)
    assert Counter(kind for _, kind, _ in notes.told) == {"Started": runs, "Progress": 2 * runs, "Finished": runs}
    assert [kind for _, kind, _ in notes.told][-2:] == ["Progress", "Finished"]
    assert column(workspace, "SELECT step FROM loss_point ORDER BY run_id, step") == [0, 1, 2, 3] * runs


def test_progress_of_all_runs_is_written_in_one_transaction_about_once_a_second(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(store, betas=2)
    clock = [100.0]
    monkeypatch.setattr(driver_module.time, "monotonic", lambda: clock[0])

    def slow(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        for step in range(30):
            yield progress(request, step)
        yield finished(request)

    def pass_time(_: Scripted) -> None:
        clock[0] += 0.1

    writes: list[list[Progress]] = []
    write = store.progress
    monkeypatch.setattr(store, "progress", lambda owner, news: (writes.append(list(news)), write(owner, news)))
    drive(store, Scripted(script=slow, slots=4, between=pass_time))
    full = [news for news in writes if news]
    seconds = clock[0] - 100
    assert len(writes) <= seconds + 1
    assert max(len(news) for news in full) >= 3  # several runs together
    assert all(9 <= len(one.points) <= 11 for news in full[1:2] for one in news)
    assert column(workspace, "SELECT count(*) FROM loss_point GROUP BY run_id") == [30] * 4


def test_a_curve_can_be_read_while_its_run_goes_on(workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record(store, betas=1)
    monkeypatch.setattr(driver_module, "PROGRESS_SECONDS", 0.0)
    seen: list[int] = []

    def look(_: Scripted) -> None:
        seen.extend(column(workspace, "SELECT count(*) FROM loss_point p JOIN run r ON r.id = p.run_id WHERE r.state = 'running'"))

    drive(store, Scripted(slots=1, between=look))
    assert {2, 4} <= set(seen)


def test_a_failed_run_is_recorded_with_its_traceback_and_the_sweep_goes_on(workspace: Workspace, store: Store) -> None:
    runs = record(store)
    victim: list[str] = []

    def script(request: RunRequest) -> Iterator[Event]:
        victim[:] = victim or [request.run_key]
        if request.run_key != victim[0]:
            yield from well(request)
            return
        yield started(request)
        yield Failed(run_key=request.run_key, attempt=1, kind="bug", error="ValueError: no", traceback="Traceback (most ...)")

    notes = Notes()
    assert drive(store, Scripted(script=script), notes) is True
    assert states(workspace) == {"done": runs - 1, "failed": 1}
    assert (victim[0], "Failed", "failed") in notes.told
    with workspace.reader().connect() as connection:
        (attempt,) = queries.attempts(connection, victim[0])
    assert (attempt["state"], attempt["kind"], attempt["traceback"]) == ("failed", "bug", "Traceback (most ...)")


def test_a_run_that_kills_three_workers_is_quarantined_and_the_others_are_done(workspace: Workspace, store: Store) -> None:
    runs = record(store)
    poisoned: list[str] = []

    def script(request: RunRequest) -> Iterator[Event]:
        poisoned[:] = poisoned or [request.run_key]
        if request.run_key != poisoned[0]:
            yield from well(request)
            return
        yield started(request)
        yield progress(request, 0, 1)
        yield crashed(request)

    notes = Notes()
    drive(store, Scripted(script=script), notes)
    assert states(workspace) == {"done": runs - 1, "quarantined": 1}
    assert [state for key, kind, state in notes.told if (key, kind) == (poisoned[0], "Crashed")] == ["queued", "queued", "quarantined"]
    with workspace.reader().connect() as connection:
        tried = queries.attempts(connection, poisoned[0])
    assert [(row["number"], row["state"], row["error"]) for row in tried] == [(n, "crashed", "it crashed") for n in (1, 2, 3)]


@pytest.mark.parametrize(("losses", "state"), [(9, "done"), (10, "quarantined")])
def test_lost_nodes_do_not_count_against_a_run_unless_it_loses_ten(workspace: Workspace, store: Store, losses: int, state: str) -> None:
    record(store, betas=1)

    def script(request: RunRequest) -> Iterator[Event]:
        if request.attempt <= losses:
            yield started(request)
            yield crashed(request, "lost")
            return
        yield from well(request)

    drive(store, Scripted(script=script))
    assert states(workspace) == {state: 2}
    assert column(workspace, "SELECT DISTINCT killed_workers FROM run") == [0]
    assert column(workspace, "SELECT count(*) FROM attempt WHERE state = 'lost'") == [2 * losses]


def test_workers_that_never_start_end_the_driver_instead_of_spinning_for_ever(workspace: Workspace, store: Store) -> None:
    runs = record(store)

    def script(request: RunRequest) -> Iterator[Event]:
        yield crashed(request, started=False)

    with pytest.raises(SurroundingsError, match=r"10 workers in succession .* it crashed\. Check that every node"):
        drive(store, Scripted(script=script))
    assert states(workspace) == {"queued": runs}
    assert column(workspace, "SELECT DISTINCT killed_workers FROM run") == [0]
    assert drive(store, Scripted()) is True
    assert states(workspace) == {"done": runs}


def test_late_news_of_a_lost_attempt_changes_nothing(workspace: Workspace, store: Store) -> None:
    record(store, betas=1)
    late: list[RunRequest] = []

    def script(request: RunRequest) -> Iterator[Event]:
        if request.attempt == 1:
            yield started(request)
            late.append(request)
            yield crashed(request, "lost")
            return
        yield started(request, pid=8)
        yield progress(request, 0)
        yield progress(request, 1)
        yield finished(request)

    def echo(backend: Scripted) -> None:
        for request in late:
            backend.extra += [started(request, pid=666), progress(request, 98, 99), crashed(request), finished(request)]

    notes = Notes()
    drive(store, Scripted(script=script, slots=1, between=echo), notes)
    assert states(workspace) == {"done": 2}
    assert column(workspace, "SELECT DISTINCT max(step) FROM loss_point GROUP BY run_id") == [1]
    assert column(workspace, "SELECT DISTINCT pid FROM attempt ORDER BY pid") == [7, 8]
    assert column(workspace, "SELECT attempts FROM run") == [2, 2]
    assert Counter(kind for _, kind, _ in notes.told)["Finished"] == 2


def test_stop_leaves_everything_queued_and_the_next_driver_finishes(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=4)
    calls = iter(range(1000))
    backend = Scripted(slots=3)
    assert drive(store, backend, stop=lambda: next(calls) >= 6) is False
    left = states(workspace)
    assert left["running"] == 0 and 0 < left["done"] < runs and left["queued"] == runs - left["done"]
    done_before = set(column(workspace, "SELECT run_key FROM run WHERE state = 'done'"))
    assert set(column(workspace, "SELECT DISTINCT state FROM attempt")) == {"done", "cancelled"}
    with workspace.reader().connect() as connection:
        assert queries.driver(connection) is None
    second = Scripted()
    assert drive(store, second) is True
    assert states(workspace) == {"done": runs}
    assert done_before.isdisjoint(request.run_key for request in second.submitted)


def test_a_second_driver_is_refused_and_told_who_drives(store: Store) -> None:
    record(store, betas=1)
    owner, holder = drivers.become_driver(store.engine, "first")
    assert owner is not None and holder is None
    refused, holder = drivers.become_driver(store.engine, "second")
    assert refused is None
    assert holder is not None and (holder.id, holder.address) == (owner, "first")


def test_a_driver_that_was_taken_over_stops_and_its_late_results_are_refused(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = record(store, betas=2)
    monkeypatch.setattr(drivers, "HEARTBEAT_SECONDS", 0.0)
    others: list[str] = []

    def take_over(backend: Scripted) -> None:
        if others or not backend.submitted:
            return
        with store.engine.begin() as connection:  # as another host sees one that has slept for longer than its lease
            connection.execute(update(DriverTable).values(host="elsewhere", heartbeat=time.time() - drivers.LEASE_SECONDS - 1))
        other, _ = drivers.become_driver(store.engine, "second")
        assert other is not None
        others.append(other)
        backend.extra = [finished(backend.submitted[0])]

    notes = Notes()
    with pytest.raises(WorkspaceBusy, match="taken this workspace over"):
        drive(store, Scripted(between=take_over), notes)
    assert notes.told == []
    assert states(workspace) == {"queued": runs}
    assert len(store.claim(others[0], 99)) == runs
    with workspace.reader().connect() as connection:
        holder = queries.driver(connection)
    assert holder is not None and holder.id == others[0]


def test_a_full_database_stops_the_driver_and_the_sweep_resumes(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=10)
    pages = column(workspace, "PRAGMA page_count")[0]

    @hooks.listens_for(store.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 3}")  # a real limit: SQLite says that the disk is full

    def long(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        yield progress(request, *range(200))
        yield finished(request)

    notes = Notes()
    with pytest.raises(OperationalError, match="full"):
        drive(store, Scripted(script=long), notes)
    done = [key for key, kind, _ in notes.told if kind == "Finished"]
    assert len(done) < runs
    assert set(column(workspace, "SELECT run_key FROM run WHERE state = 'done'")) == set(done)
    assert column(workspace, "PRAGMA integrity_check") == ["ok"]

    roomy = Store(workspace.writer(), workspace.artifacts)
    with roomy.engine.begin() as connection:  # its process would be gone; here it is our own
        connection.execute(update(DriverTable).values(process_started=0.0))
    second = Scripted(script=long)
    assert drive(roomy, second) is True
    assert states(workspace) == {"done": runs}
    assert not {request.run_key for request in second.submitted} & set(done)


def test_a_sweep_recorded_while_the_driver_runs_is_taken_up(workspace: Workspace, store: Store) -> None:
    first = record(store, "first", betas=2)
    more: list[int] = []

    def add(backend: Scripted) -> None:
        if not more and len(backend.submitted) == first:
            other = Store(workspace.writer(), workspace.artifacts)
            more.append(record(other, "second", betas=3, first=10))

    backend = Scripted(between=add)
    assert drive(store, backend) is True
    assert states(workspace) == {"done": first + more[0]}
    assert len(backend.submitted) == first + more[0]


def test_runs_of_a_sweep_that_a_limit_paused_wait_and_the_driver_ends_without_them(workspace: Workspace, store: Store) -> None:
    wanted, waiting = record(store, "first", betas=2), record(store, "second", betas=1, first=10)
    with store.engine.begin() as connection:
        steering.pause(connection, steering.sweep_id(connection, "second"), "its limit was reached.")
    assert drive(store, Scripted()) is True
    assert states(workspace) == {"done": wanted, "queued": waiting}


def test_a_back_end_that_fails_leaves_everything_queued(workspace: Workspace, store: Store) -> None:
    runs = record(store)

    def fail(backend: Scripted) -> None:
        if len(backend.submitted) == 3:
            raise SurroundingsError("the cluster is gone.")

    with pytest.raises(SurroundingsError, match="the cluster is gone"):
        drive(store, Scripted(between=fail))
    assert states(workspace) == {"queued": runs}


def test_a_worker_is_handed_the_runs_resources_and_the_recipe_for_its_picture(store: Store) -> None:
    record(store, betas=1, cpus=2.5, gpus=0.5, device="cuda")
    owner, _ = drivers.become_driver(store.engine, "scripted")
    assert owner is not None
    claimed = store.claim(owner, 1)[0]
    request = request_of(claimed)
    assert (request.device, request.gpus, request.threads, request.attempt) == ("cuda", 0.5, 2, 1)
    recipe = json.loads(request.text["stylesweep"])
    assert recipe["run_key"] == claimed.run_key
    assert recipe["content"]["name"] == "harbour.jpg"


@pytest.mark.parametrize(("written", "handed"), [(3, 3), ([1, 10], frozenset({1, 10})), (None, 0)])
def test_a_worker_is_told_which_snapshots_the_sweep_wants_and_how_large_the_photograph_is(store: Store, written: Any, handed: Any) -> None:
    record(store, betas=1, **({} if written is None else {"snapshots": written}))
    owner, _ = drivers.become_driver(store.engine, "scripted")
    assert owner is not None
    request = request_of(store.claim(owner, 1)[0])
    assert (request.snapshots, request.content_size) == (handed, (64, 96))


def test_snapshots_are_recorded_as_they_come_and_the_run_goes_on(workspace: Workspace, store: Store) -> None:
    record(store, betas=1)
    seen: list[list[int]] = []

    def script(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        yield snapshot_event(request, 1, 1)  # type: ignore[arg-type]
        yield progress(request, 0, 1)
        yield snapshot_event(request, 4, 2)  # type: ignore[arg-type]
        yield finished(request)

    def look(_: Scripted) -> None:
        seen.append(column(workspace, "SELECT step FROM snapshot WHERE run_id = 1 ORDER BY step"))

    notes = Notes()
    assert drive(store, Scripted(script=script, between=look), notes) is True
    assert [1] in seen  # before the run had ended
    assert column(workspace, "SELECT step FROM snapshot ORDER BY step") == [1, 1, 4, 4]
    assert states(workspace) == {"done": 2}
    assert Counter((what, state) for _, what, state in notes.told)["Snapshot", "running"] == 4


@pytest.mark.parametrize(
    ("limits", "speaks", "what"),
    [({"run_minutes": 2}, True, "run_minutes: 2"), ({"silent_minutes": 1}, False, "silent_minutes: 1")],
)
def test_a_run_over_a_limit_of_its_file_is_ended_and_the_others_go_on(
    workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float], speaks: bool, what: str
) -> None:
    runs = record(store, betas=2, limits=limits)
    clock = [100.0]
    monkeypatch.setattr(driver_module.time, "monotonic", lambda: clock[0])
    stuck: list[str] = []

    def script(request: RunRequest) -> Iterator[Event]:
        if stuck and request.run_key != stuck[0]:
            yield from well(request)
            return
        stuck.append(request.run_key)
        yield started(request)
        for step in range(200):
            clock[0] += 10
            yield progress(request, step) if speaks else elsewhere

    # What another run tells does not break the silence of this one.
    elsewhere = Progress(run_key="r1-elsewhere", attempt=1, points=())
    backend = Scripted(script=script)
    assert drive(store, backend) is True
    assert backend.cancelled == stuck[:1]
    assert states(workspace) == {"done": runs - 1, "failed": 1}
    assert column(workspace, "SELECT kind FROM attempt WHERE state = 'failed'") == ["limit"]
    assert what in column(workspace, "SELECT error FROM run WHERE state = 'failed'")[0]


def test_runs_within_their_limits_are_left_alone(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=2, limits={"run_minutes": 1, "silent_minutes": 1})
    assert drive(store, Scripted()) is True
    assert states(workspace) == {"done": runs}

"""Pause, resume, cancel and priority while a driver works; what stops stops at its next step, what is not wanted does not start."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import Notes, Scripted, column, drive, finished, progress, record, started, states, well

from db import spending, steering
from db.store import Store
from db.workspace import Workspace, open_workspace
from sweep import driver as driver_module
from sweep.events import Event, Stopped
from sweep.request import RunRequest


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "workspace", create=True)


@pytest.fixture
def store(workspace: Workspace) -> Store:
    return Store(workspace.writer(), workspace.artifacts)


@pytest.fixture(autouse=True)
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver looks at every turn, so that a test need not wait half a second for it."""
    monkeypatch.setattr(driver_module, "STEER_SECONDS", 0.0)
    monkeypatch.setattr(driver_module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(driver_module, "IDLE_SECONDS", 0.0)


def steer(store: Store, what: Any, *args: Any) -> Any:
    with store.engine.begin() as connection:
        first = steering.sweep_id(connection, args[0]) if isinstance(args[0], str) else args[0]
        return what(connection, first, *args[1:])


class Obedient(Scripted):
    """Whose runs go on until they are asked to stop, or may finish."""

    may_finish = False

    def __init__(self, slots: int = 2) -> None:
        super().__init__(script=self._work, slots=slots)

    def _work(self, request: RunRequest) -> Iterator[Event]:
        yield started(request)
        step = 0
        while not self.may_finish:
            if (request.run_key, request.attempt) in self.stopping:
                yield Stopped(run_key=request.run_key, attempt=request.attempt, step=step)
                return
            yield progress(request, step)
            step += 1
        yield finished(request)


def test_a_paused_sweep_stops_what_runs_starts_nothing_and_goes_on_when_it_is_resumed(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=3)
    backend, seen = Obedient(), []

    def by_hand(_: Scripted) -> None:
        turn = len(seen)
        seen.append(states(workspace))
        if turn == 6:
            assert steer(store, steering.pause, "demo") is True
        if turn == 20:
            assert steer(store, steering.resume, "demo") is True
            backend.may_finish = True

    backend.between = by_hand
    assert drive(store, backend) is True
    assert seen[6]["running"] == 3  # two slots, and one that waits
    assert all(one == {"queued": runs} for one in seen[10:20])
    assert states(workspace) == {"done": runs}
    assert sorted(column(workspace, "SELECT state FROM attempt")) == ["cancelled"] * 3 + ["done"] * runs
    assert column(workspace, "SELECT DISTINCT killed_workers + lost FROM run") == [0]


def test_a_run_that_an_active_sweep_wants_too_goes_on_when_the_other_is_paused(workspace: Workspace, store: Store) -> None:
    record(store, "first", betas=1)
    assert record(store, "second", betas=1) == 2  # the same two runs
    backend = Obedient()

    def by_hand(_: Scripted) -> None:
        if len(backend.tasks) == 2:
            steer(store, steering.pause, "first")
            backend.may_finish = True

    backend.between = by_hand
    drive(store, backend)
    assert states(workspace) == {"done": 2}
    assert column(workspace, "SELECT attempts FROM run") == [1, 1]


def test_a_cancelled_sweep_ends_at_once_and_what_its_workers_still_tell_is_late(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=3)
    backend, seen = Obedient(), []

    def by_hand(_: Scripted) -> None:
        seen.append(states(workspace))
        if len(seen) == 6:
            assert steer(store, steering.cancel, "demo") == runs
            assert states(workspace) == {"cancelled": runs}
            backend.may_finish = True

    backend.between = by_hand
    assert drive(store, backend) is True
    assert states(workspace) == {"cancelled": runs}
    assert column(workspace, "SELECT DISTINCT state FROM attempt") == ["cancelled"]
    assert column(workspace, "SELECT count(*) FROM run WHERE output IS NOT NULL") == [0]


def test_resuming_a_cancelled_sweep_queues_what_was_cancelled_and_nothing_that_is_done(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=2)
    calls = iter(range(100))
    drive(store, Scripted(slots=1), stop=lambda: next(calls) > 7)
    done = states(workspace)["done"]
    assert 0 < done < runs
    assert steer(store, steering.cancel, "demo") == runs - done
    assert steer(store, steering.resume, "demo") is True
    assert states(workspace) == {"done": done, "queued": runs - done}
    second = Scripted()
    drive(store, second)
    assert len(second.submitted) == runs - done


def test_cancelling_a_sweep_leaves_the_runs_that_another_claims(workspace: Workspace, store: Store) -> None:
    record(store, "first", betas=3)
    record(store, "second", betas=1)
    assert steer(store, steering.cancel, "first") == 4
    assert states(workspace) == {"cancelled": 4, "queued": 2}
    drive(store, Scripted())
    assert states(workspace) == {"cancelled": 4, "done": 2}


def test_one_run_of_a_running_sweep_can_be_cancelled(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=2)
    backend, cancelled = Obedient(), []

    def by_hand(_: Scripted) -> None:
        if not cancelled and column(workspace, "SELECT id FROM attempt WHERE started_at IS NOT NULL"):
            cancelled.extend(column(workspace, "SELECT run_id FROM attempt WHERE started_at IS NOT NULL LIMIT 1"))
            assert steer(store, steering.cancel_run, cancelled[0]) is True
            assert steer(store, steering.cancel_run, cancelled[0]) is False
            backend.may_finish = True

    backend.between = by_hand
    drive(store, backend)
    assert states(workspace) == {"done": runs - 1, "cancelled": 1}
    assert column(workspace, "SELECT id FROM run WHERE state = 'cancelled'") == cancelled


def test_a_worker_that_does_not_stop_is_ended(workspace: Workspace, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    record(store, betas=1)
    monkeypatch.setattr(driver_module, "STOP_SECONDS", 0.0)

    def deaf(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        for step in range(10_000):
            yield progress(request, step)

    backend = Scripted(script=deaf, slots=2)

    def by_hand(_: Scripted) -> None:
        if len(column(workspace, "SELECT id FROM attempt WHERE started_at IS NOT NULL")) == 2 and not backend.cancelled:
            steer(store, steering.pause, "demo", "its budget is spent.")

    backend.between = by_hand
    assert drive(store, backend) is True
    assert len(backend.cancelled) == 2
    assert states(workspace) == {"queued": 2}


def test_higher_priorities_start_first_those_of_runs_before_those_of_sweeps(workspace: Workspace, store: Store) -> None:
    record(store, "low", betas=2)
    record(store, "high", betas=2, first=10)
    steer(store, steering.set_sweep_priority, "high", 5)
    (last,) = column(workspace, "SELECT max(run_id) FROM combination c JOIN sweep s ON s.id = c.sweep_id WHERE s.name = 'low'")
    steer(store, steering.set_run_priority, last, 1)
    backend = Scripted(slots=1)
    drive(store, backend)
    order = [column(workspace, f"SELECT id FROM run WHERE run_key = '{request.run_key}'")[0] for request in backend.submitted]
    high = column(workspace, "SELECT run_id FROM combination c JOIN sweep s ON s.id = c.sweep_id WHERE s.name = 'high' ORDER BY run_id")
    rest = [run for run in sorted(order) if run != last and run not in high]
    assert order == [last, *high, *rest]


def test_a_driver_that_is_told_to_stop_lets_its_workers_hand_in_what_they_have(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=2)
    backend = Obedient(slots=3)
    calls = iter(range(1000))
    assert drive(store, backend, stop=lambda: next(calls) >= 8) is False
    assert states(workspace) == {"queued": runs}
    stopped = column(workspace, "SELECT error FROM attempt WHERE started_at IS NOT NULL")
    assert len(stopped) == 3 and all(text.startswith("stopped after step") for text in stopped)


def test_nodes_that_may_come_are_waited_for_and_asked_for(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=1)
    notes, turns = Notes(), []
    backend = Scripted(slots=0, grows=True)

    def by_hand(_: Scripted) -> None:
        turns.append(1)
        if len(turns) == 5:
            backend.slots = 2

    backend.between = by_hand
    drive(store, backend, notes)
    assert states(workspace) == {"done": runs}
    assert [remark.startswith("there is no node. Waiting") for remark in notes.remarks] == [True]
    assert backend.wanted[0][1] == 1


def test_a_sweep_that_no_node_has_room_for_is_paused_and_the_others_go_on(workspace: Workspace, store: Store) -> None:
    stuck = record(store, "large", betas=1, memory=10**12)
    runs = record(store, "small", betas=1, first=10)

    class Small(Scripted):
        def room(self, ask: Any) -> Any:
            self.slots = 0 if ask.memory else 2
            return super().room(ask)

    notes = Notes()
    assert drive(store, Small(script=well), notes) is True
    assert states(workspace) == {"queued": stuck, "done": runs}
    assert column(workspace, "SELECT reason FROM sweep WHERE state = 'paused'") == ["there is no node."]
    assert notes.remarks == ["large is paused: there is no node."]


@pytest.mark.parametrize(("deadline", "budget", "said"), [(1.0, None, "--max-hours"), (None, 1e-4, "--max-cost")])
def test_a_sweep_that_has_reached_its_limit_is_paused_and_says_why(
    workspace: Workspace, store: Store, deadline: float | None, budget: float | None, said: str
) -> None:
    record(store, betas=2, price_per_hour=1e6)  # a ten thousandth is spent within a microsecond
    spending.set_limits(store.engine, "demo", deadline, budget)
    notes, backend = Notes(), Obedient()
    assert drive(store, backend, notes) is True
    assert states(workspace) == {"queued": 4}
    assert said in notes.remarks[0] and said in column(workspace, "SELECT reason FROM sweep")[0]
    assert len(notes.remarks) == 1
    spending.set_limits(store.engine, "demo", None, None)
    steer(store, steering.resume, "demo")
    backend.may_finish = True
    drive(store, backend)
    assert states(workspace) == {"done": 4}

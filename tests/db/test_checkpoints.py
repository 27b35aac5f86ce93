"""States and previews of runs that are under way: files that are gone or damaged, notes, and what outlives whom."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import curve, finished_event, made_up_workspace, snapshot_event
from sqlalchemy import select, update

from db import queries
from db.drivers import become_driver, resign
from db.models import Attempt, Run
from db.store import ClaimedRun, Store
from db.workspace import Workspace
from sweep import events
from sweep.driver_inputs import WorkspaceInputs
from sweep.errors import StorageError

STATE = b"a state" * 1000


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=1, unfinished=2)


def driving(workspace: Workspace) -> tuple[Store, str]:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    return store, owner


def kept(store: Store, owner: str, run: ClaimedRun, step: int = 20, state: bytes = STATE) -> Path:
    """A run with a state after `step`, a curve and snapshots on both sides of it."""
    for at in (5, 20, 40):
        store.snapshot(owner, snapshot_event(run, at, at))
    assert store.checkpoint(owner, events.Checkpoint(run_key=run.run_key, attempt=run.attempt, step=step, state=state), curve(1))
    return store.checkpoints / f"{run.run_key}-{run.attempt}-{step}.safetensors"


def attempts(store: Store, run: ClaimedRun) -> list[tuple[str, int, str | None, str | None]]:
    with store.engine.connect() as connection:
        columns = (Attempt.state, Attempt.start_step, Attempt.error, Attempt.notes)
        return [tuple(row) for row in connection.execute(select(*columns).where(Attempt.run_id == run.run_id).order_by(Attempt.number))]


def test_a_state_outlives_its_driver_and_the_next_one_hands_it_out(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    file = kept(store, owner, run)
    assert file.read_bytes() == STATE and list(store.checkpoints.iterdir()) == [file]
    resign(store.engine, owner)
    store, owner = driving(workspace)
    again = store.claim(owner, 1)[0]
    assert (again.run_key, again.attempt, again.start_step) == (run.run_key, 2, 20)
    assert WorkspaceInputs(workspace).checkpoint(run.run_key) == STATE
    with store.engine.connect() as connection:
        assert [point["step"] for point in queries.loss_curve(connection, run.run_key)] == list(range(21))
        assert [step for step, _, _ in queries.snapshots(connection, run.run_key)] == [5, 20]
    assert [row[:2] for row in attempts(store, run)] == [("cancelled", 0), ("running", 20)]


def test_a_newer_state_takes_the_place_of_the_older_and_what_a_killed_driver_left_goes_with_the_run(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    first, second = store.claim(owner, 2)
    kept(store, owner, first, 10)
    other = kept(store, owner, second, 10)
    newest = kept(store, owner, first, 30, b"newer")
    assert set(store.checkpoints.iterdir()) == {newest, other}
    (store.checkpoints / f"{first.run_key}-0-99.safetensors").write_bytes(b"without a row")
    assert store.finished(owner, finished_event(first, 1))
    assert set(store.checkpoints.iterdir()) == {other}


def test_of_several_states_in_one_batch_the_last_stays(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    kept(store, owner, run, 5)
    with store.batch():
        for step in (10, 20, 20, 30):
            last = kept(store, owner, run, step, f"after {step}".encode())
    assert list(store.checkpoints.iterdir()) == [last]
    assert WorkspaceInputs(workspace).checkpoint(run.run_key) == b"after 30"
    with pytest.raises(ZeroDivisionError), store.batch():
        kept(store, owner, run, 40)
        raise ZeroDivisionError
    assert WorkspaceInputs(workspace).checkpoint(run.run_key) == b"after 30", "what was taken back took no file along"


def cut(path: Path) -> None:
    path.write_bytes(STATE[:100])


@pytest.mark.parametrize("spoil", [Path.unlink, cut])
def test_a_run_whose_state_is_gone_begins_again_and_says_so(workspace: Workspace, spoil: Callable[[Path], None]) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    spoil(kept(store, owner, run))
    resign(store.engine, owner)
    store, owner = driving(workspace)
    again = store.claim(owner, 1)[0]
    assert again.start_step == 0
    with store.engine.connect() as connection:
        assert queries.loss_curve(connection, run.run_key) == [] and queries.snapshots(connection, run.run_key) == []
        assert queries.checkpoint(connection, run.run_key) is None
    # What the worker has to say comes behind it.
    event = finished_event(again, 1)
    assert store.finished(owner, events.Finished(**{**vars(event), "notes": ("Memory ran out.",)}))
    (_, _, _, notes) = attempts(store, run)[-1]
    assert notes is not None
    first, second = notes.split("\n")
    assert "from step 20, but began again" in first and "is gone or cut off" in first and second == "Memory ran out."


def test_a_state_whose_bytes_have_changed_is_not_handed_out(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    file = kept(store, owner, run)
    file.write_bytes(STATE[:-1] + b"X")
    with pytest.raises(StorageError, match="damaged"):
        WorkspaceInputs(workspace).checkpoint(run.run_key)
    # The worker then begins at 0, and its second Started says so.
    said = events.Started(run_key=run.run_key, attempt=run.attempt, node="here", pid=1, device="cpu", versions={}, start_step=0)
    assert store.started(owner, said)
    assert attempts(store, run)[-1][1] == 0


def test_a_stopped_run_waits_with_its_state_and_its_attempt_says_why(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    store.preview(owner, [events.Preview(run_key=run.run_key, attempt=1, step=17, picture=b"webp")])
    assert store.stopped(owner, events.Stopped(run_key=run.run_key, attempt=run.attempt, step=17, state=STATE), curve(1, 18)) == "queued"
    assert attempts(store, run) == [("cancelled", 0, "stopped after step 17, as asked", None)]
    again = store.claim(owner, 1)[0]
    assert (again.run_key, again.start_step) == (run.run_key, 17)
    # Stopped again at once: the older state stays.
    assert store.stopped(owner, events.Stopped(run_key=run.run_key, attempt=2, step=18)) == "queued"
    assert store.claim(owner, 1)[0].start_step == 17


def test_nothing_is_kept_for_an_attempt_that_holds_nothing(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    with store.engine.begin() as connection:  # cancelled by somebody
        connection.execute(update(Run).where(Run.id == run.run_id).values(state="cancelled", owner=None))
    assert not store.checkpoint(owner, events.Checkpoint(run_key=run.run_key, attempt=1, step=3, state=STATE))
    assert store.stopped(owner, events.Stopped(run_key=run.run_key, attempt=1, step=3, state=STATE)) is None
    store.preview(owner, [events.Preview(run_key=run.run_key, attempt=1, step=3, picture=b"webp")])
    assert list(store.checkpoints.iterdir()) == []
    with store.engine.connect() as connection:
        assert queries.checkpoint(connection, run.run_key) is None and queries.preview(connection, run.run_key) is None


def test_an_attempt_that_went_on_from_a_state_says_nothing_of_how_fast_this_machine_is(workspace: Workspace) -> None:
    store, owner = driving(workspace)
    run = store.claim(owner, 1)[0]
    with store.engine.connect() as connection:
        before = queries.measured_rate(connection)
    kept(store, owner, run)
    resign(store.engine, owner)
    store, owner = driving(workspace)
    again = store.claim(owner, 1)[0]
    assert store.finished(owner, events.Finished(**{**vars(finished_event(again, 1)), "seconds": 0.001}))
    with store.engine.connect() as connection:
        assert queries.measured_rate(connection) == before


@pytest.mark.parametrize(("kind", "times", "state"), [("crashed", 3, "quarantined"), ("lost", 10, "quarantined"), ("oom", 1, "failed")])
def test_a_run_that_is_given_up_leaves_no_state(workspace: Workspace, kind: Any, times: int, state: str) -> None:
    store, owner = driving(workspace)
    for number in range(1, times + 1):
        run = store.claim(owner, 1)[0]
        assert (run.attempt, run.start_step) == (number, 10 * (number - 1))
        kept(store, owner, run, 10 * number)
        told = store.crashed(owner, events.Crashed(run_key=run.run_key, attempt=number, kind=kind, error="worker died"))
        assert told == (state if number == times else "queued")
    assert list(store.checkpoints.iterdir()) == []
    with store.engine.connect() as connection:
        assert queries.checkpoint(connection, run.run_key) is None

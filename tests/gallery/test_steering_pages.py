"""What the buttons do to the rows, and what they say when they cannot."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
from factories import made_up_workspace
from sqlalchemy import select, update

import gallery.steering
from db import queries
from db.drivers import become_driver
from db.models import Run, Sweep
from db.store import Store
from db.workspace import Workspace
from gallery.steering import Refused, Steering
from sweep import events


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=2, unfinished=6, failed=2)


@pytest.fixture
def steering(workspace: Workspace) -> Steering:
    return Steering(workspace.folder)


def state(workspace: Workspace) -> tuple[str, dict[str, int]]:
    with workspace.reader().connect() as connection:
        row = queries.sweep_named(connection, "demo")
        return row.state, dict(row.states)


def test_pause_resume_and_cancel(workspace: Workspace, steering: Steering) -> None:
    assert steering.pause("demo").startswith("Paused.")
    assert state(workspace)[0] == "paused"
    assert steering.pause("demo") == "It was not running."
    assert steering.resume("demo") == "Active again."
    assert steering.resume("demo") == "It was active already."
    assert steering.cancel("demo").startswith("Cancelled: 6 runs were still to do.")
    assert state(workspace) == ("cancelled", {"done": 8, "failed": 2, "cancelled": 6})
    steering.resume("demo")
    assert state(workspace) == ("active", {"done": 8, "failed": 2, "queued": 6})


def test_retry_of_all_and_of_those_alike(workspace: Workspace, steering: Steering) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for number, run in enumerate(store.claim(owner, 3)):
        failure = events.Failed(run_key=run.run_key, attempt=run.attempt, kind="bug", error=f"lost 1{number} bytes\nmore", traceback="")
        store.failed(owner, failure, ())
    assert steering.retry("demo", "failed", "lost # bytes") == "3 runs are queued again."
    assert state(workspace)[1] == {"done": 8, "failed": 2, "queued": 6}
    assert steering.retry("demo", "failed", "lost # bytes") == "None of them was failed any more."
    assert steering.retry("demo", "quarantined", "ValueError: made up") == "None of them was failed any more."
    steering.pause("demo")
    assert steering.retry("demo") == "2 runs are queued again. They begin after Resume."
    assert state(workspace)[1] == {"done": 8, "queued": 8}


def test_one_run_is_cancelled_and_taken_back(workspace: Workspace, steering: Steering) -> None:
    with workspace.reader().connect() as connection:
        key = connection.execute(select(Run.run_key).where(Run.state == "queued").limit(1)).scalar_one()
    assert steering.cancel_run(key) == f"{key[:11]} is cancelled; retry takes it back."
    assert steering.cancel_run(key) == f"{key[:11]} had ended already."
    assert steering.retry_run(key) == f"{key[:11]} is queued again."
    with pytest.raises(Refused, match="no such run"):
        steering.cancel_run("r1-nothing")


def test_priority_is_bounded_and_reaches_the_runs(workspace: Workspace, steering: Steering) -> None:
    assert steering.set_priority("demo", 5) == "Priority 5, from the next run that starts on."
    assert steering.set_priority("demo", 10**9).startswith("Priority 1000,")
    with workspace.reader().connect() as connection:
        assert set(connection.execute(select(Run.wanted).where(Run.state == "queued")).scalars()) == {1000}


def test_what_works_cannot_be_put_away_and_the_words_say_what_to_do(workspace: Workspace, steering: Steering) -> None:
    with pytest.raises(Refused, match=r"6 of its runs are queued. Pause or cancel it first"):
        steering.archive("demo")
    steering.pause("demo")
    assert "is archived" in steering.archive("demo")
    with workspace.reader().connect() as connection:
        assert connection.execute(select(Sweep.archived_at)).scalar() is not None
    assert steering.unarchive("demo") == "demo is back."


def test_a_sweep_or_a_workspace_that_has_gone_is_said_so(workspace: Workspace, steering: Steering, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="There is no sweep named 'gone'"):
        steering.pause("gone")
    with pytest.raises(Refused, match="no workspace any more"):
        Steering(tmp_path / "none").pause("demo")
    assert not (tmp_path / "none").exists()


def test_a_busy_database_changes_nothing_and_says_so(workspace: Workspace, steering: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.steering, "PATIENCE_MS", 50)
    with contextlib.closing(sqlite3.connect(workspace.folder / "sweeps.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refused, match="Nothing was changed: another program holds the database"):
            steering.pause("demo")
        other.execute("ROLLBACK")
    assert state(workspace)[0] == "active"


def test_a_great_many_are_retried_in_short_transactions(workspace: Workspace, steering: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace.writer().begin() as connection:
        connection.execute(update(Run).where(Run.state == "queued").values(state="cancelled"))
        connection.execute(update(Run).where(Run.state == "cancelled").values(state="failed", finished_seq=Run.id + 1000, finished_at=1.0))
    monkeypatch.setattr(gallery.steering, "_BATCH", 3)
    assert steering.retry("demo") == "8 runs are queued again."

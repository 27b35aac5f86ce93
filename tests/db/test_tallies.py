"""Counts that go on from look to look are those of a count from scratch, whatever happened in between."""

import random
from pathlib import Path

import pytest
from factories import GATYS, SHALLOW, curve, finished_event, input_picture, made_up_workspace, plan_of
from sqlalchemy import select, update

from db import queries, spending, steering, watching
from db.drivers import become_driver
from db.housekeeping import delete_sweep
from db.models import Attempt, Run, Sweep
from db.rows import queue_settled
from db.store import Store
from db.sweeps import SweepRecord, record_sweep
from db.tallies import Tallies
from db.workspace import Workspace
from sweep import events


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """`demo` with 16 runs: 10 done, 2 failed, 4 queued."""
    return made_up_workspace(tmp_path / "w", betas=2, unfinished=4, failed=2)


def record(workspace: Workspace, name: str, betas: list[float]) -> None:
    """A sweep that shares its runs of beta 1 with `demo`, and of beta 2 with others of its kind."""
    contents, styles = [input_picture("harbour.jpg", 1)], [input_picture("waves.png", 3)]
    spec = SweepRecord(name=name, spec_text="", spec_path=f"{name}.yaml", search_seed=None, resources={"price_per_hour": 2.0})
    record_sweep(Store(workspace.writer(), workspace.artifacts), spec, plan_of(contents, styles, betas, [GATYS, SHALLOW]), extend=False)


def same(workspace: Workspace, tallies: Tallies, ledgers: spending.Ledgers) -> None:
    with workspace.reader().connect() as connection:
        rows = queries.sweeps(connection)
        assert tallies.sweeps(connection) == rows
        spent = ledgers.spent(connection, 5e9)
        for row in rows:
            found, truth = tallies.census(connection, row.id), watching.census(connection, row.id)
            assert (dict(found.states), found.steps) == (dict(truth.states), truth.steps)
            assert found.work_left == pytest.approx(truth.work_left)
            assert found.work_done == pytest.approx(truth.work_done)
            expected = spending.spent(connection, row.id, 5e9)
            mine = spent.get(row.id, spending.Spending())
            assert mine.worker_hours == pytest.approx(expected.worker_hours)
            assert mine.cost == (None if expected.cost is None else pytest.approx(expected.cost))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_between_two_looks(workspace: Workspace, seed: int) -> None:
    chance, store, tallies, ledgers = random.Random(seed), Store(workspace.writer(), workspace.artifacts), Tallies(), spending.Ledgers()
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    held = []
    made = 0
    for turn in range(24):
        what = chance.choice(["claim", "finish", "finish", "fail", "retry", "cancel-run", "sweep", "pause", "resume", "cancel", "delete", "look"])
        with workspace.reader().connect() as connection:
            names = [row.name for row in queries.sweeps(connection)]
            running = set(connection.execute(select(Run.run_key).where(Run.state == "running")).scalars())
        held = [run for run in held if run.run_key in running]
        name = chance.choice(names)
        if what == "claim":
            held += store.claim(owner, chance.randrange(1, 4))
        elif what == "finish" and held:
            run = held.pop()
            store.started(owner, started(run))
            store.finished(owner, finished_event(run, chance.randrange(1000)), curve(3))
        elif what == "fail" and held:
            run = held.pop()
            store.failed(owner, events.Failed(run_key=run.run_key, attempt=run.attempt, kind="bug", error="x", traceback=""), curve(2))
        elif what == "retry":
            with store.engine.begin() as connection:
                ids = connection.execute(select(Run.id).where(Run.state.in_(("failed", "cancelled")))).scalars().all()
                queue_settled(connection, ids[: chance.randrange(1, 5)], ("failed", "cancelled"))
        elif what == "cancel-run":
            with store.engine.begin() as connection:
                steering.cancel_run(connection, chance.choice(connection.execute(select(Run.id)).scalars().all()))
        elif what == "sweep" and made < 4:
            made += 1
            record(workspace, f"more-{made}", [1.0, 2.0, float(10 + made)])
        elif what in ("pause", "resume", "cancel"):
            with store.engine.begin() as connection:
                getattr(steering, what)(connection, steering.sweep_id(connection, name))
        elif what == "delete" and made and name != "demo" and not held:
            delete_sweep(store.engine, name)
        if turn % 3 or what == "look":  # sometimes several things happen between two looks
            same(workspace, tallies, ledgers)
    same(workspace, tallies, ledgers)


def started(run: object) -> events.Started:
    return events.Started(run_key=run.run_key, attempt=run.attempt, node="here", pid=1, device="cpu", versions={})  # type: ignore[attr-defined]


def test_a_retry_that_fails_again_at_once_is_counted_once(workspace: Workspace) -> None:
    tallies, ledgers, store = Tallies(), spending.Ledgers(), Store(workspace.writer(), workspace.artifacts)
    same(workspace, tallies, ledgers)
    with store.engine.begin() as connection:
        (failed, *_) = connection.execute(select(Run.id).where(Run.state == "failed")).scalars().all()
        queue_settled(connection, [failed], ("failed",))
        connection.execute(update(Run).where(Run.state == "queued", Run.id != failed).values(wanted=None))
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    store.failed(owner, events.Failed(run_key=run.run_key, attempt=run.attempt, kind="bug", error="again", traceback=""), ())
    same(workspace, tallies, ledgers)


def test_a_database_that_was_put_back_is_counted_anew(workspace: Workspace) -> None:
    tallies, ledgers = Tallies(), spending.Ledgers()
    before = (workspace.folder / "sweeps.db").read_bytes()
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for run in store.claim(owner, 2):
        store.finished(owner, finished_event(run, 1), curve(3))
    same(workspace, tallies, ledgers)
    (workspace.folder / "sweeps.db").write_bytes(before)
    with workspace.reader().connect() as connection:
        assert tallies.sweeps(connection) == queries.sweeps(connection)


def test_money_counts_by_the_price_of_each_attempt(workspace: Workspace) -> None:
    with workspace.writer().begin() as connection:
        connection.execute(update(Sweep).values(created_at=0.0))
        connection.execute(update(Attempt).values(started_at=1000.0, finished_at=1000.0 + 1800.0, pack_size=2, price_per_hour=3.0))
    with workspace.reader().connect() as connection:
        (row,) = queries.sweeps(connection)
        attempts = connection.execute(select(Attempt.id)).all()
        found = spending.Ledgers().spent(connection, 9e9)[row.id]
    assert found.worker_hours == pytest.approx(len(attempts) * 0.25)
    assert found.cost == pytest.approx(len(attempts) * 0.75)

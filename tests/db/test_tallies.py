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
from db.store import ClaimedRun, Store
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


class Life:
    """A workspace that things happen in."""

    def __init__(self, workspace: Workspace, seed: int) -> None:
        self.workspace, self.chance = workspace, random.Random(seed)
        self.store = Store(workspace.writer(), workspace.artifacts)
        owner, _ = become_driver(self.store.engine, "test")
        assert owner is not None
        self.owner, self.held, self.made = owner, list[ClaimedRun](), 0

    def something(self) -> str:
        """One thing, by chance; its name."""
        with self.workspace.reader().connect() as connection:
            running = set(connection.execute(select(Run.run_key).where(Run.state == "running")).scalars())
        self.held = [run for run in self.held if run.run_key in running]
        what = self.chance.choice(["claim", "finish", "finish", "fail", "retry", "cancel_run", "record", "steer", "delete", "nothing"])
        getattr(self, what)()
        return what

    def nothing(self) -> None:
        pass

    def claim(self) -> None:
        self.held += self.store.claim(self.owner, self.chance.randrange(1, 4))

    def finish(self) -> None:
        if self.held:
            run = self.held.pop()
            self.store.started(self.owner, started(run))
            self.store.finished(self.owner, finished_event(run, self.chance.randrange(1000)), curve(3))

    def fail(self) -> None:
        if self.held:
            self.store.failed(self.owner, failure(self.held.pop()), curve(2))

    def retry(self) -> None:
        with self.store.engine.begin() as connection:
            ids = connection.execute(select(Run.id).where(Run.state.in_(("failed", "cancelled")))).scalars().all()
            queue_settled(connection, ids[: self.chance.randrange(1, 5)], ("failed", "cancelled"))

    def cancel_run(self) -> None:
        with self.store.engine.begin() as connection:
            steering.cancel_run(connection, self.chance.choice(connection.execute(select(Run.id)).scalars().all()))

    def record(self) -> None:
        if self.made < 4:
            self.made += 1
            record(self.workspace, f"more-{self.made}", [1.0, 2.0, float(10 + self.made)])

    def steer(self) -> None:
        act = self.chance.choice([steering.pause, steering.resume, steering.cancel])
        with self.store.engine.begin() as connection:
            act(connection, steering.sweep_id(connection, self.some_sweep()))

    def delete(self) -> None:
        name = self.some_sweep()
        if name != "demo" and not self.held:
            delete_sweep(self.store.engine, name)

    def some_sweep(self) -> str:
        with self.workspace.reader().connect() as connection:
            return self.chance.choice([row.name for row in queries.sweeps(connection)])


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_between_two_looks(workspace: Workspace, seed: int) -> None:
    life, tallies, ledgers = Life(workspace, seed), Tallies(), spending.Ledgers()
    for turn in range(24):
        if life.something() == "nothing" or turn % 3:  # sometimes several things happen between two looks
            same(workspace, tallies, ledgers)
    same(workspace, tallies, ledgers)


def failure(run: ClaimedRun) -> events.Failed:
    return events.Failed(run_key=run.run_key, attempt=run.attempt, kind="bug", error="x", traceback="")


def started(run: ClaimedRun) -> events.Started:
    return events.Started(run_key=run.run_key, attempt=run.attempt, node="here", pid=1, device="cpu", versions={})


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
    store.failed(owner, failure(run), ())
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

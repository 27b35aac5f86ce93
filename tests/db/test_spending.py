"""What sweeps cost, and the limits that end them: against a plain list of attempts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from factories import made_up_workspace
from sqlalchemy import Connection, insert, select, text, update

from db import spending
from db.models import Attempt, Combination, Run, Sweep
from db.spending import Ledger, Spending, exceeded, set_limits, spent
from db.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two sweeps over 16 runs: `demo` wants all, `half` every second one; no attempts. Both were recorded at second 1000."""
    workspace = made_up_workspace(tmp_path / "w", betas=2, unfinished=16)
    with workspace.writer().begin() as connection:
        connection.execute(text("DELETE FROM attempt"))
        first = dict(connection.execute(select(Sweep.__table__)).mappings().one())
        connection.execute(insert(Sweep).values(first | {"id": 2, "name": "half"}))
        for row in connection.execute(select(Combination.__table__)).mappings().all():
            if row["run_id"] % 2:
                connection.execute(insert(Combination).values({**row, "id": row["id"] + 100, "sweep_id": 2}))
        connection.execute(update(Sweep).values(created_at=1000.0))
    return workspace


@dataclass
class Plain:
    """An attempt as this test knows it."""

    run: int
    created: float
    started: float | None
    finished: float | None
    pack: int
    price: float | None

    def hours(self, now: float) -> float:
        return 0.0 if self.started is None else ((self.finished or now) - self.started) / 3600 / self.pack


def expected(attempts: list[Plain], sweep: int, now: float) -> Spending:
    ours = [one for one in attempts if (sweep == 1 or one.run % 2) and one.created >= 1000]
    priced = [one.hours(now) * one.price for one in ours if one.price is not None and one.started is not None]
    return Spending(worker_hours=sum(one.hours(now) for one in ours), cost=sum(priced) if priced else None)


def history(connection: Connection, chance: random.Random, attempts: list[Plain]) -> Iterator[float]:
    """Attempts that begin, start and end in any order; yields the time after each stretch."""
    now = 700.0
    runs = list(connection.execute(select(Run.id)).scalars())
    for _ in range(12):
        for _ in range(chance.randrange(6)):
            now += chance.uniform(0, 30)
            one = Plain(chance.choice(runs), now, None, None, chance.choice([1, 1, 4]), chance.choice([None, 3.0, 2.0]))
            attempts.append(one)
            values = {"run_id": one.run, "number": len(attempts), "owner": "d", "created_at": now, "pack_size": one.pack}
            connection.execute(insert(Attempt).values(**values, price_per_hour=one.price))
        for number, one in enumerate(attempts, start=1):
            now += chance.uniform(0, 30)
            if one.finished is None and chance.random() < 0.5:
                if one.started is None and chance.random() < 0.8:
                    one.started = now
                else:
                    one.finished = now
                changed = {"started_at": one.started, "finished_at": one.finished}
                connection.execute(update(Attempt).where(Attempt.number == number).values(**changed))
        yield now


@pytest.mark.parametrize("seed", range(4))
def test_a_sweep_has_spent_what_its_attempts_took_of_their_workers(workspace: Workspace, seed: int) -> None:
    chance, attempts, ledger = random.Random(seed), list[Plain](), Ledger()
    with workspace.writer().begin() as connection:
        for now in history(connection, chance, attempts):
            for sweep in (1, 2):
                wanted = expected(attempts, sweep, now)
                for found in (spent(connection, sweep, now), ledger.spent(connection, sweep, now)):
                    assert found.worker_hours == pytest.approx(wanted.worker_hours)
                    assert found.cost == (None if wanted.cost is None else pytest.approx(wanted.cost))


def test_a_sweep_is_over_at_its_deadline_or_when_its_budget_is_spent(workspace: Workspace) -> None:
    engine = workspace.writer()
    set_limits(engine, "demo", 5000.0, None)
    set_limits(engine, "half", None, 1.0)
    with engine.begin() as connection:
        connection.execute(
            insert(Attempt).values(run_id=1, number=1, owner="d", created_at=1000, started_at=1000, pack_size=1, price_per_hour=2.0)
        )

        def over(now: float) -> list[int]:
            return [sweep for sweep, _ in exceeded(connection, now)]

        assert [over(now) for now in (1000 + 1700, 1000 + 1801, 5000)] == [[], [2], [1, 2]]
        sentences = dict(exceeded(connection, 5000))
        assert "--max-hours" in sentences[1] and "2.22 is spent of the 1.00 given by --max-cost" in sentences[2]
        connection.execute(update(Sweep).where(Sweep.id == 1).values(state="paused"))
        assert over(5000) == [2]  # what is paused already is not said again
    set_limits(engine, "half", None, None)
    with engine.begin() as connection:
        assert exceeded(connection, 9e9) == []


def test_sweeps_with_a_price_are_those_whose_file_gives_one(workspace: Workspace) -> None:
    with workspace.writer().begin() as connection:
        assert spending.priced(connection) == []
        connection.execute(update(Sweep).where(Sweep.id == 2).values(resources={"cpus": 1, "price_per_hour": 0.5}))
        assert spending.priced(connection) == [2]

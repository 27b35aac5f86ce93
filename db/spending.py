"""What a sweep has cost, and whether it has reached a limit that its user set (`run --max-hours`, `run --max-cost`).

An attempt costs from when its worker took it up until it ended; the members of a pack share one worker. A run that several sweeps
want counts for each of them; what was run before a sweep was recorded cost it nothing.
"""

import threading
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, select, update

from db.models import Attempt, Combination, Sweep

_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Spending:
    """worker_hours: of all workers together. cost: in the currency of `resources.price_per_hour`; None where none was given."""

    worker_hours: float = 0.0
    cost: float | None = None

    def __add__(self, other: "Spending") -> "Spending":
        costs = [one.cost for one in (self, other) if one.cost is not None]
        return Spending(worker_hours=self.worker_hours + other.worker_hours, cost=sum(costs) if costs else None)


def spent(connection: Connection, sweep_id: int, now: float) -> Spending:
    """What a sweep has cost until now (Unix time), running attempts included. Reads all of its attempts once."""
    return _sum(connection, sweep_id, now)


def _sum(connection: Connection, sweep_id: int, now: float, *which: ColumnElement[bool]) -> Spending:
    hours = (func.coalesce(Attempt.finished_at, now) - Attempt.started_at) / 3600.0 / Attempt.pack_size
    sums = select(func.sum(hours), func.sum(hours * Attempt.price_per_hour))
    worker_hours, cost = connection.execute(sums.where(_counts(sweep_id), *which)).one()
    return Spending(worker_hours=worker_hours or 0.0, cost=cost)


def _counts(sweep_id: int) -> ColumnElement[bool]:
    """SQL: an attempt is one of the sweep's."""
    wanted = exists().where(Combination.run_id == Attempt.run_id, Combination.sweep_id == sweep_id)
    return and_(wanted, Attempt.created_at >= select(Sweep.created_at).where(Sweep.id == sweep_id).scalar_subquery())


def priced(connection: Connection) -> list[int]:
    """The ids of the active sweeps whose file gives a price."""
    price = Sweep.resources["price_per_hour"].as_float()
    return list(connection.execute(select(Sweep.id).where(Sweep.state == "active", price.is_not(None)).order_by(Sweep.id)).scalars())


def price(connection: Connection, sweep_id: int) -> float | None:
    """`resources.price_per_hour` of a sweep's file; None where it gave none."""
    return connection.execute(select(Sweep.resources["price_per_hour"].as_float()).where(Sweep.id == sweep_id)).scalar()


def set_limits(engine: Engine, name: str, deadline: float | None, budget: float | None) -> None:
    """Give the sweep of that name its limits, or take them away. deadline: Unix time; budget: as `Spending.cost`."""
    with engine.begin() as connection:
        connection.execute(update(Sweep).where(Sweep.name == name).values(deadline=deadline, budget=budget))


@dataclass
class _Account:
    """Of one sweep. ended: of its attempts up to and with the id `until` that have ended; running: the others up to there."""

    until: int = 0
    ended: Spending = field(default_factory=Spending)
    running: set[int] = field(default_factory=set)


class Ledger:
    """Spending that is asked for again and again, by a driver or who watches one: what has ended is read once.

    For one workspace. An attempt that is deleted stays counted, and one that a sweep comes to share after it was read is not.
    """

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}

    def spent(self, connection: Connection, sweep_id: int, now: float) -> Spending:
        """As the function of that name."""
        account = self._accounts.setdefault(sweep_id, _Account())
        newest = connection.execute(select(func.max(Attempt.id))).scalar() or 0
        new = and_(Attempt.id > account.until, Attempt.id <= newest)
        account.ended += _sum(connection, sweep_id, now, new, Attempt.finished_at.is_not(None))
        running, until_now = set[int](), Spending()
        before = sorted(account.running)
        for start in range(0, len(before), _BATCH):
            batch = before[start : start + _BATCH]
            open_ = and_(Attempt.id.in_(batch), Attempt.finished_at.is_(None))
            account.ended += _sum(connection, sweep_id, now, Attempt.id.in_(batch), Attempt.finished_at.is_not(None))
            until_now += _sum(connection, sweep_id, now, open_)
            running.update(connection.execute(select(Attempt.id).where(open_)).scalars())
        until_now += _sum(connection, sweep_id, now, new, Attempt.finished_at.is_(None))
        running.update(connection.execute(select(Attempt.id).where(new, Attempt.finished_at.is_(None), _counts(sweep_id))).scalars())
        account.until, account.running = newest, running
        return account.ended + until_now

    def exceeded(self, connection: Connection, now: float) -> list[tuple[int, str]]:
        """(sweep id, a sentence) of each active sweep that has reached its deadline or its budget."""
        columns = (Sweep.id, Sweep.name, Sweep.deadline, Sweep.budget)
        limited = select(*columns).where(Sweep.state == "active", Sweep.deadline.is_not(None) | Sweep.budget.is_not(None))
        found = []
        for row in connection.execute(limited.order_by(Sweep.id)).all():
            again = "`stylesweep run` with its file goes on, with a new limit or none"
            if row.deadline is not None and now >= row.deadline:
                found.append((row.id, f"the time given by --max-hours is over; {again}."))
            elif row.budget is not None:
                cost = self.spent(connection, row.id, now).cost or 0.0
                if cost >= row.budget:
                    found.append((row.id, f"{cost:,.2f} is spent of the {row.budget:,.2f} given by --max-cost; {again}."))
        return found


class Ledgers:
    """`Ledger` of all sweeps at once: each look reads what has happened since the one before. For one workspace; many threads may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0
        self._open: set[int] = set()
        self._ended: dict[int, Spending] = {}

    def spent(self, connection: Connection, now: float) -> dict[int, Spending]:
        """Sweep id -> what it has cost until now; a sweep that nothing was run for is not in it."""
        with self._lock:
            newest = connection.execute(select(func.max(Attempt.id))).scalar() or 0
            new = and_(Attempt.id > self._until, Attempt.id <= newest)
            ended, running = Attempt.finished_at.is_not(None), Attempt.finished_at.is_(None)
            self._end(_by_sweep(connection, now, new, ended))
            until_now, still = _by_sweep(connection, now, new, running), set[int]()
            for start in range(0, len(self._open), _BATCH):
                batch = Attempt.id.in_(sorted(self._open)[start : start + _BATCH])
                self._end(_by_sweep(connection, now, batch, ended))
                until_now = _added(until_now, _by_sweep(connection, now, batch, running))
                still.update(connection.execute(select(Attempt.id).where(batch, running)).scalars())
            still.update(connection.execute(select(Attempt.id).where(new, running)).scalars())
            self._until, self._open = newest, still
            return _added(self._ended, until_now)

    def _end(self, found: dict[int, Spending]) -> None:
        self._ended = _added(self._ended, found)


def _added(one: dict[int, Spending], other: dict[int, Spending]) -> dict[int, Spending]:
    return {sweep_id: one.get(sweep_id, Spending()) + other.get(sweep_id, Spending()) for sweep_id in {*one, *other}}


def _by_sweep(connection: Connection, now: float, *which: ColumnElement[bool]) -> dict[int, Spending]:
    """As `_sum`, of every sweep that an attempt counts for."""
    hours = (func.coalesce(Attempt.finished_at, now) - Attempt.started_at) / 3600.0 / Attempt.pack_size
    each = (
        select(Combination.sweep_id, Attempt.id, hours.label("hours"), (hours * Attempt.price_per_hour).label("cost"))
        .join(Combination, Combination.run_id == Attempt.run_id)
        .join(Sweep, Sweep.id == Combination.sweep_id)
        .where(Attempt.created_at >= Sweep.created_at, *which)
        .distinct()
        .subquery()
    )
    rows = connection.execute(select(each.c.sweep_id, func.sum(each.c.hours), func.sum(each.c.cost)).group_by(each.c.sweep_id))
    return {sweep_id: Spending(worker_hours=worked or 0.0, cost=cost) for sweep_id, worked, cost in rows}


def exceeded(connection: Connection, now: float) -> list[tuple[int, str]]:
    """As `Ledger.exceeded`, for who asks once."""
    return Ledger().exceeded(connection, now)

"""What the gallery asks: one page of runs under filters, in an order, with counts per value.

A tile is a run; filters speak of combinations.

`asof` freezes what is on screen: a run that finished later (finished_seq > asof) still counts as running, so that no tile moves
under the reader's hand while a sweep runs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, Integer, Subquery, and_, case, distinct, func, or_, select

from db.models import RUN_STATES, Combination, Image, Run, Sweep
from db.queries import PARAMETERS, Result, results
from sweep.transfer.yardstick_names import MAIN_PROTOCOL, PROTOCOLS, RISING

_TYPES = {name: Combination.__table__.columns[name].type for name in PARAMETERS}
NUMBERS: Mapping[str, type] = {
    name: int if isinstance(kind, Integer) else float for name, kind in _TYPES.items() if isinstance(kind, Integer | Float)
}
"""Parameters that are numbers, with their type; the others are text."""
YARDSTICK_SORTS = tuple(RISING)
SORTS = (*YARDSTICK_SORTS, "plan", "newest")
"""Never a weighted loss: it cannot rank across combinations (docs/design.md, section 4)."""
FACET_LIMIT = 200

Value = float | int | str | None
"""A parameter's value; None is a number that is left to the recipe."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Both ends belong to it."""

    low: float
    high: float


Choice = tuple[Value, ...] | Range


@dataclass(frozen=True, kw_only=True)
class View:
    """What is looked at: sweeps by name, allowed values per parameter, run states, and the order. Empty means no restriction."""

    sweeps: tuple[str, ...] = ()
    choices: tuple[tuple[str, Choice], ...] = ()
    states: tuple[str, ...] = ()
    sort: str = "balance"

    def chosen(self, name: str) -> Choice:
        """What a parameter is restricted to; () if it is not."""
        return dict(self.choices).get(name, ())


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A run in a view. result: its first combination there; shared: how many combinations of the view need it; state: as of the view."""

    result: Result
    shared: int
    state: str


@dataclass(frozen=True, kw_only=True)
class Count:
    """How much a view holds."""

    runs: int
    combinations: int


@dataclass(frozen=True, kw_only=True)
class Facet:
    """The values of one parameter in the chosen sweeps, each with the runs it would show under all other filters.

    low and high span a number's values also where there are too many to list (`complete` is false then).
    """

    name: str
    values: tuple[tuple[Value, int], ...]
    complete: bool
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """A run's place (from 1) in a view of `total` runs, and the run keys beside it."""

    previous: str | None
    following: str | None
    place: int
    total: int


def newest_seq(connection: Connection) -> int:
    """The highest finished_seq there is, or 0: the `asof` of a look taken now."""
    return connection.execute(select(func.max(Run.finished_seq))).scalar() or 0


def new_since(connection: Connection, sweeps: Sequence[str], asof: int) -> int:
    """How many runs of these sweeps finished after `asof`."""
    statement = select(func.count(distinct(Run.id))).join(Combination, Combination.run_id == Run.id)
    return connection.execute(statement.where(_of_sweeps(sweeps), Run.finished_seq > asof)).scalar_one()


def _of_sweeps(sweeps: Sequence[str]) -> ColumnElement[bool]:
    return Combination.sweep_id.in_(select(Sweep.id).where(Sweep.name.in_(sweeps)))


def _state(asof: int) -> ColumnElement[str]:
    return case((Run.finished_seq > asof, "running"), else_=Run.state)


def _allows(name: str, choice: Choice) -> ColumnElement[bool]:
    column = getattr(Combination, name)
    if isinstance(choice, Range):
        return and_(column >= choice.low, column <= choice.high)
    allowed: ColumnElement[bool] = column.in_([value for value in choice if value is not None])
    return or_(column.is_(None), allowed) if None in choice else allowed


def _conditions(view: View, asof: int, without: str | None = None) -> list[ColumnElement[bool]]:
    """The filters of a view, all or all but one; the choice of sweeps is not among them."""
    conditions = [_allows(name, choice) for name, choice in view.choices if name != without and choice]
    if view.states and without != "state":
        conditions.append(_state(asof).in_(view.states))
    return conditions


def _runs(view: View, asof: int) -> Subquery:
    """The runs of a view: one row each with its first combination, how many share it, and what it is sorted by."""
    seen = or_(Run.finished_seq.is_(None), Run.finished_seq <= asof)
    sort_value = {"newest": Run.finished_seq, "plan": None}.get(view.sort, getattr(Run, view.sort, None))
    columns = [
        Run.id.label("run_id"),
        Run.run_key,
        _state(asof).label("state"),
        func.min(Combination.id).label("first"),
        func.count().label("shared"),
        case((seen, Run.protocol)).label("protocol"),
    ]
    if sort_value is not None:
        columns.append(case((seen, sort_value)).label("sort_value"))
    joined = select(*columns).join(Combination, Combination.run_id == Run.id)
    return joined.where(_of_sweeps(view.sweeps), *_conditions(view, asof)).group_by(Run.id).subquery()


def _order(view: View, runs: Subquery) -> list[Any]:
    """Pictures first, then what has none; protocols are never mixed; ties stay in the order of the plan."""
    order: list[Any] = []
    if view.sort in YARDSTICK_SORTS:
        better = runs.c.sort_value.desc() if RISING[view.sort] else runs.c.sort_value.asc()
        apart = [runs.c.protocol.desc().nulls_last()] if PROTOCOLS[view.sort] == MAIN_PROTOCOL else []  # the others have one for good
        order = [(runs.c.state != "done").asc(), *apart, better.nulls_last()]
    elif view.sort == "newest":
        order = [runs.c.sort_value.desc().nulls_last()]
    return [*order, runs.c.first]


def tiles(connection: Connection, view: View, asof: int, *, limit: int, offset: int = 0) -> list[Tile]:
    """One page of a view, in its order."""
    runs = _runs(view, asof)
    page = select(runs.c.first, runs.c.shared, runs.c.state).order_by(*_order(view, runs)).limit(limit).offset(offset)
    rows = connection.execute(page).all()
    found: dict[int, Result] = {}
    for start in range(0, len(rows), 500):
        batch = [row.first for row in rows[start : start + 500]]
        found |= {result.id: result for result in results(connection, Combination.id.in_(batch))}
    return [Tile(result=found[row.first], shared=row.shared, state=row.state) for row in rows]


def count(connection: Connection, view: View, asof: int) -> Count:
    """How many runs and combinations a view holds."""
    statement = select(func.count(distinct(Run.id)), func.count()).join(Combination, Combination.run_id == Run.id)
    runs, combinations = connection.execute(statement.where(_of_sweeps(view.sweeps), *_conditions(view, asof))).one()
    return Count(runs=runs, combinations=combinations)


def varying(connection: Connection, view: View, asof: int) -> tuple[str, ...]:
    """The parameters with more than one value among the combinations of a view; a view of sweeps alone tells what they vary."""
    columns = []
    for name in PARAMETERS:
        column = getattr(Combination, name)
        columns.append((func.count(distinct(column)) + func.coalesce(func.max(column.is_(None)), 0)).label(name))
    statement = select(*columns).join(Run, Combination.run_id == Run.id)
    row = connection.execute(statement.where(_of_sweeps(view.sweeps), *_conditions(view, asof))).one()
    return tuple(name for name in PARAMETERS if getattr(row, name) > 1)


def facet(connection: Connection, view: View, asof: int, name: str) -> Facet:
    """Every value of a parameter in the view's sweeps, with how many runs it would show."""
    column = getattr(Combination, name)
    others = _conditions(view, asof, without=name)
    shown = func.count(distinct(case((and_(True, *others), Run.id))))
    base = select(column, shown).join(Run, Combination.run_id == Run.id).where(_of_sweeps(view.sweeps))
    rows = connection.execute(base.group_by(column).order_by(column).limit(FACET_LIMIT + 1)).all()
    low, high = None, None
    if name in NUMBERS:
        low, high = connection.execute(select(func.min(column), func.max(column)).where(_of_sweeps(view.sweeps))).one()
    values = tuple((value, runs) for value, runs in rows[:FACET_LIMIT])
    return Facet(name=name, values=values, complete=len(rows) <= FACET_LIMIT, low=low, high=high)


def state_counts(connection: Connection, view: View, asof: int) -> dict[str, int]:
    """Runs per state under all filters but that of states, in the order of a run's life."""
    state = _state(asof)
    statement = select(state, func.count(distinct(Run.id))).join(Combination, Combination.run_id == Run.id)
    statement = statement.where(_of_sweeps(view.sweeps), *_conditions(view, asof, without="state")).group_by(state)
    counts = {str(name): runs for name, runs in connection.execute(statement)}
    return {name: counts[name] for name in RUN_STATES if name in counts}


def neighbours(connection: Connection, view: View, asof: int, run_key: str) -> Neighbours | None:
    """What stands before and after a run in a view; None if the view does not hold it."""
    runs = _runs(view, asof)
    order = _order(view, runs)
    ordered = select(
        runs.c.run_key,
        func.lag(runs.c.run_key).over(order_by=order).label("previous"),
        func.lead(runs.c.run_key).over(order_by=order).label("following"),
        func.row_number().over(order_by=order).label("place"),
        func.count().over().label("total"),
    ).subquery()
    row = connection.execute(select(ordered).where(ordered.c.run_key == run_key)).first()
    if row is None:
        return None
    return Neighbours(previous=row.previous, following=row.following, place=row.place, total=row.total)


@dataclass(frozen=True, kw_only=True)
class FrontPoint:
    """A done run between its two yardsticks; only points of one group (content, style, protocol) may be compared."""

    run_key: str
    group: tuple[str, ...]
    content_kept: float
    style_gained: float


def front_points(connection: Connection, sweeps: Sequence[str], asof: int) -> list[FrontPoint]:
    """Every measured run of the sweeps, whatever the filters: being on the front does not depend on what is hidden."""
    columns = (Run.run_key, Combination.content_sha256, Combination.style, Combination.style_sha256, Run.protocol)
    statement = (
        select(*columns, Run.content_kept, Run.style_gained)
        .join(Combination, Combination.run_id == Run.id)
        .where(_of_sweeps(sweeps), Run.state == "done", Run.finished_seq <= asof)
        .where(Run.content_kept.is_not(None), Run.style_gained.is_not(None))
        .distinct()
    )
    points = []
    for row in connection.execute(statement):
        if math.isfinite(row.content_kept) and math.isfinite(row.style_gained):
            group = (row.content_sha256, row.style_sha256, row.style, row.protocol or "")
            points.append(FrontPoint(run_key=row.run_key, group=group, content_kept=row.content_kept, style_gained=row.style_gained))
    return points


def sharing(connection: Connection, run_key: str) -> list[Result]:
    """The combinations that need a run, in any sweep; at most 200."""
    return results(connection, Run.run_key == run_key, limit=200)


def shapes(connection: Connection, thumbnails: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Thumbnail -> width and height of its picture, for at most 500 of them."""
    columns = (Image.thumbnail, Image.width, Image.height)
    rows = connection.execute(select(*columns).where(Image.thumbnail.in_(thumbnails[:500])))
    return {str(thumbnail): (width, height) for thumbnail, width, height in rows}

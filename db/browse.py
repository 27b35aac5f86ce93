"""What the gallery reads of sweeps: whole columns, for a look that it keeps in memory, and a few rows for what is on screen.

`asof` (a finished_seq) freezes what is on screen: a run that finished later still counts as running.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, func, select

from db.models import Combination, Image, Review, ReviewTag, Run, Sweep
from db.queries import PARAMETERS, Result, key_begins, results
from sweep.transfer.yardstick_names import ALL_NAMES

Rows = Sequence[Any]
"""Rows as plain tuples."""
_AT_ONCE = 500


def newest_seq(connection: Connection) -> int:
    """The highest finished_seq there is, or 0: the `asof` of a look taken now."""
    return connection.execute(select(func.max(Run.finished_seq))).scalar() or 0


def new_since(connection: Connection, sweeps: Sequence[str], asof: int) -> int:
    """How many runs of these sweeps finished after `asof`. Asked every few seconds: the newest runs are looked at, not the sweeps'."""
    wanted = exists().where(Combination.run_id == Run.id, _of_sweeps(sweeps))
    return connection.execute(select(func.count()).where(Run.finished_seq > asof, wanted)).scalar_one()


def sweep_names(connection: Connection, *, archived: bool = True) -> dict[int, str]:
    """id -> name of every sweep, newest first."""
    statement = select(Sweep.id, Sweep.name).order_by(Sweep.id.desc())
    if not archived:
        statement = statement.where(Sweep.archived_at.is_(None))
    return {sweep_id: name for sweep_id, name in connection.execute(statement)}


def _of_sweeps(sweeps: Sequence[str]) -> ColumnElement[bool]:
    return Combination.sweep_id.in_(select(Sweep.id).where(Sweep.name.in_(sweeps)))


def _runs_of(sweeps: Sequence[str]) -> ColumnElement[bool]:
    return Run.id.in_(select(Combination.run_id).where(_of_sweeps(sweeps)))


def spread(connection: Connection, sweeps: Sequence[str]) -> dict[str, bool]:
    """Parameter -> whether the combinations of these sweeps have several values of it; None counts as one."""
    columns = [getattr(Combination, name) for name in PARAMETERS]
    first = connection.execute(select(*columns).where(_of_sweeps(sweeps)).limit(1)).first()
    if first is None:
        return dict.fromkeys(PARAMETERS, False)
    others = [func.max(case((column.is_distinct_from(value), 1), else_=0)) for column, value in zip(columns, first, strict=True)]
    row = connection.execute(select(*others).where(_of_sweeps(sweeps))).one()
    return {name: bool(several) for name, several in zip(PARAMETERS, row, strict=True)}


def constants(connection: Connection, sweeps: Sequence[str], names: Sequence[str]) -> Mapping[str, Any]:
    """The values of parameters that do not vary."""
    columns = [getattr(Combination, name) for name in names]
    row = connection.execute(select(Combination.id, *columns).where(_of_sweeps(sweeps)).limit(1)).mappings().first()
    return {name: row[name] for name in names} if row else {}


def combinations(connection: Connection, sweeps: Sequence[str], names: Sequence[str]) -> Rows:
    """(id, run, sweep, and the parameters of these names) of every combination, by id."""
    fixed = (Combination.id, Combination.run_id, Combination.sweep_id)
    varied = [getattr(Combination, name) for name in names]
    return connection.execute(select(*fixed, *varied).where(_of_sweeps(sweeps)).order_by(Combination.id)).all()


def pairs(connection: Connection, sweeps: Sequence[str]) -> Rows:
    """(content, content_sha256, style, style_sha256) of these sweeps, each once."""
    columns = (Combination.content, Combination.content_sha256, Combination.style, Combination.style_sha256)
    return connection.execute(select(*columns).where(_of_sweeps(sweeps)).distinct()).all()


def pair_of_each(connection: Connection, sweeps: Sequence[str]) -> Rows:
    """(content_sha256, style, style_sha256) of every combination, by id."""
    columns = (Combination.content_sha256, Combination.style, Combination.style_sha256)
    return connection.execute(select(*columns).where(_of_sweeps(sweeps)).order_by(Combination.id)).all()


def runs(connection: Connection, sweeps: Sequence[str], yardsticks: Sequence[str]) -> Rows:
    """(id, state, finished_seq, protocol, and these yardsticks) of every run of these sweeps, by id."""
    columns = (Run.id, Run.state, Run.finished_seq, Run.protocol, *(getattr(Run, name) for name in yardsticks))
    return connection.execute(select(*columns).where(_runs_of(sweeps)).order_by(Run.id)).all()


def measured(connection: Connection, sweeps: Sequence[str], asof: int, yardstick: str) -> Rows:
    """(run, value) of every run in which a yardstick was measured by then."""
    assert yardstick in ALL_NAMES
    column = getattr(Run, yardstick)
    seen = Run.finished_seq <= asof
    return connection.execute(select(Run.id, column).where(_runs_of(sweeps), seen, column.is_not(None)).order_by(Run.id)).all()


def signatures(connection: Connection, sweeps: Sequence[str], asof: int) -> Rows:
    """(run, signature of its picture) of every run of which that was known by then."""
    statement = select(Run.id, Image.signature).join(Image, Image.sha256 == Run.output)
    return connection.execute(statement.where(_runs_of(sweeps), Run.finished_seq <= asof, Image.signature.is_not(None))).all()


def reviews(connection: Connection, person: str) -> Rows:
    """(run, flag, stars, note) of the runs of which a person has said something, of whatever sweep: those are few, sweeps may be large."""
    columns = (Run.id, Review.flag, Review.stars, Review.note)
    statement = select(*columns).join(Run, Run.run_key == Review.run_key)
    return connection.execute(statement.where(Review.person == person)).all()


def tags(connection: Connection, person: str) -> Rows:
    """(run, tag) of the runs that a person has tagged, of whatever sweep."""
    statement = select(Run.id, ReviewTag.tag).join(Run, Run.run_key == ReviewTag.run_key)
    return connection.execute(statement.where(ReviewTag.person == person, ReviewTag.present)).all()


def review_stamp(connection: Connection, person: str) -> float:
    """The sum of all times at which a person said something: whatever they say next, or what arrives late, makes it another."""
    times = (Review.flag_at, Review.stars_at, Review.note_at)
    said = select(*(func.total(one) for one in times)).where(Review.person == person)
    tagged = select(func.total(ReviewTag.at)).where(ReviewTag.person == person)
    return float(sum((*connection.execute(said).one(), connection.execute(tagged).scalar_one())))


def run_keys(connection: Connection, run_ids: Sequence[int]) -> dict[int, str]:
    """id -> run_key."""
    found: dict[int, str] = {}
    for start in range(0, len(run_ids), _AT_ONCE):
        batch = run_ids[start : start + _AT_ONCE]
        found |= {run_id: key for run_id, key in connection.execute(select(Run.id, Run.run_key).where(Run.id.in_(batch)))}
    return found


def run_ids(connection: Connection, beginnings: Sequence[str]) -> dict[str, int]:
    """Beginning of a run key -> the run's id, for those that name just one run ('r1-' may be left out)."""
    found = {}
    for text in beginnings:
        ids = connection.execute(select(Run.id).where(key_begins(text)).limit(2)).scalars().all()
        if len(ids) == 1:
            found[text] = ids[0]
    return found


def keys_beginning(connection: Connection, beginning: str) -> list[int]:
    """The runs, of whatever sweep, whose key begins with these hex digits ('r1-' may be left out)."""
    return list(connection.execute(select(Run.id).where(key_begins(beginning))).scalars())


def by_combination(connection: Connection, combination_ids: Sequence[int]) -> list[Result]:
    """The combinations of these ids with their runs, in the order of the ids."""
    found: dict[int, Result] = {}
    for start in range(0, len(combination_ids), _AT_ONCE):
        batch = combination_ids[start : start + _AT_ONCE]
        found |= {result.id: result for result in results(connection, Combination.id.in_(batch))}
    return [found[one] for one in combination_ids if one in found]


def sharing(connection: Connection, run_key: str) -> list[Result]:
    """The combinations that need a run, in any sweep; at most 200."""
    return results(connection, Run.run_key == run_key, limit=200)


def shapes(connection: Connection, thumbnails: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Thumbnail -> width and height of its picture, for at most 500 of them."""
    columns = (Image.thumbnail, Image.width, Image.height)
    rows = connection.execute(select(*columns).where(Image.thumbnail.in_(thumbnails[:_AT_ONCE])))
    return {str(thumbnail): (width, height) for thumbnail, width, height in rows}

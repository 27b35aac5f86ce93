"""Merging what people said of runs, and what was measured of nodes. The newest word counts, whichever workspace it was said in."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, insert, or_, select, tuple_
from sqlalchemy.dialects import sqlite

from db.merge_tables import OTHER, names
from db.models import Calibration, Review, ReviewTag

FIELDS = ("flag", "stars", "note")
NEVER = -1e300


def reviews(connection: Connection) -> int:
    """Flags, stars, notes and tags, each by its own time, so that the order of merges does not matter; how many rows changed."""
    return _fields(connection) + _tags(connection)


def _newer(excluded: Any, ours: Any, field: str) -> ColumnElement[bool]:
    """By time; of two words said in one moment the greater, so that both workspaces settle for the same."""

    def order(row: Any) -> ColumnElement[Any]:
        value = row[field]
        return tuple_(func.coalesce(row[f"{field}_at"], NEVER), value.is_not(None), func.coalesce(value, 0))

    return order(excluded) > order(ours)


def _fields(connection: Connection) -> int:
    theirs, ours = OTHER["review"], Review.__table__.c
    rows = select(*[theirs.c[name] for name in names("review")]).where(~_same_review(theirs.c))
    statement = sqlite.insert(Review).from_select(names("review"), rows)
    new = statement.excluded
    values = {}
    for field in FIELDS:
        for column in (field, f"{field}_at"):
            values[column] = case((_newer(new, ours, field), new[column]), else_=ours[column])
    change = or_(*[_newer(new, ours, field) for field in FIELDS])
    return connection.execute(statement.on_conflict_do_update(index_elements=["run_key", "person"], set_=values, where=change)).rowcount


def _same_review(theirs: Any) -> ColumnElement[bool]:
    """Whether ours says the very same. (SQLite wants a WHERE in a SELECT that is inserted with ON CONFLICT, too.)"""
    ours = Review.__table__.c
    return exists().where(and_(*[ours[name].is_not_distinct_from(theirs[name]) for name in names("review")]))


def _tags(connection: Connection) -> int:
    """A tag that was taken away later stays away; in one moment given and taken, it is there."""
    theirs, ours = OTHER["review_tag"], ReviewTag.__table__.c
    columns = names("review_tag")
    same = exists().where(and_(*[ours[name] == theirs.c[name] for name in columns]))
    statement = sqlite.insert(ReviewTag).from_select(columns, select(*[theirs.c[name] for name in columns]).where(~same))
    new = statement.excluded
    newer = tuple_(new.at, new.present) > tuple_(ours.at, ours.present)
    values = {"present": new.present, "at": new.at}
    keys = ["run_key", "person", "tag"]
    return connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=values, where=newer)).rowcount


def calibrations(connection: Connection) -> None:
    """Measurements that we do not have; equal ones are one."""
    theirs, ours = OTHER["calibration"], Calibration.__table__.c
    columns = names("calibration", "id")
    same = exists().where(and_(*[ours[name] == theirs.c[name] for name in columns if name != "versions"]))
    rows = select(*[theirs.c[name] for name in columns]).where(~same).order_by(theirs.c.id)
    connection.execute(insert(Calibration).from_select(columns, rows))

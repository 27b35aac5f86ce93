"""What people say of runs: operations applied, whatever their order and however often they come, and reviews read back.

An operation sets one field of one run's review by one person, and says when. The later word counts, of two in one moment the
greater, as in a merge (db/merge_reviews.py). So operations that are sent twice, late or in another order come to the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, delete, func, insert, or_, select

from db.models import Review, ReviewTag, Run
from db.review_operations import AHEAD, Operation

FIELDS = ("flag", "stars", "note")
MOST_TAGS = 1000
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Said:
    """One person's review of one run."""

    flag: str | None = None
    stars: int = 0
    note: str = ""
    tags: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether it has a flag or stars; with a note or tags alone a run is still unreviewed."""
        return self.flag is not None or self.stars > 0


UNSAID = Said()


@dataclass(frozen=True, kw_only=True)
class Ack:
    """What became of an operation. reason: why it was refused. newer: something else was said later, and `stands` (of a tag: whether)."""

    id: str
    reason: str | None = None
    newer: bool = False
    stands: str | int | bool | None = None


# --- applying ---------------------------------------------------------------------------------------------------------

Slot = tuple[str, str, str]
"""(run key, field, the tag or '')."""
Word = tuple[float, Any]
"""(when, what): of two words for one slot the greater counts (`_rank`)."""


def apply(connection: Connection, person: str, operations: Sequence[Operation], now: float) -> list[Ack]:
    """Apply them within the caller's transaction, which is to be short; one answer for each, in order."""
    keys = sorted({operation.run_key for operation in operations})
    known = {key for some in _batches(keys) for key in connection.execute(select(Run.run_key).where(Run.run_key.in_(some))).scalars()}
    words = _words(connection, person, sorted(known))
    before = dict(words)
    acks = []
    for one in operations:
        if one.run_key not in known:
            acks.append(Ack(id=one.id, reason=f"this workspace has no run {one.run_key[:20]}"))
            continue
        is_tag = one.field == "tag"
        slot = (one.run_key, one.field, str(one.value) if is_tag else "")
        words[slot], newer = _settle(words.get(slot), (one.at, one.present if is_tag else one.value), now)
        acks.append(Ack(id=one.id, newer=newer, stands=words[slot][1] if newer else None))
    _write(connection, person, words, {slot for slot in words if words[slot] != before.get(slot)})
    return acks


def _settle(stands: Word | None, said: Word, now: float) -> tuple[Word, bool]:
    """The word that counts, and whether it says otherwise than what was said."""
    if stands is None:
        return said, False
    if _rank(stands) >= _rank(said):
        if stands[1] == said[1] or stands[0] <= now + AHEAD:
            return stands, stands[1] != said[1]
        return (stands[0] + 0.001, said[1]), False  # the word of a clock that was ahead could not be outdone for as long
    return said, False


def _rank(word: Word) -> tuple[Any, ...]:
    """As db/merge_reviews.py orders two words."""
    at, value = word
    return at, value is not None, 0 if value is None else value


def _words(connection: Connection, person: str, keys: Sequence[str]) -> dict[Slot, Word]:
    """What this person has said of these runs, and when."""
    words: dict[Slot, Word] = {}
    for row in _rows(connection, Review, person, keys):
        words |= {(row["run_key"], field, ""): (row[f"{field}_at"], row[field]) for field in FIELDS if row[f"{field}_at"] is not None}
    for row in _rows(connection, ReviewTag, person, keys):
        words[row["run_key"], "tag", row["tag"]] = row["at"], row["present"]
    return words


def _write(connection: Connection, person: str, words: Mapping[Slot, Word], changed: Iterable[Slot]) -> None:
    """Whole rows anew."""
    never: Word = (None, None)  # type: ignore[assignment]
    reviews = []
    for key in sorted({key for key, field, _ in changed if field != "tag"}):
        row: dict[str, Any] = {"run_key": key, "person": person}
        for field in FIELDS:
            row[f"{field}_at"], row[field] = words.get((key, field, ""), never)
        reviews.append(row)
    tags = [
        {"run_key": slot[0], "person": person, "tag": slot[2], "at": words[slot][0], "present": words[slot][1]}
        for slot in sorted(changed)
        if slot[1] == "tag"
    ]
    for table, rows in ((Review.__table__, reviews), (ReviewTag.__table__, tags)):
        if rows:
            primary = [column.name for column in table.primary_key]
            same = [table.c[name] == bindparam(f"b_{name}") for name in primary]
            connection.execute(delete(table).where(*same), [{f"b_{name}": row[name] for name in primary} for row in rows])  # type: ignore[arg-type]
            connection.execute(insert(table), rows)  # type: ignore[arg-type]


# --- reading ----------------------------------------------------------------------------------------------------------


def said(connection: Connection, person: str, keys: Iterable[str] | None = None) -> dict[str, Said]:
    """Run key -> a person's review, where there is one: of these runs, or of all."""
    found: dict[str, Said] = {}
    wanted = None if keys is None else sorted(set(keys))
    for row in _rows(connection, Review, person, wanted):
        found[row["run_key"]] = Said(flag=row["flag"], stars=row["stars"] or 0, note=row["note"] or "")
    for row in _rows(connection, ReviewTag, person, wanted, ReviewTag.__table__.c.present):
        before = found.get(row["run_key"], UNSAID)
        found[row["run_key"]] = replace(before, tags=(*before.tags, row["tag"]))
    return {key: one for key, one in found.items() if one != UNSAID}


def judged(connection: Connection, person: str) -> list[tuple[int, str | None]]:
    """(run, flag) of every run that a person has given a flag or stars: cheap however many runs there are, if few are judged."""
    flag_or_stars = or_(Review.flag.is_not(None), Review.stars > 0)
    statement = select(Run.id, Review.flag).join(Review, Review.run_key == Run.run_key).where(Review.person == person, flag_or_stars)
    return [(run_id, flag) for run_id, flag in connection.execute(statement)]


def said_by_all(connection: Connection, run_key: str) -> dict[str, Said]:
    """Person -> their review of a run, by name."""
    people: set[str] = set()
    for table in (Review, ReviewTag):
        people |= set(connection.execute(select(table.person).where(table.run_key == run_key).distinct()).scalars())
    reviews = {person: said(connection, person, [run_key]).get(run_key) for person in sorted(people)}
    return {person: one for person, one in reviews.items() if one is not None}


def people(connection: Connection) -> list[str]:
    """Everybody who has reviewed, by name."""
    return sorted({name for table in (Review, ReviewTag) for name in connection.execute(select(table.person).distinct()).scalars()})


def tag_counts(connection: Connection, person: str | None = None) -> dict[str, int]:
    """Tag -> on how many runs it is, the most used first; of one person, or of all. At most `MOST_TAGS`."""
    mine = [ReviewTag.person == person] if person is not None else []
    runs = func.count(func.distinct(ReviewTag.run_key))
    counted = select(ReviewTag.tag, runs).where(ReviewTag.present, *mine).group_by(ReviewTag.tag)
    return {tag: count for tag, count in connection.execute(counted.order_by(runs.desc(), ReviewTag.tag).limit(MOST_TAGS))}


def _rows(
    connection: Connection, table: type[Review] | type[ReviewTag], person: str, keys: Sequence[str] | None, *only: ColumnElement[bool]
) -> Iterator[RowMapping]:
    """A person's rows, of these runs or of all, by run key (and tag)."""
    here = table.__table__
    wanted = [[here.c.run_key.in_(some)] for some in _batches(keys)] if keys is not None else [[]]
    for more in wanted:
        statement = select(*here.c).where(here.c.person == person, *only, *more).order_by(*here.primary_key)
        yield from connection.execute(statement).mappings()


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))

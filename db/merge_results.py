"""Merging runs: their states, pictures, curves, snapshots and attempts."""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, case, delete, exists, func, insert, literal, null, select, update

from db.merge_tables import OTHER, RUN_MAP, names
from db.models import SETTLED, Attempt, Checkpoint, Image, LossPoint, Preview, Run, Snapshot
from db.rows import keep_numbers_rising, next_seq

_RANK = {"done": 3, "diverged": 2, "failed": 1, "quarantined": 1}
ELSEWHERE = "its result came from another workspace"
THEIRS = OTHER["run"]


@dataclass(frozen=True, kw_only=True)
class Known:
    """How the runs of the other workspace stand to ours."""

    unfinished: int


def verdict(ours: str | None, theirs: str) -> str:
    """What becomes of a run that has these states; a run never falls back, so merging in any order comes to the same.

    new: we have it not. take: its result is further than ours, which it replaces; done is the furthest, then diverged, then failed. fill:
    ours is still to do, and learns of the attempts that were made there. keep: ours stays as it is.
    """
    if ours is None:
        return "new"
    if _RANK.get(theirs, 0) > _RANK.get(ours, 0):
        return "take" if ours != "running" or theirs == "done" else "keep"  # what runs here now is about to know better than a failure
    return "fill" if ours in ("queued", "cancelled") else "keep"


def pictures(connection: Connection) -> None:
    """Their rows; the files are there already. A picture that we have without its signature gets theirs."""
    theirs = OTHER["image"]
    fuller = select(theirs.c.sha256).where(theirs.c.signature.is_not(None))
    signature = select(theirs.c.signature).where(theirs.c.sha256 == Image.sha256).scalar_subquery()
    connection.execute(update(Image).where(Image.signature.is_(None), Image.sha256.in_(fuller)).values(signature=signature))
    rows = select(*[theirs.c[name] for name in names("image")]).where(~exists().where(Image.sha256 == theirs.c.sha256))
    connection.execute(insert(Image).from_select(names("image"), rows))


def map_runs(connection: Connection) -> Known:
    """Fill the map, numbers for what is finished included; in the order in which it was finished there."""
    RUN_MAP.create(connection, checkfirst=False)
    ours = {key: (run_id, state) for key, run_id, state in connection.execute(select(Run.run_key, Run.id, Run.state))}
    columns = (THEIRS.c.id, THEIRS.c.run_key, THEIRS.c.state, THEIRS.c.finished_seq)
    rows: list[dict[str, Any]] = []
    seq, unfinished = next_seq(connection), 0
    for other_id, key, state, finished in connection.execute(select(*columns).order_by(THEIRS.c.finished_seq, THEIRS.c.id)).all():
        run_id, our_state = ours.get(key, (None, None))
        decided = verdict(our_state, state)
        unfinished += state not in SETTLED
        number = None
        if finished is not None and decided in ("new", "take"):
            number, seq = seq, seq + 1
        rows.append({"other_id": other_id, "run_key": key, "run_id": run_id, "verdict": decided, "seq": number})
    if rows:
        connection.execute(insert(RUN_MAP), rows)
    return Known(unfinished=unfinished)


def runs(connection: Connection) -> int:
    """Insert and settle the runs with all that belongs to them; how many results are new here."""
    _insert_new(connection)
    _take(connection)
    for table in ("loss_point", "snapshot"):
        _copy_results(connection, table)
    _insert_attempts(connection)
    taken = connection.execute(select(func.count(), func.max(RUN_MAP.c.seq)).where(RUN_MAP.c.seq.is_not(None))).one()
    if taken[1] is not None:
        keep_numbers_rising(connection, taken[1])
    return int(taken[0])


def _insert_new(connection: Connection) -> None:
    """Nobody here works at them: what is running there is queued."""
    state = case((THEIRS.c.state == "running", "queued"), else_=THEIRS.c.state)
    changed = {"state": state, "finished_seq": RUN_MAP.c.seq, "owner": null(), "lease": null(), "wanted": null(), "attempts": literal(0)}
    columns = names("run", "id")
    rows = (
        select(*[changed.get(name, THEIRS.c[name]) for name in columns])
        .join(RUN_MAP, RUN_MAP.c.other_id == THEIRS.c.id)
        .where(RUN_MAP.c.verdict == "new")
        .order_by(THEIRS.c.id)
    )
    connection.execute(insert(Run).from_select(columns, rows))
    ours = select(Run.id).where(Run.run_key == RUN_MAP.c.run_key).scalar_subquery()
    connection.execute(update(RUN_MAP).where(RUN_MAP.c.run_id.is_(None)).values(run_id=ours))


def _taken() -> Any:
    return select(RUN_MAP.c.run_id).where(RUN_MAP.c.verdict == "take")


def _take(connection: Connection) -> None:
    """Their result in the place of ours. A driver that is at it here is told nothing: what its attempt sends is dropped."""
    closed = {"state": "cancelled", "error": ELSEWHERE, "finished_at": time.time()}
    connection.execute(update(Attempt).where(Attempt.state == "running", Attempt.run_id.in_(_taken())).values(**closed))
    for model in (LossPoint, Snapshot, Preview):
        connection.execute(delete(model).where(model.run_id.in_(_taken())))
    same = ("id", "run_key", "settings", "alpha", "beta", "tv", "work", "created_at", "priority", "wanted", "attempts")
    values: dict[str, Any] = {name: THEIRS.c[name] for name in names("run", *same, "owner", "lease", "finished_seq")}
    values |= {"owner": None, "lease": None, "finished_seq": RUN_MAP.c.seq}
    pair = and_(Run.id == RUN_MAP.c.run_id, RUN_MAP.c.verdict == "take", RUN_MAP.c.other_id == THEIRS.c.id)
    connection.execute(update(Run).where(pair).values(values))
    settled = select(Run.id).where(Run.state.in_(("done", "diverged")))
    connection.execute(delete(Checkpoint).where(Checkpoint.run_id.in_(_taken()), Checkpoint.run_id.in_(settled)))


def _copy_results(connection: Connection, name: str) -> None:
    """The curve or the snapshots of what came with a result; what is still running there comes when it has ended."""
    theirs = OTHER[name]
    columns = names(name)
    rows = (
        select(*[RUN_MAP.c.run_id if column == "run_id" else theirs.c[column] for column in columns])
        .join(RUN_MAP, RUN_MAP.c.other_id == theirs.c.run_id)
        .join(THEIRS, THEIRS.c.id == RUN_MAP.c.other_id)
        .where(RUN_MAP.c.verdict.in_(("new", "take")), THEIRS.c.state.in_(SETTLED))
    )
    target = LossPoint if name == "loss_point" else Snapshot
    connection.execute(insert(target).from_select(columns, rows))


def _insert_attempts(connection: Connection) -> None:
    """After ours, numbered on from there. An attempt is known again by its driver and its time; one that still runs there has no end
    to tell of, and comes when it has."""
    theirs = OTHER["attempt"]
    highest = select(func.coalesce(func.max(Attempt.number), 0)).where(Attempt.run_id == RUN_MAP.c.run_id).scalar_subquery()
    number = highest + func.row_number().over(partition_by=RUN_MAP.c.run_id, order_by=theirs.c.number)
    known = exists().where(Attempt.run_id == RUN_MAP.c.run_id, Attempt.owner == theirs.c.owner, Attempt.created_at == theirs.c.created_at)
    changed = {"run_id": RUN_MAP.c.run_id, "number": number}
    columns = names("attempt", "id")
    rows = (
        select(*[changed.get(name, theirs.c[name]) for name in columns])
        .join(RUN_MAP, RUN_MAP.c.other_id == theirs.c.run_id)
        .where(RUN_MAP.c.verdict.in_(("new", "take", "fill")), theirs.c.state != "running", ~known)
        .order_by(theirs.c.id)
    )
    before = connection.execute(select(func.coalesce(func.max(Attempt.id), 0))).scalar_one()
    connection.execute(insert(Attempt).from_select(columns, rows))
    fresh = select(Attempt.run_id).where(Attempt.id > before)
    count = select(func.max(Attempt.number)).where(Attempt.run_id == Run.id).scalar_subquery()
    connection.execute(update(Run).where(Run.id.in_(fresh)).values(attempts=count))

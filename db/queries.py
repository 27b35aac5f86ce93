"""Reads for the command line, the gallery and the exports: plain dataclasses, never ORM rows, no query without a bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select
from sqlalchemy.orm import aliased

from db.drivers import DriverRow, live_driver
from db.models import GIVEN_UP, RUN_STATES, SETTLED, Attempt, Checkpoint, Combination, Image, LossPoint, Preview, Run, Snapshot, Sweep
from sweep import combination as words
from sweep.errors import InputError
from sweep.transfer.yardstick_names import ALL_NAMES

PARAMETERS = (
    *("content", "style", "alpha", "beta", "layers", "network", "recipe", "size", "steps", "init", "seed", "tv"),
    *("style_scale", "colors", "loss", "style_loss", "pooling", "padding", "size_by", "stop", "dtype"),
    *("later_steps", "learning_rate", "momentum", "variance_decay", "levels", "epsilon", "averaging", "smallest", "factor", "history"),
)
"""The columns of a combination that a user varies and filters by, in the order people read them."""
RECIPES_OWN = frozenset(name for name in PARAMETERS if Combination.__table__.columns[name].nullable)
"""Those that may be None: a number that is left to the recipe."""
YARDSTICKS = ALL_NAMES
"""The columns of a run that measure its picture."""


@dataclass(frozen=True, kw_only=True)
class SweepRow:
    """One sweep with its counts. states: run state -> number of its distinct runs."""

    id: int
    name: str
    state: str
    created_at: float
    combinations: int
    runs: int
    states: Mapping[str, int]
    reason: str | None = None
    best_thumbnail: str | None = None
    archived_at: float | None = None

    @property
    def settled(self) -> int:
        """Runs that will not change by themselves any more."""
        return self.runs - self.states.get("queued", 0) - self.states.get("running", 0)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One combination with its run: what a tile, a table row or an export line needs. yardsticks hold None where not measured."""

    id: int
    sweep: str
    position: int
    run_key: str
    state: str
    parameters: Mapping[str, Any]
    yardsticks: Mapping[str, float | None]
    protocol: str | None
    content_sha256: str
    style_sha256: str
    image: str | None
    image_format: str
    thumbnail: str | None
    width: int | None
    height: int | None
    mean_colour: str | None
    seconds: float | None
    error: str | None
    finished_seq: int | None
    settings: Mapping[str, Any] = field(repr=False)

    def image_path(self) -> str | None:
        """Path of the picture relative to the workspace, or None."""
        return stored_path(self.image, self.image_format) if self.image else None


def stored_path(sha256: str, form: str) -> str:
    """Path of a stored picture relative to the workspace."""
    return f"artifacts/{sha256[:2]}/{sha256}.{form}"


_output = aliased(Image)


def result_columns() -> list[Any]:
    """The columns `to_result` reads; join with `result_joins`."""
    combination = [getattr(Combination, name) for name in ("id", "position", "content_sha256", "style_sha256", *PARAMETERS)]
    run = [Run.run_key, Run.state, Run.protocol, Run.seconds, Run.error, Run.finished_seq, Run.settings]
    run += [getattr(Run, name) for name in YARDSTICKS]
    image = [_output.sha256, _output.format, _output.thumbnail, _output.width, _output.height, _output.mean_colour]
    return [*combination, Sweep.name.label("sweep"), *run, *image]


def result_joins(statement: Any) -> Any:
    """combination - run - sweep - output picture (may be missing)."""
    return (
        statement.select_from(Combination)
        .join(Run, Run.id == Combination.run_id)
        .join(Sweep, Sweep.id == Combination.sweep_id)
        .outerjoin(_output, _output.sha256 == Run.output)
    )


def to_result(row: Mapping[str, Any]) -> Result:
    """One row of `result_columns`."""
    same = ("id", "sweep", "position", "run_key", "state", "protocol", "content_sha256", "style_sha256", "thumbnail", "width", "height")
    return Result(
        **{name: row[name] for name in same},
        parameters={name: row[name] for name in PARAMETERS},
        yardsticks={name: row[name] for name in YARDSTICKS},
        image=row["sha256"],
        image_format=row["format"] or "png",
        mean_colour=row["mean_colour"],
        seconds=row["seconds"],
        error=row["error"],
        finished_seq=row["finished_seq"],
        settings=row["settings"],
    )


def sweeps(connection: Connection, name: str | None = None) -> list[SweepRow]:
    """All sweeps, newest first, with counts per run state; `name` narrows to one."""
    narrowed = [Sweep.name == name] if name is not None else []
    rows = connection.execute(select(*Sweep.__table__.columns).where(*narrowed).order_by(Sweep.id.desc())).all()
    counted = (
        select(Combination.sweep_id, Run.state, func.count(func.distinct(Run.id)).label("runs"), func.count().label("combinations"))
        .join(Run, Run.id == Combination.run_id)
        .group_by(Combination.sweep_id, Run.state)
    )
    if name is not None:  # one sweep is asked for every second by who follows it
        counted = counted.where(Combination.sweep_id.in_([row.id for row in rows]))
    counts: dict[int, dict[str, tuple[int, int]]] = {}
    for sweep_id, state, runs, combinations in connection.execute(counted):
        counts.setdefault(sweep_id, {})[state] = (runs, combinations)
    return [_sweep_row(connection, row, counts.get(row.id, {})) for row in rows]


def _sweep_row(connection: Connection, sweep: Any, counts: Mapping[str, tuple[int, int]]) -> SweepRow:
    best = (
        select(_output.thumbnail)
        .join(Run, Run.output == _output.sha256)
        .join(Combination, Combination.run_id == Run.id)
        .where(Combination.sweep_id == sweep.id, Run.state == "done")
        .order_by(Run.balance.desc().nulls_last(), Run.id)
        .limit(1)
    )
    return SweepRow(
        **{name: getattr(sweep, name) for name in ("id", "name", "state", "reason", "created_at", "archived_at")},
        combinations=sum(combinations for _, combinations in counts.values()),
        runs=sum(runs for runs, _ in counts.values()),
        states={state: counts[state][0] for state in RUN_STATES if state in counts},
        best_thumbnail=connection.execute(best).scalar(),
    )


def sweep_named(connection: Connection, name: str) -> SweepRow:
    """The sweep of that name.

    Raises:
        InputError: there is none; names those there are.
    """
    found = sweeps(connection, name)
    if not found:
        known = ", ".join(connection.execute(select(Sweep.name).order_by(Sweep.id.desc()).limit(20)).scalars()) or "none yet"
        raise InputError(f"there is no sweep named {name!r} in this workspace; its sweeps: {known}.")
    return found[0]


def results(
    connection: Connection, *where: ColumnElement[bool], order: Sequence[Any] = (), limit: int = 1_000_000, offset: int = 0
) -> list[Result]:
    """Combinations with their runs; by sweep and position unless ordered otherwise."""
    ordering = order or (Combination.sweep_id, Combination.position)
    statement = result_joins(select(*result_columns())).where(*where).order_by(*ordering).limit(limit).offset(offset)
    return [to_result(dict(row)) for row in connection.execute(statement).mappings()]


def key_begins(text: str) -> ColumnElement[bool]:
    """The runs whose key begins so ('r1-' may be left out). A range, for which the index of the keys serves: they end in hex digits."""
    wanted = (text if text.startswith("r1-") else f"r1-{text}").lower()
    return and_(Run.run_key >= wanted, Run.run_key < f"{wanted}g")


def find_result(connection: Connection, text: str) -> Result:
    """The first combination of a run, by run key or an unambiguous beginning of one ('r1-' may be left out).

    Raises:
        InputError: none matches, or several runs do.
    """
    keys = connection.execute(select(Run.run_key).where(key_begins(text)).limit(3)).scalars().all()
    if not keys:
        raise InputError(f"there is no run {text!r} in this workspace; `stylesweep runs SWEEP` lists them.")
    if len(keys) > 1:
        raise InputError(f"several runs begin with {text!r}; give more of the key.")
    return results(connection, Run.run_key == keys[0], limit=1)[0]


def loss_curve(connection: Connection, run_key: str) -> list[Mapping[str, Any]]:
    """The points of a run's curve in step order: step, size, content_loss, style_loss, tv_loss."""
    columns = (LossPoint.step, LossPoint.size, LossPoint.content_loss, LossPoint.style_loss, LossPoint.tv_loss)
    statement = select(*columns).join(Run, Run.id == LossPoint.run_id).where(Run.run_key == run_key).order_by(LossPoint.step)
    return [dict(row) for row in connection.execute(statement).mappings()]


def style_losses(connection: Connection, run_keys: Sequence[str], points: int = 40) -> dict[str, list[float]]:
    """run_key -> some of its curve's style losses, evenly spaced in its rows, for at most 500 runs: enough for a small picture of it."""
    rows = (
        select(Run.run_key, LossPoint.step, LossPoint.style_loss)
        .join(LossPoint, LossPoint.run_id == Run.id)
        .where(Run.run_key.in_(run_keys[:500]))
        .order_by(Run.run_key, LossPoint.step)
    )
    found: dict[str, list[float]] = {}
    for key, _, loss in connection.execute(rows):
        found.setdefault(key, []).append(loss)
    return {key: losses[:: max(1, len(losses) // points)] for key, losses in found.items()}


def attempts(connection: Connection, run_key: str) -> list[Mapping[str, Any]]:
    """Every attempt at a run, first to last, as plain columns."""
    columns = [column for column in Attempt.__table__.columns if column.name != "id"]
    statement = select(*columns).join(Run, Run.id == Attempt.run_id).where(Run.run_key == run_key).order_by(Attempt.number)
    return [dict(row) for row in connection.execute(statement).mappings()]


def snapshots(connection: Connection, run_key: str) -> list[tuple[int, str, str | None]]:
    """(step, picture, thumbnail) of a run's snapshots, in step order."""
    statement = (
        select(Snapshot.step, Snapshot.image, Image.thumbnail)
        .join(Run, Run.id == Snapshot.run_id)
        .join(Image, Image.sha256 == Snapshot.image)
        .where(Run.run_key == run_key)
        .order_by(Snapshot.step)
    )
    return [(step, image, thumbnail) for step, image, thumbnail in connection.execute(statement)]


def preview(connection: Connection, run_key: str) -> tuple[int, bytes, float] | None:
    """(step, picture as WebP, Unix time) of a running run; None before its first."""
    statement = select(Preview.step, Preview.picture, Preview.at).join(Run, Run.id == Preview.run_id).where(Run.run_key == run_key)
    row = connection.execute(statement).first()
    return (row.step, row.picture, row.at) if row else None


def checkpoint(connection: Connection, run_key: str) -> Any:
    """step, file, sha256 and bytes of the newest state of an unfinished run, or None."""
    columns = (Checkpoint.step, Checkpoint.file, Checkpoint.sha256, Checkpoint.bytes)
    return connection.execute(select(*columns).join(Run, Run.id == Checkpoint.run_id).where(Run.run_key == run_key)).first()


def image(connection: Connection, sha256: str) -> Mapping[str, Any] | None:
    """One row of the image table, or None."""
    row = connection.execute(select(*Image.__table__.columns).where(Image.sha256 == sha256)).mappings().first()
    return dict(row) if row else None


def states_of(connection: Connection, run_keys: Sequence[str]) -> dict[str, str]:
    """run_key -> state, for those runs that the workspace knows."""
    found: dict[str, str] = {}
    for start in range(0, len(run_keys), 500):
        batch = run_keys[start : start + 500]
        found |= {key: state for key, state in connection.execute(select(Run.run_key, Run.state).where(Run.run_key.in_(batch)))}
    return found


def states_for(connection: Connection, sweep: str, run_keys: Sequence[str]) -> dict[str, str]:
    """run_key -> state, as planning a sweep wants it: what failed in another sweep is left out, as this one queues it again."""
    held = select(Run.run_key).join(Combination, Combination.run_id == Run.id).join(Sweep, Sweep.id == Combination.sweep_id)
    failed_here = set(connection.execute(held.where(Sweep.name == sweep, Run.state.in_(GIVEN_UP))).scalars())
    return {key: state for key, state in states_of(connection, run_keys).items() if state not in GIVEN_UP or key in failed_here}


def measured_rate(connection: Connection, network: str | None = None, dtype: str | None = None) -> float | None:
    """Multiply-adds per second of one worker, from the newest 50 finished attempts here; None if there are none.

    Of one network and of one number type, where they are given. Runs that may have stopped early are left out, and attempts that went on
    from a state: they did less than the work that the run was expected to take.
    """
    statement = (
        select(Run.work, Attempt.seconds)
        .join(Attempt, Attempt.run_id == Run.id)
        .where(Attempt.state == "done", Attempt.seconds > 0, Attempt.start_step == 0, Run.settings["stop"].as_string().is_(None))
        .order_by(Attempt.id.desc())
        .limit(50)
    )
    if network is not None:
        statement = statement.where(Run.settings["network"].as_string() == network)
    if dtype is not None:
        statement = statement.where(func.coalesce(Run.settings["dtype"].as_string(), words.Settings.dtype) == dtype)
    rows = connection.execute(statement).all()
    return sum(work for work, _ in rows) / sum(seconds or 0.0 for _, seconds in rows) if rows else None


def driver(connection: Connection) -> DriverRow | None:
    """The driver that serves the workspace now, if one is alive."""
    return live_driver(connection)


def weights_file(connection: Connection, network_hash: str) -> str | None:
    """Where a user's own weights lie, as the newest sweep that uses them recorded."""
    for resources in connection.execute(select(Sweep.resources).order_by(Sweep.id.desc())).scalars():
        if network_hash in resources.get("weights", {}):
            return str(resources["weights"][network_hash])
    return None


def networks_needed(connection: Connection, sweep_id: int) -> list[str]:
    """The networks of a sweep's unfinished runs that have the published weights, not a user's own."""
    own = connection.execute(select(Sweep.resources).where(Sweep.id == sweep_id)).scalar_one().get("weights", {})
    network, network_hash = (Run.settings[name].as_string() for name in ("network", "network_hash"))
    left = select(network, network_hash).join(Combination, Combination.run_id == Run.id).where(Combination.sweep_id == sweep_id)
    found = connection.execute(left.where(Run.state.not_in(SETTLED)).distinct()).all()
    return sorted({name for name, used in found if used not in own})

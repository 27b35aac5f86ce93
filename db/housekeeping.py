"""Putting sweeps away, deleting them, and removing files that nothing refers to any more."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, exists, select, update
from sqlalchemy.orm import aliased

from db.artifacts import Artifacts, storage_error
from db.backup import CHECKPOINTS
from db.engine import storage_errors
from db.models import Attempt, Checkpoint, Combination, Image, LossPoint, Preview, Run, Snapshot, Sweep
from db.queries import sweep_named
from db.references import artifact_files, checkpoint_files, unused_pictures
from db.rows import keep_numbers_rising, next_seq
from db.steering import refresh_wanted
from db.uploads import Found, remove_uploads, unused_uploads
from db.workspace import Workspace
from sweep.errors import InputError, WorkspaceBusy

YOUNG_SECONDS = 3600.0
"""A file younger than this is never removed: whoever writes one writes its row next."""
LEFT_BEHIND = (".merge-*", ".pull-*")
"""Folders in a workspace that a command makes for itself, and that one which was killed leaves behind."""
EXPORTS = "exports"
"""What pages have exported; a zip there belongs to whoever made it, only one that was never finished goes."""
LEFT_BEHIND_SECONDS = 24 * 3600.0
"""Their files are not touched for as long as a slow line takes to send them; nor is an upload, whose job may wait before it records."""
UPLOADED = "uploaded file"
_BATCH = 500
_Item = TypeVar("_Item")


def finished_exports(workspace: Workspace) -> list[Path]:
    """The zips that pages have exported. Everything in them is made from results, so backups and merges leave them where they are."""
    return sorted(path for path in workspace.folder.glob(f"{EXPORTS}/*.zip") if path.is_file())


def archive(engine: Engine, name: str) -> None:
    """Put a sweep away: it is kept, and shown when asked for. No harm if it is put away already.

    Raises:
        InputError: there is no such sweep.
        WorkspaceBusy: it has runs to do; a sweep that works must be seen.
    """
    with engine.begin() as connection:
        row = sweep_named(connection, name)
        running = row.states.get("running", 0)
        if running or (row.state == "active" and row.settled < row.runs):
            what = f"{running} of its runs are running" if running else f"{row.runs - row.settled} of its runs are queued"
            raise WorkspaceBusy(f"{name}: {what}. Pause or cancel it first: stylesweep pause {name}")
        unless = Sweep.archived_at.is_(None)
        connection.execute(update(Sweep).where(Sweep.id == row.id, unless).values(archived_at=time.time()))


def unarchive(engine: Engine, name: str) -> None:
    """Take a sweep out again.

    Raises:
        InputError: there is no such sweep.
    """
    with engine.begin() as connection:
        connection.execute(update(Sweep).where(Sweep.id == sweep_named(connection, name).id).values(archived_at=None))


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """What goes with a sweep: its combinations, and the runs that no other sweep has, done or not."""

    combinations: int
    runs: int
    done: int


def what_goes(connection: Connection, name: str) -> Deletion:
    """What `delete_sweep` would delete.

    Raises:
        InputError: there is no such sweep.
    """
    row = sweep_named(connection, name)
    runs = _own_runs(connection, row.id)
    return Deletion(combinations=row.combinations, runs=len(runs), done=sum(state == "done" for state in runs.values()))


def _own_runs(connection: Connection, sweep_id: int) -> dict[int, str]:
    """The runs that no other sweep has a combination of, with their states."""
    elsewhere = aliased(Combination)
    other = exists().where(elsewhere.run_id == Run.id, elsewhere.sweep_id != sweep_id)
    mine = select(Run.id, Run.state).join(Combination, Combination.run_id == Run.id).where(Combination.sweep_id == sweep_id, ~other)
    return {run_id: state for run_id, state in connection.execute(mine.distinct())}


def delete_sweep(engine: Engine, name: str) -> Deletion:
    """Delete a sweep with its own runs: attempts, curves, snapshots. Not what people said of them, nor the files (`gc`).

    Raises:
        InputError: there is no such sweep.
        WorkspaceBusy: runs of it are running.
    """
    with engine.begin() as connection:
        row = sweep_named(connection, name)
        runs = _own_runs(connection, row.id)
        running = sum(state == "running" for state in runs.values())
        if running:
            raise WorkspaceBusy(f"{name}: {running} of its runs are running. Pause it first: stylesweep pause {name}")
        highest = next_seq(connection) - 1
        mine = select(Combination.run_id).where(Combination.sweep_id == row.id)
        others = select(Combination.sweep_id).where(Combination.run_id.in_(mine), Combination.sweep_id != row.id).distinct()
        sharing = list(connection.execute(others).scalars())
        connection.execute(delete(Combination).where(Combination.sweep_id == row.id))
        for batch in _batches(list(runs)):
            for table in (LossPoint, Snapshot, Preview, Checkpoint, Attempt):
                connection.execute(delete(table).where(table.run_id.in_(batch)))
            connection.execute(delete(Run).where(Run.id.in_(batch)))
        connection.execute(delete(Sweep).where(Sweep.id == row.id))
        keep_numbers_rising(connection, highest)
        for sweep_id in sharing:
            refresh_wanted(connection, sweep_id)
        return Deletion(combinations=row.combinations, runs=len(runs), done=sum(state == "done" for state in runs.values()))


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """Files of one kind that nothing refers to."""

    kind: str
    files: int
    bytes: int
    paths: tuple[Path, ...]


def orphans(workspace: Workspace, *, older_than: float = 0.0) -> list[Orphans]:
    """Files that no row refers to, of at least that age in seconds; pictures whose row nothing refers to are among them."""
    with storage_errors(workspace.url), workspace.reader().connect() as connection:
        unused = set(unused_pictures(connection))
        files = [file for file in artifact_files(connection) if file.picture not in unused]
        states = {state.file for state in checkpoint_files(connection)}
    wanted = {workspace.artifacts.path(file.sha256, file.suffix) for file in files}
    old = _older(older_than)
    pictures = [path for path in _whole(workspace.artifacts) if path not in wanted and old(path)]
    checkpoints = [path for path in _files(workspace.folder / CHECKPOINTS) if path.name not in states and old(path)]
    partial = [path for path in workspace.artifacts.folder.glob("*/.*") if old(path)]
    partial += [path for path in workspace.folder.glob(f"{EXPORTS}/.*.partial") if old(path)]
    left = _older(max(older_than, LEFT_BEHIND_SECONDS))
    for pattern in LEFT_BEHIND:
        partial += [path for folder in workspace.folder.glob(pattern) for path in folder.rglob("*") if path.is_file() and left(path)]
    found = (("picture", pictures), ("checkpoint", checkpoints), ("partial file", partial))
    uploads = unused_uploads(workspace, left)
    return [*(_orphans(kind, [(path, _size(path)) for path in paths]) for kind, paths in found), _orphans(UPLOADED, uploads)]


def _orphans(kind: str, found: Found) -> Orphans:
    return Orphans(kind=kind, files=len(found), bytes=sum(size for _, size in found), paths=tuple(path for path, _ in found))


def _whole(artifacts: Artifacts) -> Iterator[Path]:
    return (path for path in artifacts.folder.glob("*/*") if not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*") if path.is_file())


def _older(seconds: float) -> Callable[[Path], bool]:
    before = time.time() - seconds

    def old(path: Path) -> bool:
        try:
            return path.stat().st_mtime <= before
        except OSError:
            return False  # it has gone by itself

    return old


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def check_age(seconds: float) -> None:
    """Refuse what would not be safe.

    Raises:
        InputError: it is less than an hour, or no number.
    """
    if not seconds >= YOUNG_SECONDS:
        raise InputError("--older-than must be 1 hour or more: whoever writes a file writes its row a little later.")


def collect(workspace: Workspace, *, older_than: float = YOUNG_SECONDS) -> list[Orphans]:
    """Remove what `orphans` finds, rows of pictures that nothing refers to included; what was removed. Safe beside a driver.

    Rows first. Then the files, under the write lock and in small lots, after one more look that no row refers to them; a file that
    somebody writes again (`Artifacts.put` makes it young) is left alone.

    Raises:
        InputError: older_than is under an hour.
        StorageError: a file cannot be removed.
    """
    check_age(older_than)
    engine, old = workspace.writer(), _older(older_than)
    with storage_errors(workspace.url), engine.begin() as connection:
        _forget_pictures(connection, workspace.artifacts, old)
    removed = []
    for kind in orphans(workspace, older_than=older_than):
        if kind.kind == UPLOADED:
            continue
        gone: Found = []
        for paths in _batches(kind.paths):
            with storage_errors(workspace.url), engine.begin() as connection:
                for path in paths:
                    if not _wanted(connection, kind.kind, path.name) and (size := _taken_away(path, old)) is not None:
                        gone.append((path, size))
        removed.append(_orphans(kind.kind, gone))
    removed.append(_orphans(UPLOADED, remove_uploads(workspace, _older(max(older_than, LEFT_BEHIND_SECONDS)))))
    for pattern in LEFT_BEHIND:
        for folder in workspace.folder.glob(pattern):
            _remove_empty(folder)
    return removed


def _forget_pictures(connection: Connection, artifacts: Artifacts, old: Callable[[Path], bool]) -> None:
    """Rows of old pictures that nothing refers to; a young one is that of a sweep that is just being recorded."""
    for batch in _batches(unused_pictures(connection)):
        rows = connection.execute(select(Image.sha256, Image.format).where(Image.sha256.in_(batch))).all()
        paths = {row.sha256: artifacts.path(row.sha256, row.format) for row in rows}
        gone = [sha256 for sha256, path in paths.items() if old(path) or not path.exists()]
        connection.execute(delete(Image).where(Image.sha256.in_(gone)))


def _wanted(connection: Connection, kind: str, name: str) -> bool:
    if kind == "picture":
        sha256 = name.partition(".")[0]
        return connection.execute(select(Image.sha256).where((Image.sha256 == sha256) | (Image.thumbnail == sha256))).first() is not None
    return kind == "checkpoint" and connection.execute(select(Checkpoint.run_id).where(Checkpoint.file == name)).first() is not None


def _taken_away(path: Path, old: Callable[[Path], bool]) -> int | None:
    """Rename, look, remove: somebody may find the file and rely on it between a look and its end. Its size; None if it stays."""
    aside = path.with_name(f".{path.name.lstrip('.')}.gone")
    try:
        path.rename(aside)
        if not old(aside):
            aside.rename(path)
            return None
        size = aside.stat().st_size
        aside.unlink()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(path, error) from error
    return size


def _remove_empty(folder: Path) -> None:
    for inner in [*sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True), folder]:
        with contextlib.suppress(OSError):  # not empty, or gone
            inner.rmdir()

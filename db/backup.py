"""A copy of a workspace that is consistent, whoever writes to it meanwhile. It is a workspace itself: open it with --workspace."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, delete, select, update

from db.artifacts import Artifacts, storage_error, sync_folder, write_durably
from db.copying import Copied, copy_database, copy_files, database_file, plain_connection
from db.engine import open_engine
from db.models import Checkpoint, Driver
from db.references import CheckpointFile, artifact_files, checkpoint_files
from db.workspace import Workspace, sqlite_url
from sweep.errors import InputError, StorageError

MARKER = "backup.json"
"""Says that a folder is a backup, and of what."""
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class BackedUp:
    """What a backup came to. lost_checkpoints: states that the driver replaced at that very moment; their runs begin anew."""

    folder: Path
    pictures: Copied
    checkpoints: int
    lost_checkpoints: int


def back_up(workspace: Workspace, out: Path, *, database_only: bool = False) -> BackedUp:
    """Copy a workspace to `out`, or bring the backup that lies there up to date; what it has is not copied again.

    The database first, as it is at one moment, then the files that it refers to: they never change. A new backup stands under
    its name when it is whole; in an old one the new database takes the old one's place when every file is there.

    Raises:
        InputError: `out` holds something else than a backup of this workspace.
        StorageError: it cannot be written.
    """
    source = database_file(workspace)
    out = out.absolute()
    begun = _checked(workspace, out, database_only)
    partial = begun / f".{source.name}.partial"
    pictures, kept = Copied(files=0, bytes=0), set[str]()
    try:
        (begun / "artifacts").mkdir(parents=True, exist_ok=True)
        with _snapshot(source, partial) as states:
            if not database_only:
                kept = {name for state, open_file in states if (name := _copy_state(state, open_file, begun / CHECKPOINTS))}
        with open_engine(sqlite_url(partial)).begin() as connection:
            _settle_copy(connection, kept)
            files = [] if database_only else artifact_files(connection)
        pictures = copy_files(files, workspace.artifacts, Artifacts(begun / "artifacts"))
        _put_in_place(begun, out, partial, _marker(workspace, database_only))
        _drop_old_states(out, kept)
    except OSError as error:
        raise storage_error(out, error) from error
    if pictures.broken:
        raise StorageError(
            f"the backup in {out} is made, but {len(pictures.broken)} files of the workspace could not be copied: {pictures.broken[0]} "
            "`stylesweep verify` lists them all."
        )
    return BackedUp(folder=out, pictures=pictures, checkpoints=len(kept), lost_checkpoints=0 if database_only else len(states) - len(kept))


def _checked(workspace: Workspace, out: Path, database_only: bool) -> Path:
    """Where to write: the backup itself if there is one, else a folder beside `out` that is renamed at the end."""
    home = workspace.folder.resolve()
    if out.resolve() == home or (home in out.resolve().parents and not out.resolve().relative_to(home).parts[0].startswith(".")):
        raise InputError(f"--out {out} lies in the workspace itself; a backup belongs elsewhere, best on another disk.")
    if (out / MARKER).is_file():
        _check_backup(workspace, out, _read_marker(out / MARKER), database_only)
        return out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} is there already and is no backup of stylesweep; give a new folder, or that of an earlier backup.")
    return out.with_name(f".{out.name}.partial")


def _check_backup(workspace: Workspace, out: Path, marker: Mapping[str, Any], database_only: bool) -> None:
    if marker.get("of") not in (None, _identity(workspace)):
        raise InputError(
            f"--out {out} is a backup of another workspace, made of {marker.get('folder')}; give each workspace a folder of its own."
        )
    if database_only and not marker.get("database_only"):
        raise InputError(f"--out {out} is a whole backup; without its pictures (--database-only) a backup needs another folder.")
    with closing(plain_connection(out / "sweeps.db")) as connection:  # undoes what somebody who worked in it left half done
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if _header(out / "sweeps.db") not in marker.get("headers", ()):
        raise InputError(
            f"--out {out} was worked in since it was made, and what it has more would be lost. Give another folder; "
            f"`stylesweep merge {out}` takes its results over."
        )


def _read_marker(path: Path) -> dict[str, Any]:
    try:
        marker = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read; give another folder for the backup.") from error
    return marker if isinstance(marker, dict) else {}


def is_database_only(folder: Path) -> bool:
    """Whether a folder is a backup that was made without its pictures, and nothing else since."""
    if not (folder / MARKER).is_file():
        return False
    marker = _read_marker(folder / MARKER)
    return bool(marker.get("database_only")) and _header(folder / "sweeps.db") in marker.get("headers", ())


def _identity(workspace: Workspace) -> str | None:
    """What tells one workspace from another, wherever they are moved to: the first that drove it."""
    with workspace.reader().connect() as connection:
        return connection.execute(select(Driver.id).order_by(Driver.started_at, Driver.id).limit(1)).scalar()


def _marker(workspace: Workspace, database_only: bool) -> dict[str, Any]:
    return {"backup": 1, "of": _identity(workspace), "folder": str(workspace.folder), "at": time.time(), "database_only": database_only}


def _header(database: Path) -> str:
    """Of a SQLite file: it counts the transactions that have changed it."""
    with database.open("rb") as file:
        return file.read(100).hex()


State = tuple[CheckpointFile, BinaryIO | None]


@contextmanager
def _snapshot(source: Path, partial: Path) -> Iterator[list[State]]:
    """Copies the database, and holds its checkpoints open: the driver deletes the old file of a run once a newer one is recorded.

    It records none while this looks, as a reader holds up its commit; after that an open file outlives its name.
    """
    with ExitStack() as held:
        states: list[State] = []
        with closing(plain_connection(source)) as connection:
            connection.execute("BEGIN")
            for run_id, name, sha256, size in connection.execute("SELECT run_id, file, sha256, bytes FROM checkpoint").fetchall():
                state = CheckpointFile(run_id=run_id, file=name, sha256=sha256, bytes=size)
                opened = None
                with contextlib.suppress(OSError):
                    opened = held.enter_context((source.parent / CHECKPOINTS / Path(name).name).open("rb"))
                states.append((state, opened))
            copy_database(connection, partial)
            connection.execute("COMMIT")
        yield states


def _copy_state(state: CheckpointFile, opened: BinaryIO | None, folder: Path) -> str | None:
    """The name of the copy; None where the file is missing or damaged: a state is worth having, but never worth failing for."""
    data = opened.read() if opened is not None else b""
    if hashlib.sha256(data).hexdigest() != state.sha256:
        return None
    write_durably(folder / Path(state.file).name, data)
    return Path(state.file).name


def _settle_copy(connection: Connection, kept: set[str]) -> None:
    """In the copy nobody drives, whoever drives the original: what was running is queued by the first who does. And it names only the
    checkpoints that it has."""
    connection.execute(update(Driver).where(Driver.ended_at.is_(None)).values(ended_at=time.time()))
    for state in checkpoint_files(connection):
        if Path(state.file).name not in kept:
            connection.execute(delete(Checkpoint).where(Checkpoint.run_id == state.run_id))


def _put_in_place(begun: Path, out: Path, partial: Path, marker: dict[str, Any]) -> None:
    """The marker first, which knows the old database and the new one: whenever this is cut off, one of them is there."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.with_name(f"{partial.name}-journal").unlink(missing_ok=True)
    old = begun / "sweeps.db"
    headers = [_header(path) for path in (old, partial) if path.is_file()]
    write_durably(begun / MARKER, json.dumps(marker | {"headers": headers}, indent=1).encode())
    partial.replace(old)
    if begun != out:
        begun.rename(out)  # onto an empty folder too, but onto nothing else
    for folder in (out, out.parent):
        sync_folder(folder)


def _drop_old_states(out: Path, kept: set[str]) -> None:
    """Checkpoints of an earlier backup that its database no longer names."""
    for path in (out / CHECKPOINTS).glob("*"):
        if path.name not in kept:
            path.unlink(missing_ok=True)

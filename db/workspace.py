"""One folder is a workspace: `sweeps.db`, `artifacts/`, and `checkpoints/` while runs are under way."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine

from db.artifacts import Artifacts, storage_error
from db.engine import open_engine, upgrade
from sweep.errors import InputError, StorageError


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where a workspace lies and how to reach its database."""

    folder: Path
    url: str
    artifacts: Artifacts

    @property
    def checkpoints(self) -> Path:
        """Where the states of unfinished runs lie."""
        return self.folder / "checkpoints"

    def writer(self) -> Engine:
        """For the driver and for short transactions of others; every transaction begins IMMEDIATE."""
        return open_engine(self.url)

    def reader(self, patience_ms: int | None = None) -> Engine:
        """For looking only. patience_ms: how long it waits for a lock, if not as long as everybody."""
        return open_engine(self.url, reader=True, patience_ms=patience_ms)


def sqlite_url(database: Path) -> str:
    """The URL of a SQLite file. Not an f-string: a question mark or a percent sign in the path would end it, or change it."""
    return URL.create("sqlite", database=str(database)).render_as_string(hide_password=False)


def open_workspace(folder: Path, *, create: bool, url: str | None = None) -> Workspace:
    """Open a workspace and bring its schema up to date. `url` is any SQLAlchemy URL instead of the folder's own SQLite file.

    Raises:
        InputError: there is none and create is false, or a newer stylesweep wrote it.
        StorageError: it cannot be made or written, or its database was emptied.
    """
    folder = folder.absolute()
    database = folder / "sweeps.db"
    if url is None and not create and not database.is_file():
        raise InputError(
            f"there is no workspace in {folder}. Start one with `stylesweep run SPEC.yaml`, or say where it is with --workspace DIR."
        )
    try:
        (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    if url is None:
        _refuse_emptied(database, folder / "artifacts")
    url = url or sqlite_url(database)
    upgrade(url)
    return Workspace(folder=folder, url=url, artifacts=Artifacts(folder / "artifacts"))


def _refuse_emptied(database: Path, artifacts: Path) -> None:
    """SQLite takes a file of no bytes for a new database; beside pictures it is one that was cut, and `gc` would remove them all."""
    try:
        emptied = database.is_file() and database.stat().st_size == 0 and any(artifacts.iterdir())
    except OSError:  # opening it tells why
        return
    if emptied:
        raise StorageError(
            f"{database} is empty, although {artifacts} holds pictures: restore a backup. Without one, delete the empty file; "
            "sweeps are then run anew."
        )

"""Consistent copies of a database that is being written, and checked copies of a workspace's pictures."""

import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from db.artifacts import Artifacts
from db.engine import BUSY_TIMEOUT_MS
from db.references import ArtifactFile
from db.workspace import Workspace
from sweep.errors import InputError, StorageError

WRITERS = 8
"""Files on their way at once: most of the time of a small one is its fsync, and those of several overlap."""


def database_file(workspace: Workspace) -> Path:
    """The workspace's SQLite file.

    Raises:
        InputError: its database is another one.
    """
    url = make_url(workspace.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise InputError(f"{workspace.url} is no SQLite file; copy it with its own tools, and the folder artifacts after it.")
    return Path(url.database)


def plain_connection(database: Path) -> sqlite3.Connection:
    """Without SQLAlchemy, for what it has no words for. Read-write, as only that can undo what a killed driver left half done."""
    return sqlite3.connect(database, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)


def copy_database(source: sqlite3.Connection, target: Path) -> None:
    """The database as it is at one moment, whoever writes to it; the writer waits meanwhile, about a second for a gigabyte."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy, pages=-1)  # in one step: between two a writer could make it begin anew, for ever


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a copy of many files came to. broken: a sentence for each that is missing or damaged at its source."""

    files: int
    bytes: int
    broken: tuple[str, ...] = ()


def copy_files(files: Iterable[ArtifactFile], source: Artifacts, target: Artifacts, *, move: bool = False) -> Copied:
    """Copy what the target lacks, each file checked against its name on the way; `move` takes it away from the source then.

    Raises:
        StorageError: the target cannot be written; what has been copied stays, and the next copy goes on from there.
    """

    def copy(file: ArtifactFile) -> int | str:
        try:
            data = source.get(file.sha256, file.suffix)
        except StorageError as error:
            return str(error)
        target.put(data, file.suffix)
        if move:
            source.path(file.sha256, file.suffix).unlink(missing_ok=True)
        return len(data)

    pool = ThreadPoolExecutor(WRITERS)
    try:
        results = list(pool.map(copy, (file for file in files if not holds(target, file))))
    finally:
        pool.shutdown(cancel_futures=True)
    sizes = [result for result in results if isinstance(result, int)]
    return Copied(files=len(sizes), bytes=sum(sizes), broken=tuple(result for result in results if isinstance(result, str)))


def holds(artifacts: Artifacts, file: ArtifactFile) -> bool:
    """Whether a file is there, and as long as it should be; its bytes are for `verify` to look at."""
    try:
        size = artifacts.path(file.sha256, file.suffix).stat().st_size
    except OSError:
        return False
    return size == file.bytes if file.bytes is not None else size > 0

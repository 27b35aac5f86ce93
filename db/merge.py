"""Taking over what another workspace has: its results, its sweeps, and what people said of its runs.

A workspace may be merged again and again as it grows, and each merge may be killed: the files come first, then all rows in one
transaction. The other workspace is read from a copy of its database, so its driver may go on, and nothing is written there.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from db import merge_results, merge_reviews, merge_sweeps
from db.artifacts import Artifacts, storage_error
from db.copying import Copied, copy_database, copy_files, database_file, holds, plain_connection
from db.engine import known_revision, open_engine, storage_errors, upgrade
from db.references import ArtifactFile, artifact_files
from db.workspace import Workspace, sqlite_url
from sweep.errors import InputError, StorageError

PREFIX = ".merge-"
"""Of the folder within the workspace that holds the other's database meanwhile; `gc` removes one that was left behind."""
MOST_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge brought. unfinished: runs that are not finished in the other workspace either; renamed: sweeps whose name was taken
    here by another, with their new name; paused: sweeps that came with runs still to do."""

    files: int
    bytes: int
    results: int
    unfinished: int
    sweeps: int
    combinations: int
    reviews: int
    renamed: tuple[tuple[str, str], ...]
    paused: tuple[str, ...]


def merge(workspace: Workspace, other: Path, *, move: bool = False) -> Merged:
    """Take over what the workspace in the folder `other` has. Nothing there is changed; `move` takes the files away, once they are here.

    Raises:
        InputError: there is no workspace in that folder, or it is this one.
        StorageError: a picture there is missing or damaged, or the disk is full. Nothing but files was added then; the next merge uses
            them.
    """
    database = check_other(other)
    if other.resolve() == workspace.folder.resolve():
        raise InputError(f"{other} is the workspace itself; give another one, or say with --workspace where its results go.")
    with _own_folder(workspace) as place:
        copy = place / "sweeps.db"
        with storage_errors(str(database)), closing(plain_connection(database)) as connection:
            copy_database_checked(connection, copy, database)
        upgrade(sqlite_url(copy))
        return _merge_copy(workspace, copy, Artifacts(database.parent / "artifacts"), move=move)


def check_other(folder: Path) -> Path:
    """The database of a workspace that is to be merged, refused by its own name if it is none or a newer program's.

    Raises:
        InputError: says which it is.
    """
    database = folder.absolute() / "sweeps.db"
    if not database.is_file():
        raise InputError(f"there is no workspace in {folder.absolute()}; give the folder that holds sweeps.db.")
    with storage_errors(str(database)):
        if known_revision(sqlite_url(database)) is None:
            raise InputError(f"{database} is empty; give the folder of a workspace that holds results.")
    return database


def copy_database_checked(source: Any, copy: Path, name: Path) -> None:
    """Copy, and look whether what was copied is whole.

    Raises:
        StorageError: the database is damaged.
    """
    copy_database(source, copy)
    with closing(plain_connection(copy)) as connection:
        said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise StorageError(f"{name} is damaged ({said}); restore it from a backup. Nothing was merged.")


@contextmanager
def _own_folder(workspace: Workspace) -> Iterator[Path]:
    """On the workspace's own disk, as a database can be large."""
    try:
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=workspace.folder))
    except OSError as error:
        raise storage_error(workspace.folder, error) from error
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _merge_copy(workspace: Workspace, copy: Path, theirs: Artifacts, *, move: bool) -> Merged:
    """Merge from a database of today's schema that nobody writes to, with the files that it refers to.

    Raises:
        StorageError: as for `merge`.
    """
    database_file(workspace)  # only SQLite can look into two files at once
    with open_engine(sqlite_url(copy), reader=True).connect() as connection:
        files = artifact_files(connection)
    copied = Copied(files=0, bytes=0)
    for _ in range(MOST_ROUNDS):
        copied = _copy(files, theirs, workspace, copied, move)
        with storage_errors(workspace.url), _both(workspace, copy) as connection:
            # Under the write lock, so that no `gc` takes away now what is referred to from this transaction on.
            if all(holds(workspace.artifacts, file) for file in files):
                return _merge_rows(connection, copied)
    raise StorageError(f"files of {workspace.artifacts.folder} vanish while they are merged; is another program cleaning up there?")


def _copy(files: list[ArtifactFile], theirs: Artifacts, workspace: Workspace, before: Copied, move: bool) -> Copied:
    copied = copy_files(files, theirs, workspace.artifacts, move=move)
    if copied.broken:
        raise StorageError(
            f"{len(copied.broken)} files of the other workspace are missing or damaged: {copied.broken[0]} Nothing was merged. "
            f"`stylesweep verify --workspace {theirs.folder.parent}` lists them, and says what to do."
        )
    return Copied(files=before.files + copied.files, bytes=before.bytes + copied.bytes)


@contextmanager
def _both(workspace: Workspace, copy: Path) -> Iterator[Connection]:
    """One transaction of the workspace, with the other database beside it as `other`."""
    with workspace.writer().connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("ATTACH DATABASE ? AS other", (str(copy),))  # not possible within a transaction
        with connection.begin():
            yield connection


def _merge_rows(connection: Connection, copied: Copied) -> Merged:
    """Pictures, runs, sweeps, then what is said of the runs; each step maps the other's ids to ours by the keys that both know."""
    merge_results.pictures(connection)
    known = merge_results.map_runs(connection)
    results = merge_results.runs(connection)
    sweeps = merge_sweeps.sweeps(connection)
    reviews = merge_reviews.reviews(connection)
    merge_reviews.calibrations(connection)
    return Merged(
        files=copied.files,
        bytes=copied.bytes,
        results=results,
        unfinished=known.unfinished,
        sweeps=sweeps.added,
        combinations=sweeps.combinations,
        reviews=reviews,
        renamed=sweeps.renamed,
        paused=sweeps.paused,
    )

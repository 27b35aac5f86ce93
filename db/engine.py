"""Connections to the workspace's database, and its migrations."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from sweep.errors import InputError, StorageError, WorkspaceBusy

BUSY_TIMEOUT_MS = 30_000


def open_engine(url: str, *, reader: bool = False, patience_ms: int | None = None) -> Engine:
    """An engine for any SQLAlchemy URL; SQLite gets the pragmas of docs/design.md, section 6. patience_ms: how long it waits for a lock.

    A reader's connections are read-write with query_only: a mode=ro connection could not roll back the journal of a killed driver.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url)
    # NullPool: an idle pooled connection would hold the file open across a fork and in every gallery session.
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy emits BEGIN below, not the sqlite3 module
        pragmas = [f"busy_timeout={BUSY_TIMEOUT_MS if patience_ms is None else patience_ms}", "foreign_keys=ON", "synchronous=FULL"]
        # TRUNCATE, not WAL: WAL can corrupt in SQLite before 3.51.3, and switching modes fails while anyone reads.
        pragmas.append("query_only=ON" if reader else "journal_mode=TRUNCATE")
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Any) -> None:
        # A deferred transaction that reads, then writes, fails at once when another has written, whatever the busy timeout.
        connection.execute("BEGIN" if reader else "BEGIN IMMEDIATE")

    # Of this engine's own dialect, not a listener: with one listener SQLAlchemy looks for listeners at every statement.
    engine.dialect.do_begin = begin  # type: ignore[assignment, method-assign]
    return engine


def migrations_config() -> Config:
    """Alembic's configuration, without an ini file: the scripts lie beside this module."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def head_revision() -> str:
    """The newest schema this program knows."""
    head = ScriptDirectory.from_config(migrations_config()).get_current_head()
    assert head is not None
    return head


def schema_revision(engine: Engine) -> str | None:
    """The schema a database has; None for an empty one. Raises InputError for the database of another program."""
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        if "alembic_version" not in tables:
            if tables:
                raise InputError(
                    f"{called(str(engine.url))} holds the tables of another program ({tables[0]}, ...); choose another --workspace."
                )
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(url: str) -> None:
    """Bring the database to the newest schema; safe when several processes try at once.

    Raises:
        InputError: the database was written by a newer stylesweep.
        StorageError: it cannot be opened, or a foreign key is broken after the migration.
    """
    with storage_errors(url):
        if known_revision(url) != head_revision():
            _migrate(open_engine(url))


def known_revision(url: str) -> str | None:
    """The schema of a database that this program can read, after an upgrade if need be; None for an empty one.

    Raises:
        InputError: it was written by a newer stylesweep, or by another program.
    """
    current = schema_revision(open_engine(url, reader=True))  # a look must not wait for a writer, nor hold one up
    known = {script.revision for script in ScriptDirectory.from_config(migrations_config()).walk_revisions()}
    if current is not None and current not in known:
        raise InputError(f"{called(url)} was written by a newer stylesweep (schema {current}); install that version to open it.")
    return current


def _migrate(engine: Engine) -> None:
    """On a connection of its own with foreign keys off before BEGIN: a batch migration rebuilds tables, and cascades would erase rows."""
    with engine.connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        with connection.begin():
            config = migrations_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
                raise StorageError(f"the migration was undone: it would leave {len(broken)} rows that point at nothing.")


def called(url: str) -> str:
    """A database as messages call it: SQLite's by its path. What is no URL is a name already."""
    if "://" not in url:
        return url
    made = make_url(url)
    return made.database if made.get_backend_name() == "sqlite" and made.database else made.render_as_string()


@contextlib.contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turn what a database driver says of a locked, full, unwritable or damaged file into a sentence with a remedy."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig).lower()
        if isinstance(error, OperationalError) and "locked" in said:
            raise WorkspaceBusy(
                f"{called(url)} has been locked by another program for {BUSY_TIMEOUT_MS // 1000} s; close it and try again."
            ) from error
        remedies = {
            "full": "the disk is full: free some space, then run the same command again; nothing recorded is lost.",
            "readonly": "it cannot be written: check the permissions of the file and of its folder.",
            "unable to open": "it cannot be opened: check that the folder exists and may be written.",
            "not a database": "it is not a SQLite database: choose another --workspace, or restore a backup.",
            "malformed": "the file is damaged: restore a backup.",
            "disk i/o": "the disk reported an error: check that it has space left and is healthy.",
        }
        for word, remedy in remedies.items():
            if word in said:
                raise StorageError(f"{called(url)}: {remedy}") from error
        raise

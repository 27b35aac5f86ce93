"""The database file: its pragmas, its migrations, a killed writer's journal, and readers beside a busy writer."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from factories import made_up_workspace
from old_schemas import as_before_schema_0006
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from db import queries
from db.engine import head_revision, open_engine, schema_revision, storage_errors, upgrade
from db.models import Base
from db.workspace import Workspace, open_workspace, sqlite_url
from sweep.errors import InputError, StorageError, WorkspaceBusy
from sweep.transfer.yardstick_names import ALL_NAMES

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def all_migrations(monkeypatch: pytest.MonkeyPatch, migrations: Callable[..., None]) -> None:
    """Here they run for every workspace."""
    monkeypatch.setattr("db.engine._migrate", migrations)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "w", create=True)


def pragma(engine: Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_every_writing_connection_is_set_up_for_safety(workspace: Workspace) -> None:
    found = {
        name: pragma(workspace.writer(), name) for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout", "query_only")
    }
    assert found == {"foreign_keys": 1, "journal_mode": "truncate", "synchronous": 2, "busy_timeout": 30_000, "query_only": 0}


def test_a_reading_connection_cannot_write(workspace: Workspace) -> None:
    assert pragma(workspace.reader(), "query_only") == 1
    with workspace.reader().begin() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(text("DELETE FROM driver"))


def test_foreign_keys_are_enforced(workspace: Workspace) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), workspace.writer().begin() as connection:
        connection.execute(text("INSERT INTO loss_point VALUES (77, 0, 64, 0.1, 0.1, 0.1)"))


def test_a_transaction_that_fails_leaves_nothing_not_even_a_table(workspace: Workspace) -> None:
    with pytest.raises(OperationalError), workspace.writer().begin() as connection:
        connection.execute(text("CREATE TABLE extra (x)"))
        connection.execute(text("INSERT INTO extra VALUES (1)"))
        connection.execute(text("nonsense"))
    with sqlite3.connect(workspace.folder / "sweeps.db") as plain:
        assert plain.execute("SELECT name FROM sqlite_master WHERE name = 'extra'").fetchall() == []
    plain.close()


@pytest.mark.parametrize("name", ["plain", "a?b=c", "100%20 off", "a#b", "a@b:c", "späte Ernte", "a;b", "it's"])
def test_a_workspace_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    workspace = open_workspace(tmp_path / name, create=True)
    with workspace.reader().connect() as connection:
        assert queries.sweeps(connection) == []
    assert (tmp_path / name / "sweeps.db").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_migrations_lead_from_nothing_to_the_newest_schema_and_then_do_nothing(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "sweeps.db")
    assert schema_revision(open_engine(url)) is None
    upgrade(url)
    assert schema_revision(open_engine(url)) == head_revision()
    before = (tmp_path / "sweeps.db").read_bytes()
    upgrade(url)
    assert (tmp_path / "sweeps.db").read_bytes() == before


def test_migrations_and_models_are_the_same_schema(workspace: Workspace) -> None:
    with workspace.writer().connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        # SQLite does not tell of an index which of its columns fall; the next test compares that index by its SQL.
        differences = [one for one in compare_metadata(context, Base.metadata) if "'ix_run_queue'" not in str(one)]
        assert differences == []


def test_migrations_and_models_have_the_same_constraints(workspace: Workspace, tmp_path: Path) -> None:
    """Autogenerate does not look at CHECK constraints nor at WITHOUT ROWID, so the SQL itself is compared."""
    fresh = open_engine(sqlite_url(tmp_path / "fresh.db"))
    Base.metadata.create_all(fresh)

    def schema(engine: Engine) -> dict[str, list[str]]:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'")).all()
        # Apart at every comma and line; their order in the statement does not matter.
        parts = {name: re.split(r"[,\n]", sql.replace('"', "")) for name, sql in rows}
        return {name: sorted(" ".join(part.split()) for part in found if part.strip()) for name, found in parts.items()}

    assert schema(workspace.writer()) == schema(fresh)


def test_four_processes_may_migrate_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from db.workspace import open_workspace\n"
        "while time.time() < float(sys.argv[2]): pass\n"
        "open_workspace(Path(sys.argv[1]), create=True)"
    )
    at = time.time() + 1.5
    command = [sys.executable, "-c", code, str(tmp_path / "w"), str(at)]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in processes] == [""] * 4
    assert schema_revision(open_engine(sqlite_url(tmp_path / "w" / "sweeps.db"))) == head_revision()


def test_opening_a_workspace_of_todays_schema_waits_for_no_writer(workspace: Workspace) -> None:
    with workspace.writer().begin():
        began = time.monotonic()
        open_workspace(workspace.folder, create=False)
        assert time.monotonic() - began < 5


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_newer_schema_is_refused_with_a_sentence_and_left_alone(workspace: Workspace) -> None:
    with workspace.writer().begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = files_of(workspace.folder)
    with pytest.raises(InputError, match=r"written by a newer stylesweep \(schema 9999\); install that version"):
        open_workspace(workspace.folder, create=True)
    assert files_of(workspace.folder) == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "sweeps.db") as plain:
        plain.execute("CREATE TABLE sweep (theirs)")
    plain.close()
    before = files_of(tmp_path)
    with pytest.raises(InputError, match="tables of another program"):
        open_workspace(tmp_path, create=True)
    assert files_of(tmp_path) == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sweeps.db").write_bytes(b"These are my notes. " * 100)
    before = files_of(tmp_path)
    with pytest.raises(StorageError, match="not a SQLite database: choose another --workspace"):
        open_workspace(tmp_path, create=True)
    assert files_of(tmp_path) == before


def test_there_is_no_workspace_to_look_at_until_one_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no workspace in"):
        open_workspace(tmp_path / "w", create=False)
    assert not (tmp_path / "w").exists()


def test_a_workspace_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper", Path("/proc/workspace"), tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match=folder.name[:20]):
            open_workspace(folder, create=True)
    (tmp_path / "taken" / "sweeps.db").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be opened"):
        open_workspace(tmp_path / "taken", create=True)


@pytest.mark.parametrize(
    ("said", "kind", "remedy"),
    [
        ("database is locked", WorkspaceBusy, "close it and try again"),
        ("database or disk is full", StorageError, "free some space"),
        ("attempt to write a readonly database", StorageError, "permissions"),
        ("unable to open database file", StorageError, "folder exists"),
        ("database disk image is malformed", StorageError, "restore a backup"),
        ("disk I/O error", StorageError, "space left"),
    ],
)
def test_what_sqlite_says_becomes_a_sentence_with_a_remedy(said: str, kind: type[Exception], remedy: str) -> None:
    with pytest.raises(kind, match=remedy), storage_errors("w/sweeps.db"):
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError(said))


def test_a_mistake_in_our_own_sql_stays_a_mistake(workspace: Workspace) -> None:
    with pytest.raises(OperationalError, match="no such table"), storage_errors("x"), workspace.reader().connect() as connection:
        connection.execute(text("SELECT * FROM gone"))


def test_a_full_database_is_told_as_such_and_keeps_what_it_has(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    engine = workspace.writer()
    with pytest.raises(StorageError, match="the disk is full"), storage_errors("x"), engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite takes the number of pages that there are
        for number in range(2000):
            connection.execute(text("UPDATE sweep SET spec_text = spec_text || :more"), {"more": "x" * 10_000 + str(number)})
    with workspace.reader().connect() as connection:
        assert len(queries.results(connection)) == 8
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


KILLED = """
import sys, time
from pathlib import Path
from sqlalchemy import text
from db.workspace import open_workspace
engine = open_workspace(Path(sys.argv[1]), create=False).writer()
with engine.begin() as connection:
    connection.exec_driver_sql("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
    connection.execute(text("UPDATE run SET error = :error"), {"error": "x" * 20_000})
    connection.execute(text("DELETE FROM loss_point"))
    print("in the middle", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def hot(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose writer was killed in the middle of a transaction that had reached the file."""
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(workspace.folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "in the middle\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=20)
    process.stdout.close()
    assert (workspace.folder / "sweeps.db-journal").stat().st_size > 0
    yield workspace


def test_a_reader_undoes_what_a_killed_writer_left_half_done(hot: Workspace) -> None:
    with hot.reader().connect() as connection:
        found = queries.results(connection)
        assert {result.state for result in found} == {"done"}
        assert {result.error for result in found} == {None}
        assert len(queries.loss_curve(connection, found[0].run_key)) == 60
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    journal = hot.folder / "sweeps.db-journal"
    assert not journal.exists() or journal.stat().st_size == 0


def test_a_connection_that_is_read_only_could_not(hot: Workspace) -> None:
    """Why readers are read-write with query_only: the negative control of the test above."""
    plain = sqlite3.connect(f"file:{hot.folder / 'sweeps.db'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError):
        plain.execute("SELECT count(*) FROM run").fetchall()
    plain.close()


def test_readers_and_a_busy_writer_do_not_lock_each_other_out(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=1)
    stop = threading.Event()
    reads, errors = [0, 0, 0], []

    def read(index: int) -> None:
        while not stop.is_set():
            try:
                with workspace.reader().connect() as connection:
                    found = queries.results(connection, limit=10)
                    queries.loss_curve(connection, found[0].run_key)
                reads[index] += 1
            except Exception as error:
                errors.append(error)

    readers = [threading.Thread(target=read, args=(index,), daemon=True) for index in range(3)]
    for reader in readers:
        reader.start()
    engine, writes, slowest, patience = workspace.writer(), 0, 0.0, time.monotonic() + 60
    try:
        while (writes < 20 or min(reads) < 20) and time.monotonic() < patience:
            began = time.monotonic()
            with engine.begin() as connection:
                connection.execute(text("UPDATE run SET seconds = seconds + 1"))
            slowest = max(slowest, time.monotonic() - began)
            writes += 1
            time.sleep(0.02)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert errors == []
    assert min(reads) >= 20 and writes >= 20
    assert slowest < 10  # readers that come and go may not starve the writer


ADDED = {
    "0002": ["style_scale", "colors", "loss", "style_loss", "pooling", "padding"],
    "0003": [
        *("size_by", "stop", "dtype", "later_steps", "learning_rate", "momentum", "variance_decay", "levels", "epsilon", "averaging"),
        *("smallest", "factor", "history"),
    ],
}


@pytest.mark.parametrize("schema", ["0001", "0002", "0003", "0004", "0005"])
def test_a_workspace_of_an_older_schema_opens_with_neutral_controls_and_nothing_else_changed(tmp_path: Path, schema: str) -> None:
    made_up_workspace(tmp_path / "w", betas=2)
    database = tmp_path / "w" / "sweeps.db"
    added = [name for revision, names in ADDED.items() if revision > schema for name in names]
    with sqlite3.connect(database) as connection:
        before = connection.execute("SELECT * FROM combination ORDER BY id").fetchall()
        for name in added:
            connection.execute(f"ALTER TABLE combination DROP COLUMN {name}")
        measured = ALL_NAMES[5:] if schema < "0004" else ()
        for name in measured:
            connection.execute(f"ALTER TABLE run DROP COLUMN {name}")
        as_before_schema_0006(connection)
        if schema < "0005":
            connection.execute("ALTER TABLE attempt DROP COLUMN notes")
        runs = connection.execute("SELECT * FROM run ORDER BY id").fetchall()
        connection.execute("UPDATE alembic_version SET version_num = ?", [schema])
    connection.close()
    workspace = open_workspace(tmp_path / "w", create=False)
    assert schema_revision(workspace.writer()) == head_revision()
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT * FROM combination ORDER BY id").fetchall() == before
        later = connection.execute("SELECT * FROM run ORDER BY id").fetchall()
        since_0006 = (0, 0, 0, None, None)  # its sweep is active, of priority 0; never lost, never alone
        assert len(runs) == 16 and later == [(*row, *[None] * len(measured), *since_0006) for row in runs]  # not measured then
        assert connection.execute("SELECT count(*) FROM attempt WHERE notes IS NOT NULL").fetchone() == (0,)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()

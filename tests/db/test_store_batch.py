"""What one turn of the driver's loop writes, as one transaction; against the same writes one by one."""

import inspect
import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import GATYS, curve, finished_event, input_picture, plan_of, snapshot_event
from sqlalchemy import event as hooks

from db.drivers import become_driver
from db.store import ClaimedRun, Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import open_workspace
from sweep.events import Event, Failed, Progress, Started

CONTENT, STYLE = input_picture("c.png", 1), input_picture("s.png", 2)
TIMES = {"created_at", "started_at", "finished_at", "lease", "heartbeat", "process_started", "owner"}


def driving(folder: Path, runs: int = 6) -> tuple[Store, str]:
    workspace = open_workspace(folder, create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    record_inputs(store, [CONTENT, STYLE])
    sweep = SweepRecord(name="x", spec_text="x", spec_path="x.yaml", search_seed=None, resources={"cpus": 1})
    record_sweep(store, sweep, plan_of([CONTENT], [STYLE], [float(beta + 1) for beta in range(runs)], [GATYS]), extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    return store, owner


def told_of(runs: list[ClaimedRun]) -> list[Event]:
    """A bit of everything: each starts; one is done, one fails, one leaves a snapshot."""
    starts: list[Event] = [
        Started(run_key=run.run_key, attempt=run.attempt, node="here", pid=number, device="cpu", versions={"torch": "2"})
        for number, run in enumerate(runs)
    ]
    done = finished_event(runs[0], 11)
    failed = Failed(run_key=runs[1].run_key, attempt=runs[1].attempt, kind="bug", error="ValueError: no", traceback="T")
    return [*starts, done, failed, snapshot_event(runs[2], 3, 12)]


def write(store: Store, owner: str, event: Event) -> None:
    one_by_one: dict[str, Callable[..., Any]] = {
        "Started": store.started,
        "Finished": lambda *given: store.finished(*given, curve(1)),
        "Failed": lambda *given: store.failed(*given, curve(2)),
        "Snapshot": store.snapshot,
    }
    one_by_one[type(event).__name__](owner, event)


def rows(store: Store, table: str) -> list[dict[str, Any]]:
    """What another process sees."""
    assert store.engine.url.database is not None
    with sqlite3.connect(store.engine.url.database) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
    connection.close()
    return [{name: value for name, value in row.items() if name not in TIMES} for row in found]


def test_a_batch_leaves_what_the_same_writes_leave_one_by_one(tmp_path: Path) -> None:
    together, owner = driving(tmp_path / "together")
    apart, other = driving(tmp_path / "apart")
    for number in range(2):
        runs = together.claim(owner, 3)
        events = told_of(runs)
        with together.batch(events):
            for event in events:
                write(together, owner, event)
        for event in told_of(apart.claim(other, 3)):
            write(apart, other, event)
        assert len(rows(together, "attempt")) == 3 * (number + 1)
    for table in ("run", "attempt", "loss_point", "snapshot", "image"):
        assert rows(together, table) == rows(apart, table) != []
    files = [{path.name for path in store.artifacts.folder.rglob("*.*")} for store in (together, apart)]
    assert files[0] == files[1]


def test_a_batch_is_one_transaction_and_none_where_nothing_is_written(tmp_path: Path) -> None:
    store, owner = driving(tmp_path)
    runs = store.claim(owner, 3)
    begun: list[str] = []
    hooks.listen(store.engine, "begin", lambda _: begun.append("begin"))
    with store.batch():
        store.progress(owner, [])
    assert begun == []
    events = told_of(runs)
    with store.batch(events):
        for event in events:
            write(store, owner, event)
        assert [run["state"] for run in rows(store, "run")].count("running") == 3  # nobody else sees any of it yet
        more = store.claim(owner, 2)
    assert begun == ["begin"]
    assert len(more) == 2
    assert [run["state"] for run in rows(store, "run")] == ["done", "failed", "running", "running", "running", "queued"]
    assert store.claim(owner, 9) and len(begun) == 2  # what follows has a transaction of its own again


def test_the_files_of_a_batch_are_there_before_its_transaction_begins(tmp_path: Path) -> None:
    store, owner = driving(tmp_path)
    events = told_of(store.claim(owner, 3))
    files: list[int] = []
    hooks.listen(store.engine, "begin", lambda _: files.append(len(list(store.artifacts.folder.rglob("*.*")))))
    before = len(list(store.artifacts.folder.rglob("*.*")))
    with store.batch(events):
        for event in events:
            write(store, owner, event)
    assert files == [before + 4]  # a picture and its thumbnail, twice
    assert len(list(store.artifacts.folder.rglob("*.*"))) == before + 4


def test_an_error_takes_the_whole_batch_back(tmp_path: Path) -> None:
    store, owner = driving(tmp_path)
    runs = store.claim(owner, 3)
    before = [rows(store, table) for table in ("run", "attempt", "loss_point", "image")]
    events = told_of(runs)
    with pytest.raises(OSError, match="no more"), store.batch(events):
        for event in events:
            write(store, owner, event)
        raise OSError("no more")
    assert [rows(store, table) for table in ("run", "attempt", "loss_point", "image")] == before
    for event in events:  # the store is as good as new
        write(store, owner, event)
    assert [run["state"] for run in rows(store, "run")][:2] == ["done", "failed"]


def test_late_news_in_a_batch_are_dropped_and_the_rest_is_kept(tmp_path: Path) -> None:
    store, owner = driving(tmp_path)
    first, second, _ = store.claim(owner, 3)
    events = [finished_event(first, 1), finished_event(first, 2), finished_event(second, 3)]
    with store.batch(events):
        accepted = [store.finished(owner, event) for event in events]
        store.progress(owner, [Progress(run_key=first.run_key, attempt=first.attempt, points=curve(5))])
    assert accepted == [True, False, True]
    outputs = {run["run_key"]: run["output"] for run in rows(store, "run")}
    assert store.artifacts.get(outputs[first.run_key], "png") == events[0].picture.data
    assert rows(store, "loss_point") == []


def test_every_write_of_the_store_joins_a_batch() -> None:
    """One that began a transaction of its own would wait for the batch that it is in, until the busy timeout."""
    rooms = [Path(inspect.getfile(room)) for room in Store.__mro__ if room is not object]
    begins = {path.name: path.read_text("utf-8").count("engine.begin()") for path in rooms}
    assert begins.pop("writing.py") == 2  # in _transaction and below it alone
    assert set(begins.values()) == {0}


def test_a_curve_travels_as_it_is() -> None:
    assert pickle.loads(pickle.dumps(curve(3))) == curve(3)


def test_batches_of_one_connection_are_transactions_of_their_own(tmp_path: Path) -> None:
    store, owner = driving(tmp_path)
    with store.connected():
        with store.batch():
            (first,) = store.claim(owner, 1)
        assert [run["state"] for run in rows(store, "run")].count("running") == 1
        with pytest.raises(OSError, match="no more"), store.batch():
            store.claim(owner, 3)
            raise OSError("no more")
        assert store.finished(owner, finished_event(first, 1))  # outside of a batch, on a connection of its own
        with store.batch():
            assert len(store.claim(owner, 2)) == 2
    assert [run["state"] for run in rows(store, "run")] == ["done", "running", "running", "queued", "queued", "queued"]


def test_what_was_looked_at_is_taken_once_and_looked_at_once(tmp_path: Path) -> None:
    store, owner = driving(tmp_path / "w")
    said: list[str] = []
    hooks.listen(store.engine, "before_cursor_execute", lambda _c, _cursor, statement, *_: said.append(statement))
    with store.batch():
        head = store.next_up()
        first, second = store.claim(owner, 1), store.claim(owner, 1)
    assert head is not None and (head.run_key, head.attempt) == (first[0].run_key, 0)
    assert (first[0].attempt, second[0].attempt) == (1, 1) and first[0].run_key != second[0].run_key
    assert sum("run.priority DESC" in statement for statement in said) == 2  # for the head, and for the second
    with store.batch():
        start = Started(run_key=head.run_key, attempt=1, node="here", pid=1, device="cpu", versions={})
        assert store.started(owner, start)
        assert store.finished(owner, finished_event(first[0], 11))
        assert not store.started(owner, start)  # it is held no more
        assert not store.finished(owner, finished_event(first[0], 11))
    assert sum("run.owner = ?" in statement and statement.startswith("SELECT") for statement in said) == 3

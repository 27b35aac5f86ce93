"""Temporary folders in memory where there is room: most tests are about rules, and the disk's fsync would take most of their time.

What is promised of a killed process does not depend on the disk; what is promised of a power cut cannot be tested here at all.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30
LONGEST = ("ray", "test_killed_driver", "test_benchmarks")


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest makes its first temporary folder."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of several processes (`make test`): a file's tests stay together, as they share what is costly to make.

    Tests that start a Ray stay together too, so that there is one at a time; the longest come first, so that none is left for the end.
    """
    if not hasattr(config, "workerinput"):
        return
    groups = {item: "ray" if item.get_closest_marker("ray") else item.path.stem for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: LONGEST.index(groups[item]) if groups[item] in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def migrations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """Run once in a session; later workspaces get the schema that they made, which takes milliseconds instead of a quarter of a second.

    A database that has a schema is migrated as ever. tests/db/test_engine.py runs them each time, with what this gives it.
    """
    from db import engine, workspace

    migrate = engine._migrate
    made: list[str] = []

    def once(target: "engine.Engine") -> None:
        if target.dialect.name != "sqlite":
            return migrate(target)
        if not made:
            template = tmp_path_factory.mktemp("schema") / "sweeps.db"
            migrate(engine.open_engine(workspace.sqlite_url(template)))
            made.extend(_statements(template))
        with target.begin() as connection:
            if not (anything := connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first()):
                for statement in made:
                    connection.exec_driver_sql(statement)
        return migrate(target) if anything else None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_migrate", once)
        yield migrate


def _statements(database: Path) -> list[str]:
    """What makes an equal database, without the transaction around it."""
    plain = sqlite3.connect(database)
    statements = [line for line in plain.iterdump() if line not in ("BEGIN TRANSACTION;", "COMMIT;")]
    plain.close()
    return statements


@pytest.fixture
def benchmarks_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmarks import each other as scripts do, from their own folder; in one thread."""
    import torch  # most tests can do without

    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)

"""Temporary folders in memory where there is room: most tests are about rules, and the disk's fsync would take most of their time.

What is promised of a killed process does not depend on the disk; what is promised of a power cut cannot be tested here at all.
"""

import functools
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest makes its first temporary folder."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


# The same examples each time, so that a failure is of the change at hand; `make soak` draws others. No deadline: machines are busy.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("drawn", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("STYLESWEEP_EXAMPLES", "fixed"))
os.environ.setdefault("RAY_worker_niceness", "0")
"""Else Ray's workers, which step back behind other programs, stand still while other tests run."""
CHAINS = ("mark.ray", "mark.cluster")
"""Files with one of these start a Ray, on this machine or on machines of namespaces: one of each at a time, and first: they wait most."""


@functools.cache
def chain(path: Path) -> str:
    """The chain that a file belongs to; empty for none."""
    text = path.read_text()
    return next((mark for mark in reversed(CHAINS) if mark in text), "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest way through `make test` begins at once."""
    items.sort(key=lambda item: (*CHAINS, "").index(chain(item.path)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For several processes (`make test`): the tests of a file stay together, and those of a chain.

    Not pytest-xdist's own groups: pytest 9.2 does not know them any more.
    """
    from xdist.scheduler import LoadFileScheduling

    class OneRayAtATime(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = super()._split_scope(nodeid)
            return chain(config.rootpath / path) or path

    return OneRayAtATime(config, log)


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

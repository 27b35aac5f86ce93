"""Temporary folders in memory where there is room: most tests are about rules, and the disk's fsync would take most of their time.

What is promised of a killed process does not depend on the disk; what is promised of a power cut cannot be tested here at all.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest makes its first temporary folder."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture
def benchmarks_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmarks import each other as scripts do, from their own folder; in one thread."""
    import torch  # most tests can do without

    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "benchmarks")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)

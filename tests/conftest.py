"""Temporary folders in memory where there is room: most tests are about rules, and the disk's fsync would take most of their time.

What is promised of a killed process does not depend on the disk; what is promised of a power cut cannot be tested here at all.
"""

import os
import shutil
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ROOM = 2 * 2**30


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest makes its first temporary folder."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

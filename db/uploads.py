"""What `submit` has brought to a cluster's head for sweeps that are not there any more: WORKSPACE/submitted, laid out by `sweep.submitted`.

An upload (a folder of links) stays while a sweep is recorded from the file in it, and a content while an upload that stays has it.
"""

import contextlib
import fcntl
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import select

from db.artifacts import storage_error
from db.models import Sweep
from db.workspace import Workspace

FOLDER = "submitted"
Old = Callable[[Path], bool]
Found = list[tuple[Path, int]]
"""Files, and the bytes that are free once they are gone."""
_UPLOAD = re.compile(r"[0-9a-f]{16}")


def unused_uploads(workspace: Workspace, old: Old) -> Found:
    """Files of uploads that no sweep was recorded from, and contents that no other upload has; of those that are old."""
    uploads, contents = _unused(workspace, old)
    return _freed([file for path in uploads for file in _files(path)] + contents)


def remove_uploads(workspace: Workspace, old: Old) -> Found:
    """Remove them, while nothing is taken in; what went.

    Raises:
        StorageError: something cannot be removed.
    """
    folder = workspace.folder / FOLDER
    if not folder.is_dir():
        return []
    with _alone(folder):
        uploads, contents = _unused(workspace, old)
        gone = _freed([file for path in uploads for file in _files(path)] + contents)
        for path in (*uploads, *contents):
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            except OSError as error:
                raise storage_error(path, error) from error
    return gone


def _unused(workspace: Workspace, old: Old) -> tuple[list[Path], list[Path]]:
    folder = workspace.folder / FOLDER
    uploads = [path for path in folder.glob("*") if _UPLOAD.fullmatch(path.name.removesuffix(".part"))]
    with workspace.reader().connect() as connection:
        recorded = {part for path in connection.execute(select(Sweep.spec_path)).scalars() for part in Path(path).parts}
    gone = [path for path in uploads if path.name not in recorded and old(path)]
    kept = {_identity(file) for path in uploads if path not in gone for file in _files(path)}
    return gone, [path for path in _files(folder / "files") if _identity(path) not in kept and old(path)]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _identity(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_dev, status.st_ino


def _freed(files: list[Path]) -> Found:
    """A content of several names counts once, and only if all of them go."""
    names = Counter(map(_identity, files))
    found = []
    for file in files:
        status, identity = file.stat(), _identity(file)
        found.append((file, status.st_size if names[identity] == status.st_nlink else 0))
        names[identity] = 0
    return found


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """As `sweep.submitted` does."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

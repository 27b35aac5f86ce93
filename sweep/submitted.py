"""On a cluster's head: what was sent is put together, checked by its hash and laid out as it lay where it came from.

`python -m sweep.submitted WORKSPACE` in the folder of a package (`sweep.upload`) takes it in and prints one line of JSON: what is still
lacking, or where the sweep's file lies. Below WORKSPACE/submitted, `files` holds each content once, and each upload has a folder of
links to them; nothing in it changes afterwards, so a later upload of other pictures under the same names harms no sweep. `gc` removes what
no sweep was recorded from (`db/uploads.py`), and nothing that was wanted again a moment ago: what is asked for is made young.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sweep.errors import StorageError

ANSWER = "stylesweep-upload:"
"""What the line begins with: a job's log holds other lines too."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def take_in(package: Path, workspace: Path) -> dict[str, Any]:
    """Take in a package. {"lacking": {sha256: bytes that are here}}, or {"spec": path} when all is here.

    Raises:
        StorageError: the workspace cannot be written, or the package is none.
    """
    folder = workspace / "submitted"
    try:
        (folder / "files").mkdir(parents=True, exist_ok=True)
        manifest = json.loads((package / "manifest.json").read_text())
        wanted = {_checked(name): (str(sha256), int(size)) for name, (sha256, size) in manifest["files"].items()}
        with _alone(folder):
            for piece in sorted((package / "pieces").iterdir(), key=lambda path: int(path.suffix[1:])):
                _append(piece, folder / "files" / piece.stem)
            found = {sha256: _bytes_here(folder / "files" / sha256, size) for sha256, size in wanted.values()}
            lacking = {sha256: here for sha256, here in found.items() if here is not None}
            if lacking:
                return {"lacking": lacking}
            return {"spec": str(_lay_out(folder, manifest, wanted))}
    except OSError as error:
        raise StorageError(f"{error.filename or workspace} cannot be written on the head: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"what was sent to the head is no upload of this version of stylesweep: {error}.") from error


def _checked(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise ValueError(f"{name!r} is no place inside a folder")
    return name


def _append(piece: Path, target: Path) -> None:
    """Add a piece to its file, if it is the next one; another has been here already, or will be sent again."""
    if not _SHA256.fullmatch(target.name):
        raise ValueError(f"{piece.name!r} is no piece of a file")
    part = target.with_suffix(".part")
    if target.exists() or (part.stat().st_size if part.exists() else 0) != int(piece.suffix[1:]):
        return
    with part.open("ab") as file, piece.open("rb") as data:
        shutil.copyfileobj(data, file)


def _bytes_here(target: Path, size: int) -> int | None:
    """How much of a content is here, None when it is whole. One that is long enough and wrong begins anew."""
    part = target.with_suffix(".part")
    if target.exists():
        os.utime(target)
        return None
    with part.open("a+b") as file:
        here = file.tell()
        if here < size:
            return here
        file.seek(0)
        right = hashlib.file_digest(file, "sha256").hexdigest() == target.name
        os.fsync(file.fileno())
    if not right:
        part.unlink()
        return 0
    part.rename(target)
    return None


def _lay_out(folder: Path, manifest: dict[str, Any], wanted: dict[str, tuple[str, int]]) -> Path:
    """Links to the contents under the names that they had. Returns the sweep's file."""
    spec = _checked(manifest["spec"])
    made = folder / str(manifest["digest"])[:16]
    if not _SHA256.fullmatch(manifest["digest"]) or spec not in wanted:
        raise ValueError("its manifest is broken")
    if not made.exists():
        growing = folder / f"{made.name}.part"
        shutil.rmtree(growing, ignore_errors=True)
        for name, (sha256, _) in wanted.items():
            place = growing / name
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(folder / "files" / sha256, place)
            except OSError:  # a file system without hard links
                shutil.copyfile(folder / "files" / sha256, place)
        growing.rename(made)
    os.utime(made)
    return made / spec


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two uploads into one workspace take turns."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """For the job that `stylesweep submit` sends ahead."""
    try:
        answer = take_in(Path.cwd(), Path(sys.argv[1]))
    except StorageError as error:
        answer = {"error": str(error)}
    sys.stdout.write(f"{ANSWER}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()

"""Where an export is written: a folder or a zip. What is there counts as complete only with its manifest, which comes last."""

import contextlib
import hashlib
import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from db.artifacts import storage_error, write_durably
from gallery.export.names import safe_name
from sweep.errors import InputError

MANIFEST = "MANIFEST.sha256"
README = "README.txt"
MARK = "A stylesweep export."
"""The first line of README.txt; a folder or zip with it is an earlier export of ours and may be replaced."""
FOLDERS = ("images", "recipes", "inputs")
_INSIDE = re.compile(rf"(?:(?:{'|'.join(FOLDERS)})/)?[A-Za-z0-9_][A-Za-z0-9._-]*")


class Target(Protocol):
    """Files are written one by one; leaving the block without an error writes the manifest and makes the export complete."""

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
    def write(self, path: str, data: bytes) -> None:
        """Add one file; path is relative, with forward slashes. Raises StorageError."""


def open_target(out: Path) -> Target:
    """A zip when `out` ends in .zip, else a folder.

    Raises:
        InputError: something is there that is not an earlier export of ours.
    """
    return ZipTarget(out) if out.suffix.lower() == ".zip" else FolderTarget(out)


class _Manifest:
    """SHA-256 of what was written, as `sha256sum -c` reads it."""

    def __init__(self) -> None:
        self.hashes: dict[str, str] = {}

    def add(self, path: str, data: bytes) -> None:
        if not _INSIDE.fullmatch(path) or path in self.hashes:
            raise ValueError(f"not a new path inside the export: {path!r}")
        self.hashes[path] = hashlib.sha256(data).hexdigest()

    def text(self) -> bytes:
        return "".join(f"{sha256}  {path}\n" for path, sha256 in sorted(self.hashes.items())).encode()


class FolderTarget:
    """A folder, new, empty or of an earlier export. Files of others in it are never touched."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._manifest = _Manifest()
        self._earlier: dict[str, str] = {}
        with _storage_errors(out):
            _check_folder(out)

    def __enter__(self) -> Self:
        with _storage_errors(self.out):
            self._earlier = _read_manifest(self.out / MANIFEST)
            for folder in ("", *FOLDERS):
                (self.out / folder).mkdir(parents=True, exist_ok=True)
            self._write(README, f"{MARK}\nIt is not complete yet: {MANIFEST} is written last.\n".encode())
            (self.out / MANIFEST).unlink(missing_ok=True)
        return self

    def write(self, path: str, data: bytes) -> None:
        self._manifest.add(path, data)
        self._write(path, data)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            return
        with _storage_errors(self.out):
            for path in set(self._earlier) - set(self._manifest.hashes):
                _remove_if_ours(self.out / path, self._earlier[path])
            for folder in FOLDERS:
                with contextlib.suppress(OSError):  # not empty
                    (self.out / folder).rmdir()
        self._write(MANIFEST, self._manifest.text())

    def _write(self, path: str, data: bytes) -> None:
        with _storage_errors(self.out / path):
            write_durably(self.out / path, data)


class ZipTarget:
    """A zip with one folder inside; it gets its name only when it is complete."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._manifest = _Manifest()
        self._folder = safe_name(out.stem, "stylesweep-export")
        self._partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
        with _storage_errors(out):
            if out.is_symlink() or (out.exists() and not _is_our_zip(out)):
                raise InputError(f"{out} is there already and is not a stylesweep export; choose another name for the zip.")

    def __enter__(self) -> Self:
        with _storage_errors(self.out):
            self.out.parent.mkdir(parents=True, exist_ok=True)
            self._zip = zipfile.ZipFile(self._partial, "w", strict_timestamps=False)
        return self

    def write(self, path: str, data: bytes) -> None:
        self._manifest.add(path, data)
        self._write(path, data)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            with _storage_errors(self.out):
                if kind is None:
                    self._write(MANIFEST, self._manifest.text())
                    self._zip.close()
                    with self._partial.open("rb+") as file:
                        os.fsync(file.fileno())
                    self._partial.replace(self.out)
        finally:
            with contextlib.suppress(OSError, ValueError):  # a full disk again, while the unfinished zip is given up
                self._zip.close()
            self._partial.unlink(missing_ok=True)

    def _write(self, path: str, data: bytes) -> None:
        info = zipfile.ZipInfo(f"{self._folder}/{path}", time.localtime()[:6])
        info.external_attr = 0o644 << 16
        # Pictures are packed already.
        info.compress_type = zipfile.ZIP_DEFLATED if path.endswith((".txt", ".csv", ".json", ".yaml", ".sha256")) else zipfile.ZIP_STORED
        with _storage_errors(self.out):
            self._zip.writestr(info, data)


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error


def _check_folder(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file; choose a folder for the export, or a name that ends in .zip.")
    if any(out.iterdir()) and not _begins_with_mark(out / README):
        raise InputError(f"{out} is not empty and is not an earlier stylesweep export; choose a new or an empty folder.")
    for folder in FOLDERS:
        if (out / folder).is_symlink() or ((out / folder).exists() and not (out / folder).is_dir()):
            raise InputError(f"{out / folder} is not a folder of its own; choose a new or an empty folder for the export.")


def _begins_with_mark(readme: Path) -> bool:
    if readme.is_symlink() or not readme.is_file():
        return False
    with readme.open("rb") as file:
        return file.read(len(MARK)) == MARK.encode()


def _is_our_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as old:
            readme = next((name for name in old.namelist() if re.fullmatch(rf"[^/]+/{README}", name)), None)
            if readme is None:
                return False
            with old.open(readme) as file:
                return file.read(len(MARK)) == MARK.encode()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, IsADirectoryError):
        return False


def _read_manifest(path: Path) -> dict[str, str]:
    """path -> SHA-256 of an earlier export's files; lines that this program did not write are left out."""
    if path.is_symlink() or not path.is_file():
        return {}
    lines = (re.fullmatch(r"([0-9a-f]{64})  (\S+)", line) for line in path.read_text(errors="replace").splitlines())
    return {line[2]: line[1] for line in lines if line and _INSIDE.fullmatch(line[2])}


def _remove_if_ours(path: Path, sha256: str) -> None:
    """A file of the earlier export that the new one has not; kept if someone changed it since."""
    if path.is_file() and not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        path.unlink()

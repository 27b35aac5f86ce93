"""Files of a workspace, named by their SHA-256: what is written once never changes, and a repeat is harmless."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
from pathlib import Path

from sweep.errors import StorageError

_NAME = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"[a-z0-9]{1,8}")


def is_content_address(sha256: str, suffix: str) -> bool:
    """Whether a file of the store can have that name."""
    return bool(_NAME.fullmatch(sha256) and _SUFFIX.fullmatch(suffix))


class Artifacts:
    """A folder of content-addressed files, `ab/ab12...ef.png`. Every write is temp file, fsync, rename, fsync of the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._durable: set[Path] = set()
        """Folders of which it is known that a power cut leaves them in place."""

    def prepare(self) -> None:
        """Make all folders now, for who will fill them: to secure each as its first file comes costs as much as that file.

        Where that fails nothing is said: `put` tries again, and knows for which file.
        """
        with contextlib.suppress(OSError):
            folders = [self.folder / f"{number:02x}" for number in range(256)]
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            sync_folder(self.folder)
            self._durable.update(folders)

    def path(self, sha256: str, suffix: str) -> Path:
        """Where a file lies, or would lie. Never built from anything but a hash and a plain suffix.

        Raises:
            ValueError: sha256 is no SHA-256, or the suffix is more than letters and digits.
        """
        if not is_content_address(sha256, suffix):
            raise ValueError(f"not a content address: {sha256!r} {suffix!r}")
        return self.folder / sha256[:2] / f"{sha256}.{suffix}"

    def put(self, data: bytes, suffix: str) -> str:
        """Store bytes and return their SHA-256; on return they survive a crash of this process or of the machine.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256, suffix)
        try:
            if _touched(target) and target.read_bytes() == data:  # not by size alone: running again is how damage is repaired
                return sha256
            write_durably(target, data, self._durable)
        except OSError as error:
            raise storage_error(target, error) from error
        return sha256

    def get(self, sha256: str, suffix: str) -> bytes:
        """Read a file back and check it against its name.

        Raises:
            StorageError: it is missing, or its bytes are not the ones that were stored.
        """
        path = self.path(sha256, suffix)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"{path} cannot be read ({error.strerror}); restore the workspace's artifacts folder.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(f"{path} is damaged: its bytes do not match its name. Restore it from a backup, or run again.")
        return data


def _touched(target: Path) -> bool:
    """Whether the file is there. It is as young as a new one then: `gc` leaves it alone until the row that refers to it is written."""
    with contextlib.suppress(PermissionError):  # another person's file, in a folder that is shared
        try:
            os.utime(target)
        except FileNotFoundError:
            return False
        return True
    return False


def write_durably(target: Path, data: bytes, durable: set[Path] | None = None) -> None:
    """Replace a file atomically: readers see the old bytes or the new ones, also after a power cut.

    durable: folders whose own entry need not be secured again; that of the file is added.

    Raises:
        OSError: as the operating system says; no partial file stays behind.
    """
    known = durable is not None and target.parent in durable and target.parent.is_dir()  # somebody may have tidied up
    if not known:
        target.parent.mkdir(parents=True, exist_ok=True)
    # A random part: two threads, or two hosts on a shared folder, may write the same file at the same moment.
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("wb", buffering=0) as file:
            left = memoryview(data)
            while left:  # a disk that is nearly full may take a part
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_folder(target.parent)
    if not known:
        sync_folder(target.parent.parent)  # it holds the entry of a folder that may be new
        if durable is not None:
            durable.add(target.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed into a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(path: Path, error: OSError) -> StorageError:
    """A sentence with a remedy for an operating system's error about a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageError(f"{path}: the disk is full. Free some space and run the same command again; nothing recorded is lost.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{path} cannot be written: {error.strerror}. Choose another folder, or change its permissions.")
    if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOENT):
        return StorageError(f"{path} cannot be written: {error.strerror}. Choose another folder.")
    return StorageError(f"{path}: {error.strerror or error}.")

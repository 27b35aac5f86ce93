"""Signatures of pictures that were recorded before there were any, or by another version; the gallery tells near-duplicates by them."""

import contextlib

from db.backup import MARKER
from db.pictures import record_signatures, without_signature
from db.workspace import Workspace
from sweep.errors import ImageError, StorageError
from sweep.transfer.images import open_picture
from sweep.transfer.signatures import VERSION, signature

_BATCH = 100


def sign(workspace: Workspace) -> int:
    """Sign every result and snapshot that has no signature of today's version; how many got one. Safe beside a driver.

    A backup is left as it is: one that was changed can no longer be brought up to date. A picture that cannot be read is passed over.
    """
    if (workspace.folder / MARKER).is_file():
        return 0
    with workspace.reader().connect() as connection:
        missing = without_signature(connection, VERSION)
    signed = 0
    for start in range(0, len(missing), _BATCH):
        found: dict[str, bytes] = {}
        for sha256, suffix in missing[start : start + _BATCH]:
            with contextlib.suppress(StorageError, ImageError):
                found[sha256] = signature(open_picture(workspace.artifacts.get(sha256, suffix), sha256).pixels)
        with workspace.writer().begin() as connection:
            record_signatures(connection, found)
        signed += len(found)
    return signed

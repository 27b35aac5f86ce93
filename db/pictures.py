"""Many pictures at once: those of runs, for pages that draw a point for each, and those that lack a signature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, LargeBinary, func, select, update

from db.models import Image, Run, Snapshot

_BATCH = 500


@dataclass(frozen=True)
class Picture:
    """A run with the thumbnail of its picture, and the picture's own size; None where it has no picture."""

    run_key: str
    thumbnail: str | None
    width: int | None
    height: int | None


def pictures(connection: Connection, run_ids: Sequence[int]) -> dict[int, Picture]:
    """id -> picture, of the runs that there are."""
    found: dict[int, Picture] = {}
    columns = (Run.id, Run.run_key, Image.thumbnail, Image.width, Image.height)
    statement = select(*columns).outerjoin(Image, Image.sha256 == Run.output)
    for start in range(0, len(run_ids), _BATCH):
        batch = run_ids[start : start + _BATCH]
        for run_id, key, thumbnail, width, height in connection.execute(statement.where(Run.id.in_(batch))):
            found[run_id] = Picture(key, thumbnail, width, height)
    return found


def without_signature(connection: Connection, version: int) -> list[tuple[str, str]]:
    """(SHA-256, format) of the results and snapshots that have no signature of that version."""
    made = Image.sha256.in_(select(Run.output)) | Image.sha256.in_(select(Snapshot.image))
    other = func.substr(Image.signature, 1, 1, type_=LargeBinary) != bytes([version])
    statement = select(Image.sha256, Image.format).where(made, Image.signature.is_(None) | other).order_by(Image.sha256)
    return [(sha256, suffix) for sha256, suffix in connection.execute(statement)]


def record_signatures(connection: Connection, signatures: Mapping[str, bytes]) -> None:
    """By SHA-256 of the picture; one that has gone meanwhile is passed over."""
    for sha256, signature in signatures.items():
        connection.execute(update(Image).where(Image.sha256 == sha256).values(signature=signature))

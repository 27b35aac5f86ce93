"""The pictures of many runs at once, for pages that draw a point for each."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.models import Image, Run

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

"""Which files a workspace's database refers to, and which of its pictures nothing refers to."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, true

from db.artifacts import is_content_address
from db.models import Checkpoint, Combination, Image, Run, Snapshot
from sweep.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class ArtifactFile:
    """A file of the artifact store that a row refers to. bytes: its size, where the row says it; picture: the row's SHA-256."""

    sha256: str
    suffix: str
    bytes: int | None
    picture: str


def artifact_files(connection: Connection) -> list[ArtifactFile]:
    """Every picture and every thumbnail, once.

    Raises:
        StorageError: a row holds a name that is no content address.
    """
    found: dict[tuple[str, str], ArtifactFile] = {}
    columns = (Image.sha256, Image.format, Image.thumbnail, Image.bytes)
    for sha256, suffix, thumbnail, size in connection.execute(select(*columns).order_by(Image.sha256)):
        found[sha256, suffix] = ArtifactFile(sha256=sha256, suffix=suffix, bytes=size, picture=sha256)
        if thumbnail is not None:
            found.setdefault((thumbnail, "webp"), ArtifactFile(sha256=thumbnail, suffix="webp", bytes=None, picture=sha256))
    for file in found.values():
        if not is_content_address(file.sha256, file.suffix):
            raise StorageError(f"the table image names a file that cannot be one: {file.sha256!r}.{file.suffix!r}; restore a backup.")
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class CheckpointFile:
    """A resumable state that a row refers to; `file` is its name within `checkpoints/`."""

    run_id: int
    file: str
    sha256: str
    bytes: int


def checkpoint_files(connection: Connection) -> list[CheckpointFile]:
    """The resumable states of unfinished runs."""
    rows = connection.execute(select(Checkpoint.run_id, Checkpoint.file, Checkpoint.sha256, Checkpoint.bytes))
    return [CheckpointFile(**row) for row in rows.mappings()]


def unused_pictures(connection: Connection) -> list[str]:
    """Pictures that no run, snapshot or combination refers to: what a deleted sweep, or one that was never recorded, left behind."""
    columns = (Run.output, Snapshot.image, Combination.content_sha256, Combination.style_sha256)
    # NOT IN, as SQLite then builds one index of each column; with EXISTS it would read a table anew for every picture.
    nowhere = [Image.sha256.not_in(select(column).where(column.is_not(None))) for column in columns]
    candidates = set(connection.execute(select(Image.sha256).where(*nowhere)).scalars())
    if candidates:  # blends and masks stand in the settings alone
        inside = func.json_tree(Run.settings).table_valued("atom", "type")
        named = select(inside.c.atom).select_from(Run).join(inside, true()).where(inside.c.type == "text").distinct()
        candidates -= set(connection.execute(named).scalars())
    return sorted(candidates)

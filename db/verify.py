"""Is a workspace whole? Every row, every file that a row refers to, and what to do about each fault."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from db.artifacts import is_content_address
from db.backup import CHECKPOINTS, is_database_only
from db.copying import holds
from db.housekeeping import YOUNG_SECONDS, orphans
from db.models import Attempt, Checkpoint, Combination, Image, Run, Sweep
from db.references import ArtifactFile, CheckpointFile, artifact_files, checkpoint_files
from db.workspace import Workspace

MOST_ROWS = 100
RESTORE = "`stylesweep merge BACKUP` brings it back from a backup, or from any workspace that has it"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that is wrong. kind: one word for machines; what: where it is; do: what mends it."""

    kind: str
    what: str
    do: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was looked at, and what is wrong. orphans: files of over an hour that no row refers to, which is no fault (`gc`).

    database_only: it is a backup without pictures, so that of the files only those that are there were looked at.
    """

    pictures: int
    files: int
    checkpoints: int
    faults: tuple[Fault, ...]
    orphans: int
    orphan_bytes: int
    database_only: bool = False


def verify(workspace: Workspace, *, quick: bool = False) -> Verified:
    """Look at everything. quick: of files only that they are there, and as long as they should be. Safe beside a driver.

    Raises:
        StorageError: the database cannot be read at all.
    """
    database_only = is_database_only(workspace.folder)
    with workspace.reader().connect() as connection:
        faults = [*_database(connection, quick), *_rows(connection)]
        pictures = connection.execute(select(func.count()).select_from(Image)).scalar_one()
        sound = not any(fault.kind == "name" for fault in faults)
        files = artifact_files(connection) if sound else []
        if database_only:
            files = [file for file in files if workspace.artifacts.path(file.sha256, file.suffix).exists()]
        states = checkpoint_files(connection)
    suspects = [(file, said) for file in files if (said := _artifact(workspace, file, quick))]
    faults += _still_wanted(workspace, suspects)
    faults += [fault for state in states if (fault := _checkpoint(workspace, state, quick))]
    strays = orphans(workspace, older_than=YOUNG_SECONDS) if sound else []
    return Verified(
        pictures=pictures,
        files=len(files),
        checkpoints=len(states),
        faults=tuple(faults),
        orphans=sum(kind.files for kind in strays),
        orphan_bytes=sum(kind.bytes for kind in strays),
        database_only=database_only,
    )


def _database(connection: Connection, quick: bool) -> Iterator[Fault]:
    restore = "restore the newest backup, and merge this workspace into it for what it has since: `stylesweep merge`"
    check = "quick_check" if quick else "integrity_check"
    for (said,) in connection.exec_driver_sql(f"PRAGMA {check}({MOST_ROWS})").fetchall():
        if said != "ok":
            yield Fault(kind="database", what=f"sweeps.db: {said}", do=restore)
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_ROWS)
    for table, row, parent, _ in broken:
        yield Fault(kind="reference", what=f"row {row} of {table} points at a row of {parent} that is not there", do=restore)


def _rows(connection: Connection) -> Iterator[Fault]:
    """What the tables' own constraints do not see."""
    for sha256, suffix in connection.execute(select(Image.sha256, Image.format)):
        if not is_content_address(sha256, suffix):
            yield Fault(kind="name", what=f"the picture {sha256!r}.{suffix!r} has a name that no file can have", do="restore a backup")
    lost = select(Run.run_key).where(Run.state == "done", Run.output.not_in(select(Image.sha256))).limit(MOST_ROWS)
    for key in connection.execute(lost).scalars():
        yield Fault(kind="picture", what=f"{key} is done, and its picture is not recorded", do=RESTORE)
    inside = func.json_tree(Run.settings).table_valued("atom", "fullkey")
    inputs = inside.c.fullkey.like("$.content") | inside.c.fullkey.like("$.style[%][0]") | inside.c.fullkey.like("$.regions[%")
    unknown = (
        select(inside.c.atom, func.min(Run.run_key))
        .select_from(Run)
        .join(inside, inputs)
        .where(func.length(inside.c.atom) == 64, inside.c.atom.not_in(select(Image.sha256)))
        .group_by(inside.c.atom)
        .limit(MOST_ROWS)
    )
    for sha256, key in connection.execute(unknown):
        again = "`stylesweep run` with the sweep's file records its pictures again"
        yield Fault(kind="input", what=f"the input picture {sha256[:12]}... of {key} is not recorded", do=again)
    twice = select(Attempt.run_id).where(Attempt.state == "running").group_by(Attempt.run_id).having(func.count() > 1)
    for run_id in connection.execute(twice.limit(MOST_ROWS)).scalars():
        yield Fault(kind="attempt", what=f"run {run_id} has two attempts that are running", do="stop the driver and start it again")


def _artifact(workspace: Workspace, file: ArtifactFile, quick: bool) -> str | None:
    """What is wrong with a file, in a word; None if nothing is."""
    path = workspace.artifacts.path(file.sha256, file.suffix)
    if not path.is_file():
        return "missing"
    if not holds(workspace.artifacts, file):
        return "damaged: it has another length"
    if not quick and _sha256(path) != file.sha256:
        return "damaged: its bytes do not match its name"
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _still_wanted(workspace: Workspace, suspects: list[tuple[ArtifactFile, str]]) -> Iterator[Fault]:
    """Looked up once more: what was deleted between the first look at the rows and the look at the file is no fault."""
    with workspace.reader().connect() as connection:
        for file, said in suspects:
            row = connection.execute(select(Image.original_name).where(Image.sha256 == file.picture)).first()
            if row is not None:
                path = workspace.artifacts.path(file.sha256, file.suffix).relative_to(workspace.folder)
                yield Fault(kind="file", what=f"{path} ({_role(connection, file)}) is {said}", do=_remedy(connection, file))


def _role(connection: Connection, file: ArtifactFile) -> str:
    key = connection.execute(select(Run.run_key).where(Run.output == file.picture)).scalar()
    name = connection.execute(select(Image.original_name).where(Image.sha256 == file.picture)).scalar()
    what = f"the input {name}" if name else f"the picture of {key}" if key else "a snapshot"
    return what if file.sha256 == file.picture else f"thumbnail of {what}"


def _remedy(connection: Connection, file: ArtifactFile) -> str:
    if connection.execute(select(Image.original_name).where(Image.sha256 == file.picture)).scalar():
        return f"`stylesweep run` with the sweep's file stores its pictures again; {RESTORE}"
    claims = select(Sweep.name).join(Combination, Combination.sweep_id == Sweep.id).join(Run, Run.id == Combination.run_id)
    sweep = connection.execute(claims.where(Run.output == file.picture).limit(1)).scalar()
    again = f"; without one, `stylesweep delete {sweep}` and run it again" if sweep else ""
    return RESTORE + again


def _checkpoint(workspace: Workspace, state: CheckpointFile, quick: bool) -> Fault | None:
    """A driver replaces and removes them at any time, so the row is looked up again before a word is said."""
    path = workspace.folder / CHECKPOINTS / Path(state.file).name
    if path.is_file() and path.stat().st_size == state.bytes and (quick or _sha256(path) == state.sha256):
        return None
    with workspace.reader().connect() as connection:
        if connection.execute(select(Checkpoint.file).where(Checkpoint.run_id == state.run_id)).scalar() != state.file:
            return None
        key = connection.execute(select(Run.run_key).where(Run.id == state.run_id)).scalar()
    said = "damaged" if path.is_file() else "missing"
    return Fault(kind="checkpoint", what=f"{CHECKPOINTS}/{path.name} is {said}", do=f"nothing: {key} will begin from its start")

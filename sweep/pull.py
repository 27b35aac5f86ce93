"""Bringing what another machine's workspace has into one here, while a sweep may run there.

There, `stylesweep backup --database-only` makes a consistent copy of the database. It is fetched, then the files that it refers to and
this workspace lacks, each checked against its name; then both are merged as any workspace is. What was fetched is kept until it is
merged, so a pull that was cut off goes on where it was.
"""

import contextlib
import fcntl
import hashlib
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.artifacts import Artifacts, storage_error
from db.copying import holds
from db.engine import open_engine
from db.merge import Merged, check_other, merge
from db.references import ArtifactFile, artifact_files
from db.workspace import Workspace, sqlite_url
from sweep.errors import InputError, StorageError, SurroundingsError, WorkspaceBusy
from sweep.remote import RayHead, Remote, Ssh

PULLED = ".pulled"
"""Within the workspace: a folder for each source, with the database as it was fetched and files that are not merged yet."""
_NO_WORKSPACE, _NO_ROOM = 90, 91
_BATCH = 20_000


@dataclass(frozen=True, kw_only=True)
class Source:
    """A workspace on another machine."""

    remote: Remote
    folder: str


def read_source(text: str, ssh: str) -> Source | Path:
    """What the user wrote: a folder here, `[user@]host:/folder`, or `cluster.yaml:/folder`.

    Raises:
        InputError: it is none of these.
        SurroundingsError: ssh or rsync is not installed.
    """
    place, colon, folder = text.partition(":")
    if not colon or Path(text).is_dir():
        return Path(text)
    if not folder.startswith("/"):
        raise InputError(f"{text}: give the workspace's folder on the other machine as an absolute path, as in {place or 'host'}:/data/w.")
    if "\n" in text:
        raise InputError("the name of a folder on another machine cannot hold a line break; rename it there.")
    folder = folder.rstrip("/") or "/"
    if Path(place).is_file():
        return Source(remote=RayHead(Path(place)), folder=folder)
    if "/" in place or place.endswith((".yaml", ".yml")):
        raise InputError(f"{text}: there is no file {place} here; give [user@]host:/folder, or the file that `ray up` was called with.")
    return Source(remote=Ssh(place, ssh), folder=folder)


def pull(workspace: Workspace, source: Source, command: str, say: Callable[[str], None]) -> Merged:
    """Fetch and merge. command: what stylesweep is called there.

    Raises:
        InputError: there is no workspace in that folder.
        SurroundingsError: the other machine cannot be reached, or lacks something; what was fetched is kept for the next pull.
        WorkspaceBusy: another pull from there is at it.
    """
    with _place(workspace, source) as place, _snapshot(source, command, say) as scratch:
        source.remote.fetch_file(f"{scratch}/copy/sweeps.db", place / "sweeps.db")
        check_other(place)
        with open_engine(sqlite_url(place / "sweeps.db"), reader=True).connect() as connection:
            wanted = [file for file in artifact_files(connection) if not holds(workspace.artifacts, file)]
        staged = Artifacts(place / "artifacts")
        _fetch(source, scratch, staged, wanted, say)
        _check(source, staged, wanted)
        return merge(workspace, place, move=True)


@contextmanager
def _place(workspace: Workspace, source: Source) -> Iterator[Path]:
    """The folder for what comes from there, held by one pull at a time."""
    name = hashlib.sha256(f"{source.remote.name}:{source.folder}".encode()).hexdigest()[:16]
    place = workspace.folder / PULLED / name
    try:
        (place / "artifacts").mkdir(parents=True, exist_ok=True)
        lock = (place / "lock").open("w")
    except OSError as error:
        raise storage_error(place, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorkspaceBusy(f"another pull from {source.remote.name} is running; wait for it, or end it.") from error
        yield place


@contextmanager
def _snapshot(source: Source, command: str, say: Callable[[str], None]) -> Iterator[str]:
    """A folder there that holds a copy of the database; removed at the end. On the workspace's disk, where there is room for it."""
    say(f"asking {source.remote.name} for its database ...")
    folder = shlex.quote(source.folder)
    answer = source.remote.execute(
        f"test -f {folder}/sweeps.db || exit {_NO_WORKSPACE}; scratch=$(mktemp -d {folder}/.pull-XXXXXX) || exit {_NO_ROOM}; "
        f'echo "scratch $scratch"; {command} backup --workspace {folder} --database-only --out "$scratch/copy" >&2'
    )
    found = re.search(rf"^scratch ({re.escape(source.folder)}/\.pull-\w+)$", answer.said, re.MULTILINE)
    try:
        if answer.code == _NO_WORKSPACE:
            raise InputError(f"there is no workspace in {source.folder} on {source.remote.name}; give the folder that holds sweeps.db.")
        if answer.code == 127:
            raise SurroundingsError(
                f"{command!r} is not found on {source.remote.name}; say what it is called there, as in "
                "--remote-command '~/venv/bin/stylesweep'."
            )
        if answer.code != 0 or found is None:
            raise SurroundingsError(f"{source.remote.name} could not copy its database: {answer.complaint}")
        yield found[1]
    finally:
        if found is not None:
            with contextlib.suppress(SurroundingsError):  # `gc` there removes it one day
                source.remote.execute(f"rm -rf -- {shlex.quote(found[1])}")


def _fetch(source: Source, scratch: str, staged: Artifacts, wanted: list[ArtifactFile], say: Callable[[str], None]) -> None:
    missing = [file for file in wanted if not holds(staged, file)]
    if missing:
        say(f"fetching {len(missing):,} of {len(wanted):,} files ...")
    for start in range(0, len(missing), _BATCH):
        names = [_name(file) for file in missing[start : start + _BATCH]]
        source.remote.fetch_files(f"{source.folder}/artifacts", names, staged.folder, scratch)


def _name(file: ArtifactFile) -> str:
    return f"{file.sha256[:2]}/{file.sha256}.{file.suffix}"


def _check(source: Source, staged: Artifacts, wanted: list[ArtifactFile]) -> None:
    """Every file against its name; one that is damaged is fetched anew next time."""
    bad = []
    for file in wanted:
        try:
            staged.get(file.sha256, file.suffix)
        except StorageError:
            staged.path(file.sha256, file.suffix).unlink(missing_ok=True)
            bad.append(_name(file))
    if bad:
        raise SurroundingsError(
            f"{len(bad)} files came damaged or are not there on {source.remote.name}, artifacts/{bad[0]} for one. Pull again; if that "
            f"does not help, `stylesweep verify --workspace {source.folder}` there says what is wrong. Nothing was merged; what came whole "
            "is kept."
        )

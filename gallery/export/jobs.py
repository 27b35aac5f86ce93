"""Exports that a server builds while its pages go on: each in a thread, into WORKSPACE/exports/NAME.zip, for anybody who looks.

A zip gets its name when it is complete (`targets.ZipTarget`); what a server that was killed leaves behind begins with a dot, and `gc`
removes it. Names are made here, from the sweep's and the time, and no other is ever looked up.
"""

import logging
import re
import secrets
import shutil
import threading
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from db import browse
from db.housekeeping import EXPORTS
from db.workspace import Workspace
from gallery.export.bundle import ExportOptions, export_results
from gallery.export.estimate import Estimate
from gallery.export.names import safe_name
from sweep.amounts import amount_of_bytes
from sweep.errors import InputError, StorageError, StylesweepError

MOST_PICTURES = 20_000
MOST_FINISHED = 20
"""So many jobs that have ended are remembered; their zips stay."""
SPARE = 50_000_000
"""Bytes that an export leaves free on the disk."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,119}")
_log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Somebody asked an export to stop."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be built. combinations: ids, best first; title: what it is of, for its name; estimate: what it was told to come to."""

    title: str
    combinations: tuple[int, ...]
    options: ExportOptions
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Job:
    """An export as it stands. state: building, ready, failed or cancelled; done: pictures that are through; message: why it failed."""

    name: str
    session: str
    order: Order
    begun: float
    state: str = "building"
    done: int = 0
    message: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A zip in the folder. pictures: how many it holds, None where it cannot be read."""

    name: str
    bytes: int
    at: float
    pictures: int | None


@dataclass
class _Building:
    job: Job
    stop: threading.Event = field(default_factory=threading.Event)


class Exports:
    """The exports of one workspace, for one server."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.folder = workspace.folder / EXPORTS
        self._lock = threading.Lock()
        self._jobs: dict[str, _Building] = {}
        self._counted: dict[tuple[str, float], int | None] = {}

    def start(self, session: str, order: Order) -> Job:
        """Begin to build; one at a time for a session.

        Raises:
            InputError: nothing is chosen, too much is, or this session has one under way.
            StorageError: the disk has no room for it.
        """
        if not order.combinations:
            raise InputError("Nothing is chosen that has a picture.")
        if len(order.combinations) > MOST_PICTURES:
            raise InputError(f"At most {MOST_PICTURES:,} pictures go into one export; choose fewer, or export the best of each pair.")
        self._check_room(order)
        name = f"{safe_name(order.title, 'export')[:60]}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        building = _Building(Job(name=name, session=session, order=order, begun=time.time()))
        with self._lock:
            if any(one.job.state == "building" and one.job.session == session for one in self._jobs.values()):
                raise InputError("One export of yours is being built; wait for it, or cancel it first.")
            self._jobs[name] = building
            ended = [one for one, other in self._jobs.items() if other.job.state != "building"]
            for one in ended[:-MOST_FINISHED]:
                del self._jobs[one]
        threading.Thread(target=self._build, args=(building,), name=f"export {name}", daemon=True).start()
        return building.job

    def _check_room(self, order: Order) -> None:
        free = shutil.disk_usage(self._workspace.folder).free
        if free < order.estimate.bytes + SPARE:
            needed, there = amount_of_bytes(order.estimate.bytes), amount_of_bytes(free)
            raise StorageError(
                f"The disk has {there} left, and this export needs about {needed}. Free some space, or choose fewer pictures."
            )

    def _build(self, building: _Building) -> None:
        def told(done: int) -> None:
            if building.stop.is_set():
                raise Cancelled
            self._set(building, done=done)

        order = building.job.order
        try:
            with self._workspace.reader().connect() as connection:
                results = browse.by_combination(connection, order.combinations)
            told(0)
            report = export_results(self._workspace, results, self._path(building.job.name), order.options, told)
            self._set(building, state="ready", problems=report.problems)
        except Cancelled:
            self._set(building, state="cancelled")
        except StylesweepError as error:
            self._set(building, state="failed", message=str(error))
        except Exception as error:
            _log.exception("the export %s could not be built", building.job.name)
            self._set(building, state="failed", message=f"It could not be built ({type(error).__name__}); the terminal has the details.")

    def _set(self, building: _Building, **changes: object) -> None:
        with self._lock:
            building.job = replace(building.job, **changes)  # type: ignore[arg-type]

    def jobs(self) -> list[Job]:
        """Those under way and those that have ended since the server began, the newest first."""
        with self._lock:
            return [one.job for one in reversed(self._jobs.values())]

    def cancel(self, name: str) -> None:
        """Stop one at its next picture; nothing of it stays."""
        with self._lock:
            if name in self._jobs:
                self._jobs[name].stop.set()

    def forget(self, name: str) -> None:
        """No longer list a job that has ended without a zip."""
        with self._lock:
            if name in self._jobs and self._jobs[name].job.state != "building":
                del self._jobs[name]

    def kept(self) -> list[Kept]:
        """Every complete zip of the folder, the newest first."""
        found = []
        for path in self.folder.glob("*.zip"):
            if not _NAME.fullmatch(path.stem) or path.is_symlink() or not path.is_file():
                continue
            stat = path.stat()
            key = (path.name, stat.st_mtime)
            if key not in self._counted:
                self._counted[key] = _pictures_in(path)
            found.append(Kept(name=path.stem, bytes=stat.st_size, at=stat.st_mtime, pictures=self._counted[key]))
        return sorted(found, key=lambda one: -one.at)

    def remove(self, name: str) -> None:
        """Delete a zip; no harm if it has gone.

        Raises:
            StorageError: it cannot be deleted.
        """
        path = find(self._workspace.folder, name)
        try:
            if path is not None:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{name}.zip cannot be deleted: {error.strerror}.") from error
        self.forget(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.zip"


def find(workspace_folder: Path, name: str) -> Path | None:
    """The zip of that name, if there is one. Never a path, a hidden file or a link that came from a browser."""
    if not _NAME.fullmatch(name):
        return None
    path = workspace_folder / EXPORTS / f"{name}.zip"
    return path if path.is_file() and not path.is_symlink() else None


def _pictures_in(path: Path) -> int | None:
    try:
        with zipfile.ZipFile(path) as opened:
            return sum("/images/" in name for name in opened.namelist())
    except (OSError, zipfile.BadZipFile):
        return None

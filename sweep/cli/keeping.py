"""`backup`, `verify`, `merge`, `archive`, `unarchive`, `delete`, `gc`: what they say."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from db import backup as backups
from db import housekeeping
from db import merge as merging
from db.engine import storage_errors
from db.verify import verify as look
from db.workspace import Workspace, open_workspace
from sweep.amounts import amount_of_bytes
from sweep.cli.wording import command, count, printable, say
from sweep.errors import InputError, StorageError, WorkspaceBusy
from sweep.signing import sign

MOST_FAULTS = 50


def _print_json(value: Any) -> None:
    print(json.dumps(value, default=str))


def backup(folder: Path, out: Path, *, database_only: bool, as_json: bool) -> None:
    """`stylesweep backup`."""
    workspace = open_workspace(folder, create=False)
    with storage_errors(workspace.url):
        made = backups.back_up(workspace, out, database_only=database_only)
    exports = housekeeping.finished_exports(workspace)
    if as_json:
        copied = {"folder": str(made.folder), "files": made.pictures.files, "bytes": made.pictures.bytes}
        kept = {"checkpoints": made.checkpoints, "lost_checkpoints": made.lost_checkpoints}
        _print_json({**copied, **kept, "exports_left_out": len(exports)})
        return
    what = "the database" if database_only else f"{count(made.pictures.files, 'file')} ({amount_of_bytes(made.pictures.bytes)}) copied"
    states = f", {count(made.checkpoints, 'resumable state')}" if made.checkpoints else ""
    print(f"{printable(str(made.folder))}: {what}{states}. It is a workspace: look at it with --workspace.")
    if made.lost_checkpoints:
        print(f"{count(made.lost_checkpoints, 'resumable state')} could not be read; those runs would begin from their start.")
    if exports:
        those = f"{count(len(exports), 'export')} ({amount_of_bytes(sum(path.stat().st_size for path in exports))})"
        print(printable(f"{those} left out: the Export page makes such zips again; to keep just these, copy {exports[0].parent}."))


def verify(folder: Path, *, quick: bool, as_json: bool) -> int:
    """`stylesweep verify`; 0 if the workspace is whole, else the exit code of damage. A whole one gets what signatures it lacks."""
    workspace = open_workspace(folder, create=False)
    with storage_errors(workspace.url):
        found = look(workspace, quick=quick)
    signed = _signed(workspace) if not quick and not found.faults else 0
    if as_json:
        _print_json(asdict(found) | {"signed": signed})
    else:
        for fault in found.faults[:MOST_FAULTS]:
            print(printable(f"{fault.what}.\n    {fault.do[:1].upper()}{fault.do[1:]}."))
        if len(found.faults) > MOST_FAULTS:
            print(f"... and {len(found.faults) - MOST_FAULTS:,} more (--json lists them all)")
        looked = f"{count(found.pictures, 'picture')}, {count(found.files, 'file')}, {count(found.checkpoints, 'resumable state')}"
        how = "there" if quick else "read and compared with their names"
        if found.database_only:
            print("A backup of the database alone: pictures that it speaks of and does not have are no fault.")
        print(f"{looked} {how}: {count(len(found.faults), 'fault')}.")
        if signed:
            print(f"{count(signed, 'picture')} of an earlier stylesweep can now be told as near-duplicates, too.")
        if found.orphans:
            print(f"{count(found.orphans, 'file')} ({amount_of_bytes(found.orphan_bytes)}) that nothing refers to: {command(folder, 'gc')}")
    return StorageError.exit_code if found.faults else 0


def _signed(workspace: Workspace) -> int:
    """How many pictures got the signature they lacked. A workspace that cannot be written is no less whole."""
    try:
        with storage_errors(workspace.url):
            return sign(workspace)
    except (StorageError, WorkspaceBusy) as error:
        say(f"note: signatures of pictures could not be added: {error}")
        return 0


def merge(folder: Path, other: Path, *, as_json: bool) -> None:
    """`stylesweep merge`; makes the workspace if there is none."""
    merging.check_other(other)
    workspace = open_workspace(folder, create=True)
    with storage_errors(workspace.url):
        merged = merging.merge(workspace, other)
    say_merged(workspace, merged, as_json=as_json)


def say_merged(workspace: Workspace, merged: merging.Merged, *, as_json: bool) -> None:
    """What a merge or a pull brought."""
    if as_json:
        _print_json(asdict(merged))
        return
    reviews = f", {count(merged.reviews, 'review')}" if merged.reviews else ""
    files = f"{count(merged.files, 'file')} ({amount_of_bytes(merged.bytes)})"
    print(f"{count(merged.results, 'result')} and {count(merged.sweeps, 'sweep')} new here{reviews}; {files}.")
    for there, here in merged.renamed:
        print(printable(f"{there}: a sweep of that name with other combinations was here; what came is named {here}."))
    for name in merged.paused:
        run_them = command(workspace.folder, "resume", name)
        print(printable(f"{name}: some of its runs are not finished. It is paused here; `{run_them}` would run them."))


def archive(folder: Path, name: str) -> None:
    """`stylesweep archive`."""
    workspace = open_workspace(folder, create=False)
    with storage_errors(workspace.url):
        housekeeping.archive(workspace.writer(), name)
    listed, back = command(folder, "status", "--all"), command(folder, "unarchive", name)
    print(printable(f"{name} is archived: `{listed}` lists it, `{back}` brings it back."))


def unarchive(folder: Path, name: str) -> None:
    """`stylesweep unarchive`."""
    workspace = open_workspace(folder, create=False)
    with storage_errors(workspace.url):
        housekeeping.unarchive(workspace.writer(), name)
    print(printable(f"{name} is listed again."))


def delete(folder: Path, name: str, *, yes: bool) -> None:
    """`stylesweep delete`: asks on a terminal.

    Raises:
        InputError: the answer is no, or nobody is there to ask and --yes was not given.
    """
    workspace = open_workspace(folder, create=False)
    with storage_errors(workspace.url), workspace.reader().connect() as connection:
        goes = housekeeping.what_goes(connection, name)
    what = f"{count(goes.combinations, 'combination')} and {count(goes.runs, 'run')} ({goes.done:,} done) that no other sweep has"
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"{name} has {what}; add --yes to delete them.")
        if not typer.confirm(printable(f"Delete {name}: {what}?")):
            raise InputError("nothing was deleted.")
    with storage_errors(workspace.url):
        housekeeping.delete_sweep(workspace.writer(), name)
    clean = command(folder, "gc", "--delete")
    print(printable(f"{name} is deleted: {what}. Its files go with `{clean}`, from an hour after they were written."))


def gc(folder: Path, *, remove: bool, hours: float, as_json: bool) -> None:
    """`stylesweep gc`: counts, and removes where told to.

    Raises:
        InputError: a time under an hour.
    """
    workspace = open_workspace(folder, create=False)
    seconds = 3600 * hours
    housekeeping.check_age(seconds)
    found = housekeeping.collect(workspace, older_than=seconds) if remove else housekeeping.orphans(workspace, older_than=seconds)
    if as_json:
        _print_json([{"kind": kind.kind, "files": kind.files, "bytes": kind.bytes, "removed": remove} for kind in found])
        return
    for kind in found:
        if kind.files:
            print(f"{count(kind.files, kind.kind)}, {amount_of_bytes(kind.bytes)}")
    total, size = sum(kind.files for kind in found), sum(kind.bytes for kind in found)
    if not total:
        print("Nothing to remove: something refers to every file, or it is younger than --older-than.")
    elif remove:
        print(f"{count(total, 'file')} removed, {amount_of_bytes(size)}.")
    else:
        print(f"{count(total, 'file')} that nothing refers to, {amount_of_bytes(size)}. Remove them: {command(folder, 'gc', '--delete')}")

"""The commands that keep results: copies, checks, merges, and putting away; `sweep.cli.main` takes them in."""

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption

app = typer.Typer()

SweepName = Annotated[str, typer.Argument(metavar="SWEEP", help="The sweep's name.")]


@app.command()
def backup(
    out: Annotated[Path, typer.Option("--out", help="A new folder, or that of an earlier backup: only what is new is copied then.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    database_only: Annotated[bool, typer.Option("--database-only", help="Without the pictures.")] = False,
    json: JsonOption = False,
) -> None:
    """Copy the workspace as it is at this moment, also while a sweep runs. A backup is a workspace itself."""
    from sweep.cli import keeping

    keeping.backup(workspace, out, database_only=database_only, as_json=json)


@app.command()
def verify(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    quick: Annotated[bool, typer.Option("--quick", help="Of files only that they are there, and as long as they should be.")] = False,
    json: JsonOption = False,
) -> None:
    """Check every row and every file, and say what to do about what is wrong."""
    from sweep.cli import keeping

    raise typer.Exit(keeping.verify(workspace, quick=quick, as_json=json))


@app.command()
def merge(
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="The folder of another workspace, or of a backup.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Take over what another workspace has: results, sweeps, reviews. Nothing here falls back, nothing there changes."""
    from sweep.cli import keeping

    keeping.merge(workspace, other, as_json=json)


@app.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="[USER@]HOST:/FOLDER, CLUSTER.yaml:/FOLDER, or a folder here.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    ssh: Annotated[str, typer.Option("--ssh", help="How to reach it, as in `ssh -i key -p 2222`.")] = "ssh",
    remote_command: Annotated[str, typer.Option("--remote-command", help="What stylesweep is called there.")] = "stylesweep",
    json: JsonOption = False,
) -> None:
    """Bring what a workspace on another machine has into this one, also while a sweep runs there. Again: only what is new."""
    from sweep.cli import pulling

    pulling.pull(source, workspace, pulling.PullOptions(ssh=ssh, remote_command=remote_command, as_json=json))


@app.command()
def archive(sweep: SweepName, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Put a sweep away: it is kept, and no longer listed."""
    from sweep.cli import keeping

    keeping.archive(workspace, sweep)


@app.command()
def unarchive(sweep: SweepName, workspace: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """List an archived sweep again."""
    from sweep.cli import keeping

    keeping.unarchive(workspace, sweep)


@app.command()
def delete(
    sweep: SweepName,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a sweep and the runs that no other sweep has. Reviews stay, and the files until `gc`."""
    from sweep.cli import keeping

    keeping.delete(workspace, sweep, yes=yes)


@app.command()
def gc(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    delete: Annotated[bool, typer.Option("--delete", help="Remove them; without it they are only counted.")] = False,
    older_than: Annotated[float, typer.Option("--older-than", help="Hours since a file was written; 1 or more.")] = 1.0,
    json: JsonOption = False,
) -> None:
    """Find files that nothing refers to any more, and remove them if told to. Safe while a sweep runs."""
    from sweep.cli import keeping

    keeping.gc(workspace, remove=delete, hours=older_than, as_json=json)

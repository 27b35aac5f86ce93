"""`pull`: what it says, and a folder of this machine as a source."""

from dataclasses import dataclass
from pathlib import Path

from db.engine import storage_errors
from db.workspace import open_workspace
from sweep.cli import keeping
from sweep.cli.wording import say
from sweep.pull import pull as fetch_and_merge
from sweep.pull import read_source


@dataclass(frozen=True, kw_only=True)
class PullOptions:
    """The options of `pull`."""

    ssh: str = "ssh"
    remote_command: str = "stylesweep"
    as_json: bool = False


def pull(source: str, folder: Path, options: PullOptions) -> None:
    """`stylesweep pull`; makes the workspace if there is none."""
    found = read_source(source, options.ssh)
    if isinstance(found, Path):
        keeping.merge(folder, found, as_json=options.as_json)
        return
    workspace = open_workspace(folder, create=True)
    with storage_errors(workspace.url):
        merged = fetch_and_merge(workspace, found, options.remote_command, say)
    keeping.say_merged(workspace, merged, as_json=options.as_json)

"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

from sweep.typed import DEFAULT_WORKSPACE, WORKSPACE_VARIABLE

__all__ = ["DEFAULT_WORKSPACE", "JsonOption", "WorkspaceOption"]

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", envvar=WORKSPACE_VARIABLE, help="The folder that holds the results.", show_default=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

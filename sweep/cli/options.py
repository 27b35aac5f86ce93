"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

WORKSPACE_VARIABLE = "STYLESWEEP_WORKSPACE"
WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", envvar=WORKSPACE_VARIABLE, help="The folder that holds the results.", show_default=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
DEFAULT_WORKSPACE = Path("stylesweep-workspace")

"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", envvar="STYLESWEEP_WORKSPACE", help="The folder that holds the results.", show_default=True),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
DEFAULT_WORKSPACE = Path("stylesweep-workspace")

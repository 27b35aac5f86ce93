"""What a person types: commands of ours to copy, and the workspace that they mean where none is named. Standard library only."""

import shlex
from pathlib import Path

WORKSPACE_VARIABLE = "STYLESWEEP_WORKSPACE"
DEFAULT_WORKSPACE = Path("stylesweep-workspace")


def typed(words: tuple[str, ...], folder: Path, taken: Path) -> str:
    """`stylesweep` and the words, as a shell takes them; with the workspace `folder`, unless it is the one that is `taken` anyway."""
    place = [] if folder.absolute() == taken.absolute() else ["--workspace", str(folder)]
    return shlex.join(["stylesweep", *words, *place])

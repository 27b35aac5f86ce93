"""The values and names of strangers as a terminal may show them, and messages to the user."""

import os
import sys
from pathlib import Path

from sweep.typed import DEFAULT_WORKSPACE, WORKSPACE_VARIABLE, typed


def printable(text: str) -> str:
    """Without control characters: messages quote names of files, and a terminal would obey what stands in them."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def plain(value: object) -> str:
    """A parameter's value: floats without noise, None as 'default', text fit for a terminal."""
    if value is None:
        return "default"
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def say(line: str) -> None:
    """A message to the user; standard output is for answers."""
    print(printable(line), file=sys.stderr, flush=True)


def count(number: int, noun: str) -> str:
    """'1 run', '1,200 runs'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def command(folder: Path, *words: str) -> str:
    """A command of ours to copy, as a shell takes it; it names the workspace unless that is the one which would be taken here."""
    return typed(words, folder, Path(os.environ.get(WORKSPACE_VARIABLE) or DEFAULT_WORKSPACE))

"""A table with a column for each run that is compared."""

from collections.abc import Sequence
from dataclasses import asdict

from gallery.compare_table import Line
from gallery.components.mount import load

_differences = load("differences")


def differences(letters: Sequence[str], tables: Sequence[tuple[str, Sequence[Line]]], *, key: str, note: str = "") -> None:
    """Draw it. tables: (heading, rows)."""
    drawn = [{"heading": heading, "lines": [asdict(line) for line in lines]} for heading, lines in tables]
    _differences(key=key, data={"letters": list(letters), "tables": drawn, "note": note, "numbers": not note})

"""Names and values in two columns, as plain text whatever they hold."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from gallery.components.mount import load

_facts = load("facts")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One row; `note` stands small below the value. share: a part of a whole, drawn as a bar with `beside` in words."""

    name: str
    value: str
    note: str = ""
    share: float | None = None
    beside: str = ""


def facts(rows: Sequence[Fact], *, key: str) -> None:
    """Draw the rows."""
    _facts(key=key, data={"rows": [asdict(row) for row in rows]})

"""What is looked at: sweeps, filters, an order. Plain values, so that a view can be a key, and stand in a URL. No streamlit import."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Float, Integer

from db.models import Combination
from db.queries import PARAMETERS
from sweep.transfer.yardstick_names import RISING

_TYPES = {name: Combination.__table__.columns[name].type for name in PARAMETERS}
NUMBERS: Mapping[str, type] = {
    name: int if isinstance(kind, Integer) else float for name, kind in _TYPES.items() if isinstance(kind, Integer | Float)
}
"""Parameters that are numbers, with their type; the others are text."""
SWEEP = "sweep"
"""Beside the parameters, what a combination is filtered and grouped by."""
YARDSTICK_SORTS = tuple(RISING)
SORTS = (*YARDSTICK_SORTS, "stars", "plan", "newest")
"""Never a weighted loss: it cannot rank across combinations (docs/design.md, section 4)."""
UNFLAGGED = "none"
FLAGS = ("pick", UNFLAGGED, "reject")

Value = float | int | str | None
"""A parameter's value; None is a number that is left to the recipe."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Both ends belong to it."""

    low: float
    high: float


Choice = tuple[Value, ...] | Range


@dataclass(frozen=True, kw_only=True)
class View:
    """Sweeps by name, what is allowed of each parameter, yardstick and review, and the order. Empty means no restriction.

    A run is in a view if one of its combinations there fits `choices`, and the run fits everything else.
    """

    sweeps: tuple[str, ...] = ()
    choices: tuple[tuple[str, Choice], ...] = ()
    states: tuple[str, ...] = ()
    yardsticks: tuple[tuple[str, Range], ...] = ()
    flags: tuple[str, ...] = ()
    stars: Range | None = None
    tags: tuple[str, ...] = ()
    """Any of them."""
    text: str = ""
    """Words, each of which must stand in a text parameter, a tag, the note, or begin the run key."""
    by: str = ""
    """Whose reviews are meant; empty: the reader's own."""
    sort: str = "balance"
    within: bool = False
    """Order by the percentile within the content-style pair, instead of by the yardstick itself."""
    group: str = ""
    """A parameter: its values come one after the other, each in the view's order."""
    collapse: bool = False
    """Of near-duplicates only the first in the order is shown."""

    def chosen(self, name: str) -> Choice:
        """What a parameter is restricted to; () if it is not."""
        return dict(self.choices).get(name, ())

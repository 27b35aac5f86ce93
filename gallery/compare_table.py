"""How the runs that are compared differ: parameters, yardsticks, losses. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import queries
from db.queries import PARAMETERS, Result
from gallery.compare_view import Compared, differing
from gallery.wording import YARDSTICK_LABELS, counted, label, number, shown
from sweep.transfer.yardstick_names import BY_NAME, GROUPS, MAIN_PROTOCOL, NAMES, PROTOCOLS, RISING, YARDSTICKS


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of a table with a cell for each run; best: which of them are the better ones."""

    name: str
    cells: tuple[str, ...]
    hint: str = ""
    best: tuple[bool, ...] = ()


def parameter_lines(runs: Sequence[Result]) -> list[Line]:
    """What differs."""
    return [Line(name=label(name), cells=tuple(shown(name, run.parameters[name]) for run in runs)) for name in differing(runs)]


def equal_words(runs: Sequence[Result]) -> str:
    """'The other 27 parameters are equal: content cat.jpg, ...'; what is left to the recipe is only counted."""
    apart = differing(runs)
    same = [name for name in PARAMETERS if name not in apart]
    given = [name for name in same if runs[0].parameters[name] is not None]
    told = ", ".join(f"{label(name).lower() if name != 'tv' else label(name)} {shown(name, runs[0].parameters[name])}" for name in given)
    left = len(same) - len(given)
    rest = f"; {counted(left, 'number')} left to the recipe" if left else ""
    begin = f"The other {len(same)} parameters" if apart else f"All {len(same)} parameters"
    return f"{begin} are equal: {told}{rest}."


def yardstick_lines(runs: Sequence[Result]) -> list[tuple[str, list[Line]]]:
    """(heading, rows): the main ones first, then all others that were measured, by what they look at."""
    tables = [("", [_yardstick_line(name, runs) for name in NAMES])]
    for group, heading in GROUPS.items():
        lines = [
            _yardstick_line(one.name, runs)
            for one in YARDSTICKS
            if one.group == group and one.name not in NAMES and any(run.yardsticks[one.name] is not None for run in runs)
        ]
        if lines:
            tables.append((heading, lines))
    return tables


def _yardstick_line(name: str, runs: Sequence[Result]) -> Line:
    values = [run.yardsticks[name] for run in runs]
    return Line(
        name=YARDSTICK_LABELS[name], cells=tuple(number(value, 3) for value in values), hint=BY_NAME[name].meaning, best=best_of(name, runs)
    )


def best_of(name: str, runs: Sequence[Result]) -> tuple[bool, ...]:
    """The better ones by the yardstick's direction; none where all are level, fewer than two were measured or protocols differ."""
    values = [run.yardsticks[name] for run in runs]
    known = [value for value in values if value is not None]
    apart = PROTOCOLS[name] == MAIN_PROTOCOL and len({run.protocol for run in runs if run.yardsticks[name] is not None}) > 1
    if name not in RISING or len(known) < 2 or len({number(value, 3) for value in known}) < 2 or apart:
        return (False,) * len(runs)
    best = max(known) if RISING[name] else min(known)
    return tuple(value is not None and number(value, 3) == number(best, 3) for value in values)


def curves_of(connection: Connection, compared: Compared) -> dict[str, list[Mapping[str, Any]]]:
    """Letter -> loss curve, for the runs that have one."""
    found = {letter: queries.loss_curve(connection, run.run_key) for letter, run in zip(compared.letters, compared.runs, strict=True)}
    return {letter: points for letter, points in found.items() if points}


LOSSES_APART = ("content", "style", "layers", "network", "size", "style_scale", "colors", "loss", "style_loss", "pooling", "padding")
"""Parameters that change what a loss measures."""


def curve_words(runs: Sequence[Result]) -> str:
    """What may be read from the curves, and what not."""
    apart = [label(name).lower() for name in differing(runs) if name in LOSSES_APART]
    words = "Losses are unweighted: alpha and beta are not in them."
    if apart:
        return f"{words} The runs differ in {', '.join(apart)}, so heights cannot be compared between them, only how each went."
    return f"{words} They tell how each run went; lower is not a better picture."

"""A run's yardsticks as rows to read: name, value, what it means in a few words. No streamlit import."""

from collections.abc import Mapping
from typing import NamedTuple

from gallery.wording import NOTHING, number
from sweep.transfer.yardstick_names import BY_NAME, GROUPS, LAYERS, NAMES, YARDSTICKS

_BY_LAYER = tuple(f"d_style_{number}" for number in range(1, len(LAYERS) + 1))
Values = Mapping[str, float | None]


class Row(NamedTuple):
    """One line of a table."""

    name: str
    value: str
    note: str


def main_rows(values: Values, protocol: str | None) -> list[Row]:
    """The five that results are compared by, and their protocol."""
    return [*(_row(name, values) for name in NAMES), Row("Protocol", protocol or NOTHING, "")]


def more_rows(values: Values) -> list[tuple[str, list[Row]]]:
    """(heading, rows) of all others, by what they look at; nothing of a run that was measured before there were others."""
    others = [one for one in YARDSTICKS if one.name not in NAMES]
    if all(values.get(one.name) is None for one in others):
        return []
    tables = []
    for group, heading in GROUPS.items():
        rows = [_row(one.name, values) for one in others if one.group == group and one.name not in _BY_LAYER]
        if group == "style":
            rows.append(_layers_row(values))
        tables.append((heading, rows))
    return tables


def _row(name: str, values: Values) -> Row:
    return Row(BY_NAME[name].label, number(values.get(name), 3), BY_NAME[name].meaning)


def _layers_row(values: Values) -> Row:
    """The five terms of the style distance in one line."""
    shown = " · ".join(number(values.get(name), 3) for name in _BY_LAYER)
    return Row("Style distance by layer", shown, f"From colours and grain ({LAYERS[0]}) to whole shapes ({LAYERS[-1]}): lower is closer.")

"""A run's yardsticks as rows to read: name, value, what it means in a few words. No streamlit import."""

from collections.abc import Mapping
from typing import NamedTuple

from gallery.wording import NOTHING, number
from sweep.transfer.yardstick_names import BY_NAME, GROUPS, LAYERS, NAMES, YARDSTICKS

_BY_LAYER = tuple(f"d_style_{number}" for number in range(1, len(LAYERS) + 1))
Values = Mapping[str, float | None]


class Rank(NamedTuple):
    """A run among the measured ones of its content and style. better_than: a share of the others; a tie counts half."""

    better_than: float
    others: int


class Row(NamedTuple):
    """One line of a table. share: a part of a whole to draw under the value; beside: what it is, in words."""

    name: str
    value: str
    note: str
    share: float | None = None
    beside: str = ""


def main_rows(values: Values, protocol: str | None, ranks: Mapping[str, Rank] | None = None) -> list[Row]:
    """The five that results are compared by, each with how it stands in its pair, and their protocol."""
    rows = [_ranked(_row(name, values), (ranks or {}).get(name)) for name in NAMES]
    return [*rows, Row("Protocol", protocol or NOTHING, "")]


def _ranked(row: Row, rank: Rank | None) -> Row:
    if rank is None or rank.others < 1:
        return row
    return row._replace(share=rank.better_than, beside=f"better than {rank.better_than:.0%}")


def rank_words(ranks: Mapping[str, Rank]) -> str:
    """What the bars compare with; '' where there is nothing to compare with."""
    others = max((rank.others for rank in ranks.values()), default=0)
    if others < 1:
        return ""
    return f"Bars: of the {others:,} other {'run' if others == 1 else 'runs'} with this content and style, how many it is better than."


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

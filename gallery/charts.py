"""The loss curve as an Altair chart. No streamlit import."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

SERIES = {"content_loss": "Content loss", "style_loss": "Style loss"}
COLOURS = {"Content loss": "#4d7fb8", "Style loss": "#c0712e"}


def curve_rows(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per step and loss. Zeros are left out: a logarithmic axis has no place for them (a start from the photograph has none)."""
    return [
        {"step": point["step"], "size": point["size"], "loss": name, "value": point[column]}
        for point in points
        for column, name in SERIES.items()
        if point[column] > 0
    ]


def scale_starts(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The first step at every picture size, where there are several."""
    starts = [
        {"step": point["step"], "size": f"{point['size']} px"}
        for before, point in zip([None, *points], points, strict=False)
        if before is None or before["size"] != point["size"]
    ]
    return starts if len(starts) > 1 else []


def log_ticks(points: Sequence[Mapping[str, Any]]) -> list[float]:
    """1, 2 and 5 of every decade that the curve passes through; whole decades alone where those are many."""
    values = [row["value"] for row in curve_rows(points)] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if high - low <= 2 else (1,)
    return [float(f"{step}e{decade}") for decade in range(low, high + 1) for step in steps]


def _data(rows: list[dict[str, Any]]) -> Any:
    return alt.Data(values=rows)  # type: ignore[no-untyped-call]


def _steps(points: Sequence[Mapping[str, Any]]) -> alt.X:
    last = max(point["step"] for point in points)
    return alt.X("step:Q", title="Step", scale=alt.Scale(domain=[0, max(last, 1)], nice=False), axis=alt.Axis(grid=False, tickMinStep=1))


def _losses(title: str, ticks: list[float]) -> alt.Y:
    return alt.Y("value:Q", title=title, scale=alt.Scale(type="log"), axis=alt.Axis(format="~g", values=ticks))


def _told_apart(field: str, colours: Mapping[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(field, title=None, scale=scale, legend=alt.Legend(orient="top", direction="horizontal"))


def _hint(field: str, title: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(field, title=title),
        alt.Tooltip("step:Q", title="Step"),
        alt.Tooltip("value:Q", title="Value", format=".4~g"),
        alt.Tooltip("size:Q", title="Long side, px"),
    ]


def _over_sizes(starts_at: list[dict[str, Any]], lines: alt.Chart, height: int) -> alt.LayerChart | alt.FacetChart:
    """Lines over a rule wherever the picture grows."""
    starts = alt.Chart(_data(starts_at))
    rules = starts.mark_rule(strokeDash=[3, 3], color="#888888").encode(x="step:Q")
    sizes = starts.mark_text(align="left", baseline="bottom", color="#888888").encode(x="step:Q", y=alt.value(-3), text="size:N")
    return alt.layer(rules, sizes, lines).properties(height=height)


def loss_chart(points: Sequence[Mapping[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    """Unweighted content and style loss over steps, with a rule where the picture grows."""
    lines = (
        alt.Chart(_data(curve_rows(points)))
        .mark_line(strokeWidth=2, point=len(points) < 3)
        .encode(
            x=_steps(points),
            y=_losses("Loss (log)", log_ticks(points)),
            color=_told_apart("loss:N", COLOURS),
            tooltip=_hint("loss:N", "Loss"),
        )
    )
    return _over_sizes(scale_starts(points), lines, 320)


COMPARED_COLOURS = ("#3d7ab8", "#c0712e", "#4f8a5b", "#9a5fa5")
"""Of the runs that are compared, in order: told apart in light and dark, and by people who see fewer colours."""


def compared_chart(curves: Mapping[str, Sequence[Mapping[str, Any]]], column: str) -> alt.LayerChart | alt.FacetChart | None:
    """One loss of several runs over their steps, a line for each letter; None where there is nothing over zero to draw."""
    rows = [
        {"run": letter, "step": point["step"], "size": point["size"], "value": point[column]}
        for letter, points in curves.items()
        for point in points
        if point[column] > 0
    ]
    if not rows:
        return None
    ticks = log_ticks([{"step": 0, "size": 0, "content_loss": row["value"], "style_loss": 0} for row in rows])
    lines = (
        alt.Chart(_data(rows))
        .mark_line(strokeWidth=2, point=len(rows) < 3)
        .encode(
            x=_steps([point for points in curves.values() for point in points]),
            y=_losses(f"{SERIES[column]} (log)", ticks),
            color=_told_apart("run:N", dict(zip(curves, COMPARED_COLOURS, strict=False))),
            tooltip=_hint("run:N", "Run"),
        )
    )
    return _over_sizes(common_starts(curves), lines, 240)


def common_starts(curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Where all runs go on to the next picture size at the same step; nothing where they do not: no rule would say whose it is."""
    starts = [scale_starts(points) for points in curves.values()]
    return starts[0] if starts and all(one == starts[0] for one in starts) else []

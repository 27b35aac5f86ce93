"""The results as a table."""

from typing import Any

import streamlit as st

from db import queries
from gallery.components.grid import Told
from gallery.grid_view import GridPage
from gallery.reading import reading
from gallery.routes import thumbnail_url
from gallery.wording import STATE_LABELS, YARDSTICK_LABELS, label, shown
from sweep.transfer.yardstick_names import NAMES


def table(page: GridPage) -> Told | None:
    """A row for each run of the page; a click on one opens it."""
    names = page.opened.selected.varying or ("content", "style")
    curves = _curves(page)
    rows = []
    for tile in page.tiles:
        result, said = tile.result, page.reviews.get(tile.result.run_key)
        row: dict[str, Any] = {"Picture": thumbnail_url(result.thumbnail) if tile.state == "done" and result.thumbnail else None}
        row |= {label(name): shown(name, result.parameters[name], short=True) for name in names}
        row |= {YARDSTICK_LABELS[name]: result.yardsticks[name] for name in NAMES}
        row |= {"Style loss": curves.get(result.run_key), "State": STATE_LABELS[tile.state], "Seconds": result.seconds}
        row |= {"Flag": (said.flag if said else None) or "", "Stars": "★" * (said.stars if said else 0), "Run": result.run_key}
        rows.append(row)
    config = {
        "Picture": st.column_config.ImageColumn("Picture", width="small", pinned=True),
        "Style loss": st.column_config.LineChartColumn("Style loss", width="small", help="By step, on a scale of its own"),
        "Seconds": st.column_config.NumberColumn(format="%.1f"),
        **{YARDSTICK_LABELS[name]: st.column_config.NumberColumn(format="%.3f") for name in NAMES},
    }
    event = st.dataframe(
        rows, column_config=config, hide_index=True, row_height=72, height=min(820, 80 + 72 * len(rows)), key=f"table-{page.spec.page}",
        on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    chosen = event.selection.rows
    return Told(kind="open", ids=(page.tiles[chosen[0]].result.run_key,)) if chosen else None


def _curves(page: GridPage) -> dict[str, list[float]]:
    with reading() as connection:
        return queries.style_losses(connection, [tile.result.run_key for tile in page.tiles])

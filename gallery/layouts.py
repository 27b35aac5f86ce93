"""The results along two axes, or as a table."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from db import queries
from gallery.components.grid import Told
from gallery.components.matrix import matrix
from gallery.filters import FilterSpec, choice_tokens, read_token, token
from gallery.grid_view import GridPage
from gallery.missing import missing_spec
from gallery.opened import Opened, opened_as
from gallery.pivot import Pivot, likely_axes, means, pivot
from gallery.reading import command, reading
from gallery.routes import thumbnail_url
from gallery.selection import parameters_of
from gallery.tiles import tiles_at
from gallery.view import YARDSTICK_SORTS
from gallery.wording import STATE_LABELS, YARDSTICK_LABELS, choice_text, counted, label, plain, shown
from sweep.transfer.yardstick_names import NAMES

Open = Callable[[FilterSpec], None]


def axes(opened: Opened, go: Open) -> Told | None:
    """Two parameters as axes, a third to page through, the others as the filters have them."""
    spec = opened.spec
    varying = opened.look.varying
    if not varying:
        st.info("All combinations here have the same parameters: there is nothing to lay along an axis.")
        return None
    x, y = likely_axes(varying, spec.x, spec.y)
    spec = replace(spec, x=x, y=y, z=spec.z if spec.z in varying and spec.z not in (x, y) else "")
    _choices(spec, varying, go)
    opened = _at_z(opened, spec, go)
    pivoted = pivot(opened.look, opened.selected, x, y)
    _pins(opened, pivoted, go)
    with reading() as connection:
        places = sorted(cell.place for cell in pivoted.cells.values() if cell.place is not None)
        tiles = dict(zip(places, tiles_at(connection, opened.look, opened.selected, places), strict=False))
        missing = missing_spec(connection, opened.look, opened.selected, pivoted)
    name = spec.view.sort if spec.view.sort in YARDSTICK_SORTS else "balance"
    values = {place: value for place, tile in tiles.items() if (value := tile.result.yardsticks[name]) is not None}
    told = matrix(pivoted, tiles, spec.to_params(), means(pivoted, values))
    if pivoted.hidden:
        st.caption(f"{counted(pivoted.hidden, 'more value')} of these axes did not fit; filters choose others.")
    if missing is not None:
        with st.expander(f"Run the {counted(missing.runs, 'missing combination')}"):
            st.caption(
                "Save it in the workspace's folder, where the input pictures are, and run it. Everything else is as in the first run here."
            )
            st.code(missing.text, language="yaml")
            st.code(command("run", "missing.yaml"), language="bash")
    return told


def _choices(spec: FilterSpec, varying: tuple[str, ...], go: Open) -> None:
    """Which parameter goes where."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key, text, options in (("x", "Columns", varying), ("y", "Rows", varying), ("z", "Page through", ("", *varying))):
            st.session_state[f"axis-{key}"] = getattr(spec, key)

            def changed(key: str = key) -> None:
                go(_with_axis(spec, key, str(st.session_state[f"axis-{key}"])))

            st.selectbox(
                text, options, key=f"axis-{key}", width=170, on_change=changed, format_func=lambda one: label(one) if one else "Nothing"
            )
        st.button("Swap", icon=":material/swap_horiz:", on_click=go, args=(replace(spec, x=spec.y, y=spec.x),))


def _with_axis(spec: FilterSpec, key: str, name: str) -> FilterSpec:
    """Another parameter along an axis; where it was before, the one that it takes the place of goes."""
    old = {axis: getattr(spec, axis) for axis in ("x", "y", "z")}
    swapped = {axis: old[key] if value == name and name and axis != key else value for axis, value in old.items()}
    new = swapped | {key: name}
    return replace(spec, **new, z_value="" if new["z"] != spec.z else spec.z_value)


def _at_z(opened: Opened, spec: FilterSpec, go: Open) -> Opened:
    """The view at one value of the pager's parameter."""
    if not spec.z:
        return opened
    values = [token(value) for value in opened.look.columns[spec.z].values]
    here = spec.z_value if spec.z_value in values else values[0]
    st.session_state["z-value"] = here
    st.segmented_control(
        label(spec.z), values[:60], key="z-value", format_func=lambda one: plain(shown(spec.z, read_token(spec.z, one)[1], short=True)),
        on_change=lambda: go(replace(spec, z_value=st.session_state["z-value"] or here)),
    )  # fmt: skip
    return opened_as(spec.with_choice(spec.z, (read_token(spec.z, here)[1],)), opened.moment)


def _pins(opened: Opened, pivoted: Pivot, go: Open) -> None:
    """What holds for all cells, and what they are the best of."""
    spec = opened.spec
    pinned = [f"{label(name)} {choice_text(name, choice)}" for name, choice in spec.view.choices if name not in (pivoted.x, pivoted.y)]
    with st.container(horizontal=True, vertical_alignment="center"):
        if pinned:
            st.caption(plain("Pinned: " + "; ".join(pinned)))
        if pivoted.open and len(opened.selected.runs):
            names = ", ".join(label(name).lower() for name in pivoted.open)
            st.caption(plain(f"Each cell is the first in this order over {names}."))
            best = parameters_of(opened.look, int(opened.selected.first[0]))
            pins = spec
            for name in pivoted.open:
                pins = pins.with_choice(name, (best[name],))
            hint = "; ".join(f"{label(name)} {', '.join(choice_tokens((best[name],)))}" for name in pivoted.open)
            st.button("Pin them to the first run's", icon=":material/push_pin:", help=plain(hint), on_click=go, args=(_back(pins, spec),))


def _back(pins: FilterSpec, spec: FilterSpec) -> FilterSpec:
    """Without the pager's own value, which is no filter."""
    return pins.with_choice(spec.z, ()) if spec.z else pins


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

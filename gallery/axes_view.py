"""The results along two axes."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import streamlit as st

from gallery.components.grid import Told
from gallery.components.matrix import matrix
from gallery.filters import OTHERS, FilterSpec, read_token, token
from gallery.look import Look
from gallery.missing import missing_spec
from gallery.opened import Opened, opened_as
from gallery.pivot import Line, Pivot, likely_axes, line, means, pivot
from gallery.reading import command, reading
from gallery.selection import Selected, parameters_of
from gallery.tiles import tiles_at
from gallery.view import YARDSTICK_SORTS, Value
from gallery.wording import choice_text, counted, label, plain, shown

Open = Callable[[FilterSpec], None]
MOST_PAGES = 60
"""Values of the pager's parameter that there are buttons for."""
OTHERS_LABELS = dict(zip(OTHERS, ("Pinned", "Best of all"), strict=True))


def axes(opened: Opened, go: Open) -> Told | None:
    """Two parameters as axes, a third to page through, the others pinned, or each cell the best over them."""
    spec, varying = opened.spec, opened.look.varying
    if not varying:
        st.info("All combinations here have the same parameters: there is nothing to lay along an axis.")
        return None
    x, y = likely_axes(varying, spec.x, spec.y)
    spec = replace(spec, x=x, y=y, z=spec.z if spec.z in varying and spec.z not in (x, y) else "")
    _choices(spec, varying, go)
    pins = pins_of(opened, spec)
    pinned = bool(pins) and (spec.others or likely_others(opened, spec, pins)) == OTHERS[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        at = _at_z(opened, spec, go)
        _others(opened, spec, pins, pinned=pinned, go=go)
    _said_of_all(spec, pins, pinned=pinned)
    return _drawn(opened.look, *laid_out(opened, at, pins if pinned else {}), spec)


def _drawn(look: Look, selected: Selected, pivoted: Pivot, spec: FilterSpec) -> Told | None:
    with reading() as connection:
        places = sorted(cell.place for cell in pivoted.cells.values() if cell.place is not None)
        tiles = dict(zip(places, tiles_at(connection, look, selected, places), strict=False))
        missing = missing_spec(connection, look, selected, pivoted)
    name = spec.view.sort if spec.view.sort in YARDSTICK_SORTS else "balance"
    values = {place: value for place, tile in tiles.items() if (value := tile.result.yardsticks[name]) is not None}
    told = matrix(pivoted, tiles, spec.to_params(), means(pivoted, values))
    if pivoted.left_out:
        st.caption(f"{counted(pivoted.left_out, 'more value')} of these axes did not fit; filters choose others.")
    if missing is not None:
        with st.expander(f"Run {counted(missing.runs, 'missing combination')}"):
            st.caption(
                "Save it in the workspace's folder, where the input pictures are, and run it. Everything else is as in the first run here."
            )
            st.code(missing.text, language="yaml")
            st.code(command("run", "missing.yaml"), language="bash")
    return told


def pins_of(opened: Opened, spec: FilterSpec) -> dict[str, Value]:
    """The parameters that vary in the view and stand along no axis: as the reader has pinned them, else as in the view's first run."""
    if not len(opened.selected.runs):
        return {}
    first = parameters_of(opened.look, int(opened.selected.first[0]))
    asked = {name: value for name, value in spec.pins if value in line(opened.look, opened.selected, name).values}
    return {name: asked.get(name, first[name]) for name in opened.selected.varying if name not in (spec.x, spec.y, spec.z)}


def likely_others(opened: Opened, spec: FilterSpec, pins: Mapping[str, Value]) -> str:
    """Pinned, unless most cells would be empty by it, as they are where parameters were drawn at random."""
    ends, pinned = _ends(opened, opened.selected, spec), _selected(opened, with_pins(opened.spec, pins))
    filled, left = (pivot(opened.look, ends, selected).filled() for selected in (opened.selected, pinned))
    return OTHERS[0] if 2 * left > filled else OTHERS[1]


def with_pins(spec: FilterSpec, pins: Mapping[str, Value]) -> FilterSpec:
    """The same view with these parameters at these values."""
    for name, value in pins.items():
        spec = spec.with_choice(name, (value,))
    return spec


def laid_out(opened: Opened, at: FilterSpec, pins: Mapping[str, Value]) -> tuple[Selected, Pivot]:
    """The runs in the cells, and the cells. at: the view at one value of the pager's parameter; what stands along its axes is not pinned.

    Cells that only the filters of results leave empty, stars or yardsticks say, are told from those that nothing was run for.
    """
    cells = with_pins(at, pins)
    bare = replace(cells.view, states=(), yardsticks=(), flags=(), stars=None, tags=(), text="", collapse=False)
    known = None if bare == cells.view else _selected(opened, replace(cells, view=bare))
    selected = _selected(opened, cells)
    return selected, pivot(opened.look, _ends(opened, _selected(opened, at), at), selected, known)


def _selected(opened: Opened, spec: FilterSpec) -> Selected:
    """Of another view of the same sweeps, as of the same moment."""
    return opened.selected if spec.view == opened.spec.view else opened_as(spec, opened.moment).selected


def _ends(opened: Opened, selected: Selected, spec: FilterSpec) -> tuple[Line, Line]:
    return line(opened.look, selected, spec.x), line(opened.look, selected, spec.y)


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


def _at_z(opened: Opened, spec: FilterSpec, go: Open) -> FilterSpec:
    """The view at one value of the pager's parameter."""
    if not spec.z:
        return spec
    values = [token(value) for value in opened.look.columns[spec.z].values]
    here = spec.z_value if spec.z_value in values else values[0]
    st.session_state["z-value"] = here
    st.segmented_control(
        label(spec.z), values[:MOST_PAGES], key="z-value", format_func=lambda one: plain(_told(spec.z, one)),
        on_change=lambda: go(replace(spec, z_value=st.session_state["z-value"] or here)),
    )  # fmt: skip
    return spec.with_choice(spec.z, (read_token(spec.z, here)[1],))


def _told(name: str, written: str) -> str:
    return shown(name, read_token(name, written)[1], short=True)


def _others(opened: Opened, spec: FilterSpec, pins: Mapping[str, Value], *, pinned: bool, go: Open) -> None:
    """What the parameters along no axis are in the cells."""
    if not pins:
        return
    st.session_state["axis-others"] = OTHERS[0 if pinned else 1]
    st.segmented_control(
        "Everything else", OTHERS, key="axis-others", format_func=OTHERS_LABELS.__getitem__,
        help="Pinned: as in the first run of the view, or as you say. Best of all: each cell is its first run in the view's order.",
        on_change=lambda: go(replace(spec, others=st.session_state["axis-others"] or spec.others)),
    )  # fmt: skip
    for name in pins if pinned else ():
        _pin(opened, spec, name, pins[name], go)


def _said_of_all(spec: FilterSpec, pins: Mapping[str, Value], *, pinned: bool) -> None:
    """What filters fix for all cells, and what these are the best of."""
    told = [
        f"{label(name)} {choice_text(name, choice)}" for name, choice in spec.view.choices if name not in (spec.x, spec.y, spec.z, *pins)
    ]
    if pins and not pinned:
        told.insert(0, "Each cell is the first in this order over " + ", ".join(label(name).lower() for name in pins))
    if told:
        st.caption(plain("; ".join(told) + "."))


def _pin(opened: Opened, spec: FilterSpec, name: str, value: Value, go: Open) -> None:
    """One pinned parameter, and what else it could be pinned to."""
    key = f"pin-{name}"
    st.session_state[key] = token(value)
    options = dict.fromkeys([*(token(one) for one in line(opened.look, opened.selected, name).values), token(value)])
    st.selectbox(
        label(name), list(options), key=key, width=170, format_func=lambda one: _told(name, one),
        on_change=lambda: go(spec.pinned(name, read_token(name, st.session_state[key])[1])),
    )  # fmt: skip

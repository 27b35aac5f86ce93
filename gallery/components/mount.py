"""Registers a component from the files beside this module."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_HERE = Path(__file__).parent


def load(name: str, uses: Sequence[str] = ()) -> ComponentRenderer:
    """`name`.js and `name`.css, each after what all components share (shared.js, shared.css) and what it uses beside.

    The scripts set text with textContent only: a file name never becomes markup. They patch what is on screen instead of
    building it anew, because Streamlit calls them again with every change of data, and a rebuilt tile loses the focus.
    """
    script = "".join((_HERE / f"{one}.js").read_text() for one in ("shared", *uses, name))
    style = "".join(path.read_text() for one in ("shared", *uses, name) if (path := _HERE / f"{one}.css").is_file())
    return st.components.v2.component(f"stylesweep_{name}", html="<div class='root'></div>", css=style, js=script)


def nothing() -> None:
    """For `on_..._change` of what a script tells: Streamlit keeps a trigger only if something listens to it."""

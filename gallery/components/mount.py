"""Registers a component from the files beside this module."""

from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_HERE = Path(__file__).parent


def load(name: str) -> ComponentRenderer:
    """`name`.js and `name`.css, each after what all components share (shared.js, shared.css).

    The scripts set text with textContent only: a file name never becomes markup. They patch what is on screen instead of
    building it anew, because Streamlit calls them again with every change of data, and a rebuilt tile loses the focus.
    """
    script = (_HERE / "shared.js").read_text() + (_HERE / f"{name}.js").read_text()
    style = (_HERE / "shared.css").read_text() + (_HERE / f"{name}.css").read_text()
    return st.components.v2.component(f"stylesweep_{name}", html="<div class='root'></div>", css=style, js=script)

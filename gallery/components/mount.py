"""Registers a component from the files beside this module."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_HERE = Path(__file__).parent


def load(name: str, *, uses: Sequence[str] = ()) -> ComponentRenderer:
    """`name`.js and `name`.css, each after what all components share (shared.js, shared.css) and what it `uses` besides.

    The scripts set text with textContent only: a file name never becomes markup. They patch what is on screen instead of
    building it anew, because Streamlit calls them again with every change of data, and a rebuilt tile loses the focus.
    """
    parts = ("shared", *uses, name)
    script = "".join((_HERE / f"{part}.js").read_text() for part in parts)
    style = "".join((_HERE / f"{part}.css").read_text() for part in parts)
    return st.components.v2.component(f"stylesweep_{name}", html="<div class='root'></div>", css=style, js=script)

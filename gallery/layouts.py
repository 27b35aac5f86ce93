"""The results along two axes, or as a table."""

from collections.abc import Callable

import streamlit as st

from gallery.filters import FilterSpec
from gallery.grid_view import GridPage
from gallery.opened import Opened


def axes(opened: Opened, go: Callable[[FilterSpec], None]) -> None:
    st.info("to come")


def table(shown: GridPage) -> None:
    st.info("to come")

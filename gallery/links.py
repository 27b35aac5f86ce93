"""The URL of a view, read and written. The URL is the memory of a view; the session keeps a copy for the way back."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from gallery.filters import FilterSpec

_LAST = "last-view"


def url_params() -> dict[str, list[str]]:
    """The query parameters, each with all its values."""
    return {key: st.query_params.get_all(key) for key in st.query_params}


def open_view(spec: FilterSpec) -> None:
    """Make a view the page's: for callbacks, which run before the page is drawn. What a page keeps beside its view stays."""
    own = {key: values for key, values in url_params().items() if key in st.session_state.get("own-params", ())}
    st.query_params.from_dict(spec.to_params() | own)


def view_of_page(names: Sequence[str], own: Sequence[str] = ()) -> FilterSpec:
    """The view to draw: the URL's; without one this session's last, or the newest sweep. names: the sweeps, newest first.

    The URL is put right where it said less, or nonsense, so that copying it copies the view. own: keys that the page keeps beside it.
    """
    st.session_state["own-params"] = tuple(own)
    params = {key: values for key, values in url_params().items() if key not in own}
    last = st.session_state.get(_LAST)
    spec = last if not params and isinstance(last, FilterSpec) else FilterSpec.from_params(params)
    if not spec.view.sweeps:
        spec = replace(spec, view=replace(spec.view, sweeps=tuple(names[:1])))
    if params != spec.to_params():
        open_view(spec)
    st.session_state[_LAST] = replace(spec, asof=None)
    return spec

"""Whose reviews a page shows and writes: the name that was typed in this browser, else the server's.

It is kept in a cookie, as a cookie alone is there before the first page of a visit is drawn.
"""

import time
from urllib.parse import unquote

import streamlit as st

from db.review_operations import Refused, default_person, read_person
from gallery.components.person import COOKIE, keep

_KEY = "person"
_SINCE = "person-since"


def who() -> str:
    """The name that somebody gave in this browser, now or at an earlier visit, else the one that the server was started under."""
    return _given() or default_person()


def call_me(name: str) -> bool:
    """Take another name, here and at later visits; an empty one goes back to the server's. False where it is no name."""
    try:
        st.session_state[_KEY] = read_person(name) if name.strip() else ""
    except Refused:
        return False
    st.session_state[_SINCE] = time.time()
    return True


def keep_name() -> None:
    """Have the browser keep the name, and say so; nothing where none was ever given."""
    since = st.session_state.get(_SINCE)
    if _given() or since:
        keep(_given(), since)


def _given() -> str:
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _kept()
    return str(st.session_state[_KEY])


def _kept() -> str:
    try:
        return read_person(unquote(st.context.cookies.get(COOKIE, ""), errors="strict"))
    except ValueError:  # no name (Refused), or no UTF-8
        return ""

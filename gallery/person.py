"""Whose reviews a page shows and writes."""

import streamlit as st

from db.review_operations import Refused, default_person, read_person

_KEY = "person"


def who() -> str:
    """The name that this session has given, else the one that the server was started under."""
    return str(st.session_state.get(_KEY) or default_person())


def call_me(name: str) -> bool:
    """Take another name for this session; False where it is no name."""
    try:
        st.session_state[_KEY] = read_person(name)
    except Refused:
        return False
    return True

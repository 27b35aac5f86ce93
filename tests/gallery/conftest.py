"""One workspace for all tests that only look, and the gallery's own environment."""

from collections.abc import Iterator

import pytest
import streamlit as st
from gallery_factories import look_at, wide_workspace

from db.workspace import Workspace


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Read it only: it is shared."""
    return wide_workspace(tmp_path_factory.mktemp("wide"))


@pytest.fixture
def opened(wide: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace that pages look at."""
    look_at(wide.folder, monkeypatch)
    return wide


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    yield
    st.cache_data.clear()
    st.cache_resource.clear()

"""Which workspace is looked at, and calm words for when it cannot be."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import streamlit as st
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db.artifacts import Artifacts
from db.engine import head_revision, open_engine, schema_revision, storage_errors
from db.workspace import Workspace, open_workspace, sqlite_url
from gallery.wording import plain
from sweep.errors import InputError, StylesweepError, WorkspaceBusy
from sweep.typed import DEFAULT_WORKSPACE, WORKSPACE_VARIABLE, typed

PATIENCE_MS = 3000
"""How long a page waits for a locked database before it says so; a driver's transactions take milliseconds."""


class NothingYet(InputError):
    """There is no workspace, or nothing in it."""


def workspace_folder() -> Path:
    """The folder that the launcher was given."""
    return Path(os.environ.get(WORKSPACE_VARIABLE) or DEFAULT_WORKSPACE).absolute()


def command(*words: str) -> str:
    """A command to copy, naming the workspace unless it is the default where the gallery was started; the variable is the launcher's."""
    return typed(words, workspace_folder(), DEFAULT_WORKSPACE)


@st.cache_resource(ttl=60, max_entries=4)
def _opened(folder: Path) -> Workspace:
    """Looked at without a write where the schema is today's; else brought up to date, or refused if it is from a newer program."""
    url = sqlite_url(folder / "sweeps.db")
    reader = open_engine(url, reader=True, patience_ms=PATIENCE_MS)
    with storage_errors(url):
        current = schema_revision(reader)
    if current == head_revision():
        return Workspace(folder=folder, url=url, artifacts=Artifacts(folder / "artifacts"))
    return open_workspace(folder, create=False)


def opened_workspace() -> Workspace:
    """The workspace that is looked at, its schema known to be today's."""
    return _opened(workspace_folder())


@contextlib.contextmanager
def reading() -> Iterator[Connection]:
    """A connection for looking at the workspace.

    Raises:
        NothingYet: there is no workspace.
        StylesweepError: it cannot be read; the message says what to do.
    """
    folder = workspace_folder()
    if not (folder / "sweeps.db").is_file():
        raise NothingYet(f"there is no workspace in {folder} yet.")
    workspace = _opened(folder)
    with storage_errors(workspace.url), workspace.reader(PATIENCE_MS).connect() as connection:
        yield connection


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Say in the page what went wrong with the workspace, instead of a traceback; anything else is a bug and passes."""
    try:
        yield
    except NothingYet:
        empty_state()
    except WorkspaceBusy:
        st.info("The workspace is busy: another program holds its database. This usually passes within seconds.")
        st.button("Try again")
    except StylesweepError as error:
        _say(str(error))
    except DBAPIError as error:
        _opened.clear()
        _say(f"the workspace's database could not be read ({error.orig}). Restore a backup, or open it with the program that wrote it.")


def _say(message: str) -> None:
    with st.container(width=900):
        st.warning(plain(message[:1].upper() + message[1:]))
        st.button("Try again")


def empty_state() -> None:
    """What to type when there is nothing to see."""
    with st.container(width=720):
        st.header("Nothing to see yet", anchor=False)
        st.write("No sweep has been run in this workspace. The demo shows what there will be. From the project's folder:")
        st.code("make demo", language="bash")
        st.caption(
            "It fetches a small network (55 MB) and sample pictures, and makes 24 pictures of two photographs in two styles, "
            "each at three strengths and by two sets of layers: two to five minutes of computing on two cores."
        )
        st.write("Or run a sweep of your own, a YAML file that says what to vary:")
        st.code(command("run", "SPEC.yaml"), language="bash")
        st.caption("`stylesweep plan SPEC.yaml` tells beforehand how many runs it means, and how long they take.")
        st.caption(f"Workspace: {plain(str(workspace_folder()))}. This page looks for a sweep whenever it is opened.")
        st.button("Look again", icon=":material/refresh:")

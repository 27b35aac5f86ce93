"""What all visitors of one server share when they watch sweeps: counts that go on from look to look."""

import time
from pathlib import Path

import streamlit as st
from sqlalchemy import Connection

from db.queries import SweepRow
from db.spending import Ledgers, Spending
from db.tallies import Tallies
from db.watching import Census
from gallery.live_view import Watch
from gallery.reading import workspace_folder


@st.cache_resource(max_entries=4, show_spinner=False)
def _tallies(folder: Path) -> Tallies:
    return Tallies()


def sweep_rows(connection: Connection) -> list[SweepRow]:
    """Every sweep with its counts, newest first: `db.queries.sweeps` at the cost of what has changed since anybody asked."""
    return _tallies(workspace_folder()).sweeps(connection)


def census_of(connection: Connection, sweep_id: int) -> Census:
    """Counts and work of one sweep's runs."""
    return _tallies(workspace_folder()).census(connection, sweep_id)


@st.cache_resource(max_entries=4, show_spinner=False)
def _ledgers(folder: Path) -> Ledgers:
    return Ledgers()


def spent_on(connection: Connection) -> dict[int, Spending]:
    """Sweep id -> what it has cost so far."""
    return _ledgers(workspace_folder()).spent(connection, time.time())


@st.cache_resource(max_entries=64, show_spinner=False)
def watch(folder: Path, sweep_id: int, created_at: float) -> Watch:
    """Of one sweep; a deleted one's number may be given to another, created later."""
    return Watch(sweep_id)

"""What stands in a sweep's way, in words, and what to type or press."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from db.drivers import HEARTBEAT_SECONDS
from gallery.live_view import LiveView
from gallery.reading import command
from gallery.wording import counted, plain
from sweep.amounts import amount_of_time


@dataclass(frozen=True, kw_only=True)
class Notice:
    """kind: quiet (a line), info or warning. commands: to copy."""

    kind: str
    text: str
    commands: Sequence[str] = ()


def notice_of(view: LiveView, now: float) -> Notice:
    """The one thing that matters most now."""
    row, driver, left = view.row, view.driver, view.row.runs - view.row.settled
    running = row.states.get("running", 0)
    if row.archived_at is not None:
        return Notice(kind="info", text="This sweep is archived: it is kept, and shown when asked for.")
    if row.state == "paused" and row.reason:
        return Notice(kind="warning", text=f"Paused: {row.reason}")
    if row.state == "paused":
        stopping = f" {counted(running, 'run stops', 'runs stop')} at the next step." if running else ""
        return Notice(kind="info", text=f"Paused, as somebody asked.{stopping} {counted(left, 'run waits', 'runs wait')} for Resume.")
    if row.state == "cancelled":
        return Notice(kind="info", text="Cancelled. What is done stays; Resume takes the rest back.")
    if not left:
        failed = f", {view.failed:,} of them without a picture; Retry queues those again" if view.failed else ""
        return Notice(kind="quiet", text=f"Finished: {counted(row.runs, 'run has', 'runs have')} ended{failed}.")
    if driver is None:
        lost = f" {counted(running, 'run is', 'runs are')} taken up again then, where they stopped." if running else ""
        text = f"No driver is running, and {counted(left, 'run waits', 'runs wait')} for one.{lost} Type:"
        return Notice(kind="info", text=text, commands=[command("run", row.name)])
    beat = max(0.0, now - driver.heartbeat)
    heard = "heard just now" if beat < 2 * HEARTBEAT_SECONDS else f"heard {amount_of_time(beat)} ago"
    doing = "Running" if running else "Queued; workers are starting, or busy with other sweeps"
    return Notice(kind="quiet", text=f"{doing}. Driven by pid {driver.pid} on {driver.host.split('/')[0]}, {heard}.")


def driver_notice(view: LiveView) -> None:
    """Draw it."""
    notice = notice_of(view, time.time())
    if notice.kind == "quiet":
        st.caption(plain(notice.text))
        return
    with st.container(width=900):
        (st.warning if notice.kind == "warning" else st.info)(plain(notice.text))
        if notice.commands:
            st.code("\n".join(notice.commands), language="bash")

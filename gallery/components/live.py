"""A sweep at work: how far it is, what is running, what came last, what failed. One element, patched in place every few seconds."""

import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from db.queries import Result
from gallery import wording
from gallery.components.mount import load, nothing
from gallery.components.sweep_list import BAR_ORDER, bar_parts, counts_text
from gallery.live_view import FailureGroup, LiveView, Working, since
from gallery.preview_route import preview_url
from gallery.routes import thumbnail_url
from sweep.amounts import amount_of_time

_live = load("live", uses=("careful",))
KEY = "live"
Handler = Callable[[], None]


def live(view: LiveView, on_cancel: Handler, on_retry: Handler) -> str | None:
    """Draw it; returns the run key that was just opened, if one was.

    `cancelled` and `retried` say to the two handlers what was asked.
    """
    data = live_data(view, time.time())
    opened = _live(key=KEY, data=data, on_open_change=nothing, on_cancel_change=on_cancel, on_retry_change=on_retry).get("open")
    return str(opened) if opened is not None else None


def live_data(view: LiveView, now: float) -> dict[str, Any]:
    """What the script needs."""
    more = view.standing.running - len(view.working)
    return {
        "parts": bar_parts(view.row),
        "bar": counts_text(view.row.states),
        "counts": [
            {"kind": state, "text": f"{view.row.states[state]:,} {wording.STATE_LABELS[state].lower()}"}
            for state in BAR_ORDER
            if view.row.states.get(state)
        ],
        "facts": facts(view, now),
        "running": [running_item(one, now, view) for one in view.working],
        "more": f"and {wording.counted(more, 'more is', 'more are')} running" if more > 0 else "",
        "idle": idle_text(view),
        "finished": view.finished,
        "newest": [newest_item(result, view) for result in view.newest],
        "groups": [group_item(group, view.row.name) for group in view.groups],
        "left_out": f"{wording.counted(view.left_out, 'more run')} failed in other ways" if view.left_out else "",
    }


def facts(view: LiveView, now: float) -> list[dict[str, str]]:
    """Numbers at the head: what, how much, and what it means."""
    row, standing, limits = view.row, view.standing, view.limits
    percent = math.floor(100 * row.settled / row.runs) if row.runs else 100
    found = [
        {"name": "Ended", "value": f"{percent} %", "note": f"{row.settled:,} of {wording.counted(row.runs, 'run')}"},
        {"name": "Time left", **_time_left(view)},
        {"name": "Speed", **_speed(view)},
    ]
    worked = amount_of_time(view.hours * 3600) if view.hours else "nothing"
    if standing.spent is not None or limits.budget is not None:
        spent = f"{standing.spent or 0.0:,.2f}" + (f" of {limits.budget:,.2f}" if limits.budget is not None else "")
        found.append({"name": "Spent", "value": spent, "note": f"{worked} of work"})
    else:
        note = "all workers together; no price is given" if view.hours else "no work is recorded yet"
        found.append({"name": "Worked", "value": worked if view.hours else wording.NOTHING, "note": note})
    if limits.deadline is not None:
        left = limits.deadline - now
        at = datetime.fromtimestamp(limits.deadline)
        said = f"{at:%H:%M}" if abs(left) < 12 * 3600 else f"{at:%d %b %H:%M}"
        found.append({"name": "Ends at", "value": said, "note": f"in {amount_of_time(left)}, by --max-hours" if left > 0 else "over"})
    return found


def _time_left(view: LiveView) -> dict[str, str]:
    if view.finished:
        return {"value": "none", "note": "every run has ended"}
    if view.standing.seconds_left is None or view.driver is None:
        return {"value": wording.NOTHING, "note": "nothing is running" if not view.standing.running else "after the first steps"}
    return {"value": amount_of_time(view.standing.seconds_left), "note": "at the present speed"}


def _speed(view: LiveView) -> dict[str, str]:
    speed = view.standing.steps_per_second
    if not view.standing.running:
        return {"value": wording.NOTHING, "note": "nothing is running"}
    if speed is None:
        return {"value": wording.NOTHING, "note": "after ten seconds"}
    return {"value": f"{speed:.3g} steps/s", "note": "all workers, last two minutes"}


def idle_text(view: LiveView) -> str:
    """What stands where the running runs would."""
    if view.working:
        return ""
    if view.finished:
        return "Nothing is running: every run has ended."
    if view.row.state != "active":
        return f"Nothing is running: the sweep is {view.row.state}."
    if view.driver is None:
        return "Nothing is running, as no driver is."
    if view.row.states.get("running"):
        return "The first runs are handed out; their workers are starting."
    return "Nothing of it is running yet: it is queued."


def running_item(one: Working, now: float, view: LiveView) -> dict[str, Any]:
    """A card: the picture as it is now, how far it is, its losses, and where it runs."""
    run, seconds = one.run, since(one.run.started_at, now)
    name = _name(one.result, view) if one.result else run.run_key[:11]
    of = f" of {one.steps:,}" if one.steps else ""
    where = " · ".join(part for part in (run.node, run.device) if part)
    last = one.curve[-1] if one.curve else None
    return {
        "id": f"{run.run_key}-{run.attempt}",
        "run": run.run_key,
        "href": _href(run.run_key, view.row.name),
        "name": name,
        "src": preview_url(run.run_key, run.preview_step) if run.preview_step is not None else None,
        "alt": f"{wording.alternative(one.result.parameters) if one.result else name}, after step {run.preview_step or 0:,}",
        "w": one.size[0],
        "h": one.size[1],
        "step": f"step {one.step:,}{of}" if run.started_at is not None else "its worker is starting",
        "part": round(one.part, 4),
        "where": where or "no node yet",
        "time": "" if seconds is None else amount_of_time(seconds) + (f", attempt {run.attempt}" if run.attempt > 1 else ""),
        "losses": f"content {wording.number(last[1], 3)} · style {wording.number(last[2], 3)}" if last else "no losses yet",
        "curve": [[step, float(f"{content:.4g}"), float(f"{style:.4g}")] for step, content, style in one.curve],
        "short": run.run_key[:11],
    }


def newest_item(result: Result, view: LiveView) -> dict[str, Any]:
    """A tile of what was done last."""
    balance = result.yardsticks.get("balance")
    return {
        "id": result.run_key,
        "href": _href(result.run_key, view.row.name),
        "src": thumbnail_url(result.thumbnail) if result.thumbnail else None,
        "alt": wording.alternative(result.parameters),
        "w": result.width or 3,
        "h": result.height or 2,
        "colour": result.mean_colour,
        "name": _name(result, view),
        "value": "" if balance is None else f"balance {balance:.3f}",
    }


def group_item(group: FailureGroup, sweep: str) -> dict[str, Any]:
    """Failures that are alike."""
    first = next(iter(group.example.strip().splitlines()), "") or "no message was recorded"
    return {
        "id": f"{group.state} {group.what}",
        "state": group.state,
        "what": group.what,
        "title": f"{wording.counted(group.runs, 'run')} {group.state}",
        "error": first[:500],
        "message": group.example[:4000] if group.example.strip() != first else "",
        "traceback": (group.traceback or "")[-8000:],
        "runs": [{"run": key, "href": _href(key, sweep), "short": key[:11]} for key in group.run_keys],
        "more": f"and {group.runs - len(group.run_keys):,} more" if group.runs > len(group.run_keys) else "",
        "retry": "Retry it" if group.runs == 1 else f"Retry these {group.runs:,}",
    }


def _name(result: Result, view: LiveView) -> str:
    """By what the sweep varies."""
    return wording.caption(result.parameters, view.varying) or wording.caption(result.parameters, ("content", "style"))


def _href(run_key: str, sweep: str) -> str:
    return "run?" + urlencode({"id": run_key, "sweep": sweep})

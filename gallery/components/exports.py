"""Exports being built and those that are there: one element."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gallery import wording
from gallery.components.mount import load, nothing
from gallery.export.jobs import Job, Kept
from gallery.export_route import export_url
from sweep.amounts import amount_of_bytes

_exports = load("exports", uses=("careful",))
ASKED = ("cancel", "forget", "remove")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was pressed: one of ASKED, of which export."""

    what: str
    name: str


def exports(jobs: Sequence[Job], kept: Sequence[Kept]) -> Asked | None:
    """Draw them; returns what was just asked."""
    asked = _exports(key="exports", data=exports_data(jobs, kept), on_ask_change=nothing).get("ask")
    if isinstance(asked, Mapping) and asked.get("what") in ASKED and isinstance(asked.get("name"), str):
        return Asked(what=str(asked["what"]), name=str(asked["name"])[:200])
    return None


def exports_data(jobs: Sequence[Job], kept: Sequence[Kept]) -> dict[str, Any]:
    """What the script needs: what is under way or went wrong, then what is there."""
    there = {one.name for one in kept}
    ready = {job.name: job for job in jobs if job.state == "ready"}
    return {
        "jobs": [job_item(job) for job in jobs if job.name not in there and job.state != "ready"],
        "kept": [kept_item(one, ready.get(one.name)) for one in kept],
    }


def job_item(job: Job) -> dict[str, Any]:
    """One that is being built, or was not finished."""
    total = len(job.order.combinations)
    said = {
        "building": f"{job.done:,} of {wording.counted(total, 'picture')}" if job.done < total else "finishing: contact sheet and tables",
        "cancelled": "Cancelled; nothing of it is left.",
        "failed": f"Not built: {job.message}",
    }[job.state]
    return {
        "id": job.name,
        "state": job.state,
        "title": job.order.title,
        "text": said,
        "part": round(job.done / total, 4) if total else 0.0,
        "action": "cancel" if job.state == "building" else "forget",
        "button": "Cancel" if job.state == "building" else "Dismiss",
    }


def kept_item(one: Kept, job: Job | None) -> dict[str, Any]:
    """A zip to take away."""
    holds = "" if one.pictures is None else wording.counted(one.pictures, "picture") if one.pictures else "tables only"
    problems = list(job.problems) if job else []
    return {
        "id": one.name,
        "title": f"{one.name}.zip",
        "text": " · ".join(part for part in (holds, amount_of_bytes(one.bytes), wording.age(one.at)) if part),
        "href": export_url(one.name),
        "problems": problems[:20],
        "left_out": f"{wording.counted(len(problems), 'remark')}: what had to be left out" if problems else "",
    }

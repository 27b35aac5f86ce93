"""The list that a person goes through in Cull: frozen when it is opened, and sent to the page in stretches. No streamlit import."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from db import browse, queries
from db.queries import Result
from db.reviews import Said, judged, said, tag_counts
from gallery.look import DONE, Ints
from gallery.opened import Opened
from gallery.routes import original_url, thumbnail_url
from gallery.wording import alternative, caption
from sweep.combination import RunSettings

MODES = ("unreviewed", "all")
BEHIND = 80
AHEAD = 240
"""How many runs a stretch holds before and after the place that is asked for: 100 to 220 kB, and 24 seconds of quick keys."""
MOST_TAGS = 200


@dataclass(frozen=True, eq=False)
class CullQueue:
    """runs, combinations: ids, in the order of the view. start: where to begin.

    whole: how many runs of the view have a picture; unreviewed: how many of those were unreviewed; pictureless: how many have none.
    """

    name: str
    mode: str
    runs: Ints
    combinations: Ints
    start: int
    whole: int
    unreviewed: int
    pictureless: int


def make_queue(connection: Connection, opened: Opened, mode: str, wanted: str = "") -> CullQueue:
    """The runs of a view that have a picture: those that `person` has not reviewed, or all. wanted: a run key to begin at."""
    look, selected = opened.look, opened.selected
    has_picture = look.state[selected.runs] == DONE
    places = selected.runs[has_picture]
    unreviewed = ~np.isin(look.run[places], _ids(run for run, _ in judged(connection, opened.person)))
    kept = unreviewed if mode == "unreviewed" else np.ones(len(places), dtype=np.bool_)
    runs = look.run[places[kept]]
    first = np.flatnonzero(unreviewed[kept])
    start = int(first[0]) if len(first) else 0
    for run in browse.run_ids(connection, [wanted] if wanted else []).values():
        start = int(found[0]) if len(found := np.flatnonzero(runs == run)) else start
    return CullQueue(
        name=f"{time.time():.6f}", mode=mode, runs=runs, combinations=look.combination[selected.first[has_picture][kept]], start=start,
        whole=len(places), unreviewed=int(unreviewed.sum()), pictureless=int((~has_picture).sum()),
    )  # fmt: skip


def counts(connection: Connection, person: str, queue: CullQueue) -> dict[str, int]:
    """How the queue stands: how many of its runs are unreviewed, picked, rejected."""
    found = judged(connection, person)
    inside = np.isin(_ids(run for run, _ in found), queue.runs)
    flags = [flag for (_, flag), there in zip(found, inside, strict=True) if there]
    return {"picked": flags.count("pick"), "rejected": flags.count("reject"), "unreviewed": len(queue.runs) - len(flags)}


def _ids(runs: Iterable[int]) -> Ints:
    return np.fromiter(runs, dtype=np.int64)


def stretch(connection: Connection, opened: Opened, queue: CullQueue, place: int) -> dict[str, Any]:
    """What the page needs of the runs around a place of the queue: pictures by URL, captions, and this person's reviews of them."""
    first = max(0, min(place, len(queue.runs)) - BEHIND)
    read_at = time.time()
    ids = [int(one) for one in queue.combinations[first : place + AHEAD]]
    found = {result.id: result for result in browse.by_combination(connection, ids)}
    reviews = said(connection, opened.person, [result.run_key for result in found.values()])
    varying = opened.selected.varying
    return {
        "first": first,
        "items": [item(found.get(one), reviews, varying) for one in ids],
        "inputs": inputs(connection, found.values()),
        "at": read_at,
    }


def item(result: Result | None, reviews: Mapping[str, Said], varying: Sequence[str]) -> dict[str, Any] | None:
    """What the script needs of one run; None where it is gone since the queue was made."""
    if result is None or not result.image or not result.width or not result.height:
        return None
    settings = RunSettings.from_canonical(result.settings)
    styles = settings.style if len(settings.style) > 1 else [(sha256, None) for sha256, _ in settings.style]
    shown: dict[str, Any] = {
        "id": result.run_key, "src": original_url(result.image, result.image_format), "w": result.width, "h": result.height,
        "colour": result.mean_colour, "alt": alternative(result.parameters),
        "name": caption(result.parameters, varying) or caption(result.parameters, ("content", "style")),
        "inputs": [[settings.content, None], *([sha256, share] for sha256, share in styles)],
    }  # fmt: skip
    if result.thumbnail:
        shown["thumb"] = thumbnail_url(result.thumbnail)
    if review := reviews.get(result.run_key):
        shown["review"] = {"flag": review.flag, "stars": review.stars, "note": review.note, "tags": list(review.tags)}
    return shown


def inputs(connection: Connection, results: Iterable[Result]) -> dict[str, dict[str, Any]]:
    """SHA-256 -> the photographs and paintings of these runs, small."""
    kinds: dict[str, str] = {}
    for result in results:
        settings = RunSettings.from_canonical(result.settings)
        kinds |= {sha256: "Style" for sha256, _ in settings.style} | {settings.content: "Content"}
    shown = {}
    for sha256, kind in kinds.items():
        image = queries.image(connection, sha256)
        name = str(image["original_name"] or sha256[:12]) if image else sha256[:12]
        shown[sha256] = {"kind": kind, "name": name, "alt": f"{kind} image {name}", "none": "Not in this workspace", "w": 3, "h": 2}
        if image:
            src = thumbnail_url(image["thumbnail"]) if image["thumbnail"] else original_url(sha256, image["format"])
            shape = {"w": image["width"], "h": image["height"], "colour": image["mean_colour"]}
            shown[sha256] |= {"src": src, "full": original_url(sha256, image["format"]), **shape}
    return shown


def known_tags(connection: Connection, person: str) -> list[str]:
    """Tags to suggest: one's own first, then everybody's, each by how often it is used."""
    return list(dict.fromkeys([*tag_counts(connection, person), *tag_counts(connection)]))[:MOST_TAGS]

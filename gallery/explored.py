"""The Explore page's points, lines and shares for one view, as its scripts take them. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from db.pictures import pictures
from gallery.axes_of_runs import Axis, axis
from gallery.explore_view import MOST_LINES, ExploreSpec, Plane, parallel_names, plane, sample
from gallery.influence import Influence, influences
from gallery.look import Ints, Look, Mask
from gallery.reviewed import Reviewed
from gallery.routes import thumbnail_url
from gallery.selection import Selected
from gallery.sieve import Sieve
from gallery.view import FLAGS, View
from gallery.wording import YARDSTICK_LABELS, counted

PICK = FLAGS.index("pick")


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """A view with what is known of its runs. front: by place among the look's runs."""

    look: Look
    view: View
    selected: Selected
    reviewed: Reviewed
    front: Mask


@dataclass(frozen=True, eq=False, kw_only=True)
class Explored:
    """axes: all that the page needs, by name; what: what a point is, of which the view has `total`; lines: places that have a line,
    of so many that could be; shares: what moves the yardstick `moved`."""

    spec: ExploreSpec
    total: int
    what: str
    axes: Mapping[str, Axis]
    plane: Plane
    lines: Ints
    could_be_lines: int
    points: Mapping[str, Any]
    parallel: list[str]
    details: list[str]
    moved: str
    shares: list[Influence]

    @property
    def has_front(self) -> bool:
        """Whether the plane is the one that the Pareto front is of."""
        return {self.spec.x, self.spec.y} == {"content_kept", "style_gained"}

    def scatter_data(self, href: str) -> dict[str, Any]:
        """href: of a run, without its id."""
        places = self.plane.places
        return {
            "x": axis_item(self.axes[self.spec.x]),
            "y": axis_item(self.axes[self.spec.y]),
            "colour": self._colour(places),
            "details": [axis_item(self.axes[name]) | {"values": values(self.axes[name], places)} for name in self.details],
            "front": self.has_front,
            "sampled": not self.plane.all_drawn,
            "points": self.points,
            "href": href,
            "what": self.what,
        }

    def parallel_data(self, view: str) -> dict[str, Any]:
        """view: what the lines are of; ranges chosen on them stay as long as it does."""
        named = [self.axes[name] for name in self.parallel]
        return {
            "axes": [axis_item(one) | {"values": values(one, self.lines), "yardstick": one.name in YARDSTICK_LABELS} for one in named],
            "colour": self._colour(self.lines),
            "amount": len(self.lines),
            "view": view,
            "sampled": len(self.lines) < self.could_be_lines,
        }

    def _colour(self, places: Ints) -> dict[str, Any] | None:
        one = self.axes.get(self.spec.colour)
        return None if one is None else axis_item(one) | {"values": values(one, places)}

    def points_drawn(self) -> str:
        """How many runs have a point, and what was left out."""
        shown = self.plane
        text = counted(shown.measured, self.what)
        if shown.measured < self.total:
            text += f" with both values, of {self.total:,} in this view"
        if not shown.all_drawn:
            text += f"; {len(shown.places):,} are drawn: those on a Pareto front, those picked, and a fair sample of each content and style"
        if self.has_front:
            text += ". Lines join the Pareto front of each content and style: none of theirs is better in both"
        return text + "."

    def lines_drawn(self) -> str:
        """How to use the lines, and how many there are."""
        text = "A line is a combination. Drag along an axis to choose a range, drag its name to move it."
        if len(self.lines) < self.could_be_lines:
            text += f" {len(self.lines):,} of {self.could_be_lines:,} are drawn, a fair sample of each content and style."
        return text


def explored(connection: Connection, seen: Seen, spec: ExploreSpec) -> Explored:
    """Read what the page needs of a view.

    A point between yardsticks is a run; a line, and a point along a parameter, is a combination, as the combinations of one run differ
    there. So the filter that a range makes holds just what lies within it.
    """
    look, selected = seen.look, seen.selected
    rows = np.flatnonzero(Sieve(connection, look, seen.view, seen.reviewed).fits())
    runs = look.run_of[rows]
    parallel = parallel_names(look, spec)
    details = list(dict.fromkeys([*selected.varying, "balance", spec.x, spec.y, *([spec.colour] if spec.colour else [])]))
    axes = {name: axis(connection, look, rows, name) for name in dict.fromkeys([*parallel, *details, *look.varying])}
    pair, front, picked = look.pair[runs], seen.front[runs], seen.reviewed.flag[runs] == PICK
    first = np.searchsorted(rows, np.sort(selected.first))
    each = {spec.x, spec.y} <= set(YARDSTICK_LABELS)
    shown = plane((axes[spec.x], axes[spec.y]), first if each else np.arange(len(rows)), pair, front | picked)
    measured = np.flatnonzero(~(np.isnan(axes["content_kept"].values) & np.isnan(axes["style_gained"].values)))
    lines = measured[sample(pair[measured], (front | picked)[measured], MOST_LINES)]
    points = told(connection, look.run[runs[shown.places]].tolist()) | {
        "x": values(shown.x, shown.places), "y": values(shown.y, shown.places), "pair": pair[shown.places].tolist(),
        "front": front[shown.places].astype(int).tolist(), "picked": picked[shown.places].astype(int).tolist(),
    }  # fmt: skip
    moved = next((name for name in (spec.y, spec.x) if name in YARDSTICK_LABELS), "balance")
    return Explored(
        spec=spec, total=len(first) if each else len(rows), what="run" if each else "combination", axes=axes, plane=shown, lines=lines,
        could_be_lines=len(measured), points=points, parallel=parallel, details=details, moved=moved,
        shares=_shares(axes, (look.varying, moved), pair, first),
    )  # fmt: skip


def _shares(axes: Mapping[str, Axis], names: tuple[Sequence[str], str], pair: Ints, places: Ints) -> list[Influence]:
    """What moves a yardstick, a run counting once."""
    parameters, yardstick = names
    return influences([axes[name].at(places) for name in parameters], axes[yardstick].values[places], pair[places])


def told(connection: Connection, runs: list[int]) -> dict[str, Any]:
    """Keys and thumbnails of runs by id."""
    known = pictures(connection, runs)
    found = [known.get(run) for run in runs]
    return {
        "key": [one.run_key if one else "" for one in found],
        "src": [thumbnail_url(one.thumbnail) if one and one.thumbnail else "" for one in found],
        "ratio": [round(one.width / one.height, 3) if one and one.width and one.height else 1.5 for one in found],
    }


def values(one: Axis, places: Ints) -> list[float | int | None]:
    """Values for the script, as exact as a picture on screen can be, and no longer; of ticks their places."""
    at = one.values[places]
    if one.ticks:
        return [int(value) for value in at.tolist()]
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in at.tolist()]


def axis_item(one: Axis) -> dict[str, Any]:
    """An axis as the scripts take it."""
    low, high = one.extent
    return {"name": one.name, "label": one.label, "log": one.log, "ticks": one.tick_labels(), "marks": one.few, "low": low, "high": high}

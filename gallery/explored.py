"""The Explore page's points, lines and shares for one view, as its scripts take them. No streamlit import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from gallery.view import FLAGS
from gallery.wording import YARDSTICK_LABELS, counted

KEY_LENGTH = 19
"""So many letters of a run key (r1- and 16 more) name a run as surely as all."""
PICK = FLAGS.index("pick")


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """A view with what is known of its runs. front: by place among the look's runs."""

    look: Look
    selected: Selected
    reviewed: Reviewed
    front: Mask


@dataclass(frozen=True, eq=False, kw_only=True)
class Explored:
    """axes: all that the page needs, by name; lines: places in the selection that have a line."""

    spec: ExploreSpec
    runs: int
    axes: Mapping[str, Axis]
    plane: Plane
    lines: Ints
    pair: Ints
    points: Mapping[str, Any]
    line_keys: list[str]
    parallel: list[str]
    details: list[str]
    shares: Mapping[str, list[Influence]] = field(default_factory=dict)

    @property
    def has_front(self) -> bool:
        """Whether the plane is the one that the Pareto front is of."""
        return {self.spec.x, self.spec.y} == {"content_kept", "style_gained"}

    @property
    def moved(self) -> str:
        """The yardstick whose movers are told."""
        return next((name for name in (self.spec.y, self.spec.x) if name in YARDSTICK_LABELS), "balance")

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
        }

    def parallel_data(self, view: str) -> dict[str, Any]:
        """view: what the lines are of; ranges chosen on them stay as long as it does."""
        named = [self.axes[name] for name in self.parallel]
        return {
            "axes": [axis_item(one) | {"values": values(one, self.lines), "yardstick": one.name in YARDSTICK_LABELS} for one in named],
            "colour": self._colour(self.lines),
            "keys": self.line_keys,
            "view": view,
            "sampled": len(self.lines) < self.plane.measured,
        }

    def _colour(self, places: Ints) -> dict[str, Any] | None:
        one = self.axes.get(self.spec.colour)
        return None if one is None else axis_item(one) | {"values": values(one, places)}

    def points_drawn(self) -> str:
        """How many runs have a point, and what was left out."""
        shown = self.plane
        text = counted(shown.measured, "run") + (f" with both values, of {self.runs:,} in this view" if shown.measured < self.runs else "")
        if not shown.all_drawn:
            text += f"; {len(shown.places):,} are drawn: those on a Pareto front, those picked, and a fair sample of each content and style"
        if self.has_front:
            text += ". Lines join the Pareto front of each content and style: no run of theirs is better in both"
        return text + "."

    def lines_drawn(self) -> str:
        """How to use the lines, and how many there are."""
        text = "A line is a run. Drag along an axis to choose a range, drag its name to move it."
        if len(self.lines) < self.plane.measured:
            text += f" {len(self.lines):,} of {self.plane.measured:,} runs are drawn, a fair sample of each content and style."
        return text


def explored(connection: Connection, seen: Seen, spec: ExploreSpec) -> Explored:
    """Read what the page needs of a view."""
    look, selected = seen.look, seen.selected
    parallel = parallel_names(look, spec)
    details = list(dict.fromkeys([*selected.varying, "balance", spec.x, spec.y, *([spec.colour] if spec.colour else [])]))
    names = dict.fromkeys([*parallel, *details, *look.varying])
    axes = {name: axis(connection, look, selected, name) for name in names}
    pair, front = look.pair[selected.runs], seen.front[selected.runs]
    picked = seen.reviewed.flag[selected.runs] == PICK
    shown = plane((axes[spec.x], axes[spec.y]), pair, front | picked)
    lines = shown.places[sample(pair[shown.places], (front | picked)[shown.places], MOST_LINES)]
    points = told(connection, look.run[selected.runs[shown.places]].tolist()) | {
        "x": values(shown.x, shown.places), "y": values(shown.y, shown.places), "pair": pair[shown.places].tolist(),
        "front": front[shown.places].astype(int).tolist(), "picked": picked[shown.places].astype(int).tolist(),
    }  # fmt: skip
    key_of = dict(zip(shown.places.tolist(), points["key"], strict=True))
    made = Explored(
        spec=spec, runs=len(selected.runs), axes=axes, plane=shown, lines=lines, pair=pair, points=points,
        line_keys=[key_of[place] for place in lines.tolist()], parallel=parallel, details=details,
    )  # fmt: skip
    parameters = [axes[name] for name in look.varying]
    yardstick = axis(connection, look, selected, made.moved).values
    return _with_shares(made, influences(parameters, yardstick, pair))


def _with_shares(made: Explored, found: list[Influence]) -> Explored:
    return Explored(**{**made.__dict__, "shares": {made.moved: found}})


def told(connection: Connection, runs: list[int]) -> dict[str, Any]:
    """Keys and thumbnails of runs by id."""
    known = pictures(connection, runs)
    found = [known.get(run) for run in runs]
    return {
        "key": [one.run_key[:KEY_LENGTH] if one else "" for one in found],
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

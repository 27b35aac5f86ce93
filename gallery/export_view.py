"""What the Export page is asked for: which pictures of a view, in what form; and the command that does the same. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from db.models import Combination, Run, Sweep
from gallery.export.bundle import PRESETS, ExportOptions
from gallery.export.forms import FORMS
from gallery.export.names import safe_name
from gallery.look import DONE, Ints, Look
from gallery.reviewed import Reviewed
from gallery.selection import Selected
from gallery.view import FLAGS, YARDSTICK_SORTS, View

SOURCES = ("chosen", "picks", "view", "top", "pair")
OWN = ("ids", "from", "top", "preset", "form", "reviews", "opaque")
"""What this page keeps in the URL beside the view."""
MOST_IDS = 500
MOST_TOP = 20_000
COMMAND_RUNS = 40
"""Of so many runs the keys still make a command that can be read."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """source: one of SOURCES; top: how many, of `top` and `pair`; ids: beginnings of run keys."""

    source: str = "view"
    top: int = 12
    preset: str = "archive"
    form: str = "png"
    reviews: bool = True
    opaque: bool = False
    ids: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Sequence[str]]) -> "Wanted":
        """Whatever stands in the URL, something sensible comes out."""
        ids = tuple(dict.fromkeys(one.strip() for text in params.get("ids", ()) for one in text.split(",") if one.strip()))
        sources = SOURCES if ids else SOURCES[1:]
        return cls(
            source=_one_of(params.get("from", ()), sources, "chosen" if ids else "view"),
            top=_whole(params.get("top", ()), cls.top),
            preset=_one_of(params.get("preset", ()), tuple(PRESETS), cls.preset),
            form=_one_of(params.get("form", ()), tuple(FORMS), cls.form),
            reviews="0" not in params.get("reviews", ()),
            opaque="1" in params.get("opaque", ()),
            ids=ids[:MOST_IDS],
        )

    def to_params(self) -> dict[str, list[str]]:
        """The inverse; a default stands in no URL."""
        usual = Wanted(source="chosen" if self.ids else "view")
        params = {
            "ids": [",".join(self.ids)] if self.ids else [],
            "from": [self.source] if self.source != usual.source else [],
            "top": [str(self.top)] if self.top != usual.top else [],
            "preset": [self.preset] if self.preset != usual.preset else [],
            "form": [self.form] if self.form != usual.form else [],
            "reviews": [] if self.reviews else ["0"],
            "opaque": ["1"] if self.opaque else [],
        }
        return {key: values for key, values in params.items() if values}

    def changed(self, **changes: Any) -> "Wanted":
        """Another wish."""
        return replace(self, **changes)

    def options(self, view: View, person: str) -> ExportOptions:
        """As the builder takes them."""
        by = view.sort if view.sort in YARDSTICK_SORTS else "balance"
        return replace(
            PRESETS[self.preset], by=by, form=self.form, alpha=not self.opaque, person=person if self.reviews else None,
            order=order_words(view, self.source),
        )  # fmt: skip


def _one_of(texts: Sequence[str], allowed: Sequence[str], otherwise: str) -> str:
    return next((text for text in texts if text in allowed), otherwise)


def _whole(texts: Sequence[str], otherwise: int) -> int:
    text = texts[0] if texts else ""
    return min(max(int(text), 1), MOST_TOP) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def order_words(view: View, source: str) -> str:
    """'best first by balance'; of what the order cannot call good or bad, what it is."""
    if source == "chosen":
        return "in the order they were chosen in"
    words = {"plan": "in the order of the plan", "newest": "newest first", "stars": "most stars first"}
    return words.get(view.sort, f"best first by {view.sort}" + (", within each content and style" if view.within else ""))


def pictures_of(selected: Selected, look: Look, reviewed: Reviewed, wanted: Wanted) -> Ints:
    """Places in the selection of what goes out, in its order; runs without a picture do not. Of the chosen ones see `chosen_ids`."""
    done = np.flatnonzero(look.state[selected.runs] == DONE)
    if wanted.source == "picks":
        picked: Ints = done[reviewed.flag[selected.runs[done]] == FLAGS.index("pick")]
        return picked
    if wanted.source == "top":
        return done[: wanted.top]
    if wanted.source == "pair":
        return done[_rank_in_pair(look.pair[selected.runs[done]]) < wanted.top]
    return done


def _rank_in_pair(pairs: Ints) -> Ints:
    """Of each element: how many before it have the same value."""
    order = np.argsort(pairs, kind="stable")
    ordered = pairs[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(pairs) else np.zeros(0, dtype=np.int64)
    ranks = np.empty(len(pairs), dtype=np.int64)
    ranks[order] = np.arange(len(pairs)) - np.repeat(starts, np.diff(np.r_[starts, len(pairs)]))
    return ranks


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """combinations: ids of those that have a picture, as asked; unknown: how many ids mean no run, or several; unfinished: no picture."""

    combinations: tuple[int, ...]
    unknown: int
    unfinished: int


def chosen_ids(connection: Connection, ids: Sequence[str], sweeps: Sequence[str]) -> Chosen:
    """The runs that were chosen by hand, each as its first combination, of these sweeps where they have it."""
    meant = [_key(connection, one) for one in ids]
    keys = list(dict.fromkeys(key for key in meant if key is not None))
    columns = (Run.run_key, Run.state, func.min(Combination.id).label("any"))
    ours = func.min(Combination.id).filter(Sweep.name.in_(list(sweeps))).label("ours")
    statement = select(*columns, ours).join(Combination, Combination.run_id == Run.id).join(Sweep, Sweep.id == Combination.sweep_id)
    rows = {row.run_key: row for row in connection.execute(statement.where(Run.run_key.in_(keys)).group_by(Run.id))}
    found = [rows[key] for key in keys if key in rows]
    done = tuple(int(row.ours or row.any) for row in found if row.state == "done")
    return Chosen(combinations=done, unknown=meant.count(None) + len(keys) - len(found), unfinished=len(found) - len(done))


def _key(connection: Connection, text: str) -> str | None:
    wanted = text if text.startswith("r1-") else f"r1-{text}"
    if len(wanted) < 7 or len(wanted) > 64:
        return None
    keys = connection.execute(select(Run.run_key).where(Run.run_key.startswith(wanted, autoescape=True)).limit(2)).scalars().all()
    return str(keys[0]) if len(keys) == 1 else None


def combination_ids(look: Look, selected: Selected, places: Ints) -> tuple[int, ...]:
    """The first combination of the view for each of these places."""
    return tuple(look.combination[selected.first[places]].tolist())


def is_plain(view: View) -> bool:
    """Whether the command line can say the same view: one sweep, no filter, an order by a yardstick."""
    return len(view.sweeps) == 1 and view == View(sweeps=view.sweeps, sort=view.sort, by=view.by) and view.sort in YARDSTICK_SORTS


def command_words(wanted: Wanted, view: View, run_keys: Sequence[str]) -> list[str] | None:
    """`stylesweep export` for the same; None where the runs are too many to name. run_keys: what goes out."""
    sweep = view.sweeps[0] if view.sweeps else "SWEEP"
    words = ["export", sweep, "--out", f"{safe_name(sweep, 'export')}.zip"]
    if wanted.source in ("view", "top", "pair") and is_plain(view):
        words += {"view": [], "top": ["--top", str(wanted.top)], "pair": ["--per-pair", str(wanted.top)]}[wanted.source]
        words += ["--by", view.sort] if view.sort != "balance" else []
    elif 0 < len(run_keys) <= COMMAND_RUNS:
        words += ["--runs", ",".join(key[:11] for key in run_keys)]
    else:
        return None
    words += ["--preset", wanted.preset] if wanted.preset != "archive" else []
    words += ["--form", wanted.form] if wanted.form != "png" and wanted.preset != "table" else []
    words += ["--opaque"] if wanted.opaque else []
    return words + ([] if wanted.reviews else ["--no-reviews"])

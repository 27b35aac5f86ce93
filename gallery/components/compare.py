"""Two to four runs on one stage: side by side, under a slider, in turn, or as their difference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from db.reviews import Said as Review
from gallery.compare_beside import Beside
from gallery.compare_view import INPUTS, LETTERS, MODES, MOST_RUNS, Compared, Request
from gallery.components.grid import review_item
from gallery.components.mount import load
from gallery.routes import original_url, thumbnail_url
from gallery.tiles import Tile
from gallery.wording import alternative, caption

_compare = load(
    "compare",
    uses=(
        *("reviews", "review_marks", "compare_reviews", "compare_set", "compare_zoom", "compare_panes"),
        *("compare_slider", "compare_flicker", "compare_difference", "compare_stage", "compare_bar", "compare_strip", "compare_keys"),
    ),
)
KINDS = ("open", "leave", "clear")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What is on the stage and how, as a reader just set it. told counts these changes: the script then knows what was heard."""

    mode: str
    pair: tuple[int, int]
    ids: tuple[str, ...]
    told: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a reader asks for: a run's page, the gallery, or an empty stage."""

    kind: str
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Said:
    """Reviews by run key, as they were read at `at`: those `by` one person, for `person` to change if that is the same one."""

    reviews: Mapping[str, Review]
    person: str
    by: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is drawn. varying: parameters in the strip's captions; params: the view's; told: of the last `Shown` that was heard."""

    compared: Compared
    request: Request
    beside: Beside
    varying: Sequence[str]
    params: Mapping[str, Sequence[str]]
    said: Said
    told: int = 0


def compare(stage: Stage, on_shown: Callable[[], None], on_asked: Callable[[], None]) -> None:
    """Draw the stage. The callbacks find in the session, under 'compare', what `shown_of` and `asked_of` read."""
    compared, request, beside = stage.compared, stage.request, stage.beside
    letters: dict[str | None, str] = {pane.run: pane.letter for pane in compared.panes if pane.run}
    last = max(len(compared.panes) - 1, 0)
    pair = request.pair if max(request.pair) <= last else (0, min(1, last))
    data = {
        "panes": [asdict(pane) for pane in compared.panes], "mode": request.mode if last else MODES[0], "pair": list(pair),
        "limit": MOST_RUNS, "next": beside.following, "previous": beside.previous, "place": beside.place, "told": stage.told,
        "view": urlencode(stage.params, doseq=True),
        "strip": [strip_item(tile, letters, stage.varying) for tile in beside.tiles],
    }  # fmt: skip
    said = stage.said
    data |= {"reviews": {key: review_item(one) for key, one in said.reviews.items()}, "person": said.person, "by": said.by, "at": said.at}
    _compare(key="compare", data=data, on_shown_change=on_shown, on_ask_change=on_asked)


def strip_item(tile: Tile, letters: Mapping[str | None, str], varying: Sequence[str]) -> dict[str, Any]:
    """One thumbnail of the view. full: the picture itself, to be fetched ahead; here: its letter, if it is compared."""
    result = tile.result
    return {
        "token": result.run_key, "src": thumbnail_url(result.thumbnail) if result.thumbnail else None, "none": "No picture",
        "full": original_url(result.image, result.image_format) if result.image else None, "alt": alternative(result.parameters),
        "name": caption(result.parameters, varying) or result.run_key[:11], "w": result.width or 3, "h": result.height or 2,
        "colour": result.mean_colour, "here": letters.get(result.run_key, ""),
    }  # fmt: skip


def shown_of(state: Any) -> Shown | None:
    """From the script's own words; anything else is nothing."""
    said = state.get("shown") if isinstance(state, Mapping) else None
    if not isinstance(said, Mapping) or said.get("mode") not in MODES or not isinstance(said.get("told"), int):
        return None
    pair = said.get("pair")
    if not isinstance(pair, list | tuple) or len(pair) != 2 or any(place not in range(len(LETTERS)) for place in pair):
        return None
    ids = _tokens(said.get("ids"))
    return Shown(mode=str(said["mode"]), pair=(int(pair[0]), int(pair[1])), ids=ids, told=int(said["told"])) if ids else None


def asked_of(state: Any) -> Asked | None:
    """From the script's own words; anything else is nothing."""
    said = state.get("ask") if isinstance(state, Mapping) else None
    if not isinstance(said, Mapping) or said.get("kind") not in KINDS:
        return None
    return Asked(kind=str(said["kind"]), ids=_tokens(said.get("ids")))


def _tokens(ids: Any) -> tuple[str, ...]:
    """Run keys and words of `INPUTS`, no more than have a letter."""
    if not isinstance(ids, list | tuple):
        return ()
    words = [str(one)[:64] for one in ids[: len(LETTERS)]]
    return tuple(one for one in words if one in INPUTS or one.startswith("r1-"))

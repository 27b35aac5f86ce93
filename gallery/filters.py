"""The gallery's view as query parameters and back: whatever stands in the URL, a valid view comes out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from db.models import RUN_STATES
from db.queries import PARAMETERS, RECIPES_OWN, YARDSTICKS
from gallery.view import FLAGS, NUMBERS, SORTS, SWEEP, Choice, Range, Value, View

PER_PAGE = (48, 96, 192)
MAX_VALUES = 200
MAX_PAGE = 1_000_000
AUTOMATIC = "auto"
"""How a number that is left to the recipe stands in the URL."""
_MAX_INTEGER = 2**63 - 1
_RANGED = {*NUMBERS, *YARDSTICKS, "stars"}


LAYOUTS = ("grid", "axes", "table")
OTHERS = ("pinned", "best")
"""What cells of the axes show of the parameters along neither."""


@dataclass(frozen=True, kw_only=True)
class FilterSpec:
    """A view with how it is laid out and the page that is open. A default stands in no URL.

    asof: the moment that a link was made at; None for now. x, y, z: the parameters along the axes, and the pager's; z_value: its page;
    others: one of OTHERS, or empty for what suits the runs; pins: where others are pinned, if not as in the first run.
    """

    view: View = field(default_factory=View)
    layout: str = LAYOUTS[0]
    x: str = ""
    y: str = ""
    z: str = ""
    z_value: str = ""
    others: str = ""
    pins: tuple[tuple[str, Value], ...] = ()
    asof: int | None = None
    page: int = 1
    per_page: int = PER_PAGE[0]

    def to_params(self) -> dict[str, list[str]]:
        """Query parameters: one key per parameter, repeated for several values."""
        view, default = self.view, FilterSpec()
        params = {"sweep": list(view.sweeps)}
        params |= {name: choice_tokens(choice) for name, choice in view.choices}
        params |= {"state": list(view.states)}
        params |= {name: choice_tokens(ends) for name, ends in view.yardsticks}
        params |= {"flag": list(view.flags), "stars": choice_tokens(view.stars) if view.stars else [], "tag": list(view.tags)}
        simple = {
            "q": (view.text, ""), "by": (view.by, ""), "sort": (view.sort, View.sort), "within": (int(view.within), 0),
            "group": (view.group, ""), "collapse": (int(view.collapse), 0), "view": (self.layout, default.layout), "x": (self.x, ""),
            "y": (self.y, ""), "z": (self.z, ""), "zv": (self.z_value, ""), "others": (self.others, ""), "asof": (self.asof, None),
            "n": (self.per_page, default.per_page), "p": (self.page, default.page),
        }  # fmt: skip
        params |= {key: [str(value)] for key, (value, usual) in simple.items() if value != usual}
        params |= {"pin": [f"{name}:{token(value)}" for name, value in self.pins]}
        return {key: values for key, values in params.items() if values}

    @classmethod
    def from_params(cls, params: Mapping[str, Sequence[str]]) -> "FilterSpec":
        """The inverse of `to_params` for what it wrote; anything that makes no sense is passed over."""
        per_page = _whole(params.get("n", ()))
        asof = _whole(params.get("asof", ()))
        return cls(
            view=_view(params),
            layout=_one_of(params.get("view", ()), LAYOUTS, LAYOUTS[0]),
            x=_one_of(params.get("x", ()), PARAMETERS),
            y=_one_of(params.get("y", ()), PARAMETERS),
            z=_one_of(params.get("z", ()), PARAMETERS),
            z_value=_text(params.get("zv", ())),
            others=_one_of(params.get("others", ()), OTHERS),
            pins=_pins(params.get("pin", ())),
            asof=asof if asof is not None and asof >= 0 else None,
            page=min(max(_whole(params.get("p", ())) or 1, 1), MAX_PAGE),
            per_page=per_page if per_page in PER_PAGE else PER_PAGE[0],
        )

    def with_view(self, **changes: Any) -> "FilterSpec":
        """Another view; it opens on its first page."""
        return replace(self, view=replace(self.view, **changes), page=1)

    def with_choice(self, name: str, choice: Choice) -> "FilterSpec":
        """One parameter restricted anew, or set free by ()."""
        return self.with_view(choices=canonical_choices(dict(self.view.choices) | {name: choice}))

    def pinned(self, name: str, value: Value) -> "FilterSpec":
        """The same view, with a parameter along no axis at a value."""
        return replace(self, pins=canonical_pins(dict(self.pins) | {name: value}))

    def laid_out(self, layout: str) -> "FilterSpec":
        """The same view as a grid, along axes or as a table."""
        return replace(self, layout=layout)

    def paged(self, per_page: int, page: int) -> "FilterSpec":
        """The same view in pages of another size."""
        return replace(self, per_page=per_page, page=page)

    def on_page(self, page: int) -> "FilterSpec":
        """The same view, another page."""
        return replace(self, page=page)


def _view(params: Mapping[str, Sequence[str]]) -> View:
    ends = {name: read_choice(name, params.get(name, ())) for name in YARDSTICKS}
    stars = read_choice("stars", params.get("stars", ()))
    return View(
        sweeps=_texts(params.get("sweep", ())),
        choices=canonical_choices({name: read_choice(name, params.get(name, ())) for name in PARAMETERS}),
        states=tuple(state for state in RUN_STATES if state in params.get("state", ())),
        yardsticks=tuple((name, found) for name, found in ends.items() if isinstance(found, Range)),
        flags=tuple(flag for flag in FLAGS if flag in params.get("flag", ())),
        stars=stars if isinstance(stars, Range) else None,
        tags=_texts(params.get("tag", ())),
        text=_text(params.get("q", ())),
        by=_text(params.get("by", ())),
        sort=_one_of(params.get("sort", ()), SORTS, View.sort),
        within=_whole(params.get("within", ())) == 1,
        group=_one_of(params.get("group", ()), (SWEEP, *PARAMETERS)),
        collapse=_whole(params.get("collapse", ())) == 1,
    )


def _pins(texts: Sequence[str]) -> tuple[tuple[str, Value], ...]:
    read = [(name, read_token(name, written)) for name, _, written in (text.partition(":") for text in list(texts)[:MAX_VALUES])]
    return canonical_pins({name: value for name, (found, value) in read if found and name in PARAMETERS})


def canonical_pins(pins: Mapping[str, Value]) -> tuple[tuple[str, Value], ...]:
    """In the order people read them."""
    return tuple((name, pins[name]) for name in PARAMETERS if name in pins)


def _one_of(texts: Sequence[str], allowed: Sequence[str], otherwise: str = "") -> str:
    return next((text for text in texts if text in allowed), otherwise)


def _text(texts: Sequence[str]) -> str:
    return next((text for text in texts if _sound(text)), "")


def canonical_choices(choices: Mapping[str, Choice]) -> tuple[tuple[str, Choice], ...]:
    """In the order people read them, without the empty ones."""
    return tuple((name, choices[name]) for name in PARAMETERS if choices.get(name))


def canonical_ranges(ranges: Mapping[str, Range]) -> tuple[tuple[str, Range], ...]:
    """In the order of the yardsticks."""
    return tuple((name, ranges[name]) for name in YARDSTICKS if name in ranges)


def token(value: Value) -> str:
    """A value as it stands in a URL; `read_token` reads exactly that value back."""
    if value is None:
        return AUTOMATIC
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def choice_tokens(choice: Choice) -> list[str]:
    """A choice as the values of one query parameter."""
    if isinstance(choice, Range):
        return [f"{token(choice.low)}..{token(choice.high)}"]
    return [token(value) for value in choice]


def read_choice(name: str, tokens: Iterable[str]) -> Choice:
    """Values of a parameter, sorted and each once; for numbers also `low..high`. What cannot be read is left out."""
    values: set[Value] = set()
    for text in list(tokens)[:MAX_VALUES]:
        low, dots, high = text.partition("..")
        if dots and name in _RANGED:
            ends = [end for end in (_number(low), _number(high)) if end is not None]
            if len(ends) == 2:
                return Range(low=min(ends), high=max(ends))
            continue
        found, value = read_token(name, text)
        if found and name in PARAMETERS:
            values.add(value)
    return tuple(sorted(values, key=_sortable))


def _sortable(value: Value) -> tuple[bool, Any]:
    return value is not None, "" if value is None else value


def read_token(name: str, text: str) -> tuple[bool, Value]:
    """(whether it could be read, the value)."""
    kind = NUMBERS.get(name)
    if kind is None:
        return _sound(text), text
    if name in RECIPES_OWN and text == AUTOMATIC:
        return True, None
    if kind is int:
        whole = _whole([text])
        return whole is not None, whole
    number = _number(text)
    return number is not None, number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number + 0.0 if math.isfinite(number) else None  # + 0.0: no minus zero


def _whole(texts: Sequence[str]) -> int | None:
    try:
        number = int(texts[0]) if texts and len(texts[0]) <= 20 else None
    except ValueError:
        return None
    return number if number is not None and abs(number) <= _MAX_INTEGER else None


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in list(texts)[:MAX_VALUES] if _sound(text)))


def _sound(text: str) -> bool:
    """Whether a database takes it: not empty, no NUL, no lone surrogate, not absurdly long."""
    return 0 < len(text) <= 2000 and "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)

"""The gallery's view as query parameters and back: whatever stands in the URL, a valid view comes out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from db.browse import NUMBERS, SORTS, Choice, Range, Value, View
from db.models import RUN_STATES
from db.queries import PARAMETERS, RECIPES_OWN

PER_PAGE = (48, 96, 192)
MAX_VALUES = 200
MAX_PAGE = 1_000_000
AUTOMATIC = "auto"
"""How a number that is left to the recipe stands in the URL."""
_MAX_INTEGER = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class FilterSpec:
    """A view with the page that is open. A default stands in no URL."""

    view: View = field(default_factory=View)
    page: int = 1
    per_page: int = PER_PAGE[0]

    def to_params(self) -> dict[str, list[str]]:
        """Query parameters: one key per parameter, repeated for several values."""
        params = {"sweep": list(self.view.sweeps)}
        params |= {name: choice_tokens(choice) for name, choice in self.view.choices}
        params["state"] = list(self.view.states)
        if self.view.sort != View.sort:
            params["sort"] = [self.view.sort]
        if self.per_page != PER_PAGE[0]:
            params["n"] = [str(self.per_page)]
        if self.page != 1:
            params["p"] = [str(self.page)]
        return {key: values for key, values in params.items() if values}

    @classmethod
    def from_params(cls, params: Mapping[str, Sequence[str]]) -> "FilterSpec":
        """The inverse of `to_params` for what it wrote; anything that makes no sense is passed over."""
        view = View(
            sweeps=_texts(params.get("sweep", ())),
            choices=canonical_choices({name: read_choice(name, params.get(name, ())) for name in PARAMETERS}),
            states=tuple(state for state in RUN_STATES if state in params.get("state", ())),
            sort=next((sort for sort in params.get("sort", ()) if sort in SORTS), View.sort),
        )
        per_page = _whole(params.get("n", ()))
        page = _whole(params.get("p", ()))
        return cls(
            view=view,
            page=min(max(page or 1, 1), MAX_PAGE),
            per_page=per_page if per_page in PER_PAGE else PER_PAGE[0],
        )

    def with_view(self, **changes: Any) -> "FilterSpec":
        """Another view; it opens on its first page."""
        return replace(self, view=replace(self.view, **changes), page=1)

    def with_choice(self, name: str, choice: Choice) -> "FilterSpec":
        """One parameter restricted anew, or set free by ()."""
        return self.with_view(choices=canonical_choices(dict(self.view.choices) | {name: choice}))

    def on_page(self, page: int) -> "FilterSpec":
        """The same view, another page."""
        return replace(self, page=page)


def canonical_choices(choices: Mapping[str, Choice]) -> tuple[tuple[str, Choice], ...]:
    """In the order people read them, without the empty ones."""
    return tuple((name, choices[name]) for name in PARAMETERS if choices.get(name))


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
        if dots and name in NUMBERS:
            ends = [end for end in (_number(low), _number(high)) if end is not None]
            if len(ends) == 2:
                return Range(low=min(ends), high=max(ends))
            continue
        found, value = read_token(name, text)
        if found:
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

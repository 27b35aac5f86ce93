"""How values read on a page. No streamlit import."""

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from gallery.view import Choice, Range, Value, View
from sweep.transfer.yardstick_names import RISING, YARDSTICKS

YARDSTICK_LABELS = {one.name: one.label for one in YARDSTICKS}
_FIRST = ("balance", "content_kept", "style_gained")
SORT_LABELS = {
    **{name: YARDSTICK_LABELS[name] for name in _FIRST},
    "stars": "Stars",
    "plan": "Plan order",
    "newest": "Newest",
    **{name: f"{YARDSTICK_LABELS[name]}{'' if rising else ', least first'}" for name, rising in RISING.items() if name not in _FIRST},
}
SORT_HELP = (
    "Balance is a heuristic: content kept to the power 0.4, times style gained to the power 0.6. Either yardstick alone picks the wrong "
    "picture - the untouched photograph, or bare texture. The others look at one thing each; a run's page says at what, under More "
    "yardsticks. Losses are no choice here: they cannot be compared across settings."
)
PARAMETER_LABELS = {"tv": "TV weight", "dtype": "Number type", "stop": "Early stop", "history": "L-BFGS history"}
_UNNAMED = ("content", "style", "layers", "network", "recipe", "size")
"""Parameters whose values speak for themselves in a caption."""
FLAG_LABELS = {"pick": "Picked", "none": "Unflagged", "reject": "Rejected"}
WITHIN_HELP = (
    "Instead of the value itself, the share of the runs with the same content and style that a run is better than. Some pairs are easier "
    "than others; this puts the best of each pair first."
)
COLLAPSE_HELP = "Of pictures of the same content and style that look nearly the same, only the first in this order is shown."
STATE_LABELS = {
    "done": "Done",
    "running": "Running",
    "queued": "Queued",
    "failed": "Failed",
    "diverged": "Diverged",
    "quarantined": "Quarantined",
    "cancelled": "Cancelled",
}

NOTHING = "\N{EN DASH}"
"""Where there is no value."""
_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Text of a user's as Markdown that shows just that text: no markup, no pictures, no links."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def label(name: str) -> str:
    """A parameter's name at the head of a filter or a row."""
    return PARAMETER_LABELS.get(name, name.replace("_", " ").capitalize())


def number(value: float | None, digits: int = 4) -> str:
    """Short, without trailing zeros; a dash where nothing was measured."""
    if value is None:
        return NOTHING
    return re.sub(r"e([+-])0*", lambda match: "e" + match[1].strip("+"), f"{value:.{digits}g}")


def shown(name: str, value: Value, *, short: bool = False) -> str:
    """A parameter's value as people read it; short: fit for a caption."""
    if value is None:
        return "auto" if short else "recipe's own"
    if isinstance(value, float):
        return number(value)
    if name == "size":
        return f"{value} px"
    text = str(value)
    if short and name == "content":
        text = PurePath(text).stem or text
    if short and name == "style" and " + " not in text and " in " not in text:  # one picture: no blend, no region
        text = PurePath(text).stem or text
    return text if not short or len(text) <= 28 else text[:27] + "…"


def caption(parameters: Mapping[str, Any], names: Iterable[str]) -> str:
    """What tells a tile from its neighbours: 'harbour · waves · beta 10 · gatys'."""
    parts = []
    for name in names:
        text = shown(name, parameters[name], short=True)
        parts.append(text if name in _UNNAMED else f"{name} {text}")
    return " · ".join(parts)


def choice_text(name: str, choice: Choice) -> str:
    """A filter in words: '10, 100' or '1 to 300'."""
    if isinstance(choice, Range):
        return f"{number(choice.low)} to {number(choice.high)}"
    return ", ".join(shown(name, value) for value in choice)


def view_text(view: View) -> str:
    """A view in words: 'demo: content cat.png, beta 1 to 10, picked'."""
    parts = [f"{label(name).lower()} {choice_text(name, choice)}" for name, choice in (*view.choices, *view.yardsticks)]
    parts += [STATE_LABELS[state].lower() for state in view.states] + [FLAG_LABELS[flag].lower() for flag in view.flags]
    parts += [f"{choice_text('stars', view.stars)} stars"] if view.stars else []
    parts += [f"tagged {tag}" for tag in view.tags] + ([f"“{view.text}”"] if view.text else [])
    return ", ".join(view.sweeps) + (": " + ", ".join(parts) if parts else "")


def alternative(parameters: Mapping[str, Any]) -> str:
    """Alternative text of a result: what the picture is of and how it was made."""
    strength = f"beta {number(parameters['beta'])} to alpha {number(parameters['alpha'])}"
    return f"{parameters['content']} in the style of {parameters['style']}, {strength}, layers {parameters['layers']}"


def counted(amount: int, singular: str, plural: str | None = None) -> str:
    """'1 run', '1,204 runs'."""
    return f"{amount:,} {singular if amount == 1 else plural or singular + 's'}"


def age(then: float, now: float | None = None) -> str:
    """'just now', '3 min ago', '2 days ago'."""
    seconds = max(0.0, (time.time() if now is None else now) - then)
    if seconds < 60:
        return "just now"
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            amount = int(seconds // size)
            return f"{amount} {name if amount == 1 or name == 'min' else name + 's'} ago"
    raise AssertionError("unreachable")


def duration(seconds: float | None) -> str:
    """'0.8 s', '12 s', '3 min 5 s', '2 h 10 min'."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

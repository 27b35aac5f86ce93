"""The keys of very many combinations: what they have in common is written as JSON once. Standard library only.

The keys are those of `Combination.combination_key` and `run_key` to the last digit (a test compares them). Canonical JSON sorts its
keys, so the texts of two combinations that differ in alpha and beta differ only where these numbers stand.
"""

import hashlib
import json
from typing import Any

from sweep.combination import Combination, canonical_json, normalised_ratio, normalised_tv

_REMEMBERED = 10_000
_HOLES = ("\0alpha", "\0beta", "\0tv", "\0run")
_MARKS = {hole: json.dumps(hole) if hole != "\0run" else json.dumps(hole)[1:-1] for hole in _HOLES}
"""As they stand in JSON; a number's with its quotes. No name of a user's can hold one: a null character is refused everywhere."""
_Text = tuple[str, ...]
"""Pieces of JSON between which numbers or a key belong, in the order of _HOLES."""


class Keys:
    """Asked for one combination after another; those that share their style, layers and settings as objects are quick."""

    def __init__(self) -> None:
        """Nothing known yet."""
        self._known: dict[tuple[Any, ...], tuple[Combination, _Text, _Text]] = {}

    def of(self, combination: Combination) -> tuple[str, str]:
        """(combination_key, run_key). Raises ValueError for impossible weights."""
        one = combination
        parts = (one.content, id(one.style), id(one.regions), id(one.layers), id(one.settings))
        known = self._known.get(parts)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[parts] = (one, *_texts(one))  # holding the combination keeps the ids its parts'
        _, own, run = known
        alpha, beta = normalised_ratio(one.alpha, one.beta)
        if len(run) == 3:
            text = f"{run[0]}{alpha!r}{run[1]}{beta!r}{run[2]}"
        else:
            text = f"{run[0]}{alpha!r}{run[1]}{beta!r}{run[2]}{normalised_tv(one.settings.tv, one.alpha, one.beta)!r}{run[3]}"
        run_key = _hashed("r1", text)
        return _hashed("c1", f"{own[0]}{one.alpha!r}{own[1]}{one.beta!r}{own[2]}{run_key}{own[3]}"), run_key


def _texts(one: Combination) -> tuple[_Text, _Text]:
    """The JSON of the combination's own key and that of its run, with holes for what differs between neighbours."""
    run = one.run_settings().canonical() | {"alpha": _HOLES[0], "beta": _HOLES[1]}
    own = one.own_values(_HOLES[3]) | {"alpha": _HOLES[0], "beta": _HOLES[1]}
    if "tv" in run:
        run["tv"] = _HOLES[2]
    return _split(canonical_json(own)), _split(canonical_json(run))


def _split(text: str) -> _Text:
    pieces = []
    for hole in _HOLES:
        before, found, after = text.partition(_MARKS[hole])
        if found:
            pieces.append(before)
            text = after
    return (*pieces, text)


def _hashed(tag: str, text: str) -> str:
    """As `tagged_hash`, of JSON that is written already."""
    return f"{tag}-{hashlib.sha256(text.encode()).hexdigest()[:40]}"

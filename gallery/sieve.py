"""The conditions of a view as masks over a look, each for itself, so that a facet can leave its own out. No streamlit import."""

import re

import numpy as np
from sqlalchemy import Connection

from db import browse
from db.models import RUN_STATES
from gallery.look import Column, Look, Mask
from gallery.reviewed import Reviewed
from gallery.view import FLAGS, NUMBERS, Choice, Range, View

STATE, FLAG, STARS, TAG, TEXT = "state", "flag", "stars", "tag", "text"
_KEY = re.compile(r"(r1-)?[0-9a-f]{4,64}")


class Sieve:
    """Which combinations of a look fit a view.

    connection: reads the yardsticks that the view asks for and nobody asked for before.
    """

    def __init__(self, connection: Connection, look: Look, view: View, reviewed: Reviewed) -> None:
        self.look, self.view, self.reviewed = look, view, reviewed
        self.masks = {name: allowed(look, name, choice) for name, choice in view.choices if choice}
        self.masks |= {name: within(look.yardstick(connection, name), ends)[look.run_of] for name, ends in view.yardsticks}
        for name, fits in _of_runs(look, view, reviewed).items():
            self.masks[name] = fits[look.run_of]
        if view.text.strip():
            self.masks[TEXT] = self._text(connection)

    def fits(self, without: str | None = None) -> Mask:
        """The combinations that fit every condition, or every one but one."""
        found = np.ones(len(self.look.combination), dtype=np.bool_)
        for name, mask in self.masks.items():
            if name != without:
                found &= mask
        return found

    def fitting_runs(self, without: str | None = None) -> Mask:
        """The runs that have such a combination."""
        found = np.zeros(len(self.look.run), dtype=np.bool_)
        found[self.look.run_of[self.fits(without)]] = True
        return found

    def _text(self, connection: Connection) -> Mask:
        """Every word must stand somewhere: in a text parameter, a tag or the note, or begin the run's key."""
        found = np.ones(len(self.look.combination), dtype=np.bool_)
        for word in self.view.text.casefold().split():
            found &= self._word(connection, word)
        return found

    def _word(self, connection: Connection, word: str) -> Mask:
        look = self.look
        if any(word in str(value).casefold() for name, value in look.constants.items() if name not in NUMBERS):
            return np.ones(len(look.combination), dtype=np.bool_)
        found = np.zeros(len(look.combination), dtype=np.bool_)
        for name, column in look.columns.items():
            if name not in NUMBERS:
                found |= np.array([word in str(value).casefold() for value in column.values], dtype=np.bool_)[column.codes]
        runs = np.zeros(len(look.run), dtype=np.bool_)
        runs[[place for place, tags in self.reviewed.tags.items() if any(word in tag.casefold() for tag in tags)]] = True
        runs[[place for place, note in self.reviewed.notes.items() if word in note.casefold()]] = True
        if _KEY.fullmatch(word):
            places, _ = look.places(np.array(browse.keys_beginning(connection, word), dtype=np.int64))
            runs[places] = True
        return found | runs[look.run_of]


def allowed(look: Look, name: str, choice: Choice) -> Mask:
    """The combinations whose parameter is allowed; of one that does not vary all of them or none."""
    column = look.columns.get(name)
    if column is None:
        alone = Column(codes=np.zeros(1, dtype=np.int64), values=(look.constants.get(name),))
        return np.full(len(look.combination), bool(_values(alone, choice)[0]))
    return _values(column, choice)[column.codes]


def _values(column: Column, choice: Choice) -> Mask:
    if isinstance(choice, Range):
        return within(column.numbers, choice)
    return np.array([value in choice for value in column.values], dtype=np.bool_)


def within(values: np.ndarray[tuple[int], np.dtype[np.float64]], ends: Range) -> Mask:
    """Both ends belong to it; what was not measured is never inside."""
    return (values >= ends.low) & (values <= ends.high)


def _of_runs(look: Look, view: View, reviewed: Reviewed) -> dict[str, Mask]:
    masks: dict[str, Mask] = {}
    if view.states:
        masks[STATE] = np.isin(look.state, [RUN_STATES.index(state) for state in view.states])
    if view.flags:
        masks[FLAG] = np.isin(reviewed.flag, [FLAGS.index(flag) for flag in view.flags])
    if view.stars is not None:
        masks[STARS] = (reviewed.stars >= view.stars.low) & (reviewed.stars <= view.stars.high)
    if view.tags:
        masks[TAG] = np.zeros(len(look.run), dtype=np.bool_)
        masks[TAG][[place for place, tags in reviewed.tags.items() if set(tags) & set(view.tags)]] = True
    return masks

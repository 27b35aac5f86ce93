"""One thing that a person says of a run, as pages send it: read from JSON, or refused with a reason. Standard library only."""

import getpass
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

PERSON_VARIABLE = "STYLESWEEP_PERSON"
FLAGS = ("pick", "reject")
MOST_STARS = 5
MAX_PERSON = 200
MAX_TAG = 100
MAX_NOTE = 4000
MAX_ID = 100
AHEAD = 5.0
"""Seconds by which a clock may be ahead; what is dated further in the future is taken for said now."""

Value = str | int | None


class Refused(ValueError):
    """An operation, or the name of a person, that cannot be taken; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`field` becomes `value`: a flag (None: none), stars (0: none), a note (None: none), or a tag is given or taken away (`present`)."""

    id: str
    run_key: str
    field: str
    value: Value
    at: float
    present: bool = True


def default_person() -> str:
    """Who reviews unless a page says otherwise: $STYLESWEEP_PERSON, else the user's name on this machine."""
    for name in (os.environ.get(PERSON_VARIABLE, ""), _user()):
        try:
            return read_person(name)
        except Refused:
            continue
    return "somebody"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user that the machine has no name for
        return ""


def read_person(value: object) -> str:
    """A person's name as it is kept.

    Raises:
        Refused: it is none.
    """
    return _line("a person", value, MAX_PERSON)


def read_id(raw: object) -> str:
    """What an answer to this operation is to name, whatever else is wrong with it; '' if it has no name."""
    try:
        return _line("id", raw.get("id"), MAX_ID) if isinstance(raw, Mapping) else ""
    except Refused:
        return ""


def read_operation(raw: object, now: float, ahead: float = 0.0) -> Operation:
    """An operation from JSON. Without `at` it is said now. ahead: by how many seconds the clock that it was dated by is ahead of ours.

    Raises:
        Refused: anything of it is not what it may be.
    """
    if not isinstance(raw, Mapping):
        raise Refused("an operation is an object")
    field, present = raw.get("field"), raw.get("present", True)
    if not isinstance(field, str) or field not in _READERS:
        raise Refused(f"field is one of {', '.join(_READERS)}")
    if not isinstance(present, bool) or (not present and field != "tag"):
        raise Refused("present is true, or false for a tag that is taken away")
    return Operation(
        id=_line("id", raw.get("id"), MAX_ID), run_key=_line("run", raw.get("run"), 64), field=field,
        value=_READERS[field](raw.get("value")), at=_moment(raw.get("at"), now, ahead), present=present,
    )  # fmt: skip


def _flag(value: object) -> Value:
    if value is not None and value not in FLAGS:
        raise Refused("a flag is pick, reject or null")
    return str(value) if value is not None else None


def _stars(value: object) -> Value:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_STARS:
        raise Refused(f"stars are a whole number from 0 to {MOST_STARS}")
    return value


def _note(value: object) -> Value:
    if not isinstance(value, str) or len(value) > MAX_NOTE:
        raise Refused(f"a note is text of at most {MAX_NOTE:,} characters")
    text = value.replace("\r\n", "\n").strip()
    if any(_unsound(letter) for letter in text if letter not in "\n\t"):
        raise Refused("a note holds no control characters")
    return text or None


def _tag(value: object) -> Value:
    return _line("a tag", value, MAX_TAG)


_READERS: Mapping[str, Callable[[object], Value]] = {"flag": _flag, "stars": _stars, "note": _note, "tag": _tag}


def _line(what: str, value: object, longest: int) -> str:
    """A line of text, each space in it a single one."""
    text = " ".join(value.split()) if isinstance(value, str) and len(value) <= 4 * longest else ""
    if not 0 < len(text) <= longest or any(_unsound(letter) for letter in text):
        raise Refused(f"{what} is a line of 1 to {longest} characters")
    return text


def _unsound(letter: str) -> bool:
    """What a database or a page cannot hold: control characters, lone surrogates."""
    return letter < " " or "\x7f" <= letter < "\xa0" or "\ud800" <= letter <= "\udfff"


def _moment(value: object, now: float, ahead: float) -> float:
    if value is None:
        return now
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e12:
        raise Refused("at is a time in seconds since 1970")
    at = max(0.0, float(value) - ahead)
    return at if at <= now + AHEAD else now

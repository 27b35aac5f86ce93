"""File names that are safe on every system, made from names and numbers of any origin."""

import hashlib
import re
import unicodedata

MAX_LENGTH = 120
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def basename(text: str) -> str:
    """The last part of what may be a path of any system; never a folder, a drive or a host."""
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] or "unnamed"


def safe_name(text: str, fallback: str = "unnamed") -> str:
    """One file name of [A-Za-z0-9._-], at most 120 characters: no path, no hidden file, no option, no name that Windows reserves.

    Letters lose their accents: Tübingen becomes Tubingen.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", _without_accents(basename(text)))
    stem, dot, suffix = name.rpartition(".")
    if dot and stem and len(suffix) <= 10:
        name = stem.rstrip("-. ")[: MAX_LENGTH - 1 - len(suffix)] + dot + suffix
    # A leading dot hides a file, a leading dash is an option to many programs, and Windows drops a trailing dot.
    name = name[:MAX_LENGTH].lstrip(".-").rstrip(".-") or fallback
    return f"_{name}"[:MAX_LENGTH] if name.split(".")[0].lower() in _RESERVED else name


def own_name(text: str, fallback: str) -> str:
    """As `safe_name`, for texts that must not share a name: where letters are lost, a part of the text's hash tells them apart."""
    name = safe_name(text, fallback)
    lost = name == fallback != text or any(ord(char) > 127 and char.isalnum() for char in _without_accents(text))
    return f"{name[: MAX_LENGTH - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}" if lost else name


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def number_text(value: float) -> str:
    """A number in a file name: 4 digits, no plus sign, no zeros in front of an exponent: 1, 3.162, 1e5."""
    return re.sub(r"e([-+])0*(\d)", lambda found: "e" + found[1].replace("+", "") + found[2], f"{value:.4g}")


class UniqueNames:
    """Hands out every name once, also on file systems that do not tell capitals from small letters."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, text: str) -> str:
        """`safe_name(text)`, numbered where it is taken: cat.png, cat-2.png."""
        name = wanted = safe_name(text)
        stem, dot, suffix = wanted.rpartition(".")
        if not dot or len(suffix) > 10:
            stem, dot, suffix = wanted, "", ""
        number = 1
        while name.lower() in self._taken:
            number += 1
            ending = f"-{number}{dot}{suffix}"
            name = stem[: MAX_LENGTH - len(ending)] + ending
        self._taken.add(name.lower())
        return name


def picture_stem(rank: int, content: str, style: str, mark: str) -> str:
    """'001_harbour_x_waves_a1_b10_1f00ba12': rank, picture names without their suffix, and a mark that is short and safe."""
    room = (MAX_LENGTH - len(mark) - 24) // 2
    return f"{rank:03d}_{_stem(content)[:room]}_x_{_stem(style)[:room]}_{mark}"


def _stem(name: str) -> str:
    safe = safe_name(name)
    stem, dot, suffix = safe.rpartition(".")
    return stem if dot and stem and len(suffix) <= 5 else safe

"""What to write beside a picture: only what differs; what all share stands once in the head."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from db.queries import PARAMETERS, Result
from sweep.combination import Settings

_SPOKEN = ("network", "network_hash", "recipe", "size")
_SILENT = {field.name: field.default for field in fields(Settings) if field.name not in _SPOKEN} | {"stop": "off"}
"""Constant parameters at these values are not worth a word."""


def value_text(value: Any) -> str:
    """Numbers with 4 digits, None as what it means."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "default" if value is None else str(value)


def varying(results: Sequence[Result]) -> list[str]:
    """The parameters that do not have one value in all results, in the order people read them."""
    return [name for name in PARAMETERS if len({result.parameters[name] for result in results}) > 1]


def caption(result: Result, names: Sequence[str]) -> str:
    """Of the named parameters: 'harbour x waves' in a first line if the pictures are among them, then 'beta 10 · layers gatys'."""
    pictures = " \u00d7 ".join(without_suffix(str(result.parameters[name])) for name in ("content", "style") if name in names)
    rest = " · ".join(named(name, result.parameters[name]) for name in names if name not in ("content", "style"))
    return "\n".join(part for part in (pictures, rest) if part)


def without_suffix(name: str) -> str:
    """'harbour.jpg' -> 'harbour'; also inside a blend."""
    return re.sub(r"\.(?:jpe?g|png|webp|tiff?|bmp|gif|avif)\b", "", name, flags=re.IGNORECASE)


def named(name: str, value: Any) -> str:
    """'beta 10', with a blank that no line is broken at."""
    return f"{name}\u00a0{value_text(value)}"


def constants(results: Sequence[Result]) -> str:
    """What all results share, said once."""
    if not results:
        return ""
    differ = varying(results)
    first = results[0].parameters
    same = [name for name in PARAMETERS if name not in differ and first[name] != _SILENT.get(name, ())]
    return caption(results[0], same).replace("\n", " · ")


def yardstick_text(value: float | None) -> str:
    """Three decimals; a dash where it was not measured."""
    return "-" if value is None else f"{value:.3f}"

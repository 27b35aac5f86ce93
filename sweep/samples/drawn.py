"""The drawn styles by name: style images that come with no download and no rights attached."""

from __future__ import annotations

from collections.abc import Callable

from sweep.errors import InputError
from sweep.samples.brushwork import Picture
from sweep.samples.glass import stained_glass
from sweep.samples.impasto import impasto
from sweep.samples.mosaic import mosaic
from sweep.samples.pointillism import pointillism
from sweep.samples.woodcut import woodcut

_PAINTERS: dict[str, Callable[[int], Picture]] = {
    "impasto": impasto,
    "stained-glass": stained_glass,
    "woodcut": woodcut,
    "mosaic": mosaic,
    "pointillism": pointillism,
}

DRAWN_STYLES: tuple[str, ...] = tuple(_PAINTERS)
"""The names that `drawn_style` knows; each is also the stem of the file that `write_samples` writes."""

SMALLEST, LARGEST = 32, 1280  # a larger one would take gigabytes: it is drawn at twice its size in float64


def drawn_style(name: str, size: int = 640) -> Picture:
    """Draw one of `DRAWN_STYLES`.

    Args:
        name: which one.
        size: side of the square picture in pixels, 32 to 1280. The composition is the same at every size.

    Returns:
        (size, size, 3) uint8 in sRGB; the same pixels at every call on one machine.

    Raises:
        InputError: the name is not one of `DRAWN_STYLES`, or the size is out of range.
    """
    if name not in _PAINTERS:
        raise InputError(f"There is no drawn style {name!r}; choose one of {', '.join(DRAWN_STYLES)}.")
    if not SMALLEST <= size <= LARGEST:
        raise InputError(f"A drawn style cannot be {size} pixels wide; choose {SMALLEST} to {LARGEST}.")
    return _PAINTERS[name](size)

"""Masks for sample photographs: which part is which, for styles that are confined to regions. Drawn here, as soft-edged ellipses."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from PIL.ImageFilter import GaussianBlur

from sweep.errors import InputError
from sweep.samples.brushwork import Picture

_FINER = 4  # drawn this much larger, then shrunk, so that edges are smooth

Box = tuple[float, float, float, float]
_COFFEE = (600, 400)
_CUP: tuple[Box, ...] = ((76, 60, 480, 386), (172, 18, 409, 216), (398, 67, 425, 96), (393, 80, 419, 130))
"""Saucer, cup and the end of the spoon, in pixels of the photograph `coffee`."""

MASKS = ("coffee-cup", "coffee-table")
"""The masks by name, each beginning with its photograph's; those of one photograph are together the whole picture."""


def sample_mask(name: str) -> Picture:
    """One of `MASKS`: (rows, columns) uint8, 255 inside, as large as its photograph.

    Raises:
        InputError: the name is not one of `MASKS`.
    """
    if name not in MASKS:
        raise InputError(f"There is no sample mask {name!r}; choose one of {', '.join(MASKS)}.")
    width, height = _COFFEE
    drawn = Image.new("L", (width * _FINER, height * _FINER))
    for box in _CUP:
        ImageDraw.Draw(drawn).ellipse([value * _FINER for value in box], fill=255)
    cup = np.asarray(drawn.resize(_COFFEE, Image.Resampling.BOX).filter(GaussianBlur(1.5)), dtype=np.uint8)
    return cup if name == "coffee-cup" else 255 - cup

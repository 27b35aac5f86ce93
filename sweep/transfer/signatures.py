"""What a picture looks like from afar, in a few hundred bytes: near-duplicates are found by it. Pillow and numpy only.

Results of one content and one style share their composition, so colours and light alone would call a picture of fine strokes and one of
broad strokes the same. A signature holds both: means of CIELAB over a grid, and how much the light varies in each cell, at three sizes.
Bytes are scaled so that a unit of each kind is about as visible as one of another, and two signatures are compared by the root of the
mean squared difference of their bytes (`gallery/likeness.py`).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

VERSION: Final = 1
"""Raised by hand whenever the same picture would get other bytes; signatures of two versions are never compared."""
SIDE: Final = 128
LIGHT: Final = 16
CELLS: Final = 8
BANDS: Final = 3
LENGTH: Final = 1 + LIGHT**2 + 2 * CELLS**2 + BANDS * CELLS**2
"""The version, light, colour (a, then b), and relief from fine to coarse; each grid row by row."""

Floats = NDArray[np.float32]
_TO_XYZ: Final = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])


def signature(pixels: NDArray[np.uint8]) -> bytes:
    """Of a picture (H, W, 3) uint8 in sRGB, whatever its shape: the version, then LENGTH - 1 bytes."""
    small = Image.fromarray(pixels).resize(
        (SIDE, SIDE), Image.Resampling.BOX if min(pixels.shape[:2]) >= SIDE else Image.Resampling.BICUBIC
    )
    lab = _lab(np.asarray(small))
    light = _means(lab[..., 0], LIGHT) * 2.55
    colour = [128 + 2 * _means(lab[..., channel], CELLS) for channel in (1, 2)]
    relief = [64 * np.sqrt(variation) for variation in _relief(lab[..., 0])]
    values = np.concatenate([grid.ravel() for grid in (light, *colour, *relief)])
    packed: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return bytes([VERSION]) + packed.tobytes()


def _lab(pixels: NDArray[np.uint8]) -> Floats:
    """CIELAB (D65) of sRGB."""
    encoded = pixels.astype(np.float32) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    shares = linear @ (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
    roots = np.where(shares > 216 / 24389, np.cbrt(shares), (24389 / 27 * shares + 16) / 116)
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def _means(values: Floats, cells: int) -> Floats:
    """Over a grid of so many cells a side."""
    side = values.shape[0] // cells
    means: Floats = values.reshape(cells, side, cells, side).mean(axis=(1, 3))
    return means


def _relief(light: Floats) -> list[Floats]:
    """For each size of detail the root mean square of the light beside its surroundings', in each cell; halved each time from SIDE."""
    found = []
    for _ in range(BANDS):
        coarser = _means(light, light.shape[0] // 2)
        detail = light - np.repeat(np.repeat(coarser, 2, axis=0), 2, axis=1)
        found.append(np.sqrt(_means(detail**2, CELLS)))
        light = coarser
    return found

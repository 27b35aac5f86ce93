"""What the yardsticks compute from pixels alone: palette, sharpness, clipping. Pictures are (H, W, 3) uint8 sRGB. numpy only."""

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np

from sweep.transfer.images import resized_to

LEVELS: Final = 256
FLAT: Final = 1e-3  # mean squared step of neighbouring luma values (0-255) under which a photograph counts as flat

# The axes of a colour space, and the diagonals of its faces and of itself: every pair of opposite directions once.
_AXES = np.array([axis for axis in product((-1, 0, 1), repeat=3) if axis > (0, 0, 0)], dtype=np.float32)
_AXES /= np.linalg.norm(_AXES, axis=1, keepdims=True)

# sRGB (IEC 61966-2-1) to linear light, and that to XYZ relative to the white point D65.
_LEVEL = np.arange(256) / 255
_LINEAR = np.where(_LEVEL <= 0.04045, _LEVEL / 12.92, ((_LEVEL + 0.055) / 1.055) ** 2.4).astype(np.float32)
_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_TO_XYZ = (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)  # Rec. 709


def lab(pixels: np.ndarray) -> np.ndarray:
    """CIELAB (1976, white D65) of each pixel, (H W, 3) float32: distances are about as large as they look; 2 is just seen."""
    xyz = _LINEAR[pixels.reshape(-1, 3)] @ _TO_XYZ.T
    bent = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * bent[:, 1] - 16, 500 * (bent[:, 0] - bent[:, 1]), 200 * (bent[:, 1] - bent[:, 2])], axis=1)


def palette(pixels: np.ndarray) -> np.ndarray:
    """How a picture's colours are distributed: LEVELS quantiles along each of 13 directions through CIELAB, (13, LEVELS)."""
    along = np.sort(_AXES @ lab(pixels).T, axis=1)
    middles = ((np.arange(LEVELS) + 0.5) / LEVELS * along.shape[1]).astype(np.intp)
    return along[:, middles]


def mixed_palette(palettes: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    """The palette of all pictures together, each with its share; shares sum to 1."""
    if len(palettes) == 1:
        return palettes[0][0]
    values = np.concatenate([one for one, _ in palettes], axis=1)
    shares = np.repeat([share for _, share in palettes], LEVELS)
    order = np.argsort(values, axis=1, kind="stable")
    middles = (np.arange(LEVELS) + 0.5) / LEVELS
    rows = [row[ranks][_ranks(shares[ranks], middles)] for row, ranks in zip(values, order, strict=True)]
    return np.stack(rows)


def palette_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over the directions of the Wasserstein-1 distance of two palettes, in CIELAB units.

    A sliced Wasserstein distance (Rabin et al. 2011) with fixed directions: what colours there are and how much of each, not
    where. Unlike a comparison of histogram bins it is small for colours that nearly agree.
    """
    return float(np.abs(a - b).mean())


def sharpness(picture: np.ndarray, photograph: np.ndarray) -> float | None:
    """Energy of the luma gradient over the photograph's at the picture's own shape: 1 alike, less blurred, more rougher.

    None for a photograph without any gradient.
    """
    energy = _gradient_energy(resized_to(photograph, *picture.shape[:2]))
    return _gradient_energy(picture) / energy if energy >= FLAT else None


def clipped(picture: np.ndarray) -> float:
    """Share of the pixels' channels that are 0 or 255."""
    return float(np.mean((picture == 0) | (picture == 255)))


def _ranks(shares: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """For each middle, the first value up to which that share of all lies."""
    upto = np.cumsum(shares)
    return np.searchsorted(upto / upto[-1], middles)


def _gradient_energy(pixels: np.ndarray) -> float:
    luma = pixels.astype(np.float32) @ _LUMA
    steps = [np.diff(luma, axis=axis) for axis in (0, 1)]
    return sum(float(np.square(one).sum()) / max(1, one.size) for one in steps)  # a picture one pixel wide has no steps across

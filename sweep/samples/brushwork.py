"""What the drawn styles share: noise, relief and colour on square fields.

Every field is a square float64 array (rows, columns) in units of the picture: 0 at the left or top edge, 1 at the right or
bottom one. Random numbers are drawn on lattices of a fixed count, never per pixel, so that a style drawn small is the same
picture drawn small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Field = NDArray[np.float64]
Picture = NDArray[np.uint8]


def unit_grid(pixels: int) -> tuple[Field, Field]:
    """Pixel centres of a square picture as (x, y), each (pixels, pixels), in [0, 1]."""
    axis = (np.arange(pixels, dtype=np.float64) + 0.5) / pixels
    x, y = np.meshgrid(axis, axis)
    return x, y


def smoothstep(low: float, high: float, value: Field) -> Field:
    """0 below `low`, 1 above `high`, a cubic with flat ends between them; `low` > `high` falls instead of rising."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float64)


def lattice_noise(rng: np.random.Generator, pixels: int, across: float, down: float) -> Field:
    """Smooth noise, about [-1, 1], with `across` by `down` lattice cells over the picture (value noise, cubic splines)."""
    lattice = rng.uniform(-1, 1, (int(np.ceil(down)) + 4, int(np.ceil(across)) + 4))
    axis = (np.arange(pixels, dtype=np.float64) + 0.5) / pixels
    rows = 1.5 + axis * down
    columns = 1.5 + axis * across
    # A spline through a lattice is separable: first down the columns, then along the rows.
    tall = _resampled(lattice, rows)
    return _resampled(np.ascontiguousarray(tall.T), columns).T.copy()


def _resampled(lattice: Field, positions: Field) -> Field:
    """Cubic B-spline (Catmull-Rom weights) of `lattice` along its first axis at fractional `positions`."""
    base = np.floor(positions).astype(np.intp)
    t = (positions - base)[:, None]
    last = lattice.shape[0] - 1
    before, here, after, beyond = (lattice[np.clip(base + k, 0, last)] for k in (-1, 0, 1, 2))
    curve = (2 * before - 5 * here + 4 * after - beyond) * t + (3 * (here - after) + beyond - before) * t * t
    return np.asarray(here + 0.5 * t * ((after - before) + curve), dtype=np.float64)


def cloud_noise(rng: np.random.Generator, pixels: int, cells: float, octaves: int = 4) -> Field:
    """Fractal noise, about [-1, 1]: `octaves` of lattice noise, each twice as fine and half as strong (fBm)."""
    total = np.zeros((pixels, pixels))
    for octave in range(octaves):
        total += lattice_noise(rng, pixels, cells * 2**octave, cells * 2**octave) * 0.5**octave
    return total


def sampled(field: Field, x: Field, y: Field) -> Field:
    """`field` (rows, columns) at unit coordinates, bilinear, edges repeated; the shape is that of `x`."""
    rows, columns = field.shape
    at = [y * rows - 0.5, x * columns - 0.5]
    return np.asarray(ndimage.map_coordinates(field, at, order=1, mode="nearest"), dtype=np.float64)


def relief(height: Field, steepness: float, light: tuple[float, float] = (-0.6, -0.8)) -> Field:
    """Brightness change of a surface lit from the side, about [-1, 1]: 0 where it is flat, positive towards the light.

    `height` is in pixels, `light` the (x, y) direction that the light comes from.
    """
    slope_y, slope_x = np.gradient(height)
    facing = -(slope_x * -light[0] + slope_y * -light[1]) * steepness
    return np.asarray(-facing / np.sqrt(1 + facing * facing), dtype=np.float64)


def palette(*colours: str) -> Field:
    """Colours such as "1b2a6b" as rows (count, 3) of red, green, blue in 0-255."""
    return np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in colours], dtype=np.float64)


def ramp(colours: Field, position: Field) -> Field:
    """Colours along a palette: position 0 is its first row, 1 its last, linear between; (..., 3)."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(position, stops, colours[:, channel]) for channel in range(3)], axis=-1)


def mix(under: Field, over: Field, amount: Field) -> Field:
    """`over` painted on `under` (both (..., 3)) with an opacity in [0, 1] that has their shape without the last axis."""
    return under + (over - under) * amount[..., None]


def catmull_rom(points: Sequence[tuple[float, float]], per_span: int = 24) -> Field:
    """A smooth open curve through `points`: ((len - 1) * per_span + 1, 2)."""
    knots = np.array(points, dtype=np.float64)
    return _resampled(
        np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]]),
        1 + np.linspace(0, len(knots) - 1, (len(knots) - 1) * per_span + 1),
    )


def finished(colour: Field, size: int) -> Picture:
    """An oversized drawing (n, n, 3), 0-255, averaged down to (size, size, 3) uint8."""
    drawing = Image.fromarray(np.clip(np.rint(colour), 0, 255).astype(np.uint8))
    return np.asarray(drawing.resize((size, size), Image.Resampling.BOX), dtype=np.uint8)

"""An evening bay in points of pure colour.

Divisionism (Seurat, Signac): colours are not mixed on the palette but set side by side, each point shifted towards a
neighbouring hue and one in four towards the complementary one, so that they mix in the eye.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from sweep.samples.brushwork import (
    Field,
    Picture,
    cloud_noise,
    finished,
    lattice_noise,
    mix,
    palette,
    ramp,
    relief,
    sampled,
    smoothstep,
    unit_grid,
)

_PLAN = 320  # side of the grid that the composition is computed on, whatever the size of the picture
_SKY = palette("5a68b0", "7f7fc4", "b08cc0", "d999ae", "eeb08a", "f6cf80", "fbe9b0")
_SEA = palette("f0bc96", "cf97b4", "8f8cc8", "5f86c0", "4a9fb0", "2f6ea6")
_HILLS = palette("6f68b0", "4f549c", "8a76b4", "4f74a0")
_MEADOW = palette("33497c", "2f6a72", "3f7a5c", "6f9f52", "a8ad55", "dcc766")
_FLOWERS = palette("d9506f", "f0c04a", "f6e6d8", "a04fa0", "e0743a")
_TREE = palette("2f6f62", "3f4f8f", "58935a", "6a4a86")
_SUN = (0.62, 0.40)


@dataclass(frozen=True, kw_only=True)
class _View:
    """On a grid of _PLAN by _PLAN: colour, direction (radians) of the dabs and how long they are for their width."""

    colour: Field
    angle: Field
    stretch: Field


def pointillism(size: int) -> Picture:
    """The painting, (size, size, 3)."""
    rng = np.random.default_rng(1886)
    pixels = size * 2
    view = _seen(rng)
    canvas = Image.new("RGB", (pixels, pixels), (238, 222, 200))
    height = Image.new("L", (pixels, pixels), 60)
    for radius, spacing, shift in ((0.0085, 0.0125, 0.7), (0.0062, 0.0105, 1.0), (0.0042, 0.0135, 1.4)):
        _dab(rng, view, (canvas, height), (radius, spacing, shift))
    surface = ndimage.gaussian_filter(np.asarray(height, dtype=np.float64), pixels / 1100)
    weave = cloud_noise(rng, pixels, 150, 2)
    light = relief(surface / 255 * 12 * pixels / 1280 + 0.35 * weave, 0.7)
    return finished(np.asarray(canvas, dtype=np.float64) * (1 + 0.30 * light[..., None]), size)


def _seen(rng: np.random.Generator) -> _View:
    """Sky in arcs around the sun, hills, the bay with the sun's path on it, a meadow and two pines."""
    x, y = unit_grid(_PLAN)
    away = np.hypot(x - _SUN[0], y - _SUN[1])
    bands = away + 0.05 * cloud_noise(rng, _PLAN, 3, 3)
    colour = ramp(_SKY, np.clip(1.02 - 1.45 * bands + 0.06 * np.sin(bands * 60), 0, 1))
    colour = mix(colour, np.broadcast_to(palette("fffbe0")[0], colour.shape), smoothstep(0.066, 0.056, away))
    angle = np.arctan2(y - _SUN[1], x - _SUN[0]) + np.pi / 2
    stretch = np.full_like(x, 1.5)
    ridge = 0.445 - 0.075 * np.exp(-(((x - 0.17) / 0.16) ** 2)) - 0.05 * np.exp(-(((x - 0.96) / 0.13) ** 2))
    ridge += 0.012 * cloud_noise(rng, _PLAN, 6, 2)
    hills = (y > ridge) & (y < 0.475)
    sea = (y >= 0.475) & (y < 0.80)
    shore = 0.775 + 0.05 * np.sin(x * 4.2 + 2.4) + 0.01 * np.sin(x * 19)
    land = y > shore
    ripples = np.clip((y - 0.475) / 0.32 + 0.16 * np.sin(y * 190 + 6 * lattice_noise(rng, _PLAN, 7, 30)), 0, 1)
    path = smoothstep(0.5, 1.0, np.exp(-(((x - _SUN[0]) / (0.03 + 0.22 * (y - 0.45))) ** 2)) + 0.3 * np.sin(y * 230))
    water = mix(ramp(_SEA, ripples), np.broadcast_to(palette("ffe9a0")[0], colour.shape), path)
    # Blue shadow towards the viewer, sunlit grass at the shore.
    grass = ramp(_MEADOW, np.clip(0.62 - 1.6 * (y - 0.86) + 0.5 * cloud_noise(rng, _PLAN, 9, 2), 0, 1))
    layers = ((hills, ramp(_HILLS, np.clip((y - ridge) * 9 + 0.3 * np.sin(x * 40), 0, 1))), (sea & ~land, water))
    for area, paint in (*layers, (land, grass)):
        colour = np.where(area[..., None], paint, colour)
    angle = np.where(hills, 0.5 * np.sin(x * 20), np.where(sea, 0.0, np.where(land, np.pi / 2 + 0.4 * np.sin(x * 12), angle)))
    return _with_pines(rng, _View(colour=colour, angle=angle, stretch=np.where(sea, 2.1, stretch)))


def _with_pines(rng: np.random.Generator, view: _View) -> _View:
    """Two umbrella pines in front, and flowers in the meadow."""
    x, y = unit_grid(_PLAN)
    rough = cloud_noise(rng, _PLAN, 14, 2)
    crown = np.full_like(x, np.inf)
    for cx, cy, wide, high in ((0.13, 0.25, 0.17, 0.085), (0.27, 0.33, 0.11, 0.055), (0.03, 0.35, 0.10, 0.06)):
        crown = np.minimum(crown, np.hypot((x - cx) / wide, (y - cy) / high))
    lean = 0.14 + 0.05 * np.sin((y - 0.25) * 5)
    trunk = (np.abs(x - lean) < 0.011 + 0.012 * np.clip(y - 0.5, 0, 1)) & (y > 0.27) & (y < 0.87)
    branch = (np.abs(y - (0.52 - 1.15 * (x - 0.155))) < 0.012) & (x > 0.15) & (x < 0.27)
    tree = (crown + 0.22 * rough < 1) | trunk | branch
    leaves = ramp(_TREE, np.clip(0.5 + 0.7 * rough + 2.2 * (y - 0.3), 0, 1))
    bark = ramp(palette("5a3f8a", "8a4a6a", "c8705a"), np.clip(0.5 + rough, 0, 1))
    colour = np.where(tree[..., None], np.where((trunk | branch)[..., None], bark, leaves), view.colour)
    bloom = (y > 0.82) & (lattice_noise(rng, _PLAN, 56, 56) > 0.52)
    kind = np.clip((lattice_noise(rng, _PLAN, 12, 12) + 1) / 2 * len(_FLOWERS), 0, len(_FLOWERS) - 1).astype(int)
    colour = np.where(bloom[..., None], _FLOWERS[kind], colour)
    return _View(colour=colour, angle=np.where(tree, 0.6 * rough, view.angle), stretch=view.stretch)


def _dab(rng: np.random.Generator, view: _View, canvases: tuple[Image.Image, Image.Image], brush: tuple[float, float, float]) -> None:
    """One pass of points on a jittered grid; `brush` is radius and spacing in picture units, and the strength of the shifts."""
    radius, spacing, shift = brush
    across = int(1.04 / spacing)
    at = np.stack(np.meshgrid(np.arange(across), np.arange(across)), axis=-1).reshape(-1, 2) * spacing - 0.02
    at = at + rng.uniform(-0.55, 0.55, at.shape) * spacing
    rng.shuffle(at)
    x, y = at.T
    colours = _divided(rng, np.stack([sampled(view.colour[..., c], x, y) for c in range(3)], axis=-1), shift)
    angle = sampled(view.angle, x, y) + rng.normal(0, 0.16, len(at))
    long = radius * sampled(view.stretch, x, y) * rng.uniform(0.75, 1.2, len(at))
    short = radius * rng.uniform(0.75, 1.1, len(at))
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    # Exponent under 1: a dab of a flat brush, squarer than an ellipse.
    u = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.75 * long[:, None]
    v = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.75 * short[:, None]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    outlines = np.stack([x[:, None] + u * cos - v * sin, y[:, None] + u * sin + v * cos], axis=-1) * canvases[0].width
    thick = rng.uniform(110, 235, len(at)).astype(int)
    paint, body = (ImageDraw.Draw(canvas) for canvas in canvases)
    for outline, colour, high in zip(outlines.reshape(len(at), -1).tolist(), colours.tolist(), thick, strict=True):
        paint.polygon(outline, fill=tuple(colour))
        body.polygon(outline, fill=int(high))


def _divided(rng: np.random.Generator, colour: Field, shift: float) -> Field:
    """Pure colours in the place of mixed ones: (count, 3) integers."""
    count = len(colour)
    grey = colour.mean(axis=1, keepdims=True)
    pure = grey + (colour - grey) * rng.uniform(1.0, 1.0 + 0.22 * shift, (count, 1))
    neighbour = rng.normal(0, 17 * shift, (count, 3))
    neighbour -= neighbour.mean(axis=1, keepdims=True)
    complement = grey - (colour - grey) * 0.75
    contrast = (rng.random((count, 1)) < 0.11 * shift) * rng.uniform(0.35, 0.9, (count, 1))
    divided = (pure + neighbour) * (1 - contrast) + complement * contrast
    return np.asarray(np.clip(divided * rng.normal(1.0, 0.05 * shift, (count, 1)), 0, 255).astype(int))

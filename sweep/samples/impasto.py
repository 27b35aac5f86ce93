"""A night sky over wheat in thick oil paint: bristle strokes along the curl of a stream function.

Strokes are laid large to small, as in Hertzmann, "Painterly rendering with curved brush strokes of multiple sizes"
(SIGGRAPH 1998), section 2; there is no photograph under them, colour and direction come from formulas. Each stroke is a bundle of
bristles that draw colour and paint height at once; light from the upper left on that height makes the relief.
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

_PLAN = 384  # side of the grid that the composition is computed on, whatever the size of the picture
_SKY = palette("0b1440", "14246b", "1c3f94", "2f63b5", "3a86b8", "6fb0c4", "a9d3c9", "4d5aa8", "1a2f7d")
_STAR = palette("fff6c8", "ffe066", "f7bd2a", "e39a1c", "9fc08a", "5fa3b0", "2f63b5")
_HILLS = palette("0e2b33", "14453f", "1f5f52", "3f7f5a", "24506e", "17345f")
_WHEAT = palette("7a4a12", "b4741a", "d99a24", "f2c340", "fbe07a", "c98a1e", "5d6b22")
_STARS = (  # x, y, radius of the glow
    (0.79, 0.17, 0.150),
    (0.16, 0.20, 0.095),
    (0.44, 0.09, 0.062),
    (0.52, 0.47, 0.070),
    (0.09, 0.50, 0.060),
    (0.93, 0.48, 0.065),
    (0.30, 0.40, 0.050),
)
_SWIRLS = ((0.37, 0.28, 0.13, 1.0), (0.63, 0.36, 0.10, -0.9), (0.22, 0.56, 0.08, -0.6), (0.80, 0.57, 0.08, 0.6))


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """One pass over the canvas; lengths in units of the picture."""

    width: float
    length: float
    spacing: float
    jitter: float


_LAYERS = (
    _Layer(width=0.034, length=0.170, spacing=0.034, jitter=0.10),
    _Layer(width=0.020, length=0.120, spacing=0.021, jitter=0.16),
    _Layer(width=0.0125, length=0.075, spacing=0.0155, jitter=0.20),
)


@dataclass(frozen=True, kw_only=True)
class _Composition:
    """What to paint where: direction (dx, dy) of the strokes and colour, on a grid of _PLAN by _PLAN."""

    dx: Field
    dy: Field
    colour: Field
    second: Field


def impasto(size: int) -> Picture:
    """The painting, (size, size, 3)."""
    rng = np.random.default_rng(1889)
    pixels = size * 2
    plan = _composed(rng)
    canvas = Image.new("RGB", (pixels, pixels), (20, 30, 80))
    height = Image.new("L", (pixels, pixels), 90)
    for layer in _LAYERS:
        _lay_strokes(rng, plan, layer, (canvas, height))
    paint = np.asarray(canvas, dtype=np.float64)
    surface = ndimage.gaussian_filter(np.asarray(height, dtype=np.float64), pixels / 1600)
    light = relief(surface, 28.0 / 255 * pixels / 1280)
    lit = paint * (1 + 0.30 * light[..., None]) + 26 * np.clip(light, 0, 1)[..., None] ** 2
    return finished(lit, size)


def _composed(rng: np.random.Generator) -> _Composition:
    x, y = unit_grid(_PLAN)
    stream = 0.55 * y + 0.055 * cloud_noise(rng, _PLAN, 2.6, 3)
    for cx, cy, radius, turn in _SWIRLS:
        stream += turn * 0.16 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))
    colour = ramp(_SKY, 0.5 + 0.5 * np.sin(stream * 34 + 1.3 * cloud_noise(rng, _PLAN, 4, 3)))
    second = ramp(_SKY, np.clip(0.5 + 0.6 * lattice_noise(rng, _PLAN, 9, 9), 0, 1))
    for cx, cy, radius in _STARS:
        distance = np.hypot(x - cx, y - cy) / radius
        stream += 0.22 * np.exp(-(distance**2) / 1.6) * (radius / 0.08) ** 0.5
        rings = np.clip(distance / 1.55 + 0.07 * np.sin(distance * 13), 0, 1)
        glow = smoothstep(1.7, 0.95, distance)
        colour = mix(colour, ramp(_STAR, rings), glow)
        second = mix(second, ramp(_STAR, np.clip(rings - 0.18, 0, 1)), glow)
    down, right = (np.asarray(np.gradient(stream, axis=axis), dtype=np.float64) for axis in (0, 1))
    return _with_land(rng, _Composition(dx=down, dy=-right, colour=colour, second=second))


def _with_land(rng: np.random.Generator, sky: _Composition) -> _Composition:
    """Hills and a wheat field below the sky, with strokes of their own directions."""
    x, y = unit_grid(_PLAN)
    ridge = 0.665 + 0.045 * np.sin(x * 7.5 + 0.6) + 0.025 * np.sin(x * 17 + 2)
    field = 0.775 + 0.030 * np.sin(x * 5 + 3.6) + 0.012 * np.sin(x * 13)
    hills, wheat = smoothstep(-0.006, 0.006, y - ridge), smoothstep(-0.006, 0.006, y - field)
    depth = np.clip((y - ridge) / 0.14, 0, 1)
    rolling = 0.5 + 0.5 * np.sin(depth * 11 + 4 * x + 1.5 * cloud_noise(rng, _PLAN, 5, 2))
    gusts = cloud_noise(rng, _PLAN, 4, 3)
    grain = np.clip(0.5 + 0.45 * np.sin(22 * (y - field) / 0.25 + 5 * gusts + 9 * x) + 0.2 * gusts, 0, 1)
    slope = np.gradient(ridge, 1 / _PLAN, axis=1)
    lean = 0.55 + 0.5 * gusts
    colour = mix(mix(sky.colour, ramp(_HILLS, rolling), hills), ramp(_WHEAT, grain), wheat)
    second = mix(mix(sky.second, ramp(_HILLS, 1 - rolling), hills), ramp(_WHEAT, 1 - grain), wheat)
    poppies = smoothstep(0.62, 0.75, lattice_noise(rng, _PLAN, 26, 26)) * smoothstep(0.02, 0.05, y - field)
    colour = mix(colour, np.broadcast_to(palette("c8321e")[0], colour.shape), poppies * 0.9)
    length = np.hypot(sky.dx, sky.dy) + 1e-9
    dx = np.where(wheat > 0.5, lean, np.where(hills > 0.5, 1.0, sky.dx / length))
    dy = np.where(wheat > 0.5, -1.0, np.where(hills > 0.5, slope * (1 - depth), sky.dy / length))
    smooth = _PLAN / 160
    return _Composition(
        dx=np.asarray(ndimage.gaussian_filter(dx, smooth)),
        dy=np.asarray(ndimage.gaussian_filter(dy, smooth)),
        colour=colour,
        second=second,
    )


def _lay_strokes(rng: np.random.Generator, plan: _Composition, layer: _Layer, canvases: tuple[Image.Image, Image.Image]) -> None:
    """Cover the canvas once with strokes of one size, in random order, into (colour, height)."""
    across = int(1.08 / layer.spacing)
    start = (np.stack(np.meshgrid(np.arange(across), np.arange(across)), axis=-1).reshape(-1, 2) + 0.5) * layer.spacing
    start = start - 0.04 + rng.uniform(-0.6, 0.6, start.shape) * layer.spacing
    rng.shuffle(start)
    starts: Field = np.vstack([start, _hearts(rng, layer)]).astype(np.float64)
    lengths = layer.length * rng.uniform(0.55, 1.15, len(starts))
    spines, normals = _traced(plan, starts, lengths)
    middle = spines[:, spines.shape[1] // 2]
    colours = _picked(rng, plan, middle, layer.jitter)
    seconds = np.stack([sampled(plan.second[..., c], middle[:, 0], middle[:, 1]) for c in range(3)], axis=-1)
    pixels = canvases[0].width
    bristles = max(4, round(layer.width * pixels / 2.6))
    brushes = (ImageDraw.Draw(canvases[0]), ImageDraw.Draw(canvases[1]))
    for spine, normal, colour, second in zip(spines, normals, colours, seconds, strict=True):
        half = layer.width * rng.uniform(0.38, 0.56)
        _stroke(rng, brushes, (spine * pixels, normal * half * pixels), (colour, second), bristles)


def _hearts(rng: np.random.Generator, layer: _Layer) -> Field:
    """Starts of a few last dabs on each star: strokes circle a star and would leave its middle bare."""
    centres = np.array([(x, y) for x, y, _ in _STARS])
    return np.repeat(centres, 6, axis=0) + rng.normal(0, 0.35, (len(centres) * 6, 2)) * layer.width


def _traced(plan: _Composition, start: Field, lengths: Field, steps: int = 12) -> tuple[Field, Field]:
    """Follow the directions from every start at once: spines and unit normals, each (strokes, steps, 2)."""
    at = start.copy()
    spines, tangents = [], []
    for _ in range(steps):
        # The midpoint rule: plain Euler steps would spiral out of the stars.
        half = at + _way(plan, at) * lengths[:, None] / steps / 2
        way = _way(plan, half)
        spines.append(at)
        tangents.append(way)
        at = at + way * lengths[:, None] / steps
    tangent = np.stack(tangents, axis=1)
    return np.stack(spines, axis=1), np.stack([-tangent[..., 1], tangent[..., 0]], axis=-1)


def _way(plan: _Composition, at: Field) -> Field:
    """Unit directions at points (count, 2)."""
    way = np.stack([sampled(plan.dx, at[:, 0], at[:, 1]), sampled(plan.dy, at[:, 0], at[:, 1])], axis=-1)
    return np.asarray(way / (np.hypot(way[:, :1], way[:, 1:]) + 1e-9))


def _picked(rng: np.random.Generator, plan: _Composition, at: Field, jitter: float) -> Field:
    """The colour to load each brush with: the plan's, lighter or darker, warmer or cooler."""
    colour = np.stack([sampled(plan.colour[..., c], at[:, 0], at[:, 1]) for c in range(3)], axis=-1)
    value = 1 + jitter * rng.normal(0, 1, (len(at), 1))
    warmth = rng.normal(0, 60 * jitter, (len(at), 1)) * np.array([[1.0, 0.25, -0.9]])
    return np.asarray(np.clip(colour * value + warmth, 0, 255))


def _stroke(
    rng: np.random.Generator,
    brushes: tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw],
    path: tuple[Field, Field],
    colours: tuple[Field, Field],
    bristles: int,
) -> None:
    """One brush stroke as parallel bristles: spine and half-width normals (steps, 2) in pixels."""
    spine, normal = path
    steps = len(spine)
    offsets = np.linspace(-1, 1, bristles)
    streak = np.convolve(rng.normal(0, 1, bristles + 2), [0.3, 0.4, 0.3], mode="valid")
    load = rng.uniform(0, 0.45)
    # Paint is pushed to the sides of a stroke: high at the edges, furrowed between them.
    ridge = 105 + 60 * np.abs(offsets) ** 3 + 26 * streak + rng.uniform(-25, 25)
    shade = 1 + 0.085 * streak[:, None]
    tint = np.clip(load + 0.30 * streak, 0, 0.85)[:, None]
    colour = np.clip((colours[0] * (1 - tint) + colours[1] * tint) * shade, 0, 255).astype(int)
    reach = np.sqrt(np.clip(1 - 0.75 * offsets**2, 0, 1))
    width = max(2, round(2.2 * np.hypot(*normal[0]) / bristles) + 1)
    # Middle bristles last, so that the tapered edges lie under them.
    for k in np.argsort(-np.abs(offsets), kind="stable"):
        first = round((1 - reach[k]) * 0.22 * steps + rng.uniform(0, 1.2))
        last = steps - round((1 - reach[k]) * 0.3 * steps + rng.uniform(0, 2.4))
        points = (spine[first:last] + offsets[k] * normal[first:last]).ravel().tolist()
        if len(points) >= 4:
            brushes[0].line(points, fill=tuple(colour[k]), width=width, joint="curve")
            brushes[1].line(points, fill=int(np.clip(ridge[k], 0, 255)), width=width)

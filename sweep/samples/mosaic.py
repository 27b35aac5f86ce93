"""A ceramic mosaic: square tesserae that follow rosettes and waves, in rough grout.

The tesserae are placed as in Hausner, "Simulating decorative mosaics" (SIGGRAPH 2001): centroidal Voronoi cells under a
square metric that turns with a direction field. Departure: the metric is the maximum norm, not the Manhattan one, so
that the cells' sides, not their corners, lie along the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import cKDTree

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

_PLAN = 320  # side of the grid that the tesserae are placed on, whatever the size of the picture
_COUNT = 3700
_ROSETTES = (  # x, y, radius, petals, palette
    (0.36, 0.37, 0.290, 12, 0),
    (0.83, 0.73, 0.205, 10, 1),
    (0.86, 0.17, 0.130, 8, 2),
    (0.13, 0.87, 0.165, 9, 2),
    (0.50, 0.93, 0.090, 6, 0),
)
_PETALS = (
    palette("fff3d6", "f2c14e", "e8912d", "cf5a2a", "a8321f", "f6d9a0"),
    palette("fdf6e3", "f4a9a0", "d9605a", "9c2f3f", "f0c27a", "fbe9c8"),
    palette("fbf3df", "f3cf63", "b8c25a", "4f8f5a", "f4e3b4", "e9a03b"),
)
_WATER = palette("0d4f5c", "14777f", "2a9d98", "66c2b0", "b5e0cf", "3fa9a5", "176b78")
_GOLD = palette("d9a62e", "f3d26b", "b57d17")
_GROUT = palette("8d8272")[0]


@dataclass(frozen=True, kw_only=True)
class _Design:
    """On a grid of _PLAN by _PLAN: the level function whose curves the rows follow, and the colour."""

    level: Field
    colour: Field


@dataclass(frozen=True, kw_only=True)
class _Tesserae:
    """Centres (count, 2), angles (count,) in radians and half sides (count,) in units of the picture."""

    centres: Field
    angles: Field
    halves: Field


def mosaic(size: int) -> Picture:
    """The mosaic, (size, size, 3)."""
    rng = np.random.default_rng(547)
    pixels = size * 2
    design = _designed(rng)
    tesserae = _placed(rng, design)
    return finished(_set(rng, tesserae, _fired(rng, design, tesserae), pixels), size)


def _designed(rng: np.random.Generator) -> _Design:
    """Rosettes of petals in water that rings around them."""
    x, y = unit_grid(_PLAN)
    waver = 0.010 * cloud_noise(rng, _PLAN, 4, 2)
    distances = np.stack([np.hypot(x - cx, y - cy) - radius for cx, cy, radius, _, _ in _ROSETTES])
    # A smooth minimum: rings around neighbours melt into one another instead of meeting in a crease.
    level = -np.log(np.exp(-distances * 22).sum(axis=0)) / 22 + waver
    ripple = 0.5 + 0.5 * np.sin(level * 62 + 1.6 * cloud_noise(rng, _PLAN, 3, 2))
    colour = ramp(_WATER, ripple)
    gold = smoothstep(0.010, 0.006, np.abs((level - 0.026) % 0.098 - 0.012))
    colour = mix(colour, ramp(_GOLD, np.clip(0.5 + lattice_noise(rng, _PLAN, 40, 40), 0, 1)), gold * (level > 0))
    for (cx, cy, radius, petals, kind), distance in zip(_ROSETTES, distances, strict=True):
        inside = distance < 0
        angle = np.arctan2(y - cy, x - cx)
        r = (distance + radius) / radius
        petal = np.abs(np.sin(angle * petals / 2 + (r > 0.56) * np.pi / 2))
        leaf = r / 0.56 % 1 + 0.45 * (1 - petal) * (r > 0.2)
        colour = np.where(inside[..., None], ramp(_PETALS[kind], np.clip(1 - leaf, 0, 1)), colour)
        rim = np.where(r > 0.93, 1.0, 0.0) * inside
        colour = mix(colour, np.broadcast_to(palette("17324d")[0], colour.shape), rim)
        level = np.where(inside, distance, level)
    return _Design(level=level, colour=colour)


def _placed(rng: np.random.Generator, design: _Design, rounds: int = 18) -> _Tesserae:
    """Centroidal Voronoi cells of turned squares: assign pixels to the nearest of a few sites, move each site to its middle."""
    x, y = unit_grid(_PLAN)
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    down, right = np.gradient(ndimage.gaussian_filter(design.level, 1.5))
    sites = points[rng.choice(len(points), _COUNT, replace=False)]
    for _ in range(rounds):
        angle = _angles(down, right, sites)
        owner = _nearest(sites, angle, points)
        weight = np.maximum(np.bincount(owner, minlength=_COUNT), 1)
        sums = [np.bincount(owner, weights=points[:, k], minlength=_COUNT) for k in range(2)]
        empty = np.bincount(owner, minlength=_COUNT) == 0
        sites = np.where(empty[:, None], sites, np.stack(sums, axis=-1) / weight[:, None])
    halves = 0.5 * np.sqrt(np.clip(weight / len(points), 0.3 / _COUNT, 1.7 / _COUNT))
    return _Tesserae(centres=sites, angles=_angles(down, right, sites), halves=halves)


def _angles(down: Field, right: Field, sites: Field) -> Field:
    return np.arctan2(sampled(down, sites[:, 0], sites[:, 1]), sampled(right, sites[:, 0], sites[:, 1]))


def _nearest(sites: Field, angle: Field, points: Field, among: int = 7) -> NDArray[np.intp]:
    """The site whose turned square reaches each point first, of the `among` nearest by plain distance."""
    _, near = cKDTree(sites).query(points, k=among)
    best = np.full(len(points), np.inf)
    owner: NDArray[np.intp] = near[:, 0].astype(np.intp)
    cos, sin = np.cos(angle), np.sin(angle)
    for k in range(among):
        site = near[:, k]
        dx, dy = (points - sites[site]).T
        reach = np.maximum(np.abs(dx * cos[site] + dy * sin[site]), np.abs(dy * cos[site] - dx * sin[site]))
        closer = reach < best
        best = np.where(closer, reach, best)
        owner = np.where(closer, site, owner).astype(np.intp)
    return owner


def _fired(rng: np.random.Generator, design: _Design, tesserae: _Tesserae) -> Field:
    """The glaze of each tessera (count, 3): the design's colour, as uneven as a kiln leaves it."""
    x, y = tesserae.centres.T
    colour = np.stack([sampled(design.colour[..., channel], x, y) for channel in range(3)], axis=-1)
    value = rng.normal(1, 0.08, (len(x), 1))
    warmth = rng.normal(0, 9, (len(x), 1)) * np.array([[1.0, 0.2, -1.0]])
    return np.asarray(np.clip(colour * value + warmth, 0, 255))


def _corners(rng: np.random.Generator, tesserae: _Tesserae, scale: float) -> Field:
    """The four corners of every tessera, nipped unevenly: (count, 4, 2)."""
    count = len(tesserae.angles)
    corner = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=np.float64)
    shape = corner[None] * rng.uniform(0.93, 1.07, (count, 1, 2)) + rng.normal(0, 0.07, (count, 4, 2))
    shape *= tesserae.halves[:, None, None] * scale
    turn = tesserae.angles + rng.normal(0, 0.03, count)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    turned = np.stack([shape[..., 0] * cos - shape[..., 1] * sin, shape[..., 0] * sin + shape[..., 1] * cos], axis=-1)
    return np.asarray(tesserae.centres[:, None] + turned)


def _set(rng: np.random.Generator, tesserae: _Tesserae, glaze: Field, pixels: int) -> Field:
    """Press the tesserae into grout, each a little tilted, and light them from the upper left."""
    paint = Image.new("RGB", (pixels, pixels))
    mask = Image.new("L", (pixels, pixels))
    brushes = ImageDraw.Draw(paint), ImageDraw.Draw(mask)
    depth = rng.uniform(190, 255, len(glaze)).astype(int)
    for corners, colour, high in zip(_corners(rng, tesserae, 0.86) * pixels, glaze, depth, strict=True):
        outline = corners.ravel().tolist()
        brushes[0].polygon(outline, fill=tuple(colour.astype(int)))
        brushes[1].polygon(outline, fill=int(high))
    lifted = np.asarray(mask, dtype=np.float64)
    tiled = ndimage.gaussian_filter((lifted > 0).astype(np.float64), pixels / 2200)
    surface = ndimage.gaussian_filter(lifted, pixels / 620) / 255 * 9
    surface += 0.35 * cloud_noise(rng, pixels, 90, 3) + 0.5 * cloud_noise(rng, pixels, 22, 2)
    light = relief(surface * pixels / 1280, 1.0)
    sand = cloud_noise(rng, pixels, 160, 2)
    grout = _GROUT * (0.80 + 0.13 * sand[..., None])
    glazed = np.asarray(paint, dtype=np.float64) * (1 + 0.05 * cloud_noise(rng, pixels, 60, 2))[..., None]
    shine = np.clip(light - 0.35, 0, 1)[..., None] * 110 * tiled[..., None]
    shadow = ndimage.shift(tiled, (pixels / 420, pixels / 560), order=1) * (1 - tiled)
    lit = mix(grout * (1 - 0.45 * shadow[..., None]), glazed, tiled) * (1 + 0.34 * light[..., None])
    return np.asarray(lit + shine, dtype=np.float64)

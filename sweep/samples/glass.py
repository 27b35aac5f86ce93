"""A rose window: leaded glass as a Voronoi diagram, lit from behind.

The rose is set by hand on rings; the panes around it are relaxed to even sizes (Lloyd, "Least squares quantization in PCM",
IEEE Trans. Inf. Theory 28, 1982). Distances to the leads are exact (distance to the bisector of the two nearest sites).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
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
    relief,
    smoothstep,
    unit_grid,
)

_CENTRE = (0.5, 0.46)
_RINGS = (  # radius, panes, turn in panes, colours in turn
    (0.000, 1, 0.0, ("ffd65a",)),
    (0.058, 8, 0.0, ("f39a1d", "ffc23d")),
    (0.112, 16, 0.5, ("c3142d", "8e0f3a")),
    (0.165, 16, 0.5, ("e23b2e", "f0b429")),
    (0.222, 32, 0.5, ("1c3fae", "2f6fd6", "16307f")),
    (0.268, 32, 0.5, ("16307f", "1c3fae", "4a1f8f")),
    (0.318, 32, 0.5, ("0f8a63", "f2b632", "13a08a", "0c6b58")),
)
_GROUND = palette("123a9c", "1b57c4", "0d2a73", "2b7fc9", "5a2a9c", "3a1877", "0f6f8f", "1b9aa6")
_ACCENT = palette("d3212f", "f4a422", "17a06a", "e8588a", "ffd45e")
_CORNERS = ((0.09, 0.09), (0.91, 0.09), (0.09, 0.91), (0.91, 0.91))
_LEAD = 0.0042  # half the width of a lead, in units of the picture


@dataclass(frozen=True, kw_only=True)
class _Panes:
    """Where the panes sit and what glass is in them."""

    sites: Field
    colours: Field


@dataclass(frozen=True, kw_only=True)
class _Leading:
    """Per pixel: which pane, how far the nearest lead is, and how far the nearest joint of three panes."""

    pane: NDArray[np.intp]
    edge: Field
    joint: Field


def stained_glass(size: int) -> Picture:
    """The window, (size, size, 3)."""
    rng = np.random.default_rng(1145)
    pixels = size * 2
    panes = _designed(rng)
    leading = _measured(rng, panes.sites, pixels)
    light = _glass(rng, panes, leading)
    return finished(_leaded(rng, light, leading), size)


def _designed(rng: np.random.Generator) -> _Panes:
    """The rose, four corner roses, and relaxed panes between them."""
    sites, colours = [], []
    for radius, count, turn, names in _RINGS:
        sites.append(_ring(_CENTRE, radius, count, turn))
        colours.append(palette(*(names[k % len(names)] for k in range(count))))
    for corner in _CORNERS:
        sites += [np.array([corner]), _ring(corner, 0.042, 6, 0.0), _ring(corner, 0.083, 12, 0.5)]
        petals = ("e8588a", "b81f5c") if corner[1] < 0.5 else ("17a06a", "7cc242")
        colours += [palette("ffd45e"), palette(*petals * 3), palette(*("6a2fb0", "3a1877") * 6)]
    rose = np.vstack(sites)
    ground = _relaxed(rng, rose, 150)
    glass = np.vstack([*colours, _ground_colours(rng, ground)])
    return _Panes(sites=np.vstack([rose, ground]), colours=glass)


def _ring(centre: tuple[float, float], radius: float, count: int, turn: float) -> Field:
    angle = (np.arange(count) + turn) / count * 2 * np.pi - np.pi / 2
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=-1)


def _ground_colours(rng: np.random.Generator, ground: Field) -> Field:
    """Blues that turn with the angle around the rose, and one pane in six a jewel."""
    angle = np.arctan2(ground[:, 1] - _CENTRE[1], ground[:, 0] - _CENTRE[0])
    wheel = (angle / (2 * np.pi) * 3 % 1) * len(_GROUND) + rng.normal(0, 0.9, len(ground))
    colours = _GROUND[np.rint(wheel).astype(int) % len(_GROUND)]
    jewels = rng.random(len(ground)) < 0.17
    colours[jewels] = _ACCENT[rng.integers(0, len(_ACCENT), int(jewels.sum()))]
    return np.asarray(np.clip(colours * rng.uniform(0.82, 1.2, (len(ground), 1)), 0, 255))


def _relaxed(rng: np.random.Generator, fixed: Field, count: int, rounds: int = 14) -> Field:
    """`count` sites outside the roses moved to the middles of their cells, while the `fixed` ones stay."""
    x, y = unit_grid(160)
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    free = np.hypot(points[:, 0] - _CENTRE[0], points[:, 1] - _CENTRE[1]) > 0.345
    for corner in _CORNERS:
        free &= np.hypot(points[:, 0] - corner[0], points[:, 1] - corner[1]) > 0.105
    sites: Field = points[rng.choice(np.flatnonzero(free), count, replace=False)]
    for _ in range(rounds):
        _, owner = cKDTree(np.vstack([sites, fixed])).query(points)
        weight = np.bincount(owner, minlength=count + len(fixed))[:count]
        for axis in range(2):
            moment = np.bincount(owner, weights=points[:, axis], minlength=count + len(fixed))[:count]
            sites[:, axis] = np.where(weight > 0, moment / np.maximum(weight, 1), sites[:, axis])
    return sites


def _measured(rng: np.random.Generator, sites: Field, pixels: int) -> _Leading:
    """The three nearest sites of every pixel, and from them the distances to leads and joints."""
    x, y = unit_grid(pixels)
    # Hand-cut glass: the bisectors waver a little.
    waver_x, waver_y = lattice_noise(rng, pixels, 18, 18), lattice_noise(rng, pixels, 18, 18)
    points = np.stack([(x + 0.0035 * waver_x).ravel(), (y + 0.0035 * waver_y).ravel()], axis=-1)
    distance, owner = cKDTree(sites).query(points, k=3)
    edges = []
    for k in (1, 2):
        apart = np.hypot(*(sites[owner[:, k]] - sites[owner[:, 0]]).T)
        edges.append(((distance[:, k] ** 2 - distance[:, 0] ** 2) / (2 * apart)).reshape(pixels, pixels))
    edge = np.minimum(edges[0], edges[1])
    return _Leading(pane=owner[:, 0].reshape(pixels, pixels), edge=edge, joint=np.hypot(edge, np.maximum(edges[0], edges[1])))


def _glass(rng: np.random.Generator, panes: _Panes, leading: _Leading) -> Field:
    """Light through the panes: each its own gradient and streaks, all of it hammered and seeded with bubbles."""
    pixels = len(leading.pane)
    x, y = unit_grid(pixels)
    count = len(panes.sites)
    angle = rng.uniform(0, 2 * np.pi, count)
    pane, across, along = leading.pane, np.cos(angle)[leading.pane], np.sin(angle)[leading.pane]
    dx, dy = x - panes.sites[pane, 0], y - panes.sites[pane, 1]
    u, v = dx * across + dy * along, dy * across - dx * along
    texture = cloud_noise(rng, 512, 28, 3)
    shift = rng.uniform(0, 512, (2, count))
    at = [(u * 1400 + shift[0][pane]) % 511, (v * 170 + shift[1][pane]) % 511]
    streaks = ndimage.map_coordinates(texture, at, order=1, mode="wrap")
    brightness = 1.02 + np.clip(u * 5.5, -0.34, 0.34) + 0.17 * streaks
    brightness *= 0.62 + 0.38 * smoothstep(_LEAD * 0.6, _LEAD * 3.6, leading.edge)
    hammered = cloud_noise(rng, pixels, 60, 3) + 0.8 * cloud_noise(rng, pixels, 14, 2)
    glint = relief(hammered, 4.0 * pixels / 1280)
    bubbles = smoothstep(0.86, 0.97, lattice_noise(rng, pixels, 150, 150))
    base = panes.colours[pane]
    hue = np.stack([streaks, 0.4 * streaks, -streaks], axis=-1) * 14
    light = (base + hue) * brightness[..., None] * (1 + 0.20 * glint[..., None])
    shine = np.clip(glint, 0, 1) ** 3 * 95 + bubbles * 55
    return np.asarray(mix(light, np.full_like(light, 255), np.clip(shine / 255, 0, 1)), dtype=np.float64)


def _leaded(rng: np.random.Generator, light: Field, leading: _Leading) -> Field:
    """Round lead cames over the glass, soldered at the joints, with the glow of the glass around them."""
    pixels = len(light)
    half = _LEAD * (1 + 0.12 * lattice_noise(rng, pixels, 40, 40))
    half = half * (1 + 0.45 * smoothstep(_LEAD * 2.6, _LEAD * 0.9, leading.joint))
    profile = np.sqrt(np.clip(1 - (leading.edge / half) ** 2, 0, 1)) * _LEAD * pixels
    worn = cloud_noise(rng, pixels, 70, 2)
    metal = relief(profile + 0.5 * worn, 0.9)
    came = 40 + 30 * metal + 9 * worn + 170 * np.clip(metal - 0.25, 0, 1) ** 1.5
    lead = came[..., None] * np.array([0.92, 0.97, 1.06])
    pixel = 1.0 / pixels
    covered = np.clip((half - leading.edge) / pixel + 0.5, 0, 1)
    window = mix(np.clip(light, 0, 255), lead, covered)
    glow = ndimage.gaussian_filter(window, (pixels / 130, pixels / 130, 0))
    return np.asarray(window + 0.20 * glow - 6, dtype=np.float64)

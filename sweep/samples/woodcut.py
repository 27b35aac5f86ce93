"""A woodcut of a breaking wave: black key block with carved lines, two blues and a vermilion, on warm paper.

Every area is carved with gouge lines along the level curves of a height field: the distance to the area's own outline
(Euclidean distance transform). A line swells and tapers with the tone and with noise of its own, as a hand-held gouge does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from sweep.samples.brushwork import (
    Field,
    Picture,
    catmull_rom,
    cloud_noise,
    finished,
    lattice_noise,
    mix,
    palette,
    smoothstep,
    unit_grid,
)

_PAPER, _INK, _PRUSSIAN, _SKYBLUE, _VERMILION, _FOAM = palette("efdfbb", "1a1a20", "1d3f6e", "7fa5b4", "cf3f25", "f7efd9")
_SUN = (0.735, 0.235, 0.115)
_BIG_WAVE = (  # the outline from the left edge over the crest, into the hook and out along the trough
    (-0.20, 0.66), (-0.06, 0.56), (0.05, 0.45), (0.15, 0.315), (0.27, 0.215), (0.40, 0.185), (0.52, 0.225), (0.60, 0.31),
    (0.625, 0.405), (0.565, 0.365), (0.49, 0.345), (0.425, 0.385), (0.39, 0.47), (0.395, 0.58), (0.44, 0.68), (0.54, 0.755),
    (0.68, 0.775), (0.84, 0.735), (1.03, 0.655), (1.20, 0.60),
)  # fmt: skip
_FRONT_WAVE = (
    (-0.20, 0.86), (0.00, 0.835), (0.12, 0.80), (0.22, 0.815), (0.30, 0.88), (0.42, 0.925), (0.56, 0.915), (0.70, 0.875),
    (0.82, 0.85), (0.92, 0.88), (1.04, 0.93), (1.20, 0.93),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Block:
    """The sheet while it is printed: the colour so far and the random numbers."""

    colour: Field
    rng: np.random.Generator

    @property
    def pixels(self) -> int:
        return len(self.colour)


@dataclass(frozen=True, kw_only=True)
class _Carving:
    """How an area is cut: its colours in turn along the height field, stripe width and line spacing in picture units."""

    flats: tuple[Field, ...]
    stripe: float
    spacing: float
    tone: Field


def woodcut(size: int) -> Picture:
    """The print, (size, size, 3)."""
    pixels = size * 2
    block = _Block(colour=np.broadcast_to(_PAPER, (pixels, pixels, 3)).copy(), rng=np.random.default_rng(1831))
    block = _sky(block)
    for depth in range(4):
        block = _swell(block, depth)
    block = _wave(block, _BIG_WAVE, (3, 13))
    block = _wave(block, _FRONT_WAVE, (1, 11))
    return finished(_pressed(block), size)


def _gouged(rng: np.random.Generator, height: Field, spacing: float, tone: Field) -> Field:
    """Ink left between gouge lines, [0, 1]: lines along the level curves of `height`, as wide as the tone says (0-1)."""
    pixels = len(height)
    phase = height / spacing + 0.10 * lattice_noise(rng, pixels, 22, 22)
    line = np.floor(phase)
    x, y = unit_grid(pixels)
    # Noise of its own for every line, along the line: sampled far apart for neighbouring lines.
    strip = lattice_noise(rng, 512, 64, 64)
    at = [(line * 37.7 + 190 * y) % 511, (line * 91.3 + 190 * x) % 511]
    hand = ndimage.map_coordinates(strip, at, order=1, mode="wrap")
    width = np.clip(tone + 0.30 * hand, 0, 1.1)
    ridge = np.abs(phase - line - 0.5) * 2
    return smoothstep(0.10, -0.10, ridge - width)


def _filled(outline: Field, pixels: int) -> NDArray[np.bool_]:
    """The inside of a polygon in picture units."""
    area = Image.new("L", (pixels, pixels))
    ImageDraw.Draw(area).polygon((outline * pixels).ravel().tolist(), fill=255)
    return np.asarray(area) > 0


def _printed(block: _Block, area: NDArray[np.bool_], height: Field, carving: _Carving) -> _Block:
    """Lay the flats and the carved black over an area and outline it."""
    turn = np.floor(height / carving.stripe).astype(int) % len(carving.flats)
    # Colour blocks never sit quite where the key block does.
    turn = ndimage.shift(turn, (block.pixels * 0.0012, -block.pixels * 0.0016), order=0, mode="nearest")
    flat = np.stack(carving.flats)[turn]
    ink = _gouged(block.rng, height, carving.spacing, carving.tone)
    ink = np.maximum(ink, smoothstep(0.0042, 0.0026, height))
    drawn = mix(flat, np.broadcast_to(_INK, flat.shape), ink)
    return _Block(colour=np.where(area[..., None], drawn, block.colour), rng=block.rng)


def _sky(block: _Block) -> _Block:
    """Wind lines that part around a carved sun, darker towards the top."""
    x, y = unit_grid(block.pixels)
    cx, cy, radius = _SUN
    away = np.hypot(x - cx, y - cy)
    wind = y + 0.045 * cloud_noise(block.rng, block.pixels, 2.2, 3) + 0.10 * np.sign(y - cy) * np.exp(-((away / 0.2) ** 2))
    clouds = smoothstep(0.15, 0.55, cloud_noise(block.rng, block.pixels, 3, 2) + 0.4 * np.sin(wind * 24))
    tone = np.clip(0.72 - 1.05 * y - 0.35 * clouds + 0.1, 0.10, 0.62) * smoothstep(radius, radius * 1.6, away)
    wash = smoothstep(0.34, -0.02, y) * 0.9 + 0.45 * (1 - clouds) * smoothstep(0.6, 0.2, y)
    colour = mix(block.colour, np.broadcast_to(_SKYBLUE, block.colour.shape), np.clip(wash, 0, 0.95))
    colour = mix(colour, np.broadcast_to(_INK, colour.shape), _gouged(block.rng, wind, 0.0105, tone))
    rays = _gouged(block.rng, radius - away, 0.0115, np.clip(0.05 + 2.6 * (away - radius * 0.35), 0, 0.42))
    sun = mix(np.broadcast_to(_VERMILION, colour.shape), np.broadcast_to(_PAPER, colour.shape), rays)
    return _Block(colour=mix(colour, sun, smoothstep(radius + 0.001, radius - 0.001, away)), rng=block.rng)


def _swell(block: _Block, depth: int) -> _Block:
    """One row of the far sea: pointed waves, larger and darker the nearer they are."""
    x, y = unit_grid(block.pixels)
    near = depth / 3
    count = 7.5 - 1.3 * depth
    crest = 0.545 + 0.062 * depth - (0.016 + 0.012 * near) * (1 - 2 * np.abs(np.sin(np.pi * (count * x + 0.37 * depth))))
    crest = crest + 0.010 * np.sin(9 * x + 2 * depth)
    below = y - crest
    area = below > 0
    # A steep crest needs its true distance: the height difference, shortened by the slope.
    slope = np.gradient(crest, 1 / block.pixels, axis=1)
    height = below / np.sqrt(1 + np.minimum(slope * slope, 4))
    tone = np.clip(0.16 + 0.25 * near + 2.2 * below, 0, 0.62)
    flats = (_FOAM, _SKYBLUE, _PRUSSIAN, _SKYBLUE) if depth % 2 else (_FOAM, _PRUSSIAN, _SKYBLUE)
    return _printed(block, area, height, _Carving(flats=flats, stripe=0.019, spacing=0.0085 + 0.001 * near, tone=tone))


def _wave(block: _Block, crest: tuple[tuple[float, float], ...], foamy: tuple[int, int]) -> _Block:
    """A wave in front, with foam on its crest between two of its knots."""
    per_span = 24
    curve = catmull_rom(crest, per_span)
    area = _filled(np.vstack([curve, [[1.2, 1.3], [-0.2, 1.3]]]), block.pixels)
    # Beyond the sheet's edge the wave goes on, so only the crest counts as an outline.
    margin = block.pixels // 8
    height = ndimage.distance_transform_edt(np.pad(area, margin, mode="edge")) / block.pixels
    height = height[margin:-margin, margin:-margin]
    x, y = unit_grid(block.pixels)
    body = height + 0.006 * cloud_noise(block.rng, block.pixels, 5, 2)
    tone = np.clip(0.20 + 0.33 * np.sin(body / 0.047 * np.pi) + 0.25 * (x + y - 1), 0.02, 0.70)
    flats = (_PRUSSIAN, _FOAM, _PRUSSIAN, _SKYBLUE)
    block = _printed(block, area, np.where(area, np.maximum(body, height * 0.2), 0), _Carving(
        flats=flats, stripe=0.0235, spacing=0.0098, tone=tone))  # fmt: skip
    return _foam(block, curve[foamy[0] * per_span : foamy[1] * per_span])


def _foam(block: _Block, edge: Field) -> _Block:
    """Scallops along the crest, claws that reach forward from it, and spray thrown ahead."""
    rng, pixels = block.rng, block.pixels
    sheet = Image.new("L", (pixels, pixels))
    brush = ImageDraw.Draw(sheet)
    tangent = np.gradient(edge, axis=0)
    tangent /= np.hypot(tangent[:, :1], tangent[:, 1:])
    outward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=-1)
    place = 0
    while place < len(edge) - 1:
        at, out, on = edge[place], outward[place], tangent[place]
        radius = rng.uniform(0.009, 0.021)
        _disc(brush, at - out * radius * 0.35, radius * pixels, pixels)
        if rng.random() < 0.75:
            _claw(brush, (at, out, on), radius * rng.uniform(2.0, 3.4), pixels)
        stride = max(1, int(np.searchsorted(np.cumsum(np.hypot(*np.diff(edge[place:], axis=0).T)), radius * 1.15)))
        place += stride
    for _ in range(len(edge) // 2):
        k = rng.integers(0, len(edge))
        thrown = edge[k] + outward[k] * rng.exponential(0.045) + rng.normal(0, 0.012, 2)
        _disc(brush, thrown, rng.uniform(0.0018, 0.0046) * pixels, pixels)
    foam = np.asarray(sheet) > 0
    depth = ndimage.distance_transform_edt(foam) / pixels
    outside = ndimage.distance_transform_edt(~foam) / pixels
    rim = smoothstep(0.0030, 0.0018, outside) * ~foam
    ink = np.maximum(rim, _gouged(rng, depth, 0.0062, np.full_like(depth, 0.22)) * (depth > 0.0045))
    shaded = np.where((depth > 0.0105)[..., None], _SKYBLUE, _FOAM)
    white = mix(block.colour, shaded, foam.astype(np.float64))
    return _Block(colour=mix(white, np.broadcast_to(_INK, white.shape), ink), rng=rng)


def _disc(brush: ImageDraw.ImageDraw, at: Field, radius: float, pixels: int) -> None:
    x, y = at * pixels
    brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _claw(brush: ImageDraw.ImageDraw, frame: tuple[Field, Field, Field], length: float, pixels: int) -> None:
    """A hook of foam: a tapered stroke that leaves the crest outwards and bends along it."""
    at, out, on = frame
    for t in np.linspace(0, 1, 16):
        bend = t * t
        point = at + length * (out * (t - 0.35 * bend) + on * 0.75 * bend)
        _disc(brush, point, length * 0.24 * (1 - t) ** 0.8 * pixels + 0.5, pixels)


def _pressed(block: _Block) -> Field:
    """The pull: wood grain and salt in the ink, fibres in the paper."""
    rng, pixels = block.rng, block.pixels
    grain = lattice_noise(rng, pixels, 6, 230) + 0.6 * lattice_noise(rng, pixels, 14, 90)
    salt = smoothstep(0.74, 0.95, lattice_noise(rng, pixels, 260, 260))
    fibres = 0.6 * lattice_noise(rng, pixels, 120, 30) + 0.4 * lattice_noise(rng, pixels, 40, 150)
    darkness = 1 - block.colour.mean(axis=-1) / 255
    worn = np.clip(0.10 * np.clip(grain, 0, 1) + 0.34 * salt, 0, 1) * (0.25 + 0.75 * darkness)
    sheet = mix(block.colour, np.broadcast_to(_PAPER, block.colour.shape), worn)
    return np.asarray(sheet * (1 + 0.022 * fibres + 0.015 * grain)[..., None], dtype=np.float64)

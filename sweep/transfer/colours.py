"""Whose colours a picture has: the photograph's put back after, or a style recoloured before. numpy only."""

from typing import Final

import numpy as np

Array = np.ndarray

# Linear sRGB to CIE XYZ (IEC 61966-2-1), and the white that both share (D65).
_TO_XYZ: Final = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_FROM_XYZ: Final = np.linalg.inv(_TO_XYZ)
_WHITE: Final = _TO_XYZ.sum(axis=1)
_KNEE: Final = 6 / 29  # of the cube root in CIELAB
_HALVINGS: Final = 8  # of the chroma, until it fits: 1/256 of it


def with_colours_of(picture: Array, photograph: Array) -> Array:
    """The picture's lightness with the photograph's hue and chroma; all (H, W, 3) uint8 sRGB, of one shape.

    In CIELAB (D65) on linear light, as L* there is what the eye calls lightness; neural-style puts luma and chroma of the
    gamma-coded values together instead, which shifts both. Where a lightness cannot carry the chroma in sRGB, the chroma is
    made smaller at constant hue and lightness; clipping would change all three.
    """
    lightness = to_lab(picture)[..., :1]
    chroma = to_lab(photograph)[..., 1:]
    found = _linear(lightness, chroma)
    outside = _outside(found)
    if outside.any():
        found[outside] = _linear(lightness[outside], _fitting(lightness[outside], chroma[outside]))
    levels: Array = np.rint(_encoded(found.clip(0, 1)) * 255).astype(np.uint8)
    return levels


def recoloured(style: Array, photograph: Array, weights: Array | None = None) -> Array:
    """The style with the photograph's mean colour and covariance of colours; both (H, W, 3) uint8 sRGB, any shapes.

    Gatys et al. 2017 (Controlling Perceptual Factors, section 5.2): x -> A (x - m_s) + m_c with A = S_c^1/2 S_s^-1/2 (their
    "Image Analogies" solution). On the gamma-coded values, as these are what the network sees and what it compares. Values
    outside 0 to 255 are clipped. `weights` (H, W) says which part of the photograph counts.
    """
    mean_style, covariance_style = _moments(style, None)
    mean, covariance = _moments(photograph, weights)
    # A style of one colour has no covariance to undo; it becomes the mean colour.
    transform = _power(covariance, 0.5) @ _power(covariance_style, -0.5)
    values = (style.reshape(-1, 3) - mean_style) @ transform.T + mean
    levels: Array = np.rint(values.clip(0, 255)).astype(np.uint8).reshape(style.shape)
    return levels


def to_lab(pixels: Array) -> Array:
    """(..., 3) uint8 sRGB to CIELAB (D65), float64."""
    coded = pixels / 255.0
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    ratios = linear @ _TO_XYZ.T / _WHITE
    x, y, z = np.moveaxis(np.where(ratios > _KNEE**3, np.cbrt(ratios), ratios / (3 * _KNEE**2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _linear(lightness: Array, chroma: Array) -> Array:
    """Lightness (..., 1) and a*, b* (..., 2) to linear sRGB, which may lie outside 0 to 1."""
    y = (lightness + 16) / 116
    roots = np.concatenate([y + chroma[..., :1] / 500, y, y - chroma[..., 1:] / 200], axis=-1)
    ratios = np.where(roots > _KNEE, roots**3, 3 * _KNEE**2 * (roots - 4 / 29))
    return np.asarray(ratios * _WHITE @ _FROM_XYZ.T)


def _encoded(linear: Array) -> Array:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _outside(linear: Array) -> Array:
    """Whether a pixel lies outside sRGB by more than rounding."""
    tolerance = 1e-4
    return np.asarray(((linear < -tolerance) | (linear > 1 + tolerance)).any(axis=-1))


def _fitting(lightness: Array, chroma: Array) -> Array:
    """The chroma (N, 2) shrunk, by bisection, as little as makes (N, 1) lightness and it a colour of sRGB."""
    low, high = np.zeros_like(lightness), np.ones_like(lightness)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        outside = _outside(_linear(lightness, middle * chroma))[:, None]
        low, high = np.where(outside, low, middle), np.where(outside, middle, high)
    return np.asarray(low * chroma)


def _moments(pixels: Array, weights: Array | None) -> tuple[Array, Array]:
    values = pixels.reshape(-1, 3).astype(np.float64)
    share = None if weights is None else weights.reshape(-1).astype(np.float64)
    mean = np.average(values, axis=0, weights=share)
    centred = values - mean
    if share is None:
        return mean, centred.T @ centred / len(values)
    return mean, (centred * (share / share.sum())[:, None]).T @ centred


def _power(covariance: Array, exponent: float) -> Array:
    """A symmetric power; directions without variance (under 1/100 of a level) go to 0."""
    values, vectors = np.linalg.eigh(covariance)
    powers = np.where(values > 1e-4, values.clip(min=1e-4) ** exponent, 0.0)
    return np.asarray((vectors * powers) @ vectors.T)

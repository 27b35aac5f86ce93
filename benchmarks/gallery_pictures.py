"""Pictures for made-up workspaces: photographs and drawn styles from the samples, and what might have come of the two.

No network had a part in the results: they are photographs in a style's colours, coarser and more like its surface the stronger they
are. They are for looking at pages and for measuring them, and evidence of nothing.
"""

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sweep import events
from sweep.samples import DRAWN_STYLES, PHOTOGRAPHS, drawn_style, sample_photograph
from sweep.transfer.images import encode_png, encode_thumbnail, mean_colour, resized
from sweep.transfer.signatures import signature

SIDE = 384
STRENGTHS = (0.15, 0.4, 0.65, 0.9)
"""Results of a pair of pictures; so many strengths, so many pictures."""

Pixels = NDArray[np.uint8]


def contents() -> Iterator[tuple[str, Pixels]]:
    """Twelve: the sample photographs whole, closer, and mirrored in the evening."""
    for name in PHOTOGRAPHS:
        whole = sample_photograph(name)
        height, width = whole.shape[:2]
        yield f"{name}.jpg", resized(whole, SIDE)
        yield f"{name}-closer.jpg", resized(np.ascontiguousarray(whole[height // 8 : height * 3 // 4, width // 6 : width * 5 // 6]), SIDE)
        evening = whole[:, ::-1].astype(np.float32) * (0.95, 0.8, 0.65)
        yield f"{name}-evening.jpg", resized(evening.astype(np.uint8), SIDE)


def styles() -> Iterator[tuple[str, Pixels]]:
    """The five drawn ones."""
    for name in DRAWN_STYLES:
        yield f"{name}.png", drawn_style(name, SIDE)


def result(content: Pixels, style: Pixels, strength: float) -> Pixels:
    """The photograph in the style's colours, with its surface; strength from 0, the photograph, to 1."""
    height, width = content.shape[:2]
    coarse = max(16, round(width * (1 - 0.85 * strength)))
    smooth = Image.fromarray(content).resize((coarse, max(16, coarse * height // width)), Image.Resampling.BOX)
    base = np.asarray(smooth.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    surface = np.asarray(Image.fromarray(style).resize((width, width)), np.float32)
    surface = np.resize(surface, (max(height, width), width, 3))[:height]
    spread = [max(float(pixels.std()), 1.0) for pixels in (base, surface)]
    coloured = (base - base.mean(axis=(0, 1))) * (spread[1] / spread[0]) + surface.mean(axis=(0, 1))
    relief = surface - np.asarray(Image.fromarray(surface.astype(np.uint8)).resize((24, 24)).resize((width, height)), np.float32)
    mixed = content * (1 - strength) + (coloured + 0.9 * relief) * strength
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def jpeg(pixels: Pixels) -> bytes:
    """As a camera's file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def picture_file(pixels: Pixels) -> events.PictureFile:
    """As a worker sends it."""
    return events.PictureFile(
        data=encode_png(pixels, {}), format="png", width=pixels.shape[1], height=pixels.shape[0], mean_colour=mean_colour(pixels),
        thumbnail=encode_thumbnail(pixels), signature=signature(pixels),
    )  # fmt: skip

"""The transparency of a photograph, given back to the pictures that were made of it.

A run sees a transparent photograph laid on white, and its picture is opaque. Whoever takes the picture away gets it with the
photograph's alpha; the colours stay those of the picture, bit by bit.
"""

import io
from collections import OrderedDict

import numpy as np
from PIL import Image

from gallery.export.pictures import Pictures, decoded, on_white
from gallery.export.png import size_of, with_pixels_of
from sweep.errors import ImageError, StorageError
from sweep.transfer.images import open_picture

OPAQUE_FORMATS = ("jpeg", "jpg")
"""Formats without transparency: their photographs need not be decoded to know."""
KEPT = 64
"""How many shrunk alphas are kept; results are exported best first, so that photographs come in any order."""


class Alphas:
    """The alpha of photographs at the size of their pictures."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._opaque: set[str] = set()
        self._found: OrderedDict[tuple[str, tuple[int, int]], Image.Image] = OrderedDict()

    def of(self, photograph: str, size: tuple[int, int]) -> Image.Image | None:
        """Alpha of the photograph with that SHA-256 at size (width, height), as a grey picture; None if it hides nothing.

        Raises:
            StorageError, ImageError: the photograph is missing or damaged.
        """
        if photograph in self._opaque or str(self._pictures.row(photograph).get("format")) in OPAQUE_FORMATS:
            return None
        key = (photograph, size)
        if key not in self._found:
            alpha = open_picture(self._pictures.original(photograph), self._pictures.name(photograph)).alpha
            if alpha is None:
                self._opaque.add(photograph)
                return None
            self._found[key] = fitted_alpha(alpha, size)
            while len(self._found) > KEPT:
                self._found.popitem(last=False)
        self._found.move_to_end(key)
        return self._found[key]

    def restored(self, picture: bytes, photograph: str) -> bytes:
        """A PNG with the photograph's alpha: RGB values and all other chunks as they were; the same bytes where nothing is transparent.

        Raises:
            StorageError, ImageError: the photograph is missing or damaged, or the picture is no PNG.
        """
        alpha = self.of(photograph, size_of(picture))
        if alpha is None:
            return picture
        whole = decoded(picture)
        whole.putalpha(alpha)
        buffer = io.BytesIO()
        whole.save(buffer, "PNG")
        return with_pixels_of(picture, buffer.getvalue())

    def shown(self, picture: Image.Image | None, photograph: str) -> Image.Image | None:
        """A small version of a picture, RGB, as it looks with the photograph's alpha on white; as it is where that cannot be read."""
        try:
            alpha = None if picture is None else self.of(photograph, picture.size)
        except (StorageError, ImageError):
            return picture
        if picture is None or alpha is None:
            return picture
        layer = picture.copy()
        layer.putalpha(alpha)
        return on_white(layer).convert("RGB")


def fitted_alpha(alpha: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Alpha (H, W) uint8 at size (width, height).

    With a kernel that has no negative lobes (Hamming): Lanczos, which the colours are scaled by, would leave a faint ring around a
    hard edge, in what is to be fully transparent.
    """
    return Image.fromarray(alpha).resize(size, Image.Resampling.HAMMING)

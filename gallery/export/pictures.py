"""Pictures out of a workspace's artifacts, at the size a sheet needs them."""

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageOps
from sqlalchemy import Connection

from db import queries
from db.artifacts import Artifacts
from sweep.errors import StorageError

UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
"""What Pillow raises for bytes that are no picture."""


class Pictures:
    """Reads originals with their hash checked, and small versions for sheets."""

    def __init__(self, artifacts: Artifacts, connection: Connection) -> None:
        self._artifacts = artifacts
        self._connection = connection
        self._rows: dict[str, Mapping[str, Any]] = {}

    def row(self, sha256: str) -> Mapping[str, Any]:
        """The image's row; an empty mapping if the workspace does not know it."""
        if sha256 not in self._rows:
            self._rows[sha256] = queries.image(self._connection, sha256) or {}
        return self._rows[sha256]

    def name(self, sha256: str) -> str:
        """What its user called it, or the beginning of its hash."""
        return str(self.row(sha256).get("original_name") or sha256[:12])

    def original(self, sha256: str) -> bytes:
        """The file as it was stored.

        Raises:
            StorageError: it is missing or damaged.
        """
        row = self.row(sha256)
        if not row:
            raise StorageError(f"the picture {sha256} is not recorded in this workspace; restore the workspace from a backup.")
        return self._artifacts.get(sha256, row["format"])

    def small(self, sha256: str | None, box: tuple[int, int]) -> Image.Image | None:
        """RGB, shrunk (never enlarged) to fit `box` (width, height) pixels; from the thumbnail where that is large enough. None if
        the picture is missing or damaged: a sheet then shows an empty place."""
        if sha256 is None:
            return None
        row = self.row(sha256)
        for name, suffix in ((row.get("thumbnail"), "webp"), (sha256, row.get("format"))):
            if name is None or suffix is None:
                continue
            try:
                picture = shrunk(self._artifacts.get(name, suffix), box)
            except (StorageError, *UNREADABLE):
                continue
            if suffix != "webp" or _large_enough(picture, box, (row["width"], row["height"])):
                return picture
        return None


def _large_enough(picture: Image.Image, box: tuple[int, int], full: tuple[int, int]) -> bool:
    """A thumbnail serves if it fills the box as far as the original would."""
    share = min(1.0, box[0] / full[0], box[1] / full[1])
    return picture.width >= round(full[0] * share) - 1


def decoded(data: bytes) -> Image.Image:
    """A picture of the workspace's own as RGB, at its full size.

    Raises:
        One of `UNREADABLE`: the bytes are no picture.
    """
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGB")


def with_transparency(data: bytes) -> Image.Image:
    """A picture of the workspace's own at its full size: RGBA where some of it is transparent, else RGB.

    Raises:
        One of `UNREADABLE`: the bytes are no picture.
    """
    with Image.open(io.BytesIO(data)) as opened:
        return opened.convert("RGBA" if opened.has_transparency_data else "RGB")


def shrunk(data: bytes, box: tuple[int, int]) -> Image.Image:
    """An encoded picture as RGB, turned as its EXIF says, shrunk to fit `box` (width, height) in pixels, what is transparent on white.

    Raises:
        One of `UNREADABLE`: the bytes are no picture.
    """
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", box)
        picture = ImageOps.exif_transpose(opened)
        if picture.has_transparency_data:
            picture = on_white(picture)
        picture = picture.convert("RGB")
    picture.thumbnail(box, Image.Resampling.LANCZOS)
    return picture


def on_white(picture: Image.Image) -> Image.Image:
    """A transparent picture laid on white, RGBA."""
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)

"""A result as the file that goes out: the stored PNG, or a smaller JPEG or WebP. Each carries its recipe, and what was said of it."""

import io
from collections.abc import Mapping

from PIL import Image

from db.reviews import Said
from gallery.export.describe import parameters_line, with_recipe, xmp
from gallery.export.pictures import on_white, with_transparency
from gallery.export.recipe import KEYWORD, Recipe
from sweep.combination import canonical_json
from sweep.transfer.images import EXIF_COMMENT, EXIF_IFD, exif_comment

FORMS: Mapping[str, str] = {
    "png": "as it was made, every pixel",
    "jpeg": "smaller, quality 95; transparent places white",
    "webp": "smallest, quality 92",
}
"""What a picture may be written as."""
SUFFIXES: Mapping[str, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_DESCRIPTION, _SOFTWARE = 0x010E, 0x0131
_UNICODE = b"UNICODE\0"
"""How an EXIF comment says that it is UTF-16."""


def recipe_text(data: bytes) -> str | None:
    """The JSON of the recipe in a JPEG or WebP that `in_form` wrote; None where there is none."""
    comment = exif_comment(data).removeprefix(_UNICODE).decode("utf-16-le", errors="replace")
    keyword, _, text = comment.partition(": ")
    return text if keyword == KEYWORD else None


def in_form(picture: bytes, form: str, recipe: Recipe, said: Said) -> bytes:
    """A stored PNG with its recipe, in one of FORMS. As a PNG its pixels' bytes stay the same.

    Raises:
        ImageError: the bytes are no PNG, or a damaged one.
        One of `gallery.export.pictures.UNREADABLE`: it cannot be decoded.
    """
    whole = with_recipe(picture, recipe, said)
    if form == "png":
        return whole
    shown = with_transparency(whole)
    exif = Image.Exif()
    exif[_DESCRIPTION] = parameters_line(recipe)
    exif[_SOFTWARE] = str(recipe["tool"])
    exif.get_ifd(EXIF_IFD)[EXIF_COMMENT] = _UNICODE + f"{KEYWORD}: {canonical_json(recipe)}".encode("utf-16-le")
    buffer = io.BytesIO()
    about = {"exif": exif.tobytes(), "xmp": xmp(recipe, said).encode()}
    if form == "jpeg":
        flat = on_white(shown).convert("RGB") if shown.mode == "RGBA" else shown
        flat.save(buffer, "JPEG", quality=95, subsampling=0, optimize=True, **about)
    else:
        shown.save(buffer, "WEBP", quality=92, method=4, **about)
    return buffer.getvalue()

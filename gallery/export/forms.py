"""A result as the file that goes out: the stored PNG, or a smaller JPEG or WebP. Each carries its recipe, and what was said of it."""

import io
from collections.abc import Mapping

from PIL import ExifTags, Image

from db.reviews import Said
from gallery.export.describe import parameters_line, with_recipe, xmp
from gallery.export.pictures import on_white, with_transparency
from gallery.export.recipe import KEYWORD, Recipe
from sweep.combination import canonical_json

FORMS: Mapping[str, str] = {
    "png": "as it was made, every pixel",
    "jpeg": "smaller, quality 95; transparent places white",
    "webp": "smallest, quality 92",
}
"""What a picture may be written as."""
SUFFIXES: Mapping[str, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
_UNICODE = b"UNICODE\0"
"""How an EXIF comment says that it is UTF-16, in the byte order of the data around it."""
_BEGINS = f"{KEYWORD}: "


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
    exif.endian = "<"
    exif[ExifTags.Base.ImageDescription] = parameters_line(recipe)
    exif[ExifTags.Base.Software] = str(recipe["tool"])
    comment = f"{_BEGINS}{canonical_json(recipe)}"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = _UNICODE + comment.encode("utf-16-le")
    buffer = io.BytesIO()
    about = {"exif": exif.tobytes(), "xmp": xmp(recipe, said).encode()}
    if form == "jpeg":
        flat = on_white(shown).convert("RGB") if shown.mode == "RGBA" else shown
        flat.save(buffer, "JPEG", quality=95, subsampling=0, optimize=True, **about)
    else:
        shown.save(buffer, "WEBP", quality=92, method=4, **about)
    return buffer.getvalue()


def recipe_text(comment: bytes) -> str | None:
    """The recipe, as JSON, in the EXIF comment of a JPEG or WebP that `in_form` made; None where it holds none.

    In either byte order: a program that writes the data anew may turn it, and not all turn the text, too.
    """
    for order in ("utf-16-le", "utf-16-be"):
        text = comment.removeprefix(_UNICODE).decode(order, errors="replace")
        if comment.startswith(_UNICODE) and text.startswith(_BEGINS):
            return text.removeprefix(_BEGINS)
    return None

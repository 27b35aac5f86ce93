"""Pictures from bytes and to bytes. Pillow and numpy only; nothing here knows torch.

`open_picture` is where files of strangers come in: it believes nothing they say.
"""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError, features
from PIL.PngImagePlugin import PngInfo

from sweep.errors import ImageError
from sweep.transfer.images_samples import check_layout, eight_bit, mended, raw_mode
from sweep.transfer.recipe import SMALLEST_SIDE, fitted

MAX_PIXELS: Final = 100_000_000
FORMATS: Final = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF") + (("AVIF",) if features.check("avif") else ())
ON_WHITE: Final = "is partly transparent; it is laid on white, and exported pictures get its transparency back."
"""The remark on a transparent picture, behind its name; not true of one that is read as a mask."""
_HEIC: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_COLOURS: Final = {"1": "GRAY", "L": "GRAY", "LA": "GRAY", "La": "GRAY", "CMYK": "CMYK"}  # as ICC calls the space; RGB: all others
_HAS_ALPHA: Final = ("LA", "La", "PA", "RGBA", "RGBa")


@dataclass(frozen=True)
class Picture:
    """A decoded picture: upright, sRGB, on white.

    `pixels` (H, W, 3) uint8; `alpha` (H, W) uint8 or None where every pixel is opaque; `format` as Pillow names it;
    `remarks` are sentences about what was changed or ignored on the way.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    format: str
    remarks: tuple[str, ...]


def open_picture(data: bytes, name: str) -> Picture:
    """Decode the bytes of a picture file called `name` (used in messages only).

    Reads PNG, JPEG, WebP, TIFF, BMP, GIF and, where Pillow was built with it, AVIF; of an animation the first frame. Raises
    ImageError, naming the file and what to do, for what is empty, broken, of another format, under 16 or over the allowed pixels.
    """
    if not data:
        raise ImageError(f"The picture {name} is empty (0 bytes); export or copy it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of damage that it can live with; we decode or refuse
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                _check_size(opened, name)
                return _decoded(opened, name)
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(_too_large(name)) from error
    except UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIC:
            raise ImageError(f"The file {name} is a HEIC picture, as phones make them; save it as JPEG or PNG and give that.") from error
        raise ImageError(
            f"The file {name} is not a picture that can be read, its samples are of an unusual kind, or its beginning is damaged; "
            f"give one of {', '.join(FORMATS)}, with 8 or 16 bits."
        ) from error
    except Exception as error:  # Pillow's decoders raise nearly everything on damaged files; what they say is about the file
        raise ImageError(f"The picture {name} is damaged or cut short ({error}); export or copy it again.") from error


def exif_comment(data: bytes, name: str) -> bytes:
    """The comment in the Exif data of a JPEG or WebP called `name` (used in messages only); empty where it has none.

    The picture itself is not decoded. Raises ImageError for what is damaged or no such picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "WEBP")) as opened:
                comment = opened.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    except Exception as error:  # as for pixels: the parsers raise nearly everything on damaged files
        raise ImageError(f"{name} is damaged or cut short; use an undamaged copy.") from error
    return comment if isinstance(comment, bytes) else b""


def mask_levels(picture: Picture) -> np.ndarray:
    """A picture read as a mask: (H, W) uint8 luma (ITU-R BT.601), 255 inside; what is transparent is outside."""
    levels: np.ndarray = np.asarray(Image.fromarray(picture.pixels).convert("L"))
    if picture.alpha is None:
        return levels
    # Luma is linear, so the white that the picture was laid on can be taken away again.
    on_black: np.ndarray = np.clip(levels.astype(np.int16) - 255 + picture.alpha, 0, 255)
    return on_black.astype(np.uint8)


def one_shape(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two pictures of (height, width, ...) have one aspect, up to the rounding of small ones (3 %)."""
    return abs(first[1] * second[0] / (first[0] * second[1]) - 1) <= 0.03


def resized(pixels: np.ndarray, long_side: int) -> np.ndarray:
    """Pixels (H, W, 3) uint8, or a mask's (H, W), shrunk to the long side; the aspect is kept, nothing is enlarged."""
    return resized_to(pixels, *fitted(pixels.shape[0], pixels.shape[1], long_side))


def resized_to(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixels (H, W, 3) uint8, or a mask's (H, W), resampled (Lanczos) to exactly height x width; the aspect is the caller's affair."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def encode_png(pixels: np.ndarray, text: Mapping[str, str]) -> bytes:
    """A PNG marked as sRGB, with each text as a UTF-8 iTXt chunk. Keys are Latin-1, 1 to 79 characters (the PNG standard)."""
    chunks = PngInfo()
    chunks.add(b"sRGB", b"\x00")  # rendering intent: perceptual
    for key, value in text.items():
        chunks.add_itxt(key, value)
    return _encoded(pixels, "PNG", pnginfo=chunks)


def encode_thumbnail(pixels: np.ndarray, long_side: int = 320) -> bytes:
    """A small WebP for pages that show many pictures."""
    return _encoded(resized(pixels, long_side), "WEBP", quality=80)


def mean_colour(pixels: np.ndarray) -> str:
    """The mean of the sRGB values as '#rrggbb': a placeholder while a picture loads."""
    red, green, blue = (round(value) for value in pixels.reshape(-1, 3).mean(axis=0).tolist())
    return f"#{red:02x}{green:02x}{blue:02x}"


def _encoded(pixels: np.ndarray, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def _too_large(name: str) -> str:
    allowed = min(MAX_PIXELS, Image.MAX_IMAGE_PIXELS or MAX_PIXELS) // 1_000_000
    return f"The picture {name} has more than {allowed} megapixels, so it is not opened; make it smaller first."


def _check_size(opened: Image.Image, name: str) -> None:
    """On the header, before anything is decoded."""
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_large(name))
    if min(width, height) < SMALLEST_SIDE:
        raise ImageError(f"The picture {name} is {width} x {height} pixels; each side needs at least {SMALLEST_SIDE}. Give a larger one.")


def _decoded(opened: Image.Image, name: str) -> Picture:
    remarks: list[str] = []
    form = "JPEG" if opened.format == "MPO" else opened.format or "unknown"  # MPO: a JPEG with a second picture behind
    if opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1:
        remarks.append(f"{name} has several frames or pages; the first is used.")
    opened.seek(0)
    check_layout(opened, name)
    layout = raw_mode(opened)
    opened.load()
    mended(opened, layout, name, remarks)
    profile = opened.info.get("icc_profile")
    image = eight_bit(_upright(opened, name, remarks), opened, name, remarks)
    colours = _COLOURS.get(image.mode, "RGB")
    alpha = None
    if image.mode in _HAS_ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert("RGB")
        if alpha.min() == 255:
            alpha = None
    pixels = np.asarray(_in_srgb(image, colours, profile, (name, remarks)))
    if alpha is not None:
        remarks.append(f"{name} {ON_WHITE}")
        share = alpha[..., None].astype(np.float32) / 255
        pixels = np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
    return Picture(np.ascontiguousarray(pixels), alpha, form, tuple(remarks))


def _upright(image: Image.Image, name: str, remarks: list[str]) -> Image.Image:
    """The camera's orientation mark, carried out."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Exif data is as untrustworthy as the rest; a picture without orientation is still a picture
        remarks.append(f"The Exif data of {name} is broken; its orientation is ignored.")
        return image.copy()


def _in_srgb(image: Image.Image, colours: str, profile: object, where: tuple[str, list[str]]) -> Image.Image:
    """RGB in sRGB, by the embedded colour profile if there is one that is usable and meant for such colours.

    colours: the space of the file's own colours; image may have been brought to RGB since. where: the name, and the remarks.
    """
    name, remarks = where
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = source.profile.xcolor_space.strip()
            if space not in (colours, "RGB") or (space == "RGB" and colours == "CMYK"):
                remarks.append(f"The colour profile of {name} is one for {space} colours, which it has not; its colours are taken as sRGB.")
            elif not ImageCms.getProfileDescription(source).startswith("sRGB"):
                fitting = image.convert({"GRAY": "L", "CMYK": "CMYK"}.get(space, "RGB"))
                converted = ImageCms.profileToProfile(fitting, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                assert converted is not None  # it is None only for a conversion in place
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            remarks.append(f"The colour profile of {name} is broken; its colours are taken as sRGB.")
    return image.convert("RGB")

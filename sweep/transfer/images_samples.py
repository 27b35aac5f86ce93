"""What Pillow leaves to its callers: samples of other than 8 bits, and kinds of files that it would read as another picture.

Found by writing such files byte by byte (tests/sweep/transfer/test_images_samples.py). Pillow and numpy only.
"""

from typing import Any, Final

import numpy as np
from PIL import Image

from sweep.errors import ImageError

SIXTEEN_BIT: Final = ("I;16", "I;16L", "I;16B", "I;16N")
_PHOTOMETRIC, _BITS, _SAMPLES, _PLANES, _FORMAT = 262, 258, 277, 284, 339  # tags of TIFF 6.0
_WHITE_IS_ZERO, _SEPARATE, _UNSIGNED = 0, 2, 1


def check_layout(opened: Image.Image, name: str) -> None:
    """Refuse, before it is decoded, what Pillow reads as noise: colours of 16 bits in separate planes."""
    bits = _tag(opened, _BITS, (8,))
    if _tag(opened, _PLANES, 1) == _SEPARATE and _tag(opened, _SAMPLES, 1) > 1 and max(bits) > 8:
        raise ImageError(
            f"The picture {name} keeps its colours in separate planes of {max(bits)} bits, which cannot be read; "
            "save it with interleaved samples, or with 8 bits."
        )


def mended(opened: Image.Image, layout: str, name: str, remarks: list[str]) -> None:
    """Put right what a loaded PNG says of its transparent colour, and remark on what cannot be known.

    layout: how the file keeps its samples, in Pillow's words (`raw_mode`), asked before the picture was loaded.
    """
    clear = opened.info.get("transparency")
    if layout in ("L;2", "L;4") and isinstance(clear, int):
        opened.info["transparency"] = clear * (85 if layout == "L;2" else 17)  # Pillow stretches the grey levels and forgets this one
    elif layout.startswith("RGB;16") and clear is not None:
        del opened.info["transparency"]
        remarks.append(f"{name} has 16 bits and one transparent colour, which cannot be told from its neighbours; nothing is transparent.")
    if opened.format == "JPEG" and opened.mode == "CMYK" and "adobe" not in opened.info:
        remarks.append(f"{name} does not say how its inks are stored; they are taken as most programs store them, inverted.")


def raw_mode(opened: Image.Image) -> str:
    """How the file keeps its samples, in Pillow's words: 'L;4', 'RGB;16B'. Known only before the picture is loaded."""
    tiles = getattr(opened, "tile", None)
    arguments = tiles[0].args if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments or "")


def eight_bit(image: Image.Image, opened: Image.Image, name: str, remarks: list[str]) -> Image.Image:
    """Grey pictures of 9 to 32 bits or floats scaled to 8 bits (Pillow's own convert clips them); others as they are.

    image: the picture, turned upright; opened: the file that it comes from.
    """
    if image.mode in SIXTEEN_BIT:
        values = np.asarray(image)
        scaled = values.astype(np.float64) * (255 / (2 ** max(_tag(opened, _BITS, (16,))) - 1))
    elif image.mode in ("I", "F"):
        values = np.asarray(image)
        if image.mode == "I" and _tag(opened, _BITS, (0,)) == (32,) and _tag(opened, _FORMAT, (_UNSIGNED,)) == (_UNSIGNED,):
            values = values.view(np.uint32)  # Pillow has no mode for it and takes the upper half as negative
        scaled = _scaled(np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0), values.dtype, name, remarks)
    else:
        return image
    if _tag(opened, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        scaled = 255 - scaled  # Pillow turns these around for 8 bits only
    grey = Image.fromarray(np.rint(scaled).clip(0, 255).astype(np.uint8))
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))))


def _scaled(values: np.ndarray, kind: np.dtype, name: str, remarks: list[str]) -> np.ndarray:
    """Values to 0..255: by the range that their kind has, else stretched from the least to the greatest, which is said."""
    low, high = float(values.min()), float(values.max())
    whole = kind.kind in "iu"
    if whole and low >= 0 and high <= 65535:
        return values / 257
    if kind == np.uint32:
        return values / 16843009
    if not whole and low >= 0 and high <= 1:
        return values * 255
    remarks.append(f"The values of {name} run from {low:g} to {high:g}; they were stretched to black and white.")
    return (values - low) * (255 / (high - low or 1))


def _tag(opened: Image.Image, number: int, default: int | tuple[int, ...]) -> Any:
    """A TIFF's tag; the default for other files and where it is missing."""
    tags = getattr(opened, "tag_v2", None)
    return default if tags is None else tags.get(number, default)

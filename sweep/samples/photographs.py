"""Content pictures that anyone may use: photographs that scikit-image carries inside its package.

The files are read from the installed package; nothing is ever downloaded (scikit-image's own loader would, for others).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec

import numpy as np
from PIL import Image, UnidentifiedImageError

from sweep.errors import InputError
from sweep.samples.brushwork import Picture

LONG_SIDE = 640
"""No sample photograph is longer than this, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """Where a photograph comes from and who may use it; `box` is the crop (left, top, right, bottom) in its pixels."""

    file: str
    title: str
    author: str
    licence: str
    source: str
    box: tuple[int, int, int, int] | None = None


PHOTOGRAPHS: dict[str, Photograph] = {
    "astronaut": Photograph(
        file="astronaut.png",
        title="Astronaut Eileen Collins",
        author="NASA",
        licence="Public domain (work of NASA, no known copyright restrictions)",
        source="NASA Great Images, https://flic.kr/p/r9qvLn",
    ),
    "cat": Photograph(
        file="chelsea.png",
        title="Chelsea the cat",
        author="Stéfan van der Walt",
        licence="CC0 1.0",
        source="scikit-image, skimage.data.chelsea",
    ),
    "coffee": Photograph(
        file="coffee.png",
        title="Coffee cup, Pikolo Espresso Bar",
        author="Rachel Michetti",
        licence="CC0 1.0",
        source="scikit-image, skimage.data.coffee",
    ),
    "rocket": Photograph(
        file="rocket.jpg",
        title="Falcon 9 with DSCOVR on the launch pad, Cape Canaveral, 2015",
        author="SpaceX",
        licence="Public domain (released by SpaceX)",
        source="SpaceX Photos, https://www.flickr.com/photos/spacexphotos/16511594820",
        box=(84, 30, 556, 427),
    ),
}
"""The sample photographs by name; each name is also the stem of the file that `write_samples` writes."""


def sample_photograph(name: str) -> Picture:
    """One of `PHOTOGRAPHS`, cropped and at most `LONG_SIDE` long: (rows, columns, 3) uint8 in sRGB.

    Raises:
        InputError: the name is not one of `PHOTOGRAPHS`, or scikit-image is not installed or has no such file.
    """
    if name not in PHOTOGRAPHS:
        raise InputError(f"There is no sample photograph {name!r}; choose one of {', '.join(PHOTOGRAPHS)}.")
    record = PHOTOGRAPHS[name]
    if find_spec("skimage") is None:
        raise InputError(
            "The sample photographs come with scikit-image, which is not installed; install it with "
            '`pip install "stylesweep[samples]"` or `make setup`.'
        )
    try:
        with resources.files("skimage").joinpath("data", record.file).open("rb") as file, Image.open(file) as opened:
            picture = opened.convert("RGB").crop(record.box)
    except (OSError, UnidentifiedImageError) as error:
        raise InputError(
            f"The installed scikit-image carries no readable {record.file} ({error}); install a release that does with "
            '`pip install "stylesweep[samples]"` or `make setup`.'
        ) from error
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(picture, dtype=np.uint8)

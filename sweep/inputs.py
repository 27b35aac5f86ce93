"""The input pictures of a sweep, on the driver's side: looked at once, kept as they are, decoded and shrunk when a run needs them."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from db.artifacts import Artifacts
from db.sweeps import InputPicture
from sweep.errors import ImageError
from sweep.transfer.images import Picture, encode_thumbnail, mask_levels, mean_colour, open_picture, resized

MAX_BYTES = 200_000_000
MOST_NAMED = 10
"""Pictures that one message names."""


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """What a look at a picture file found. format: the file's own, as a suffix; remarks: what was put right on the way."""

    path: Path
    sha256: str
    format: str
    width: int
    height: int
    mean_colour: str
    thumbnail: bytes
    remarks: tuple[str, ...]

    def picture(self) -> InputPicture:
        """With the file's bytes, for the store.

        Raises:
            ImageError: the file has changed since it was looked at.
        """
        data = _read(self.path)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ImageError(f"{self.path} changed while the sweep was being read; run the same command again.")
        return InputPicture(
            sha256=self.sha256,
            data=data,
            format=self.format,
            width=self.width,
            height=self.height,
            mean_colour=self.mean_colour,
            name=self.path.name,
            thumbnail=self.thumbnail,
        )


def inspect_inputs(paths: Iterable[Path]) -> dict[Path, InputFile]:
    """Decode every picture once; a remark tells what is the same picture under another name.

    Raises:
        ImageError: one is missing, broken, of an unknown format or unsafe; names every such file.
    """
    found: dict[Path, InputFile] = {}
    first: dict[str, Path] = {}
    wrong: dict[Path, ImageError] = {}
    for path in paths:
        try:
            one = look_at(path)[0]
        except ImageError as error:
            wrong[path] = error
            continue
        same = first.setdefault(one.sha256, path)
        also = () if same == path else (f"{path} is the same picture as {same}.",)
        found[path] = replace(one, remarks=one.remarks + also)
    if wrong:
        raise _all_of(wrong)
    return found


def _all_of(wrong: Mapping[Path, ImageError]) -> ImageError:
    """The first complaint, and which other pictures have one of their own."""
    error, *more = wrong.values()
    if not more:
        return error
    names = [str(path) for path in wrong][1:]
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else "")
    return ImageError(f"{error} {len(names):,} more cannot be used either: {listed}.")


def look_at(path: Path) -> tuple[InputFile, Picture]:
    """One picture, with its pixels. Raises ImageError as `inspect_inputs`."""
    data = _read(path)
    picture = open_picture(data, str(path))
    height, width = picture.pixels.shape[:2]
    found = InputFile(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        format=picture.format.lower(),
        width=width,
        height=height,
        mean_colour=mean_colour(picture.pixels),
        thumbnail=encode_thumbnail(picture.pixels),
        remarks=picture.remarks,
    )
    return found, picture


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImageError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; save a smaller copy and name that one.")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.") from error


class StoredPictures:
    """Decoded input pictures from the workspace, shrunk to a run's size; a bounded number is kept."""

    def __init__(self, artifacts: Artifacts, format_of: Callable[[str], str], keep: int = 16) -> None:
        self._artifacts = artifacts
        self._format_of = format_of
        self._keep = keep
        self._shrunk: OrderedDict[tuple[str, int, bool], np.ndarray] = OrderedDict()

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        """(H, W, 3) uint8 sRGB with at most that long side.

        Raises:
            StorageError: the file is missing from the workspace or damaged.
        """
        return self._read(sha256, long_side, as_mask=False)

    def mask(self, sha256: str, long_side: int) -> np.ndarray:
        """The picture as a mask, (H, W) uint8, with at most that long side. Raises as `pixels`."""
        return self._read(sha256, long_side, as_mask=True)

    def _read(self, sha256: str, long_side: int, *, as_mask: bool) -> np.ndarray:
        key = (sha256, long_side, as_mask)
        if key not in self._shrunk:
            picture = open_picture(self._artifacts.get(sha256, self._format_of(sha256)), sha256)
            self._shrunk[key] = resized(mask_levels(picture) if as_mask else picture.pixels, long_side)
            while len(self._shrunk) > self._keep:
                self._shrunk.popitem(last=False)
        self._shrunk.move_to_end(key)
        return self._shrunk[key]

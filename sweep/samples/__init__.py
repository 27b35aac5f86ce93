"""Pictures to start with, for somebody who has none: photographs in the public domain, drawn styles, and masks for a photograph.

`write_samples` fills a folder; `sample_photograph`, `drawn_style` and `sample_mask` give the same pictures as arrays.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from sweep.errors import StorageError
from sweep.samples.brushwork import Picture
from sweep.samples.drawn import DRAWN_STYLES, drawn_style
from sweep.samples.masks import MASKS, sample_mask
from sweep.samples.photographs import PHOTOGRAPHS, Photograph, sample_photograph

__all__ = ["DRAWN_STYLES", "MASKS", "PHOTOGRAPHS", "Photograph", "drawn_style", "sample_mask", "sample_photograph", "write_samples"]


def write_samples(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Write photographs/*.jpg, masks/*.png, styles/*.png and ABOUT.txt (whose they are) into `folder`, which is made if need be.

    A file that is already there with the same bytes is left alone; one with other bytes is replaced at once, so that no
    half-written picture is ever seen. `say` gets one line per file.

    Returns:
        The path of every sample, written or kept, in the order in which they were made.

    Raises:
        InputError: scikit-image, which carries the photographs, is not installed.
        StorageError: the folder cannot be made or written.
    """
    # The folders first: a folder that cannot be written should be told before the drawing, not after.
    for part in (folder / "photographs", folder / "masks", folder / "styles"):
        _made(part)
    paths = []
    for path, content in _contents(folder):
        kept = _put(path, content)
        say(f"{'kept' if kept else 'wrote'} {path}")
        paths.append(path)
    return paths


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file with its bytes, drawn one at a time."""
    for name in PHOTOGRAPHS:
        # Quality 95 without colour subsampling: the artefacts of a stronger JPEG would be stylised along with the picture.
        photograph = _encoded(sample_photograph(name), "JPEG", quality=95, subsampling=0)
        yield folder / "photographs" / f"{name}.jpg", photograph
    for name in MASKS:
        yield folder / "masks" / f"{name}.png", _encoded(sample_mask(name), "PNG")
    for name in DRAWN_STYLES:
        yield folder / "styles" / f"{name}.png", _encoded(drawn_style(name), "PNG")
    yield folder / "ABOUT.txt", _about().encode()


def _encoded(picture: Picture, format_name: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format_name, **options)
    return buffer.getvalue()


def _about() -> str:
    """Credits and licences, as a text file."""
    lines = ["Sample pictures of stylesweep", "=============================", "", "photographs/", ""]
    for name, photograph in PHOTOGRAPHS.items():
        lines += [f"  {name}.jpg", f"    {photograph.title}, by {photograph.author}", f"    {photograph.licence}"]
        lines += [f"    {photograph.source}", ""]
    lines += ["masks/", "", *(f"  {name}.png" for name in MASKS), ""]
    lines += ["styles/", "", *(f"  {name}.png" for name in DRAWN_STYLES), ""]
    lines += ["  Masks and styles are drawn by stylesweep itself. They are dedicated to the public domain (CC0 1.0,"]
    lines += ["  https://creativecommons.org/publicdomain/zero/1.0/): use them for anything, free of charge.", ""]
    return "\n".join(lines)


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _put(path: Path, content: bytes) -> bool:
    """Write the file in one step unless it is there already with these bytes; True if it was."""
    try:
        if path.is_file() and path.read_bytes() == content:
            return True
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    return False


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"The samples cannot be written to {path}: {error.strerror or error}; choose another folder or make room there.")

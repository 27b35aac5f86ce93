"""Which files a path, a folder or a glob in a sweep's file means."""

from pathlib import Path

from sweep.errors import SpecError
from sweep.yaml_file import Key, YamlFile, short, short_path

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")


def resolve(file: YamlFile, key: Key, entry: str, folder: Path) -> list[Path]:
    """A path, a folder of pictures or a glob, sorted; at least one file.

    Raises:
        SpecError: names what was looked for, where it stands and in which folder.
    """
    try:
        found = _matches(file, key, entry, folder)
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, no such user for ~name, a null byte, a bad pattern
        raise SpecError(f"{file.where(key)}: {short(entry)} is not a path or pattern that can be looked for: {error}.") from error
    for path in found:
        if not is_text(path.name):
            raise SpecError(f"{file.where(key)}: the file name {short_path(path)} is not UTF-8 text; rename the file.")
    return found


def is_text(name: str) -> bool:
    """Whether a file name is UTF-8 text."""
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of a file system that are no UTF-8; the database could not hold them
        return False
    return True


def _matches(file: YamlFile, key: Key, entry: str, folder: Path) -> list[Path]:
    place = folder / Path(entry).expanduser()
    if entry and place.is_file():
        return [place]
    if entry and place.is_dir():
        found = sorted(one for one in place.iterdir() if one.suffix.lower() in PICTURE_SUFFIXES and one.is_file())
        problem = f"the folder {short(entry)} holds no picture ({', '.join(PICTURE_SUFFIXES)})"
    elif any(mark in entry for mark in "*?["):
        start = Path(place.anchor) if place.is_absolute() else Path()
        found = sorted(one for one in start.glob(str(place.relative_to(start))) if one.is_file())
        problem = f"the pattern {short(entry)} matches no file in {folder.absolute()}"
    else:
        found, problem = [], f"there is no file {short(entry)} in {folder.absolute()}"
    if not found:
        raise SpecError(f"{file.where(key)}: {problem}. Pictures are looked for relative to the sweep's file.")
    return found

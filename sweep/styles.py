"""What may stand under `style` in a sweep's file: pictures, blends, and regions, where masks say which style goes where."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.combination import MAX_REGIONS, Regions, Weights, canonical_regions, mean_shares, normalised_weights
from sweep.errors import SpecError
from sweep.pictures import is_text, resolve
from sweep.yaml_file import Key, YamlFile, is_number, short, short_path

CONTENT = "{content}"
"""In a mask's path: the photograph's name without its suffix."""

_BLEND = "A style is a path, a glob, or a blend, written {first.jpg: 0.7, second.jpg: 0.3}"
_REGION = 'A region is written {mask: "masks/{content}-sky.png", style: starry.jpg}, with a picture or a blend as its style'


@dataclass(frozen=True, kw_only=True)
class Blend:
    """One style entry: pictures with their shares, and the name the result goes by."""

    paths: tuple[tuple[Path, float], ...]

    def name(self) -> str:
        """'starry.jpg', or '0.7 starry.jpg + 0.3 scream.jpg'."""
        if len(self.paths) == 1:
            return self.paths[0][0].name
        return " + ".join(f"{share:.4g} {path.name}" for path, share in self.paths)

    def style_paths(self) -> list[Path]:
        """Its pictures."""
        return [path for path, _ in self.paths]

    @property
    def regions(self) -> tuple["MaskedBlend", ...]:
        """None: the style is the whole picture's."""
        return ()

    def shares(self, sha256: Mapping[Path, str]) -> Weights:
        """Its pictures by hash; two names of one picture are one share."""
        total: dict[str, float] = {}
        for path, share in self.paths:
            total[sha256[path]] = total.get(sha256[path], 0.0) + share
        return normalised_weights(total)

    def weighed(self, content: Path, sha256: Mapping[Path, str]) -> tuple[Weights, Regions]:
        """The style and the regions of a combination."""
        return self.shares(sha256), ()


@dataclass(frozen=True, kw_only=True)
class MaskedBlend:
    """A style for the part of the picture where a mask is white.

    mask: its path, maybe with `CONTENT` in it, relative to `folder`; where: the sweep's file, line, key and value.
    """

    mask: str
    folder: Path
    blend: Blend
    where: str = field(compare=False)

    def name(self) -> str:
        """'starry.jpg in sky.png'."""
        style = self.blend.name()
        return f"{style if len(self.blend.paths) == 1 else f'({style})'} in {_mask_name(self.mask)}"

    def mask_of(self, content: Path) -> Path:
        """The mask of a photograph."""
        return self.folder / self.mask.replace(CONTENT, content.stem)


@dataclass(frozen=True, kw_only=True)
class MaskedStyle:
    """One style entry: regions with styles of their own. What no mask covers stays the photograph."""

    regions: tuple[MaskedBlend, ...]

    def name(self) -> str:
        """'starry.jpg in sky.png + scream.jpg in ground.png', the same for every photograph."""
        return " + ".join(region.name() for region in self.regions)

    def style_paths(self) -> list[Path]:
        """The pictures of all regions."""
        return [path for region in self.regions for path in region.blend.style_paths()]

    def weighed(self, content: Path, sha256: Mapping[Path, str]) -> tuple[Weights, Regions]:
        """The style (the mean over the regions) and the regions of a combination."""
        regions = canonical_regions((sha256[region.mask_of(content)], region.blend.shares(sha256)) for region in self.regions)
        return mean_shares(regions), regions


Style = Blend | MaskedStyle


def _mask_name(mask: str) -> str:
    """'masks/{content}-sky.png', 'masks/{content}/sky.png' and 'sky/{content}.png' are 'sky.png', 'sky.png' and 'sky'."""
    path = Path(mask)
    for part in (path.name, path.parent.name):
        name = part.replace(CONTENT, "").strip("-_ ")
        if name and not name.startswith("."):
            return name
    return path.name


def check_masks(pairs: Iterable[tuple[Path, Style]]) -> None:
    """That every photograph has the masks of the styles it meets.

    Raises:
        SpecError: one is not there.
    """
    contents: dict[MaskedBlend, list[Path]] = {}
    for content, style in pairs:
        for region in style.regions:
            contents.setdefault(region, []).append(content)
    for region, photographs in contents.items():
        _check_masks_are_there(region, photographs)


def styles_of(file: YamlFile, key: Key, entry: Any, folder: Path) -> Iterator[Style]:
    """The styles that one entry means. folder: where relative paths begin.

    Raises:
        SpecError: it is none of what is allowed, or names a file that is not there.
    """
    if isinstance(entry, str):
        yield from (Blend(paths=((path, 1.0),)) for path in resolve(file, key, entry, folder))
    elif isinstance(entry, dict) and "regions" in entry and not is_number(entry["regions"]):  # a number: a picture's share
        yield _masked(file, key, entry, folder)
    else:
        yield _blend(file, key, entry, folder)


def _blend(file: YamlFile, key: Key, entry: Any, folder: Path) -> Blend:
    if not isinstance(entry, dict) or not entry:
        raise SpecError(f"{file.where(key)}: {short(entry)} is not allowed. {_BLEND}.")
    for name, share in entry.items():
        if not is_number(share):
            raise SpecError(
                f"{file.where((*key, name))}: {short(share)} is not allowed: a share is a finite number, zero or more. {_BLEND}."
            )
    try:
        shares = normalised_weights(entry)
    except ValueError as error:
        raise SpecError(f"{file.where(key)}: {error}. {_BLEND}.") from error
    paths = []
    for name, share in shares:
        found = resolve(file, (*key, name), name, folder)
        if len(found) != 1:
            raise SpecError(f"{file.where(key)}: {short(name)} names {len(found)} pictures; a blend takes one picture a key.")
        paths.append((found[0], share))
    return Blend(paths=tuple(paths))


def _masked(file: YamlFile, key: Key, entry: dict[str, Any], folder: Path) -> MaskedStyle:
    at = (*key, "regions")
    for name in entry:
        if name != "regions":
            raise SpecError(f"{file.where((*key, name))}: beside `regions` nothing else may stand; give {short(name)} an entry of its own.")
    listed = entry["regions"]
    if not isinstance(listed, list) or not listed:
        raise SpecError(f"{file.where(at)}: {short(listed)} is not allowed: it is a list of regions. {_REGION}.")
    if len(listed) > MAX_REGIONS:
        raise SpecError(f"{file.where(at)}: there are {len(listed)} regions; at most {MAX_REGIONS} are allowed. Merge some.")
    regions = tuple(_region(file, (*at, index), one, folder) for index, one in enumerate(listed))
    for index, region in enumerate(regions):
        if region.mask in [earlier.mask for earlier in regions[:index]]:
            raise SpecError(
                f"{file.where((*at, index, 'mask'))}: the mask {short(listed[index]['mask'])} is given to two regions; "
                "make them one, with a blend as its style."
            )
    return MaskedStyle(regions=regions)


def _region(file: YamlFile, key: Key, one: Any, folder: Path) -> MaskedBlend:
    if not isinstance(one, dict) or set(one) != {"mask", "style"}:
        odd = sorted(set(one) - {"mask", "style"}) if isinstance(one, dict) else []
        what = f"there is no such key. Allowed here: mask, style. {_REGION}" if odd else f"{short(one)} is not allowed. {_REGION}"
        raise SpecError(f"{file.where((*key, *odd[:1]))}: {what}.")
    mask, style = one["mask"], one["style"]
    if not isinstance(mask, str) or not mask:
        raise SpecError(f'{file.where((*key, "mask"))}: {short(mask)} is not allowed: it is the path of a picture, "{CONTENT}" in quotes.')
    try:
        place = str(Path(mask).expanduser())
    except RuntimeError as error:  # no such user for ~name
        raise SpecError(f"{file.where((*key, 'mask'))}: {short(mask)} is not a path that can be looked for: {error}.") from error
    at = (*key, "style")
    if isinstance(style, str):
        found = resolve(file, at, style, folder)
        if len(found) != 1:
            raise SpecError(f"{file.where(at)}: {short(style)} names {len(found)} pictures; a region takes one picture, or a blend.")
        blend = Blend(paths=((found[0], 1.0),))
    else:
        blend = _blend(file, at, style, folder)
    return MaskedBlend(mask=place, folder=folder, blend=blend, where=f"{file.where((*key, 'mask'))}: {short(mask)}")


def _check_masks_are_there(region: MaskedBlend, contents: list[Path]) -> None:
    for content in contents:
        path = region.mask_of(content)
        try:
            problem = "" if path.is_file() else "a folder" if path.is_dir() else "no file"
        except OSError as error:  # too long a name
            raise SpecError(f"{region.where} is not a path that can be looked for: {error.strerror}.") from error
        if problem == "a folder":
            raise SpecError(f"{region.where} is a folder; a mask is one picture, white where its style goes.")
        if problem:
            hint = "" if CONTENT in region.mask else f' Write "{CONTENT}" in the path where each photograph has a mask of its own.'
            raise SpecError(
                f"{region.where}: there is no file {short_path(path)}, which is to be the mask of {short(content.name)}. "
                f"A mask is as large as its photograph, or of the same shape, and white where its style goes.{hint}"
            )
        if not is_text(path.name):
            raise SpecError(f"{region.where}: the file name {short_path(path)} is not UTF-8 text; rename the file.")

"""The sweep's YAML file: what may stand in it, and which combinations it means."""

import difflib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from sweep.axes import PARAMETERS, Axis, is_number, read_parameters
from sweep.combination import Combination, Settings, normalised_weights
from sweep.errors import SpecError
from sweep.spec_checks import check_together
from sweep.yaml_file import Key, YamlFile, read_yaml, short

MAX_COMBINATIONS = 1_000_000
MAX_SNAPSHOTS = 50
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _as_mapping(value: Any) -> Any:
    return {} if value is None else value  # `parameters:` with nothing under it


def _snapshots(value: Any) -> int | list[int]:
    """How many snapshots of each run, or after which of its steps; nothing is none."""
    steps = value if isinstance(value, list) else [0 if value is None or value is False else value]
    whole = all(is_number(step) and int(step) == step for step in steps)
    if isinstance(value, list):
        if whole and len(set(steps)) <= MAX_SNAPSHOTS and all(step >= 1 for step in steps):
            return sorted({int(step) for step in steps})
    elif whole and 0 <= steps[0] <= MAX_SNAPSHOTS:
        return int(steps[0])
    raise PydanticCustomError("snapshots", _SNAPSHOTS)


_SNAPSHOTS = (
    f"give how many of each run, from 0 to {MAX_SNAPSHOTS}, or a list of at most {MAX_SNAPSHOTS} steps, counted from 1, as in [1, 10, 100]"
)


class Resources(BaseModel):
    """What one run asks of Ray. gpus: None means one if the cluster has GPUs, else none. device: 'auto' follows gpus."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cpus: float = Field(1, gt=0, le=1024)
    gpus: float | None = Field(None, ge=0, le=64)
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Limits(BaseModel):
    """How long one run may take, and how long it may be silent (a worker speaks about twice a second). None: as long as it likes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    run_minutes: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False)
    silent_minutes: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False)


class SweepFile(BaseModel):
    """The file's own shape; `parameters` and `settings` are read by `sweep.axes`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f/\\]+$")
    method: Literal["grid"] = "grid"
    content: Annotated[list[str], BeforeValidator(_as_list)] = Field(min_length=1)
    style: Annotated[list[Any], BeforeValidator(_as_list)] = Field(min_length=1)
    """Each a path or a glob, or a blend, {path: share, path: share}: see `_blend`."""
    parameters: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    settings: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    resources: Annotated[Resources, BeforeValidator(_as_mapping)] = Field(default_factory=Resources)
    limits: Annotated[Limits, BeforeValidator(_as_mapping)] = Field(default_factory=Limits)
    snapshots: Annotated[int | list[int], PlainValidator(_snapshots)] = 0
    """Pictures kept of each run's way: how many, spaced by the logarithm of the step, or after which steps."""


@dataclass(frozen=True, kw_only=True)
class Blend:
    """One style entry: pictures with their shares, and the name the result goes by."""

    paths: tuple[tuple[Path, float], ...]

    def name(self) -> str:
        """'starry.jpg', or '0.7 starry.jpg + 0.3 scream.jpg'."""
        if len(self.paths) == 1:
            return self.paths[0][0].name
        return " + ".join(f"{share:.4g} {path.name}" for path, share in self.paths)


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """A validated sweep. Pictures are paths still; `combinations` needs their hashes."""

    path: Path
    text: str
    name: str
    contents: tuple[Path, ...]
    styles: tuple[Blend, ...]
    axes: Mapping[str, Axis]
    resources: Resources
    limits: Limits
    snapshots: int | list[int] = 0

    def points(self) -> int:
        """How many points the grid has, equal ones counted as often as they are written. Not `__len__`: that must fit 64 bits."""
        return len(self.contents) * len(self.styles) * math.prod(len(axis.values) for axis in self.axes.values())

    def picture_paths(self) -> list[Path]:
        """Every input picture once, contents first."""
        return list(dict.fromkeys([*self.contents, *(path for style in self.styles for path, _ in style.paths)]))

    def network_files(self) -> dict[tuple[str, Path | None], None]:
        """The (network, own weights file) pairs in use."""
        return dict.fromkeys(itertools.product(self.axes["network"].values, self.axes["weights"].values))

    def combinations(self, sha256: Mapping[Path, str], network_hash: Mapping[tuple[str, Path | None], str]) -> Iterator["NamedCombination"]:
        """Every point of the grid, content outermost and beta innermost, so that neighbours share their targets.

        sha256: hash of each picture's file. network_hash: identity of each network's weights, as `network_files` lists them.
        """
        names = list(self.axes)
        for content, style in itertools.product(self.contents, self.styles):
            shares = normalised_weights(_merged((sha256[path], share) for path, share in style.paths))
            for values in itertools.product(*(axis.values for axis in self.axes.values())):
                point = dict(zip(names, values, strict=True))
                weights = point.pop("weights")
                layers, alpha, beta = point.pop("layers"), point.pop("alpha"), point.pop("beta")
                settings = Settings(**point, network_hash=network_hash[point["network"], weights])
                combination = Combination(content=sha256[content], style=shares, alpha=alpha, beta=beta, layers=layers, settings=settings)
                yield NamedCombination(combination=combination, content=content, style_name=style.name())


@dataclass(frozen=True, kw_only=True)
class NamedCombination:
    """A combination with what its pictures are called."""

    combination: Combination
    content: Path
    style_name: str


def _merged(pairs: Iterator[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for name, share in pairs:  # two names of one picture in a blend
        total[name] = total.get(name, 0.0) + share
    return total


def load_spec(path: Path) -> SweepSpec:
    """Read, validate and resolve a sweep's file; pictures are looked for relative to it.

    Raises:
        SpecError: names the file, the line, the key, the value and what is allowed.
    """
    return parse_spec(read_yaml(path), path)


def parse_spec(file: YamlFile, path: Path) -> SweepSpec:
    """As `load_spec`, for text that is in memory; `path` is where relative pictures are looked for."""
    try:
        parsed = SweepFile.model_validate(file.data)
    except ValidationError as error:
        raise SpecError(_explain(file, error)) from error
    axes = read_parameters(file, parsed.parameters, parsed.settings, path.parent)
    spec = SweepSpec(
        path=path,
        text=file.text,
        name=parsed.name,
        contents=tuple(dict.fromkeys(itertools.chain(*_contents(file, parsed, path.parent)))),
        styles=tuple(dict.fromkeys(itertools.chain(*_styles(file, parsed, path.parent)))),
        axes=axes,
        resources=parsed.resources,
        limits=parsed.limits,
        snapshots=parsed.snapshots,
    )
    if spec.points() > MAX_COMBINATIONS:
        raise SpecError(
            f"{file.name}: the grid has {spec.points():,} combinations; at most {MAX_COMBINATIONS:,} are allowed. Split the sweep."
        )
    check_together(file, axes)
    return spec


def _contents(file: YamlFile, parsed: SweepFile, folder: Path) -> Iterator[list[Path]]:
    for index, entry in enumerate(parsed.content):
        yield _resolve(file, ("content", index), entry, folder)


def _styles(file: YamlFile, parsed: SweepFile, folder: Path) -> Iterator[list[Blend]]:
    for index, entry in enumerate(parsed.style):
        key = ("style", index)
        if isinstance(entry, str):
            yield [Blend(paths=((path, 1.0),)) for path in _resolve(file, key, entry, folder)]
        else:
            yield [_blend(file, key, entry, folder)]


_BLEND = "A style is a path, a glob, or a blend, written {first.jpg: 0.7, second.jpg: 0.3}"


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
        found = _resolve(file, (*key, name), name, folder)
        if len(found) != 1:
            raise SpecError(f"{file.where(key)}: {short(name)} names {len(found)} pictures; a blend takes one picture a key.")
        paths.append((found[0], share))
    return Blend(paths=tuple(paths))


def _resolve(file: YamlFile, key: Key, entry: str, folder: Path) -> list[Path]:
    """A path, a folder of pictures or a glob, sorted; at least one file."""
    try:
        found = _matches(file, key, entry, folder)
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, no such user for ~name, a null byte, a bad pattern
        raise SpecError(f"{file.where(key)}: {short(entry)} is not a path or pattern that can be looked for: {error}.") from error
    for path in found:
        if not _is_text(path.name):
            raise SpecError(f"{file.where(key)}: the file name {short(str(path))} is not UTF-8 text; rename the file.")
    return found


def _is_text(name: str) -> bool:
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


def _explain(file: YamlFile, error: ValidationError) -> str:
    """The first of pydantic's complaints as one sentence with file, line, key, value and what is allowed."""
    first = error.errors(include_url=False)[0]
    key = tuple(part for part in first["loc"] if isinstance(part, int) or part in _KEYS or part in file.data)
    if first["type"] == "extra_forbidden":
        inside = first["loc"][:-1]
        sections: dict[Any, type[BaseModel]] = {("resources",): Resources, ("limits",): Limits}
        allowed = sections.get(inside, SweepFile).model_fields
        hint = _closest(str(first["loc"][-1]), list(allowed))
        also = " It belongs under `parameters` or `settings`." if first["loc"][-1] in PARAMETERS and not inside else ""
        return f"{file.where(first['loc'])}: there is no such key{hint}.{also} Allowed here: {', '.join(allowed)}."
    if first["type"] == "missing":
        return f"{file.name}: the key {'.'.join(map(str, first['loc']))!r} is missing; a sweep needs name, content and style."
    allowed_here = _NAME if first["type"].startswith("string_pattern") else f"{first['msg'][0].lower()}{first['msg'][1:]}"
    return f"{file.where(key)}: {short(first['input'])} is not allowed: {allowed_here}."


_NAME = "a name may hold anything but slashes and control characters"
_KEYS = {*SweepFile.model_fields, *Resources.model_fields, *Limits.model_fields}


def _closest(name: str, allowed: list[str]) -> str:
    near = difflib.get_close_matches(name, allowed, 1)
    return f"; did you mean `{near[0]}`?" if near else ""

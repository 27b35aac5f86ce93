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
from sweep.combination import Combination, Settings
from sweep.errors import SpecError
from sweep.pictures import resolve
from sweep.spec_checks import check_together
from sweep.styles import MaskedBlend, Style, read_styles
from sweep.yaml_file import YamlFile, read_yaml, short

MAX_COMBINATIONS = 1_000_000
MAX_SNAPSHOTS = 50


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
    """What one run asks of Ray. gpus: None means one if the cluster has GPUs, else none. device: 'auto' follows gpus.

    memory: bytes that a node must have free for it; None asks for none in particular. pack: how many runs share one task; 'auto' packs
    small pictures on a GPU. price_per_hour: what its share of a machine costs; for plans and budgets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    cpus: float = Field(1, gt=0, le=1024)
    gpus: float | None = Field(None, ge=0, le=64)
    memory: int | None = Field(None, gt=0, le=2**50)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    pack: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = "auto"
    price_per_hour: float | None = Field(None, ge=0, le=1e6, allow_inf_nan=False)


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
    """Each a path or a glob, a blend, {path: share, path: share}, or regions: see `sweep.styles`."""
    parameters: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    settings: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    resources: Annotated[Resources, BeforeValidator(_as_mapping)] = Field(default_factory=Resources)
    limits: Annotated[Limits, BeforeValidator(_as_mapping)] = Field(default_factory=Limits)
    snapshots: Annotated[int | list[int], PlainValidator(_snapshots)] = 0
    """Pictures kept of each run's way: how many, spaced by the logarithm of the step, or after which steps."""


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """A validated sweep. Pictures are paths still; `combinations` needs their hashes."""

    path: Path
    text: str
    name: str
    contents: tuple[Path, ...]
    styles: tuple[Style, ...]
    axes: Mapping[str, Axis]
    resources: Resources
    limits: Limits
    snapshots: int | list[int] = 0

    def points(self) -> int:
        """How many points the grid has, equal ones counted as often as they are written. Not `__len__`: that must fit 64 bits."""
        return len(self.contents) * len(self.styles) * math.prod(len(axis.values) for axis in self.axes.values())

    def picture_paths(self) -> list[Path]:
        """Every input picture once: contents, styles, masks."""
        masks = [region.mask_of(content) for content, region in self.masked()]
        return list(dict.fromkeys([*self.content_and_style_paths(), *masks]))

    def content_and_style_paths(self) -> list[Path]:
        """Those that are not masks, contents first."""
        return list(dict.fromkeys([*self.contents, *(path for style in self.styles for path in style.style_paths())]))

    def masked(self) -> Iterator[tuple[Path, MaskedBlend]]:
        """Every photograph with every region that is to be found in it."""
        regions = [region for style in self.styles for region in style.regions]
        return itertools.product(self.contents, regions)

    def network_files(self) -> dict[tuple[str, Path | None], None]:
        """The (network, own weights file) pairs in use."""
        return dict.fromkeys(itertools.product(self.axes["network"].values, self.axes["weights"].values))

    def combinations(self, sha256: Mapping[Path, str], network_hash: Mapping[tuple[str, Path | None], str]) -> Iterator["NamedCombination"]:
        """Every point of the grid, content outermost and beta innermost, so that neighbours share their targets.

        sha256: hash of each picture's file. network_hash: identity of each network's weights, as `network_files` lists them.
        """
        names = list(self.axes)
        for content, style in itertools.product(self.contents, self.styles):
            shares, regions = style.weighed(content, sha256)
            for values in itertools.product(*(axis.values for axis in self.axes.values())):
                point = dict(zip(names, values, strict=True))
                weights = point.pop("weights")
                layers, alpha, beta = point.pop("layers"), point.pop("alpha"), point.pop("beta")
                settings = Settings(**point, network_hash=network_hash[point["network"], weights])
                combination = Combination(
                    content=sha256[content], style=shares, regions=regions, alpha=alpha, beta=beta, layers=layers, settings=settings
                )
                yield NamedCombination(combination=combination, content=content, style_name=style.name())


@dataclass(frozen=True, kw_only=True)
class NamedCombination:
    """A combination with what its pictures are called."""

    combination: Combination
    content: Path
    style_name: str


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
    contents = tuple(dict.fromkeys(itertools.chain(*_contents(file, parsed, path.parent))))
    spec = SweepSpec(
        path=path,
        text=file.text,
        name=parsed.name,
        contents=contents,
        styles=read_styles(file, parsed.style, contents, path.parent),
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
        yield resolve(file, ("content", index), entry, folder)


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

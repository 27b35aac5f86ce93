"""The sweep's YAML file: what may stand in it, and which combinations it means."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from sweep.axes import Axis, read_parameters
from sweep.combination import Combination, Settings
from sweep.conditions import NAMES, Conditions
from sweep.errors import SpecError
from sweep.parameters import PARAMETERS
from sweep.pictures import resolve
from sweep.space import MAX_COMBINATIONS, Circle, Method, Space, TooMany
from sweep.spec_checks import check_together
from sweep.styles import MaskedBlend, Style, check_masks, styles_of
from sweep.yaml_file import YamlFile, is_number, read_yaml, short

MAX_SNAPSHOTS = 50


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _as_entries(value: Any) -> Any:
    return [] if value is None else _as_list(value)  # `zip:` with nothing under it


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
    method: Method = "grid"
    runs: int | None = Field(None, ge=1, le=MAX_COMBINATIONS)
    """How many combinations random and sobol draw. N + M begins with the same N."""
    search_seed: int | None = Field(None, ge=0, lt=2**63)
    content: Annotated[list[str], BeforeValidator(_as_list)] = Field(min_length=1)
    style: Annotated[list[Any], BeforeValidator(_as_list)] = Field(min_length=1)
    """Each a path or a glob, a blend, {path: share, path: share}, or regions: see `sweep.styles`."""
    parameters: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    settings: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict)
    zip: Annotated[list[Any], BeforeValidator(_as_entries)] = Field(default_factory=list)
    """Groups of names whose values move together; `when` and `exclude`: see `sweep.conditions`."""
    when: Annotated[list[Any], BeforeValidator(_as_entries)] = Field(default_factory=list)
    exclude: Annotated[list[Any], BeforeValidator(_as_entries)] = Field(default_factory=list)
    resources: Annotated[Resources, BeforeValidator(_as_mapping)] = Field(default_factory=Resources)
    limits: Annotated[Limits, BeforeValidator(_as_mapping)] = Field(default_factory=Limits)
    snapshots: Annotated[int | list[int], PlainValidator(_snapshots)] = 0
    """Pictures kept of each run's way: how many, spaced by the logarithm of the step, or after which steps."""


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """A validated sweep. Pictures are paths still; `combinations` needs their hashes. remarks: what its writer may want to know."""

    path: Path
    text: str
    name: str
    space: Space
    resources: Resources
    limits: Limits
    snapshots: int | list[int] = 0
    remarks: tuple[str, ...] = ()

    @property
    def contents(self) -> tuple[Path, ...]:
        """Every photograph once."""
        return self.space.axes["content"].values

    @property
    def styles(self) -> tuple[Style, ...]:
        """Every style once."""
        return self.space.axes["style"].values

    @property
    def axes(self) -> Mapping[str, Axis]:
        """The values of every parameter, without those of `when`."""
        return {name: axis for name, axis in self.space.axes.items() if name in PARAMETERS}

    @property
    def search_seed(self) -> int | None:
        """Of what is drawn; a grid has none."""
        return None if self.space.method == "grid" else self.space.seed

    def points(self) -> int:
        """How many combinations there are; in a grid equal pictures under two names count as two."""
        return self.space.count()

    def picture_paths(self) -> list[Path]:
        """Every input picture once: contents, styles, masks."""
        masks = [region.mask_of(content) for content, region in self.masked()]
        return list(dict.fromkeys([*self.content_and_style_paths(), *masks]))

    def content_and_style_paths(self) -> list[Path]:
        """Those that are not masks, contents first."""
        pairs = list(self.pairs())
        contents, styles = dict.fromkeys(content for content, _ in pairs), dict.fromkeys(style for _, style in pairs)
        return list(dict.fromkeys([*contents, *(path for style in styles for path in style.style_paths())]))

    def pairs(self) -> Iterable[tuple[Path, Style]]:
        """Every photograph with every style that it meets."""
        return self.space.facts("content", "style")

    def masked(self) -> Iterator[tuple[Path, MaskedBlend]]:
        """Every photograph with every region that is to be found in it."""
        return ((content, region) for content, style in self.pairs() for region in style.regions)

    def smallest(self) -> int:
        """The smallest `size`."""
        return min(int(size) for size, _ in self.space.facts("size", "size_by"))

    def network_files(self) -> dict[tuple[str, Path | None], None]:
        """The (network, own weights file) pairs in use."""
        return dict.fromkeys(self.space.facts("network", "weights"))

    def combinations(self, sha256: Mapping[Path, str], network_hash: Mapping[tuple[str, Path | None], str]) -> Iterator["NamedCombination"]:
        """Every point, a grid's with content outermost and beta innermost, so that neighbours share their targets.

        sha256: hash of each picture's file. network_hash: identity of each network's weights, as `network_files` lists them.
        What neighbours have in common is one object.
        """
        names = NAMES[2:-3]
        assert NAMES[:2] + NAMES[-3:] == ("content", "style", "layers", "alpha", "beta") and names[:2] == ("network", "weights")
        pair: tuple[Any, ...] = ()
        settings_of: dict[tuple[Any, ...], Settings] = {}
        for point in self.space.points():
            if point[:2] != pair:
                pair = tuple(point[:2])
                content, style = pair
                (shares, regions), style_name = style.weighed(content, sha256), style.name()
            made = tuple(point[2:-3])
            settings = settings_of.get(made)
            if settings is None:
                values = dict(zip(names, made, strict=True))
                weights = values.pop("weights")
                settings = Settings(**values, network_hash=network_hash[values["network"], weights])
                if len(settings_of) >= _REMEMBERED:
                    settings_of.clear()
                settings_of[made] = settings
            layers, alpha, beta = point[-3:]
            combination = Combination(
                content=sha256[content], style=shares, regions=regions, alpha=alpha, beta=beta, layers=layers, settings=settings
            )
            yield NamedCombination(combination=combination, content=content, style_name=style_name)


_REMEMBERED = 10_000
"""Settings that are kept to be used again."""


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
    space = _read_space(file, parsed, path.parent)
    _check_size(file, space)
    check_masks(space.facts("content", "style"))
    check_together(file, space)
    return SweepSpec(
        path=path,
        text=file.text,
        name=parsed.name,
        space=space,
        resources=parsed.resources,
        limits=parsed.limits,
        snapshots=parsed.snapshots,
        remarks=tuple(_remarks(file, space)),
    )


def _read_space(file: YamlFile, parsed: SweepFile, folder: Path) -> Space:
    drawn = parsed.method != "grid"
    if drawn and parsed.runs is None:
        raise SpecError(f"{file.where(('method',))}: {parsed.method} draws combinations; say how many by `runs`, as in runs: 50.")
    for name in ("runs", "search_seed"):
        if not drawn and getattr(parsed, name) is not None:
            raise SpecError(
                f"{file.where((name,))}: a grid tries every combination; {name} belongs to method random or sobol. Leave it out."
            )
    axes = _pictures(file, parsed, folder) | read_parameters(file, parsed.parameters, parsed.settings, folder, drawn=drawn)
    conditions = Conditions(file, axes, folder, drawn=drawn)
    groups = conditions.groups(parsed.zip)
    return Space(
        axes=axes,
        groups=groups,
        rules=conditions.rules(parsed.when, groups),
        exclusions=conditions.exclusions(parsed.exclude),
        method=parsed.method,
        runs=parsed.runs or 0,
        seed=parsed.search_seed or 0,
    )


def _pictures(file: YamlFile, parsed: SweepFile, folder: Path) -> dict[str, Axis]:
    contents = [path for index, entry in enumerate(parsed.content) for path in resolve(file, ("content", index), entry, folder)]
    styles = [style for index, entry in enumerate(parsed.style) for style in styles_of(file, ("style", index), entry, folder)]
    listed: dict[str, list[Any]] = {"content": contents, "style": styles}
    return {name: Axis(values=tuple(dict.fromkeys(given)), key=(name,), listed=tuple(given)) for name, given in listed.items()}


def _check_size(file: YamlFile, space: Space) -> None:
    try:
        least = space.at_least()
        count = least if least > MAX_COMBINATIONS and space.method == "grid" else space.count()
    except Circle as circle:
        raise SpecError(f"{file.where(circle.key)}: {circle}; conditions must not go in a circle.") from circle
    except TooMany:
        count = MAX_COMBINATIONS + 1
    if count > MAX_COMBINATIONS and space.method == "grid":
        many = f"over {MAX_COMBINATIONS:,}" if count == MAX_COMBINATIONS + 1 else f"{count:,}"
        raise SpecError(
            f"{file.name}: the grid has {many} combinations; at most {MAX_COMBINATIONS:,} are allowed. Split the sweep, or draw from it "
            "by method random."
        )
    if count == 0:
        raise SpecError(f"{file.where(('exclude',))}: no combination is left; exclude less.")


def _remarks(file: YamlFile, space: Space) -> Iterator[str]:
    """What is right, but perhaps not meant."""
    if space.plain:
        return
    found = space.survey
    among = "combination" if space.method == "grid" else "combination that was drawn"
    for key in found.idle:
        effect = f"applies to no {among}" if key[0] == "when" else f"leaves out no {among}, or only what an entry above leaves out"
        yield f"{file.where(key)}: {effect}."
    if space.method != "grid" and found.count < space.runs:
        yield f"{file.where(('runs',))}: there are only {found.count:,} different combinations, not {space.runs:,}."
    if space.method == "sobol" and found.count & (found.count - 1):
        below = 2 ** (found.count.bit_length() - 1)
        yield f"{file.where(('runs',))}: Sobol's points are most even at powers of two, as {below:,} or {2 * below:,}."


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

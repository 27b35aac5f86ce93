"""A sweep as its YAML file means it: validated, and expanded into combinations."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.axes import Axis, read_parameters
from sweep.combination import Combination, Settings
from sweep.conditions import NAMES, Conditions
from sweep.errors import SpecError
from sweep.parameters import PARAMETERS
from sweep.pictures import resolve
from sweep.space import MAX_COMBINATIONS, Circle, Space, TooMany
from sweep.spec_checks import check_together
from sweep.spec_file import Limits, Resources, SweepFile, read_file
from sweep.styles import MaskedBlend, Style, check_masks, styles_of
from sweep.yaml_file import YamlFile, read_yaml


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
        """Those that are not masks, contents first; also those that no combination has, as the file names them."""
        return list(dict.fromkeys([*self.contents, *(path for style in self.styles for path in style.style_paths())]))

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
        pairs: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        settings_of: dict[tuple[Any, ...], Settings] = {}
        for point in self.space.points():
            content, style = pair = tuple(point[:2])
            if pair not in pairs:
                pairs[pair] = (*style.weighed(content, sha256), style.name())
            shares, regions, style_name = pairs[pair]
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
    parsed = read_file(file)
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
        only = "is only one combination" if found.count == 1 else f"are only {found.count:,} different combinations"
        yield f"{file.where(('runs',))}: there {only}, not {space.runs:,}."
    if space.method == "sobol" and found.count & (found.count - 1):
        below = 2 ** (found.count.bit_length() - 1)
        yield f"{file.where(('runs',))}: Sobol's points are most even at powers of two, as {below:,} or {2 * below:,}."

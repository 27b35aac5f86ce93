"""The shape of a sweep's file: its keys, what each may hold, and how a wrong one is told."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from sweep.errors import SpecError
from sweep.parameters import PARAMETERS
from sweep.space import MAX_COMBINATIONS, Method
from sweep.yaml_file import YamlFile, did_you_mean, is_number, short

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
    """What one run asks of Ray."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cpus: float = Field(1, gt=0, le=1024, description="Cores of a run.")
    gpus: float | None = Field(None, ge=0, le=64, description="GPUs of a run, as 0.5; left out: one if the cluster has any, else none.")
    memory: int | None = Field(None, gt=0, le=2**50, description="Bytes that a node must have free for it; left out: none in particular.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto follows gpus.")
    pack: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = Field(
        "auto", description="How many runs share one task; auto packs small pictures on a GPU."
    )
    price_per_hour: float | None = Field(
        None, ge=0, le=1e6, allow_inf_nan=False, description="What its share of a machine costs; for plans and budgets."
    )


class Limits(BaseModel):
    """How long one run may take, and how long it may be silent (a worker speaks about twice a second). None: as long as it likes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    run_minutes: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False, description="Ends a run that takes longer.")
    silent_minutes: float | None = Field(
        None, gt=0, le=1e6, allow_inf_nan=False, description="Ends a run whose worker has said nothing for so long."
    )


class SweepFile(BaseModel):
    """The file's own shape. What stands in `parameters` and `settings` is read by `sweep.axes`, the conditions by `sweep.conditions`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f/\\]+$",
        description="What the sweep is called: the same name extends the same sweep.",
    )
    method: Method = Field(
        "grid", description="grid: every combination. random, sobol: as many as `runs` says, drawn; sobol spreads them more evenly."
    )
    runs: int | None = Field(
        None, ge=1, le=MAX_COMBINATIONS, description="Of random and sobol: how many combinations. N + M begins with the same N."
    )
    search_seed: int | None = Field(
        None, ge=0, lt=2**63, description="Of random and sobol: another seed, other combinations. 0 unless given."
    )
    content: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        min_length=1, description="Photographs: a path, a folder, a glob, or a list of these, relative to this file."
    )
    style: Annotated[list[Any], BeforeValidator(_as_list)] = Field(
        min_length=1,
        description="Paintings: a path, a folder, a glob, a blend {first.jpg: 0.7, second.jpg: 0.3}, regions, or a list of these.",
    )
    parameters: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict, description="What varies.")
    settings: Annotated[dict[str, Any], BeforeValidator(_as_mapping)] = Field(default_factory=dict, description="What stays the same.")
    zip: Annotated[list[Any], BeforeValidator(_as_entries)] = Field(
        default_factory=list,
        description="Groups of names whose values move together, as in [[content, style]]: the first with the first, and so on.",
    )
    when: Annotated[list[Any], BeforeValidator(_as_entries)] = Field(
        default_factory=list,
        description="Values that count only if others have certain values: a list of {if: {recipe: gatys}, then: {history: [10, 20]}}.",
    )
    exclude: Annotated[list[Any], BeforeValidator(_as_entries)] = Field(
        default_factory=list, description="Combinations that are left out: those that match every name of one entry."
    )
    resources: Annotated[Resources, BeforeValidator(_as_mapping)] = Field(default_factory=Resources, description="What one run asks for.")
    limits: Annotated[Limits, BeforeValidator(_as_mapping)] = Field(default_factory=Limits, description="How long a run may take.")
    snapshots: Annotated[int | list[int], PlainValidator(_snapshots)] = Field(
        0, description="Pictures kept of each run's way: how many, spaced by the logarithm of the step, or after which steps."
    )


def read_file(file: YamlFile) -> SweepFile:
    """The file's own shape.

    Raises:
        SpecError: names the file, the line, the key, the value and what is allowed.
    """
    try:
        parsed = SweepFile.model_validate(file.data)
    except ValidationError as error:
        raise SpecError(_explain(file, error)) from error
    for section, given in (("parameters", parsed.parameters), ("settings", parsed.settings)):
        for name in given:
            if name not in PARAMETERS and (home := _home(name)):
                raise SpecError(f"{file.where((section, name))}: {name} is no parameter; it belongs {home}.")
    return parsed


def _home(name: str) -> str:
    """Where a key of the file that is no parameter belongs; empty for none."""
    for section, model in _SECTIONS.items():
        if name in model.model_fields:
            return f"under `{section}`"
    return "at the top of the file, beside `name`" if name in SweepFile.model_fields else ""


def _explain(file: YamlFile, error: ValidationError) -> str:
    """One of pydantic's complaints as a sentence with file, line, key, value and what is allowed; a misspelt key before one missing."""
    first = min(error.errors(include_url=False), key=lambda one: one["type"] == "missing")
    key = tuple(part for part in first["loc"] if isinstance(part, int) or part in _KEYS or part in file.data)
    if first["type"] == "extra_forbidden":
        allowed = _SECTIONS.get(str(first["loc"][0]), SweepFile).model_fields
        name = str(first["loc"][-1])
        home = "under `parameters` or `settings`" if name in PARAMETERS else _home(name)
        hint = f". It belongs {home}." if home else did_you_mean(name, allowed)
        return f"{file.where(first['loc'])}: there is no such key{hint} Allowed here: {', '.join(allowed)}."
    if first["type"] == "missing":
        return f"{file.name}: the key {'.'.join(map(str, first['loc']))!r} is missing; a sweep needs name, content and style."
    allowed_here = _IN_WORDS.get(first["type"], f"{first['msg'][0].lower()}{first['msg'][1:]}")
    return f"{file.where(key)}: {short(first['input'])} is not allowed: {allowed_here}."


_IN_WORDS = {
    "string_pattern_mismatch": "a name may hold anything but slashes and control characters",
    "string_type": "it must be text; put what YAML would read as something else in quotes, as in '2026'",
    "too_short": "give at least one picture",
    "dict_type": "it must hold names with values below it, as in `beta: 30`",
    "model_type": "it must hold names with values below it, as in `cpus: 1`",
}
"""Complaints of pydantic's whose own words speak of Python."""
_SECTIONS: dict[str, type[BaseModel]] = {"resources": Resources, "limits": Limits}
_KEYS = {*SweepFile.model_fields, *(name for model in _SECTIONS.values() for name in model.model_fields)}

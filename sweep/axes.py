"""The parameters of a sweep and the values each of them takes: lists, single values, and ranges with a distribution."""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from sweep.combination import LayerSet, Settings, round_significant
from sweep.errors import InputError, SpecError
from sweep.transfer.controls import STYLE_SCALES, Colors, Dtype, Init, Loss, Padding, Pooling, SizeBy, Stop, StyleLoss
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS, NETWORKS, RECIPES
from sweep.transfer.recipe import NUMBERS, SMALLEST_SIDE, Number
from sweep.yaml_file import Key, YamlFile, short

MAX_COUNT = 10_000
MAX_SIZE = 8192
MAX_STEPS = 1_000_000
DISTRIBUTIONS = ("uniform", "log_uniform_values")


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The values one parameter takes, each once, in the order written. key: where in the file it stands."""

    values: tuple[Any, ...]
    key: Key


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """How one parameter's value is read. `read` raises ValueError with what is allowed; numeric ones may be ranges."""

    default: Any
    read: Callable[[Any, Path], Any]
    numeric: type[int] | type[float] | None = None


def is_number(value: Any) -> bool:
    """Whether it is a finite int or float; True and False are none, nor is a whole number too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _number(low: float, high: float, what: str, *, none: bool = False) -> Callable[[Any, Path], float | None]:
    def read(value: Any, _folder: Path) -> float | None:
        if value is None and none:
            return None
        if not is_number(value) or not low <= value <= high:
            raise ValueError(what)
        return float(value)

    return read


def _integer(low: float, high: float, what: str, *, none: bool = False) -> Callable[[Any, Path], int | None]:
    def read(value: Any, _folder: Path) -> int | None:
        if value is None and none:
            return None
        if not is_number(value) or int(value) != value or not low <= value <= high:
            raise ValueError(what)
        return int(value)

    return read


def _number_of_a_recipe(number: Number) -> Parameter:
    """One of `sweep.transfer.recipe.NUMBERS`; left out it is the recipe's own."""
    whole = "a whole number " if number.kind is int else ""
    what = f"{number.meaning}, {whole}from {number.low:,} to {number.high:,}; or leave it out"
    read = _integer if number.kind is int else _number
    return Parameter(default=None, read=read(number.low, number.high, what, none=True), numeric=number.kind)


def _choice(allowed: tuple[str, ...]) -> Callable[[Any, Path], str]:
    def read(value: Any, _folder: Path) -> str:
        if value not in allowed:
            near = difflib.get_close_matches(str(value), allowed, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"{hint}choose one of {', '.join(allowed)}")
        return str(value)

    return read


def _layers(value: Any, _folder: Path) -> LayerSet:
    """A named set, or {content: [relu4_2], style: {relu1_1: 1, relu3_1: 2}}; a side left out is the default set's."""
    if isinstance(value, str):
        name = _choice(tuple(LAYER_SETS))(value, _folder)
        return LayerSet.of(*LAYER_SETS[name], name)
    how = f"give one of {', '.join(LAYER_SETS)}, or {{content: [relu4_2], style: {{relu1_1: 1, relu3_1: 2}}}}"
    if not isinstance(value, Mapping) or not value or set(value) - {"content", "style"}:
        raise ValueError(how)
    sides = {side: LAYER_SETS[DEFAULT_LAYER_SET][index] for index, side in enumerate(("content", "style"))}
    for side, layers in value.items():
        sides[side] = _layer_weights(layers, how)
    try:
        return LayerSet.of(sides["content"], sides["style"])
    except ValueError as error:
        raise ValueError(f"{error}; {how}") from error


def _layer_weights(layers: Any, how: str) -> dict[str, float]:
    if isinstance(layers, str):
        layers = [layers]
    if isinstance(layers, list) and layers and all(isinstance(name, str) for name in layers):
        if len(set(layers)) != len(layers):
            raise ValueError("a layer is listed twice; give each one once")
        return dict.fromkeys(layers, 1.0)
    if isinstance(layers, Mapping) and layers:
        for name, weight in layers.items():
            if not is_number(weight):
                raise ValueError(f"the weight of {name} is {short(weight)}; it must be a finite number, zero or more")
        return {name: float(weight) for name, weight in layers.items()}
    raise ValueError(how)


_STOP = "write {below: 0.5%, per: 25 steps}, a fall of the objective and how many steps it is measured over, or off"


def _stop(value: Any, _folder: Path) -> Stop | None:
    """{below: 0.5%, per: 25 steps} or {below: 0.005, per: 25}; off (YAML 1.1 reads that as false) and nothing are none."""
    if value is None or value is False or value == "off":
        return None
    if not isinstance(value, Mapping) or set(value) != {"below", "per"}:
        raise ValueError(_STOP)
    try:
        return Stop(below=_share(value["below"]), per=_steps(value["per"]))
    except InputError as error:
        raise ValueError(f"{str(error).removesuffix('.')}; {_STOP}") from error


def _share(value: Any) -> float:
    """0.005 or '0.5%', which is the same number to its last digit."""
    percent = re.fullmatch(r"(\d{1,20}(?:\.\d{1,20})?) ?%", value) if isinstance(value, str) else None
    if percent is None and not is_number(value):
        raise ValueError(f"stop.below is {short(value)}; {_STOP}")
    return float(f"{percent[1]}e-2") if percent else float(value)


def _steps(value: Any) -> int:
    """25, '25' or '25 steps'."""
    steps = re.fullmatch(r"(\d{1,7})(?: steps?)?", value) if isinstance(value, str) else None
    number = int(steps[1]) if steps else value
    if not is_number(number) or int(number) != number or number > MAX_STEPS:
        raise ValueError(f"stop.per is {short(value)}; {_STOP}")
    return int(number)


def _own_file(value: Any, folder: Path) -> Path | None:
    if value is None:
        return None
    try:
        path = folder / Path(str(value)).expanduser()
        there = path.is_file()
    except (OSError, RuntimeError, ValueError):  # too long a name, no such user for ~name, a null byte
        there = False
    if not there:
        raise ValueError(f"there is no such file in {folder.absolute()}; give a .safetensors, .pth, .pt or .h5 file, or leave it out")
    return path.absolute()


_WEIGHT = "a weight is a finite number, zero or more"
_FIXED = Settings()
PARAMETERS: dict[str, Parameter] = {
    "network": Parameter(default=_FIXED.network, read=_choice(tuple(NETWORKS))),
    "weights": Parameter(default=None, read=_own_file),
    "recipe": Parameter(default=_FIXED.recipe, read=_choice(tuple(RECIPES))),
    "size": Parameter(
        default=_FIXED.size,
        read=_integer(SMALLEST_SIDE, MAX_SIZE, f"the long side in pixels, a whole number from {SMALLEST_SIDE} to {MAX_SIZE}"),
        numeric=int,
    ),
    "size_by": Parameter(default=_FIXED.size_by, read=_choice(get_args(SizeBy))),
    "init": Parameter(default=_FIXED.init, read=_choice(get_args(Init))),
    "seed": Parameter(default=_FIXED.seed, read=_integer(0, 2**63 - 1, "a whole number, zero or more"), numeric=int),
    "steps": Parameter(
        default=_FIXED.steps, read=_integer(1, MAX_STEPS, "a whole number of at least 1, or leave it out", none=True), numeric=int
    ),
    **{name: _number_of_a_recipe(number) for name, number in NUMBERS.items()},
    "stop": Parameter(default=_FIXED.stop, read=_stop),
    "dtype": Parameter(default=_FIXED.dtype, read=_choice(get_args(Dtype))),
    "pooling": Parameter(default=_FIXED.pooling, read=_choice(get_args(Pooling))),
    "padding": Parameter(default=_FIXED.padding, read=_choice(get_args(Padding))),
    "loss": Parameter(default=_FIXED.loss, read=_choice(get_args(Loss))),
    "style_loss": Parameter(default=_FIXED.style_loss, read=_choice(get_args(StyleLoss))),
    "colors": Parameter(default=_FIXED.colors, read=_choice(get_args(Colors))),
    "style_scale": Parameter(
        default=_FIXED.style_scale, read=_number(*STYLE_SCALES, "the style's long side over the picture's, from 0.05 to 20"), numeric=float
    ),
    "tv": Parameter(default=_FIXED.tv, read=_number(0, 1e12, _WEIGHT), numeric=float),
    "layers": Parameter(default=DEFAULT_LAYER_SET, read=_layers),
    "alpha": Parameter(default=1.0, read=_number(0, 1e300, _WEIGHT), numeric=float),
    "beta": Parameter(default=30.0, read=_number(0, 1e300, _WEIGHT), numeric=float),
}
"""Every parameter that a file may set or sweep, slowest-changing first."""


def read_parameters(file: YamlFile, swept: Mapping[str, Any], fixed: Mapping[str, Any], folder: Path) -> dict[str, Axis]:
    """The values of every parameter: swept ones from `parameters`, single ones from `settings`, the rest their default.

    Raises:
        SpecError: an unknown key, a key in both places, a value that is not allowed, an empty list.
    """
    for section, given in (("parameters", swept), ("settings", fixed)):
        for name in given:
            if name not in PARAMETERS:
                near = difflib.get_close_matches(name, list(PARAMETERS), 1)
                hint = f"; did you mean `{near[0]}`?" if near else "."
                raise SpecError(f"{file.where((section, name))}: there is no such parameter{hint} Allowed: {', '.join(PARAMETERS)}.")
            if section == "settings" and name in swept:
                raise SpecError(f"{file.where((section, name))}: {name} stands under `parameters` too; keep one of the two.")
    axes = {}
    for name, parameter in PARAMETERS.items():
        if name in swept:
            axes[name] = _swept(file, ("parameters", name), swept[name], folder)
        elif name in fixed:
            key: Key = ("settings", name)
            axes[name] = Axis(values=(_read(file, key, fixed[name], folder),), key=key)
        else:
            axes[name] = Axis(values=(parameter.read(parameter.default, folder),), key=("settings", name))
    return axes


def _swept(file: YamlFile, key: Key, given: Any, folder: Path) -> Axis:
    """{value: x}, {values: [...]}, {min, max, distribution, count}, or in short a list or a single value."""
    name = str(key[-1])
    shape = set(given) if isinstance(given, dict) else set()
    if shape & {"value", "values", "min", "max", "distribution", "count"}:
        if shape == {"value"}:
            raw, at = [given["value"]], [(*key, "value")]
        elif shape == {"values"} and isinstance(given["values"], list):
            raw, at = given["values"], [(*key, "values", index) for index in range(len(given["values"]))]
        elif {"min", "max"} <= shape <= {"min", "max", "distribution", "count"}:
            raw = _spaced(file, key, given)
            at = [key] * len(raw)
        else:
            raise SpecError(
                f"{file.where(key)}: write {{value: x}}, {{values: [x, y]}} or {{min: a, max: b, count: n, distribution: "
                f"{' | '.join(DISTRIBUTIONS)}}}; got the keys {', '.join(sorted(shape))}."
            )
    else:
        raw = given if isinstance(given, list) else [given]
        at = [(*key, index) for index in range(len(raw))] if isinstance(given, list) else [key]
    if not raw:
        raise SpecError(f"{file.where(key)}: the list is empty, so the grid would be too; give {name} at least one value.")
    return Axis(values=tuple(dict.fromkeys(_read(file, place, value, folder) for place, value in zip(at, raw, strict=True))), key=key)


def _read(file: YamlFile, key: Key, value: Any, folder: Path) -> Any:
    name = next(str(part) for part in key[1:] if part in PARAMETERS)
    try:
        return PARAMETERS[name].read(value, folder)
    except ValueError as error:
        raise SpecError(f"{file.where(key)}: {short(value)} is not allowed: {error}.") from error


def _spaced(file: YamlFile, key: Key, given: Mapping[str, Any]) -> list[float]:
    """`count` values from min to max, both ends included: evenly (uniform), or by equal ratios (log_uniform_values)."""
    parameter = PARAMETERS[str(key[-1])]
    if parameter.numeric is None:
        raise SpecError(f"{file.where(key)}: {key[-1]} is no number, so it takes {{values: [...]}}, not min and max.")
    low, high, count = given["min"], given["max"], given.get("count")
    distribution = given.get("distribution", "uniform")
    if distribution not in DISTRIBUTIONS:
        where = file.where((*key, "distribution"))
        raise SpecError(f"{where}: {short(distribution)} is not allowed: choose one of {', '.join(DISTRIBUTIONS)}.")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_COUNT:
        raise SpecError(
            f"{file.where((*key, 'count'))}: {short(count)} is not allowed: `count` says how many values, from 1 to {MAX_COUNT:,}."
        )
    for end, value in (("min", low), ("max", high)):
        if not is_number(value):
            raise SpecError(f"{file.where((*key, end))}: {short(value)} is not allowed: {end} is a finite number.")
    if low > high or (distribution == "log_uniform_values" and low <= 0):
        needs = "min must not be above max" if low > high else "min must be above zero for log_uniform_values"
        raise SpecError(f"{file.where((*key, 'min'))}: {short(low)} is not allowed: {needs} (max is {short(high)}).")
    values = _between(low, high, count, logarithmic=distribution == "log_uniform_values")
    return [round(value) for value in values] if parameter.numeric is int else values


def _between(low: float, high: float, count: int, *, logarithmic: bool) -> list[float]:
    if count == 1:
        return [float(low)]
    shares = [index / (count - 1) for index in range(count)]
    if logarithmic:
        ratio = high / low
        if math.isfinite(ratio):
            inner = [low * ratio**share for share in shares]
        else:  # less exact
            inner = [math.exp(math.log(low) * (1 - share) + math.log(high) * share) for share in shares]
    else:
        inner = [low * (1 - share) + high * share for share in shares]
    # To 15 digits, so that 10.000000000000002 is 10. Not fewer: ratios of values are compared to 10 (docs/design.md, section 5).
    # Clamped, as a rounded value between two ends that are nearly equal could lie beyond them.
    return [float(low), *(min(max(round_significant(value, 15), low), high) for value in inner[1:-1]), float(high)]

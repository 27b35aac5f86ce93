"""The parameters that a sweep's file may set or vary: what each means, what it may be, and how it is read."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from sweep.combination import LayerSet, Settings
from sweep.errors import InputError
from sweep.transfer.controls import STYLE_SCALES, Colors, Dtype, Init, Loss, Padding, Pooling, SizeBy, Stop, StyleLoss
from sweep.transfer.presets import DEFAULT_LAYER_SET, LAYER_SETS, NETWORKS, RECIPES
from sweep.transfer.recipe import NUMBERS, SMALLEST_SIDE, Number
from sweep.yaml_file import is_number, short

MAX_SIZE = 8192
MAX_STEPS = 1_000_000

Schema = dict[str, Any]
"""A JSON schema (sweep/schema.py puts them together)."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter. `read` raises ValueError with what is allowed; `schema` says the same to an editor.

    meaning: one line for people. numeric: of numbers, which may be ranges.
    """

    default: Any
    read: Callable[[Any, Path], Any]
    schema: Schema
    meaning: str
    numeric: type[int] | type[float] | None = None


def _number(default: float | None, meaning: str, low: float, high: float, what: str) -> Parameter:
    """A float; one whose default is None may be left out."""
    none = default is None

    def read(value: Any, _folder: Path) -> float | None:
        if value is None and none:
            return None
        if not is_number(value) or not low <= value <= high:
            raise ValueError(what)
        return float(value)

    schema = _bounded("number", low, high, none=none)
    return Parameter(default=default, read=read, schema=schema, meaning=meaning, numeric=float)


def _integer(default: int | None, meaning: str, low: int, high: int, what: str) -> Parameter:
    """An int; one whose default is None may be left out."""
    none = default is None

    def read(value: Any, _folder: Path) -> int | None:
        if value is None and none:
            return None
        if not is_number(value) or int(value) != value or not low <= value <= high:
            raise ValueError(what)
        return int(value)

    schema = _bounded("integer", low, high, none=none)
    return Parameter(default=default, read=read, schema=schema, meaning=meaning, numeric=int)


def _bounded(kind: str, low: float, high: float, *, none: bool) -> Schema:
    return {"type": [kind, "null"] if none else kind, "minimum": low, "maximum": high}


def _number_of_a_recipe(number: Number) -> Parameter:
    """One of `sweep.transfer.recipe.NUMBERS`; left out it is the recipe's own."""
    whole = "a whole number " if number.kind is int else ""
    what = f"{number.meaning}, {whole}from {number.low:,} to {number.high:,}; or leave it out"
    meaning = f"Of the recipe {number.recipe}: {number.meaning}."
    if number.kind is int:
        return _integer(None, meaning, int(number.low), int(number.high), what)
    return _number(None, meaning, number.low, number.high, what)


def _choice(default: str, meaning: str, allowed: tuple[str, ...]) -> Parameter:
    def read(value: Any, _folder: Path) -> str:
        return _chosen(value, allowed)

    return Parameter(default=default, read=read, schema={"enum": list(allowed)}, meaning=meaning)


def _chosen(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"{hint}choose one of {', '.join(allowed)}")
    return str(value)


def _layers(value: Any, _folder: Path) -> LayerSet:
    """A named set, or {content: [relu4_2], style: {relu1_1: 1, relu3_1: 2}}; a side left out is the default set's."""
    if isinstance(value, str):
        name = _chosen(value, tuple(LAYER_SETS))
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


_ONE_SIDE: Schema = {
    "description": "A layer, a list of layers, or layers with weights.",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
        {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}, "minProperties": 1},
    ],
}
_LAYERS_SCHEMA: Schema = {
    "anyOf": [
        {"enum": list(LAYER_SETS)},
        {"type": "object", "properties": {"content": _ONE_SIDE, "style": _ONE_SIDE}, "additionalProperties": False, "minProperties": 1},
    ]
}

_STOP = "write {below: 0.5%, per: 25 steps}, a fall of the objective and how many steps it is measured over, or off"
_PERCENT = r"(\d{1,20}(?:\.\d{1,20})?) ?%"
_STEPS = r"(\d{1,7})(?: steps?)?"
_STOP_SCHEMA: Schema = {
    "anyOf": [
        {"enum": ["off", False, None]},
        {
            "type": "object",
            "properties": {
                "below": {
                    "description": "The fall of the objective under which a scale ends: 0.5% or 0.005.",
                    "anyOf": [
                        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                        {"type": "string", "pattern": f"^{_PERCENT}$"},
                    ],
                },
                "per": {
                    "description": "Over how many steps it is measured: 25 or 25 steps.",
                    "anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_STEPS}, {"type": "string", "pattern": f"^{_STEPS}$"}],
                },
            },
            "required": ["below", "per"],
            "additionalProperties": False,
        },
    ]
}


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
    percent = re.fullmatch(_PERCENT, value) if isinstance(value, str) else None
    if percent is None and not is_number(value):
        raise ValueError(f"stop.below is {short(value)}; {_STOP}")
    return float(f"{percent[1]}e-2") if percent else float(value)


def _steps(value: Any) -> int:
    """25, '25' or '25 steps'."""
    steps = re.fullmatch(_STEPS, value) if isinstance(value, str) else None
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


_WEIGHT = "a weight is a finite number, zero or more, and at most"
_FIXED = Settings()
PARAMETERS: dict[str, Parameter] = {
    "network": _choice(_FIXED.network, "The network whose features are compared.", tuple(NETWORKS)),
    "weights": Parameter(
        default=None,
        read=_own_file,
        schema={"type": ["string", "null"]},
        meaning="A file of your own weights for that network (.safetensors, .pth, .pt, .h5), relative to this file.",
    ),
    "recipe": _choice(
        _FIXED.recipe, "pyramid: from small to large with Adam, averaged. gatys: the paper's L-BFGS at one size.", tuple(RECIPES)
    ),
    "size": _integer(
        _FIXED.size,
        "The long side in pixels; a smaller photograph is not enlarged.",
        SMALLEST_SIDE,
        MAX_SIZE,
        f"the long side in pixels, a whole number from {SMALLEST_SIDE} to {MAX_SIZE}",
    ),
    "size_by": _choice(
        _FIXED.size_by, "area: size x size pixels in the photograph's own shape, so that all pictures cost the same.", get_args(SizeBy)
    ),
    "init": _choice(
        _FIXED.init, "Where a run starts: the photograph, noise in the painting's colours (style_noise), or noise.", get_args(Init)
    ),
    "seed": _integer(_FIXED.seed, "Of the two noise starts.", 0, 2**63 - 1, "a whole number, zero or more"),
    "steps": _integer(
        _FIXED.steps,
        "pyramid: steps of the smallest scale. gatys: all steps. Left out: the recipe's own.",
        1,
        MAX_STEPS,
        "a whole number of at least 1, or leave it out",
    ),
    **{name: _number_of_a_recipe(number) for name, number in NUMBERS.items()},
    "stop": Parameter(
        default=_FIXED.stop,
        read=_stop,
        schema=_STOP_SCHEMA,
        meaning="A scale ends early once its objective falls by less than that in as many steps; off: never.",
    ),
    "dtype": _choice(_FIXED.dtype, "The number type of the network's convolutions.", get_args(Dtype)),
    "pooling": _choice(_FIXED.pooling, "How the network shrinks its features.", get_args(Pooling)),
    "padding": _choice(_FIXED.padding, "What the network sees beyond the rim; replicate is against faint edges.", get_args(Padding)),
    "loss": _choice(_FIXED.loss, "relative, or the formulas of gatys or johnson for published alphas and betas.", get_args(Loss)),
    "style_loss": _choice(_FIXED.style_loss, "How texture statistics are compared.", get_args(StyleLoss)),
    "colors": _choice(
        _FIXED.colors, "content keeps the photograph's colours; matched recolours the style to them first.", get_args(Colors)
    ),
    "style_scale": _number(
        _FIXED.style_scale,
        "Long side of the style over that of the picture: finer or coarser strokes.",
        *STYLE_SCALES,
        "the style's long side over the picture's, from 0.05 to 20",
    ),
    "tv": _number(_FIXED.tv, "Weight of total variation: smooths.", 0, 1e12, f"{_WEIGHT} 1e12"),
    "layers": Parameter(
        default=DEFAULT_LAYER_SET,
        read=_layers,
        schema=_LAYERS_SCHEMA,
        meaning="The layers that carry content and style: a set by its name, or spelled out with weights.",
    ),
    "alpha": _number(1.0, "Weight of the content; only beta / alpha matters.", 0, 1e300, f"{_WEIGHT} 1e300"),
    "beta": _number(30.0, "Weight of the style; only beta / alpha matters.", 0, 1e300, f"{_WEIGHT} 1e300"),
}
"""Every parameter that a file may set or sweep, slowest-changing first."""

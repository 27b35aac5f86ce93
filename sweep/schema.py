"""The JSON schema of a sweep's file, for editors: from `sweep.spec_file`, and from what `sweep.parameters` says of each parameter.

It says what a value alone can tell. What only values together show (a zip of unequal lists, a layer that a network lacks, a missing
picture) `stylesweep plan` finds.
"""

from typing import Any

from sweep.combination import MAX_REGIONS
from sweep.conditions import PICTURES
from sweep.parameters import PARAMETERS, Parameter, Schema
from sweep.ranges import DISTRIBUTIONS, MAX_COUNT
from sweep.spec_file import MAX_SNAPSHOTS, SweepFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def sweep_schema() -> Schema:
    """The whole schema, draft 2020-12."""
    made = _untitled(SweepFile.model_json_schema())
    named, properties = made["$defs"], made["properties"]
    for name, parameter in PARAMETERS.items():
        named |= {name: _value(parameter), f"swept.{name}": _swept(name, parameter), f"asked.{name}": _asked(name, parameter)}
    named |= {"style": _STYLE, "blend": _BLEND, "conditions": _conditions()}
    own: dict[str, Schema] = {
        "content": _one_or_more({"type": "string", "minLength": 1}),
        "style": _one_or_more(_ref("style")),
        "parameters": _section("swept.", "null"),
        "settings": _section("", "null"),
        "zip": {"anyOf": [_names(), {"type": "array", "items": _names()}, {"type": "null"}]},
        "when": _one_or_more(_rule(), none=True),
        "exclude": _one_or_more(_ref("conditions"), none=True),
        "snapshots": _SNAPSHOTS,
        **{name: {"anyOf": [_ref(name.title()), {"type": "null"}]} for name in ("resources", "limits")},
    }
    properties |= {name: {"description": properties[name]["description"], **schema} for name, schema in own.items()}
    head = {"$schema": DIALECT, "title": "A sweep of stylesweep", "description": "What `stylesweep plan` and `stylesweep run` read."}
    return head | {key: value for key, value in made.items() if key not in head} | {"allOf": [_RUNS]}


def _untitled(value: Any) -> Any:
    """Without the titles that pydantic makes of the names; they say nothing more."""
    if isinstance(value, dict):
        return {key: _untitled(inner) for key, inner in value.items() if key != "title" or not isinstance(inner, str)}
    return [_untitled(inner) for inner in value] if isinstance(value, list) else value


_BLEND: Schema = {
    "description": "Pictures with their shares.",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "number", "minimum": 0},
}
_REGION: Schema = {
    "type": "object",
    "properties": {
        "mask": {"description": "White where the style goes; {content} is the photograph's name without suffix.", "type": "string"},
        "style": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/blend"}]},
    },
    "required": ["mask", "style"],
    "additionalProperties": False,
}
_REGIONS: Schema = {
    "description": "Styles where their masks are white.",
    "type": "object",
    "properties": {"regions": {"type": "array", "items": _REGION, "minItems": 1, "maxItems": MAX_REGIONS}},
    "required": ["regions"],
    "additionalProperties": False,
}
_STYLE: Schema = {"anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/blend"}, _REGIONS]}
_SNAPSHOTS: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_SNAPSHOTS},
        {"type": "array", "items": {"type": "integer", "minimum": 1}},
        {"enum": [None, False]},
    ],
    "default": 0,
}
_RUNS: Schema = {
    "if": {"properties": {"method": {"enum": ["random", "sobol"]}}, "required": ["method"]},
    "then": {"required": ["runs"]},
    "else": {"properties": {"runs": {"type": "null"}, "search_seed": {"type": "null"}}},
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _one_or_more(one: Schema, *, none: bool = False) -> Schema:
    many: Schema = {"type": "array", "items": one} | ({} if none else {"minItems": 1})
    return {"anyOf": [one, many, *([{"type": "null"}] if none else [])]}


def _value(parameter: Parameter) -> Schema:
    return {"description": parameter.meaning, **parameter.schema}


def _section(kind: str, *also: str) -> Schema:
    """The parameters by name; kind: what stands under each."""
    return {
        "type": ["object", *also],
        "properties": {name: _ref(f"{kind}{name}") for name in PARAMETERS},
        "additionalProperties": False,
    }


def _swept(name: str, parameter: Parameter) -> Schema:
    """One value, a list, {value}, {values}, or a range."""
    value = _ref(name)
    values = {"type": "array", "items": value, "minItems": 1}
    single = {"value": value, "distribution": {"const": "constant"}}
    shares = {"description": "Of random and sobol: a share for each value.", "type": "array", "items": {"type": "number", "minimum": 0}}
    listed = {"values": values, "probabilities": shares, "distribution": {"enum": ["categorical", "categorical_w_probabilities"]}}
    forms = [value, values, _object(single, "value"), _object(listed, "values")]
    if parameter.numeric is not None:
        forms.append(_range())
    return {"description": parameter.meaning, "anyOf": forms}


def _object(properties: Schema, *required: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _range() -> Schema:
    properties: dict[str, Any] = {
        "min": {"type": "number"},
        "max": {"type": "number"},
        "distribution": {"description": "How values lie between min and max; uniform unless given.", "enum": list(DISTRIBUTIONS)},
        "q": {"description": "Of the q_ distributions: every value is a multiple of it.", "type": "number", "exclusiveMinimum": 0},
        "count": {"description": "Of a grid: how many values.", "type": "integer", "minimum": 1, "maximum": MAX_COUNT},
    }
    return _object(properties, "min", "max")


def _asked(name: str, parameter: Parameter) -> Schema:
    """What a condition may ask of a parameter."""
    forms = [_ref(name), {"type": "array", "items": _ref(name), "minItems": 1}]
    if parameter.numeric is not None:
        ends = {"min": {"type": "number"}, "max": {"type": "number"}}
        forms.append({"type": "object", "properties": ends, "minProperties": 1, "additionalProperties": False})
    return {"description": parameter.meaning, "anyOf": forms}


def _conditions() -> Schema:
    pictures: Schema = {
        "content": {"description": "Photographs by name, path or glob.", **_one_or_more({"type": "string"})},
        "style": {"description": "Styles by name, path, glob or blend.", **_one_or_more(_ref("style"))},
    }
    asked = _section("asked.")
    return asked | {"properties": pictures | asked["properties"], "minProperties": 1}


def _rule() -> Schema:
    return _object({"if": _ref("conditions"), "then": _section("swept.") | {"minProperties": 1}}, "if", "then")


def _names() -> Schema:
    return {"type": "array", "items": {"enum": [*PICTURES, *PARAMETERS]}, "minItems": 2, "uniqueItems": True}

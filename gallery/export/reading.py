"""Reading a recipe back from a picture, a sidecar or JSON that may come from a stranger."""

import json
from typing import Any

from gallery.export.forms import recipe_text
from gallery.export.png import SIGNATURE, read_text_chunks
from gallery.export.recipe import KEYWORD, SCHEMA, Recipe, checked
from gallery.export.spec import RECIPE_LINE, same_plan
from sweep.errors import InputError, SpecError
from sweep.yaml_file import YamlFile

MAX_CHARACTERS = 256 * 1024
"""A recipe has about 2,000; what is much larger is no recipe, and some numbers take quadratic time to read."""


def read_recipe(data: bytes, name: str) -> Recipe:
    """The recipe in the bytes of a picture that stylesweep made or exported, of an exported YAML sidecar, or of JSON. name: for messages.

    Nothing in it is trusted: sizes are bounded, every field's type is checked, YAML is read without tags and aliases.

    Raises:
        InputError: it holds no recipe, or a broken one; the sentence says what it is and what to do.
    """
    if data.startswith(SIGNATURE):
        texts = read_text_chunks(data, name, {KEYWORD})
        return checked(_json(_carried(texts.get(KEYWORD), name), name), name)
    if data.startswith(b"\xff\xd8\xff") or (data[:4], data[8:12]) == (b"RIFF", b"WEBP"):
        return checked(_json(_carried(recipe_text(data), name), name), name)
    return _from_text(_text(data, name), name)


def _carried(text: str | None, name: str) -> str:
    if text is None:
        raise InputError(
            f"{name} carries no stylesweep recipe: another program made it, or removed its text. "
            "Give the .yaml beside it, or a picture that stylesweep exported."
        )
    return text


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_CHARACTERS:
        raise InputError(
            f"{name} has {len(data):,} bytes; a recipe has about 2,000. Give a picture, a .yaml or a .json that stylesweep wrote."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is neither a picture of ours nor text; a recipe is in a PNG, JPEG, WebP, .yaml or .json that stylesweep wrote."
        ) from error
    if not text.strip():
        raise InputError(f"{name} is empty; give a picture, a .yaml or a .json that stylesweep wrote.")
    return text


def _from_text(text: str, name: str) -> Recipe:
    if text.lstrip()[0] in "{[":
        return checked(_the_one(_json(text, name), name), name)
    body = _yaml(text, name)
    if body.get("schema") == SCHEMA:
        return checked(body, name)
    line = next((line for line in text.splitlines() if line.startswith(RECIPE_LINE)), None)
    if line is None:
        raise InputError(f"{name} holds no stylesweep recipe. If it describes a sweep, use `stylesweep run {name}`.")
    recipe = checked(_json(line.removeprefix(RECIPE_LINE), name), name)
    if not same_plan(body, recipe):
        raise InputError(f"{name} was changed since stylesweep exported it, so it is a sweep of its own: use `stylesweep run {name}`.")
    return recipe


def _the_one(value: Any, name: str) -> Any:
    """runs.json lists every picture of an export: fine if it is only one."""
    if isinstance(value, list):
        if len(value) != 1:
            raise InputError(f"{name} lists {len(value)} recipes; give one picture, or one of the files in recipes/.")
        value = value[0]
    return value[KEYWORD] if isinstance(value, dict) and KEYWORD in value else value


def _json(text: str, name: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{name}: its recipe has {len(text):,} characters; a recipe has about 2,000.")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: its recipe is not valid JSON; use a copy that was not changed.") from error


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _yaml(text: str, name: str) -> dict[str, Any]:
    try:
        return YamlFile(text, name).data
    except SpecError:
        raise
    except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{name} holds no stylesweep recipe: it is not plain YAML.") from error

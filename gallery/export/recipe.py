"""The recipe of one result, schema `stylesweep-run/1`: what a picture needs to be made again, as plain JSON values."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, get_args

from db.queries import Result
from gallery.export.names import basename
from sweep import __version__
from sweep.combination import MAX_REGIONS, Combination, LayerSet, Settings, Weights, canonical_regions, mean_shares
from sweep.errors import InputError
from sweep.transfer.controls import Stop
from sweep.transfer.yardstick_names import protocols_of

SCHEMA = "stylesweep-run/1"
KEYWORD = "stylesweep"
"""The PNG text that carries a recipe as canonical JSON."""
Recipe = dict[str, Any]

_SETTINGS = {field.name: field.default for field in fields(Settings)}
_KINDS: dict[str, Any] = {field.name: (get_args(field.type) or (field.type,))[0] for field in fields(Settings)}
"""int, float, str or Stop: that of a setting which is None where it is left to the recipe, too."""
_HASH = re.compile(r"[0-9a-f]{64}")
_RUN_KEY = re.compile(r"r1-[0-9a-f]{40}")


def tool() -> str:
    """'stylesweep 0.1.0'."""
    return f"stylesweep {__version__}"


def recipe_of(result: Result, names: Mapping[str, str]) -> Recipe:
    """The recipe of one combination: alpha, beta and tv as its user wrote them, layer weights and shares as the run used them.

    names: SHA-256 of an input picture -> its name; of a name that is a path only the last part is kept.
    """
    run, own = result.settings, result.parameters
    content, style, regions = result.content_sha256, run["style"], run.get("regions", ())
    known = {**names, content: own["content"]}
    if len(style) == 1 and not regions:
        known[style[0][0]] = own["style"]
    return {
        "schema": SCHEMA,
        "run_key": result.run_key,
        "sweep": result.sweep,
        "content": {"name": _name(known, content), "sha256": content},
        "style": _shared(known, style),
        **({"regions": [{"mask": _named(known, mask), "style": _shared(known, shares)} for mask, shares in regions]} if regions else {}),
        "alpha": own["alpha"],
        "beta": own["beta"],
        "layers": {"name": own["layers"], "content": dict(run["content_layers"]), "style": dict(run["style_layers"])},
        # The combination's columns hold `stop` in words.
        "settings": {name: own.get(name, run.get(name, default)) for name, default in _SETTINGS.items()} | {"stop": run.get("stop")},
        "yardsticks": {"protocol": result.protocol, "protocols": protocols_of(result.yardsticks), **result.yardsticks},
        "tool": tool(),
    }


def _name(names: Mapping[str, str], sha256: str) -> str:
    return basename(names.get(sha256) or sha256[:12])


def _named(names: Mapping[str, str], sha256: str) -> dict[str, Any]:
    return {"name": _name(names, sha256), "sha256": sha256}


def _shared(names: Mapping[str, str], shares: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    return [_named(names, sha256) | {"share": float(share)} for sha256, share in shares]


def pictures_of(recipe: Recipe) -> list[dict[str, Any]]:
    """Every input picture with its name and hash: the content, the styles, the masks."""
    return [recipe["content"], *recipe["style"], *(region["mask"] for region in recipe.get("regions", ()))]


def combination_of(recipe: Recipe) -> Combination:
    """The combination a recipe describes; its `run_settings` have the recipe's run_key again (`sweep.combination.run_key`)."""
    layers = recipe["layers"]
    regions = canonical_regions((one["mask"]["sha256"], _weights(one["style"])) for one in recipe.get("regions", ()))
    return Combination(
        content=recipe["content"]["sha256"],
        style=mean_shares(regions) if regions else _weights(recipe["style"]),
        regions=regions,
        alpha=recipe["alpha"],
        beta=recipe["beta"],
        layers=LayerSet(content=_pairs(layers["content"]), style=_pairs(layers["style"]), name=layers["name"]),
        settings=Settings.of(recipe["settings"]),
    )


def _weights(styles: Iterable[Mapping[str, Any]]) -> Weights:
    return tuple(sorted((one["sha256"], one["share"]) for one in styles))


def _pairs(weights: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple(sorted(weights.items()))


def checked(value: Any, name: str) -> Recipe:
    """A recipe of unknown origin with every field's type and range checked; unknown fields are dropped, names lose their folders.

    Raises:
        InputError: names the file, the field, the value and what is allowed.
    """
    here = _Reader(value, name, "")
    here.expect(here.text("schema") == SCHEMA, "schema", f"this version reads {SCHEMA!r}")
    layers = here.inside("layers")
    regions = [_region(one) for one in here.items("regions", MAX_REGIONS)] if "regions" in here.value else []
    here.expect(len({one["mask"]["sha256"] for one in regions}) == len(regions), "regions", "each has a mask of its own")
    recipe: Recipe = {
        "schema": SCHEMA,
        "run_key": here.text("run_key"),
        "sweep": here.text("sweep"),
        "content": _picture(here.inside("content")),
        "style": _styles(here),
        **({"regions": regions} if regions else {}),
        "alpha": here.number("alpha"),
        "beta": here.number("beta"),
        "layers": {"name": layers.text("name"), "content": layers.weights("content"), "style": layers.weights("style")},
        "settings": _settings(here.inside("settings")),
        "yardsticks": _yardsticks(here.inside("yardsticks", missing_is_empty=True)),
        "tool": here.text("tool", default="unknown"),
    }
    here.expect(_RUN_KEY.fullmatch(recipe["run_key"]) is not None, "run_key", "it is 'r1-' and 40 hexadecimal digits")
    here.expect(recipe["alpha"] + recipe["beta"] > 0, "beta", "alpha and beta must not both be zero")
    if regions:
        of_regions = {one["sha256"] for region in regions for one in region["style"]}
        here.expect({one["sha256"] for one in recipe["style"]} == of_regions, "style", "it lists the styles of all regions, each once")
    return recipe


def _styles(here: "_Reader") -> list[dict[str, Any]]:
    styles = [{**_picture(one), "share": one.number("share")} for one in here.items("style", 64)]
    here.expect(math.fsum(one["share"] for one in styles) > 0, "style", "one share must be above zero")
    return styles


def _region(here: "_Reader") -> dict[str, Any]:
    return {"mask": _picture(here.inside("mask")), "style": _styles(here)}


def _picture(here: "_Reader") -> dict[str, Any]:
    sha256 = here.text("sha256")
    here.expect(_HASH.fullmatch(sha256) is not None, "sha256", "it is 64 hexadecimal digits")
    return {"name": basename(here.text("name")), "sha256": sha256}


def _settings(here: "_Reader") -> dict[str, Any]:
    """Those of `Settings`; one that is missing has its neutral value."""
    found: dict[str, Any] = {}
    for name, default in _SETTINGS.items():
        if name not in here.value or (default is None and here.value[name] is None):
            found[name] = default
        elif _KINDS[name] is str:
            found[name] = here.text(name)
        elif _KINDS[name] is float:
            found[name] = here.number(name)
        elif _KINDS[name] is int:
            found[name] = int(here.number(name, whole=True))
        else:
            found[name] = _stop(here.inside(name))
    return found


def _stop(here: "_Reader") -> dict[str, Any]:
    below, per = here.number("below"), int(here.number("per", whole=True))
    try:
        return asdict(Stop(below=below, per=per))
    except InputError as error:
        raise InputError(f"{here.file}: {error}") from error


def _yardsticks(here: "_Reader") -> dict[str, Any]:
    protocol, others = here.value.get("protocol"), here.value.get("protocols", {})
    named = isinstance(others, dict) and all(isinstance(text, str) and len(text) <= 100 for text in others.values())
    here.expect(named, "protocols", "it names the protocol of each yardstick beside the main ones")
    numbers = {str(key): value for key, value in here.value.items() if key not in ("protocol", "protocols")}
    for key, value in numbers.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        here.expect(value is None or is_number, key, "it is a finite number or null")
    return {"protocol": protocol if isinstance(protocol, str) else None, **({"protocols": others} if others else {}), **numbers}


class _Reader:
    """One mapping of a recipe, for messages that say where in which file a value stands."""

    def __init__(self, value: Any, file: str, where: str) -> None:
        self.file, self.where, self.value = file, where, value
        if not isinstance(value, dict) or len(value) > 200:
            raise InputError(f"{file}: {where or 'the recipe'} is not a mapping of fields to values as {SCHEMA} has it.")

    def expect(self, holds: bool, key: str, allowed: str) -> None:
        if not holds:
            given = repr(self.value.get(key, "nothing"))
            shown = given if len(given) <= 60 else given[:57] + "..."
            raise InputError(f"{self.file}: {f'{self.where}.{key}'.removeprefix('.')} is {shown}, which is not allowed: {allowed}.")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value.get(key, default)
        good = (isinstance(value, str) and 0 < len(value) <= 500) or (value == "" and key == "network_hash")
        self.expect(good, key, "it is a text of 1 to 500 characters")
        return str(value)

    def number(self, key: str, *, whole: bool = False) -> float:
        value = self.value.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e300
        self.expect(good and (not whole or value == int(value)), key, f"it is a {'whole' if whole else 'finite'} number, zero or more")
        assert isinstance(value, int | float)
        return value if whole else float(value)

    def inside(self, key: str, *, missing_is_empty: bool = False) -> "_Reader":
        return _Reader(self.value.get(key, {} if missing_is_empty else None), self.file, f"{self.where}.{key}".removeprefix("."))

    def items(self, key: str, most: int) -> list["_Reader"]:
        value = self.value.get(key)
        self.expect(isinstance(value, list) and 1 <= len(value) <= most, key, f"it is a list of 1 to {most} entries")
        assert isinstance(value, list)
        where = f"{self.where}.{key}".removeprefix(".")
        return [_Reader(one, self.file, f"{where}[{index}]") for index, one in enumerate(value)]

    def weights(self, key: str) -> dict[str, float]:
        inner = self.inside(key)
        found = {str(layer): inner.number(layer) for layer in inner.value}
        self.expect(math.fsum(found.values()) > 0, key, "one layer's weight must be above zero")
        return found

"""A recipe as a sweep of one run: YAML that `stylesweep run` takes and that gives the same run_key again."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from gallery.export.recipe import Recipe, pictures_of
from sweep.combination import Settings, canonical_json, normalised_weights

RECIPE_LINE = "# recipe: "
_NEUTRAL = Settings()


def rerun_spec(
    recipe: Recipe, content_path: str, style_paths: Sequence[str], size: int | None = None, mask_paths: Sequence[str] = ()
) -> str:
    """YAML text of a one-run sweep that makes the recipe's picture, or the same one larger.

    content_path, style_paths, mask_paths: where the pictures lie, relative to the file this is written to; styles and masks in the
    recipe's order. size: long side in pixels; None keeps the recipe's, and then the run has the recipe's own run_key.
    """
    return written(plan_of(recipe, content_path, style_paths, size, mask_paths))


def written(plan: Mapping[str, Any]) -> str:
    """A sweep's file as YAML. By way of JSON: what is the same object twice would become an alias, which such a file may not have."""
    return yaml.safe_dump(json.loads(json.dumps(plan)), sort_keys=False, allow_unicode=True, width=120)


def sidecar(recipe: Recipe, file: str, inputs: Mapping[str, str], *, included: bool) -> str:
    """`rerun_spec` with a head for the reader and the recipe itself in one comment line.

    file: the sidecar's own name. inputs: SHA-256 of an input picture -> its file name in the bundle's inputs/.
    included: whether the bundle brings the input pictures.
    """
    used = pictures_of(recipe)
    names = [inputs[one["sha256"]] for one in used]
    styles, masks = (names[1 : 1 + len(recipe["style"])], names[1 + len(recipe["style"]) :])
    what = (
        "Its input pictures:"
        if included
        else "The input pictures are not part of this export. Put them here first, with exactly these bytes:"
    )
    network = recipe["settings"]["network"]
    head = [
        f"{names[0]} in the style of {' and '.join(styles)}{', by region' if masks else ''}, {recipe['tool']}",
        f"Make it again:      stylesweep run recipes/{file}",
        f"The same, larger:   stylesweep rerun recipes/{file} --size {2 * recipe['settings']['size']}",
        what,
        *(f"  inputs/{name}   sha256 {one['sha256']}" for name, one in zip(names, used, strict=True)),
        f"The network's weights: {network}, {recipe['settings']['network_hash'] or 'hash not recorded'}",
    ]
    # JSON in ASCII: a line break of any alphabet inside a name would end the comment.
    text = "".join(f"# {_one_line(line)}\n" for line in head) + f"{RECIPE_LINE}{json.dumps(recipe, sort_keys=True)}\n"
    style_paths, mask_paths = ([f"../inputs/{name}" for name in some] for some in (styles, masks))
    return text + rerun_spec(recipe, f"../inputs/{names[0]}", style_paths, mask_paths=mask_paths)


def same_plan(body: Mapping[str, Any], recipe: Recipe) -> bool:
    """Whether a parsed sidecar still says what its recipe says, wherever its pictures lie."""
    plan = plan_of(recipe, "-", ["-"] * len(recipe["style"]), None, ["-"] * len(recipe.get("regions", ())))
    own = {key: body.get(key, {}) for key in ("parameters", "settings")}
    try:
        return canonical_json(_floats(own)) == canonical_json(_floats({key: plan[key] for key in own}))
    except (ValueError, TypeError):  # NaN, or a value that JSON has not
        return False


def plan_of(
    recipe: Recipe, content_path: str, style_paths: Sequence[str], size: int | None = None, mask_paths: Sequence[str] = ()
) -> dict[str, Any]:
    """What `rerun_spec` writes, as plain values."""
    path_of = {one["sha256"]: path for path, one in zip(style_paths, recipe["style"], strict=True)}
    regions = [
        {"mask": mask, "style": _style(region["style"], path_of)}
        for mask, region in zip(mask_paths, recipe.get("regions", ()), strict=True)
    ]
    style = {"regions": regions} if regions else _style(recipe["style"], path_of)
    settings = recipe["settings"]
    resized = f"-{size}" if size is not None and size != settings["size"] else ""
    kept = {"network": settings["network"], "recipe": settings["recipe"], "size": size or settings["size"]}
    optional = {name: settings[name] for name in settings if name not in kept and name != "network_hash"}
    kept |= {name: _tidy(value) for name, value in optional.items() if value != getattr(_NEUTRAL, name)}
    layers = {side: unnormalised(recipe["layers"][side]) for side in ("content", "style")}
    return {
        "name": f"rerun-{run8(recipe['run_key'])}{resized}",
        "method": "grid",
        "content": content_path,
        "style": style if isinstance(style, str) else [style],
        "parameters": {
            "alpha": {"value": _tidy(recipe["alpha"])},
            "beta": {"value": _tidy(recipe["beta"])},
            "layers": {"values": [layers]},
        },
        "settings": kept,
    }


def _style(styles: Sequence[Mapping[str, Any]], path_of: Mapping[str, str]) -> str | dict[str, float]:
    """A picture, or a blend."""
    if len(styles) == 1:
        return path_of[styles[0]["sha256"]]
    return unnormalised({path_of[one["sha256"]]: one["share"] for one in styles})


def run8(run_key: str) -> str:
    """The first 8 digits of a run_key, without its scheme."""
    return run_key.partition("-")[2][:8]


def unnormalised(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights that `normalised_weights` turns into exactly these again: small numbers where they serve (16:8:4:2:1), else these."""
    positive = {name: weight for name, weight in weights.items() if weight > 0}
    smallest = min(positive.values())
    simple = {name: float(f"{weight / smallest:.4g}") for name, weight in positive.items()}
    try:
        same = dict(normalised_weights(simple)) == positive
    except ValueError:  # a ratio beyond the range of numbers
        same = False
    return {name: _tidy(weight) for name, weight in (simple if same else positive).items()}


def _tidy(value: Any) -> Any:
    """1.0 as 1: it reads better, and is read back as the same number."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else value


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)

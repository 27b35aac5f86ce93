"""`export`, `sheet`, `inspect`, `rerun`: what leaves a workspace, and what comes back from a file."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection

from db import queries
from db.artifacts import storage_error, write_durably
from db.models import Run, Sweep
from db.review_operations import default_person
from db.workspace import Workspace, open_workspace
from gallery.export.best import select_best
from gallery.export.bundle import PRESETS, ExportOptions, export_results
from gallery.export.forms import FORMS
from gallery.export.reading import read_recipe
from gallery.export.recipe import recipe_of
from gallery.export.sheet import sweep_sheet
from gallery.export.spec import rerun_spec
from sweep.amounts import amount_of_bytes
from sweep.cli import running
from sweep.cli.wording import command, count, say
from sweep.combination import RunSettings
from sweep.errors import InputError, StorageError, StylesweepError
from sweep.styles import CONTENT

MOST_FILES = 10_000
"""How many files a search for input pictures looks at."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which results of a sweep to take. runs: by run key or its beginning, in that order, instead of the best."""

    sweep: str
    top: int | None
    per_pair: int | None
    by: str
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RerunOptions:
    """The options of `rerun`."""

    workspace: Path
    size: int | None
    address: str
    inputs: Path | None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What goes out with them, and how. reviews: with what this user said of them."""

    preset: str = "archive"
    form: str = "png"
    alpha: bool = True
    reviews: bool = True

    def options(self, by: str, order: str) -> ExportOptions:
        """As the builder takes them. Raises InputError: a name is not known."""
        if self.preset not in PRESETS:
            raise InputError(f"--preset {self.preset!r} is not known; choose one of {', '.join(PRESETS)}.")
        if self.form not in FORMS:
            raise InputError(f"--form {self.form!r} is not known; choose one of {', '.join(FORMS)}.")
        person = default_person() if self.reviews else None
        return replace(PRESETS[self.preset], by=by, alpha=self.alpha, form=self.form, person=person, order=order)


def export(selection: Selection, out: Path, folder: Path, bundle: Bundle) -> int:
    """`stylesweep export`; 1 if some pictures could not be exported."""
    if sum(map(bool, (selection.top, selection.per_pair, selection.runs))) > 1:
        raise InputError("--top, --per-pair and --runs exclude each other; give one of them.")
    options = bundle.options(selection.by, "in the order they were named in" if selection.runs else "")
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        queries.sweep_named(connection, selection.sweep)
        if selection.runs:
            best = _named(connection, selection)
        else:
            best = select_best(connection, selection.sweep, selection.top, selection.per_pair, selection.by)
    report = export_results(workspace, best, out, options)
    print(f"{count(report.images, 'picture')}, {amount_of_bytes(report.bytes)}: {report.out}")
    for problem in report.problems:
        say(f"left out: {problem}")
    return 1 if report.problems else 0


def _named(connection: Connection, selection: Selection) -> list[queries.Result]:
    """The runs of --runs, each once, as the sweep's own combination of it where it has one."""
    found: dict[str, queries.Result] = {}
    for text in selection.runs:
        first = queries.find_result(connection, text)
        ours = queries.results(connection, Run.run_key == first.run_key, Sweep.name == selection.sweep, limit=1)
        found.setdefault(first.run_key, (ours or [first])[0])
    return list(found.values())


def sheet(sweep: str, out: Path, folder: Path, axes: tuple[str | None, str | None] = (None, None)) -> None:
    """`stylesweep sheet`; axes: the parameters down the rows and along the columns, None for one that is chosen."""
    workspace = open_workspace(folder, create=False)
    for page in sweep_sheet(workspace, sweep, out, rows=axes[0], columns=axes[1]):
        print(f"contact sheet: {page}")


def inspect(file: Path, *, as_json: bool) -> None:
    """`stylesweep inspect`."""
    recipe = read_recipe(_bytes(file), str(file))
    print(json.dumps(recipe) if as_json else yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True).rstrip())


def rerun(what: str, options: RerunOptions) -> int:
    """`stylesweep rerun`: a sweep of one run, made from a recipe, in the workspace."""
    workspace = open_workspace(options.workspace, create=True)
    file = Path(what)
    recipe = read_recipe(_bytes(file), what) if file.is_file() else _recipe_of_run(workspace, what)
    near = [folder for folder in (options.inputs, file.parent if file.is_file() else None) if folder is not None]
    place = options.workspace / "reruns" / f"{recipe['run_key'][3:11]}{f'-{options.size}' if options.size else ''}"
    # Each picture in a folder of its own, so that a content and a style of one name do not meet.
    folders = {"content": recipe["content"]} | {f"style-{number}": one for number, one in enumerate(recipe["style"], start=1)}
    folders |= {f"mask-{number}": one["mask"] for number, one in enumerate(recipe.get("regions", ()), start=1)}
    paths = {folder: f"{folder}/{_plain(Path(picture['name']).name)}" for folder, picture in folders.items()}
    for folder, picture in folders.items():
        _write(place / paths[folder], _find_picture(workspace, picture["sha256"], Path(picture["name"]).name, near))
    styles, masks = ([path for path in paths.values() if path.startswith(kind)] for kind in ("style-", "mask-"))
    text = rerun_spec(recipe, paths["content"], styles, options.size, masks)
    spec = place / "sweep.yaml"
    _write(spec, text.encode())
    code = running.run(spec, running.RunOptions(workspace=options.workspace, address=options.address, extend=True, yes=True))
    _say_where(workspace, yaml.safe_load(text)["name"], recipe, options)
    return code


def _plain(name: str) -> str:
    """A file name that is safe within a mask's path, where it would stand for the photograph's name otherwise."""
    return name.replace(CONTENT, "content")


def _say_where(workspace: Workspace, name: str, recipe: Mapping[str, Any], options: RerunOptions) -> None:
    with workspace.reader().connect() as connection:
        made = queries.results(connection, Sweep.name == name)[-1]
    if options.size is None and made.run_key != recipe["run_key"]:
        say(
            f"note: the recipe names {recipe['run_key'][:11]}, this is {made.run_key[:11]}: another version of stylesweep, or other "
            "weights, made the first, so the pictures may differ."
        )
    if path := made.image_path():
        if not (workspace.folder / path).is_file():
            verify = command(options.workspace, "verify")
            raise StorageError(f"{workspace.folder / path} is missing, although its run is done; `{verify}` says what to do.")
        print(f"picture: {workspace.folder / path}")


def _recipe_of_run(workspace: Workspace, run: str) -> dict[str, Any]:
    with workspace.reader().connect() as connection:
        try:
            result = queries.find_result(connection, run)
        except InputError as error:
            raise InputError(f"{run!r} is neither a file nor a run of this workspace. Give a picture, a recipe or a run key.") from error
        rows = {sha256: queries.image(connection, sha256) for sha256 in RunSettings.from_canonical(result.settings).pictures()}
    return recipe_of(result, {sha256: str(row["original_name"]) for sha256, row in rows.items() if row})


def _find_picture(workspace: Workspace, sha256: str, name: str, near: list[Path]) -> bytes:
    """An input picture by its hash: from the workspace, else from a file beside the recipe (or in its inputs folder)."""
    with workspace.reader().connect() as connection:
        row = queries.image(connection, sha256)
    if row is not None:
        try:
            return workspace.artifacts.get(sha256, str(row["format"]))
        except StylesweepError as error:
            say(f"{error} Looking beside the recipe instead.")
    for path in _candidates(name, near):
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
    raise InputError(
        f"the input picture {name} (SHA-256 {sha256[:12]}...) is neither in the workspace nor near the recipe; "
        "say which folder holds it with --inputs DIR."
    )


def _candidates(name: str, near: list[Path]) -> Iterator[Path]:
    """Files of that name first, then any other picture-sized file of the folders."""
    folders = [folder / inner for folder in near for inner in (".", "inputs", "../inputs")]
    yield from (folder / name for folder in folders if (folder / name).is_file())
    looked = 0
    for folder in (one for one in folders if one.is_dir()):
        for path in sorted(folder.iterdir()):
            if path.is_file() and (looked := looked + 1) < MOST_FILES:
                yield path


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error


def _write(path: Path, data: bytes) -> None:
    try:
        write_durably(path, data)
    except OSError as error:
        raise storage_error(path, error) from error

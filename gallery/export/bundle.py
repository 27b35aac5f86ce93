"""Exporting results: pictures with their recipes, their input pictures, tables, a contact sheet and a manifest."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from db import reviews
from db.queries import Result
from db.reviews import UNSAID, Said
from db.workspace import Workspace
from gallery.export import captions, tables
from gallery.export.alpha import Alphas
from gallery.export.best import check_order, select_best
from gallery.export.contact import CELL, Cell, contact_sheet
from gallery.export.forms import FORMS, SUFFIXES, in_form
from gallery.export.names import UniqueNames, basename, number_text, picture_stem
from gallery.export.pictures import UNREADABLE, Pictures, shrunk
from gallery.export.recipe import recipe_of, tool
from gallery.export.spec import run8, sidecar
from gallery.export.tables import Exported
from gallery.export.targets import MARK, README, Target, open_target
from sweep.combination import RunSettings
from sweep.errors import ImageError, InputError, StorageError

__all__ = ["FORMS", "PRESETS", "ExportOptions", "ExportReport", "export_results", "select_best"]


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What goes into a bundle besides pictures, recipes and tables. by: the yardstick that ordered the results, for the labels.

    alpha: pictures of transparent photographs get the photograph's alpha; else they stay opaque, as they are in the workspace.
    form: one of FORMS. person: whose reviews go with the pictures, None for nobody's. order: what is said of the results' order.
    """

    inputs: bool = True
    sheet: bool = True
    pictures: bool = True
    by: str = "balance"
    alpha: bool = True
    form: str = "png"
    person: str | None = None
    order: str = ""

    @property
    def ordered(self) -> str:
        """The order in words."""
        return self.order or f"best first by {self.by}"


PRESETS: Mapping[str, ExportOptions] = {
    "archive": ExportOptions(),
    "share": ExportOptions(inputs=False),
    "table": ExportOptions(inputs=False, sheet=False, pictures=False),
}
"""archive: everything. share: without the input pictures, which may not be yours to give away. table: runs.csv and runs.json only."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written where. problems: one sentence for each picture that had to be left out."""

    out: Path
    images: int
    files: tuple[str, ...]
    bytes: int
    problems: tuple[str, ...] = field(default=())


def export_results(
    workspace: Workspace, results: Sequence[Result], out: Path, options: ExportOptions, told: Callable[[int], None] = lambda _: None
) -> ExportReport:
    """Write results, best first, to a folder, or to a zip if `out` ends in .zip; file by file, the manifest last.

    A picture that is missing or damaged in the workspace is left out and reported. told: called with how many results are through; what
    it raises ends the export, and an unfinished zip is gone.

    Raises:
        InputError: there are no results; or `out` holds something that is not an earlier export.
        StorageError: the disk is full or the place cannot be written; what is there then has no manifest.
    """
    if not results:
        raise InputError("there is nothing to export: no result was chosen.")
    check_order(options.by)
    out = out.absolute()
    with workspace.reader().connect() as connection, open_target(out) as target:
        said = reviews.said(connection, options.person, [one.run_key for one in results]) if options.person is not None else {}
        bundle = _Bundle(target, Pictures(workspace.artifacts, connection), options, said)
        bundle.write(results, told)
    return ExportReport(
        out=out, images=bundle.images, files=tuple(bundle.files), bytes=bundle.bytes, problems=tuple(dict.fromkeys(bundle.problems))
    )


class _Bundle:
    """One export under way."""

    def __init__(self, target: Target, pictures: Pictures, options: ExportOptions, said: Mapping[str, Said]) -> None:
        self._target, self._pictures, self._options, self._said = target, pictures, options, said
        self._alphas = Alphas(pictures)
        self.files: list[str] = []
        self.problems: list[str] = []
        self.images = self.bytes = 0
        self._input_names: dict[str, str] = {}
        self._included: set[str] = set()

    def write(self, results: Sequence[Result], told: Callable[[int], None]) -> None:
        self._name_inputs(results)
        if self._options.inputs:
            self._write_inputs()
        exported, cells = [], []
        differ = captions.varying(results)
        for rank, result in enumerate(results, 1):
            one = self._write_one(rank, result)
            if one is not None:
                exported.append(one[0])
                value = captions.yardstick_text(result.yardsticks.get(self._options.by))
                cells.append(Cell(picture=one[1], label=str(rank), value=value, detail=captions.caption(result, differ)))
            told(rank)
        self._put("runs.csv", tables.csv_text(exported).encode())
        self._put("runs.json", tables.json_text(exported).encode())
        if self._options.sheet and cells:
            sweeps = ", ".join(dict.fromkeys(result.sweep for result in results))
            subtitle = f"{captions.constants(results)} · {self._options.ordered}".removeprefix(" · ")
            for path, data in sheet_files(contact_sheet(cells, sweeps, subtitle)):
                self._put(path, data)
        self._put(README, (_readme(exported, self._options) + _left_out(self.problems)).encode())

    def _name_inputs(self, results: Sequence[Result]) -> None:
        unique = UniqueNames()
        for result in results:
            for sha256 in RunSettings.from_canonical(result.settings).pictures():
                if sha256 not in self._input_names:
                    self._input_names[sha256] = unique.take(self._pictures.name(sha256))

    def _write_inputs(self) -> None:
        for sha256, name in self._input_names.items():
            try:
                data = self._pictures.original(sha256)
            except StorageError as error:
                self.problems.append(f"the input picture {name} was left out: {error}")
                continue
            self._put(f"inputs/{name}", data)
            self._included.add(sha256)

    def _write_one(self, rank: int, result: Result) -> tuple[Exported, Image.Image | None] | None:
        """The picture and its sidecar, or None with a problem noted."""
        used = RunSettings.from_canonical(result.settings).pictures()
        names = {sha256: self._pictures.name(sha256) for sha256 in used}
        recipe = recipe_of(result, names)
        content, style = (basename(str(result.parameters[name])) for name in ("content", "style"))
        mark = f"a{number_text(recipe['alpha'])}_b{number_text(recipe['beta'])}_{run8(result.run_key)}"
        stem = picture_stem(rank, content, style, mark)
        image, small, said = "", None, self._said.get(result.run_key, UNSAID)
        if self._options.pictures:
            try:
                if result.image is None:
                    raise StorageError(f"the run {result.run_key} is {result.state} and has no picture.")
                data = self._pictures.original(result.image)
                form = result.image_format
                if form == "png":
                    data, form = in_form(self._with_alpha(data, result), self._options.form, recipe, said), SUFFIXES[self._options.form]
                small = shrunk(data, (CELL, round(CELL * 1.25)))
            except (StorageError, ImageError, *UNREADABLE) as error:
                self.problems.append(f"number {rank} ({content} x {style}, {run8(result.run_key)}) was left out: {error}")
                return None
            image = f"images/{stem}.{form}"
            self._put(image, data)
            self.images += 1
        text = sidecar(recipe, f"{stem}.yaml", self._input_names, included=set(used) <= self._included)
        self._put(f"recipes/{stem}.yaml", text.encode())
        told = said if self._options.person is not None else None
        return Exported(rank=rank, result=result, recipe=recipe, image=image, sidecar=f"recipes/{stem}.yaml", said=told), small

    def _with_alpha(self, picture: bytes, result: Result) -> bytes:
        """The picture with the photograph's alpha; as it is, with a problem noted, where that cannot be read any more."""
        if not self._options.alpha:
            return picture
        try:
            return self._alphas.restored(picture, result.content_sha256)
        except (StorageError, ImageError) as error:
            name = self._pictures.name(result.content_sha256)
            self.problems.append(f"whether {name} is transparent cannot be told, so pictures made of it are exported opaque: {error}")
            return picture

    def _put(self, path: str, data: bytes) -> None:
        self._target.write(path, data)
        self.files.append(path)
        self.bytes += len(data)


def sheet_files(pages: Sequence[Image.Image], name: str = "contact_sheet") -> Iterator[tuple[str, bytes]]:
    """(file name, PNG bytes) of each page: contact_sheet.png, contact_sheet_2.png, ..."""
    for number, page in enumerate(pages, 1):
        buffer = io.BytesIO()
        page.save(buffer, "PNG")
        yield f"{name}.png" if number == 1 else f"{name}_{number}.png", buffer.getvalue()


def _left_out(problems: Sequence[str]) -> str:
    """For README.txt: who gets the bundle would not know otherwise."""
    return "\nLeft out:\n" + "".join(f"- {problem}\n" for problem in dict.fromkeys(problems)) if problems else ""


def _readme(exported: Sequence[Exported], options: ExportOptions) -> str:
    first = exported[0].sidecar if exported else "recipes/FILE.yaml"
    inputs = (
        "inputs/         the photographs, paintings and masks, so that every picture can be made again\n"
        if options.inputs
        else "(inputs are left out; each recipe says which files belong into inputs/, by SHA-256)\n"
    )
    sheet = "contact_sheet*  all pictures at a glance\n" if options.sheet else ""
    carries, tags = ("as PNG text", "-Stylesweep -Parameters") if options.form == "png" else ("in its EXIF comment", "-UserComment")
    file = f"FILE.{SUFFIXES[options.form]}"
    results = f"{len(exported)} result{'' if len(exported) == 1 else 's'}"
    images = f"images/         the pictures, in that order; each carries its recipe {carries}\n" if options.pictures else ""
    return (
        f"{MARK}\n\n{results} of neural style transfer, {options.ordered}, written by {tool()}.\n\n"
        f"{images}recipes/        one runnable sweep for each picture\n{inputs}{sheet}"
        "runs.csv        every parameter and yardstick, one row per picture; runs.json the same with recipes\n"
        "MANIFEST.sha256 check with: sha256sum -c MANIFEST.sha256\n\n"
        f"Make one again:        stylesweep run {first}\n"
        f"Make it larger:        stylesweep rerun {first} --size 1024\n"
        f"Look at a recipe:      stylesweep inspect {file}\n"
        f"With other programs:   exiftool {tags} {file}\n\n"
        "In runs.csv a text that begins with = + - @ has a ' in front, so that no spreadsheet runs it as a formula.\n"
    )

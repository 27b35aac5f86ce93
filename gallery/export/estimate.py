"""How large an export would be, before anything is built: from the rows of pictures, and from a few of them built for real."""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from db import browse, reviews
from db.artifacts import Artifacts
from db.models import Combination, Image, Run
from db.queries import Result
from db.reviews import UNSAID
from gallery.export import tables
from gallery.export.alpha import Alphas
from gallery.export.bundle import ExportOptions
from gallery.export.contact import CELL
from gallery.export.drawing import fitted
from gallery.export.forms import in_form
from gallery.export.pictures import UNREADABLE, Pictures, shrunk
from gallery.export.recipe import recipe_of
from gallery.export.spec import sidecar
from gallery.export.tables import Exported
from sweep.combination import RunSettings
from sweep.errors import StylesweepError

SAMPLES = 5
LOOKED_UP = 4000
"""Of more results the bytes of so many, evenly spread, stand for all."""
ZIP_ENTRY = 310
"""Bytes of a file in a zip beside its contents: two headers, its name twice, its line of the manifest."""
FIXED = 2200
"""README.txt, the manifest's and the tables' own heads."""
SHEET_HEAD = 18_000
SHEET_CELL = 2600
"""Bytes of a contact sheet's title, and of the words under a picture."""
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """pictures: that go out; files: in the zip; bytes: of the zip, within a few per cent as a rule."""

    pictures: int
    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """What one result came to when it was built. part: of the stored picture's bytes."""

    part: float
    sidecar: int
    row: int
    cell: int


def estimate(connection: Connection, artifacts: Artifacts, combinations: Sequence[int], options: ExportOptions) -> Estimate:
    """Of an export of these combinations (ids), each of a done run. Reads and builds a handful of pictures."""
    if not combinations:
        return Estimate(pictures=0, files=0, bytes=0)
    count = len(combinations)
    chosen = browse.by_combination(connection, [combinations[place] for place in _spread(count, SAMPLES)])
    samples = _samples(connection, artifacts, chosen, options)
    stored = _stored_bytes(connection, combinations)
    inputs = _inputs(connection, combinations) if options.inputs else []
    files, size = 4 + count + len(inputs), FIXED + sum(inputs) + (count + len(inputs)) * ZIP_ENTRY
    size += round(count * _mean([one.sidecar + one.row for one in samples]))
    if options.pictures:
        files, size = files + count, size + round(stored * _mean([one.part for one in samples])) + count * ZIP_ENTRY
    if options.sheet:
        files, size = files + 1, size + SHEET_HEAD + round(count * (SHEET_CELL + _mean([one.cell for one in samples])))
    return Estimate(pictures=count if options.pictures else 0, files=files, bytes=size)


def _spread(count: int, most: int) -> list[int]:
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))})


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _samples(connection: Connection, artifacts: Artifacts, results: Sequence[Result], options: ExportOptions) -> list[_Sample]:
    pictures = Pictures(artifacts, connection)
    alphas = Alphas(pictures)
    said = reviews.said(connection, options.person, [one.run_key for one in results]) if options.person is not None else {}
    found = []
    for result in results:
        names = {sha256: pictures.name(sha256) for sha256 in RunSettings.from_canonical(result.settings).pictures()}
        recipe = recipe_of(result, names)
        word = said.get(result.run_key, UNSAID)
        one = Exported(rank=1, result=result, recipe=recipe, image="images/" + "x" * 60, sidecar="x" * 60, said=word if said else None)
        texts = zlib.compress(tables.csv_text([one] * 8).encode()), zlib.compress(tables.json_text([one] * 8).encode())
        row = round((len(texts[0]) + len(texts[1])) / 8 * 2.2)  # neighbours differ, which eight times the same row do not tell
        part, cell = 1.0, 40_000
        try:
            if result.image is None:
                continue
            data = pictures.original(result.image)
            if options.alpha:
                data = alphas.restored(data, result.content_sha256)
            data = in_form(data, options.form, recipe, word)
            part = len(data) / max(1, pictures.row(result.image)["bytes"])
            cell = _cell_bytes(data)
        except (StylesweepError, *UNREADABLE):
            continue  # it would be left out
        text = sidecar(recipe, "x.yaml", dict.fromkeys(names, "x"), included=options.inputs)
        found.append(_Sample(part=part, sidecar=len(zlib.compress(text.encode())), row=row, cell=cell))
    return found


def _cell_bytes(data: bytes) -> int:
    """A picture as a contact sheet holds it."""
    small = shrunk(data, (CELL, round(CELL * 1.25)))
    buffer = io.BytesIO()
    fitted(small, (CELL, round(CELL * min(1.25, max(0.85, small.height / small.width))))).save(buffer, "PNG")
    return buffer.tell()


def _stored_bytes(connection: Connection, combinations: Sequence[int]) -> int:
    """Of the pictures of all of them."""
    ids = [combinations[place] for place in _spread(len(combinations), LOOKED_UP)]
    total = 0
    for start in range(0, len(ids), _AT_ONCE):
        each = select(Combination.id, Image.bytes).join(Run, Run.id == Combination.run_id).join(Image, Image.sha256 == Run.output)
        lot = each.where(Combination.id.in_(ids[start : start + _AT_ONCE])).subquery()
        total += connection.execute(select(func.sum(lot.c.bytes))).scalar() or 0
    return round(total * len(combinations) / len(ids))


def _inputs(connection: Connection, combinations: Sequence[int]) -> list[int]:
    """Bytes of every photograph, painting and mask that they need, of very many those of some."""
    wanted: set[str] = set()
    ids = [combinations[place] for place in _spread(len(combinations), LOOKED_UP)]
    pairs: dict[tuple[str, str, str], int] = {}
    for start in range(0, len(ids), _AT_ONCE):
        columns = (Combination.id, Combination.content_sha256, Combination.style_sha256, Combination.style)
        for one, content, style, name in connection.execute(select(*columns).where(Combination.id.in_(ids[start : start + _AT_ONCE]))):
            pairs.setdefault((content, style, name), one)
    for result in browse.by_combination(connection, list(pairs.values())):
        wanted.update(RunSettings.from_canonical(result.settings).pictures())
    sizes: list[int] = []
    for start in range(0, len(wanted), _AT_ONCE):
        batch = sorted(wanted)[start : start + _AT_ONCE]
        sizes += connection.execute(select(Image.bytes).where(Image.sha256.in_(batch))).scalars().all()
    return sizes

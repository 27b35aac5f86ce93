"""Strips of pictures for the documentation: the runs of a sweep side by side, each with what is its own below it."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from db.models import Sweep
from db.queries import results, sweep_named
from db.workspace import open_workspace
from gallery.export import captions
from gallery.export.drawing import INK, PAPER, font, line_height, wrapped
from gallery.export.pictures import Pictures, decoded, shrunk

Labelled = tuple[Image.Image, str]
GAP = 8
FACE = 14
LINES = 3
"""Of a label, at most."""


def strip(folder: Path, sweep: str, per_row: int | None = None) -> Image.Image:
    """The pictures of a sweep at their own size, in the order of its file, each run once; `per_row` in a row, or all in one.

    Raises:
        SystemExit: the sweep has runs that are not done.
    """
    workspace = open_workspace(folder, create=False)
    with workspace.reader().connect() as connection:
        found = results(connection, Sweep.id == sweep_named(connection, sweep).id)
        own = {result.run_key: result for result in reversed(found)}
        runs = [result for result in found if own[result.run_key] is result]
        if any(result.image is None for result in runs):
            raise SystemExit(f"make_pictures: not all runs of {sweep} are done; see `stylesweep runs {sweep} --workspace {folder}`.")
        pictures, names = Pictures(workspace.artifacts, connection), captions.varying(found)
        cells = [(decoded(pictures.original(str(result.image))), captions.caption(result, names)) for result in runs]
    return laid_out(cells, per_row or len(cells))


def inputs_strip(paths: Sequence[Path], height: int = 160) -> Image.Image:
    """Pictures of files, all of one height in pixels, by their names."""
    return laid_out([(shrunk(path.read_bytes(), (10 * height, height)), path.name) for path in paths], len(paths))


def laid_out(cells: Sequence[Labelled], per_row: int) -> Image.Image:
    """Rows of at most `per_row` pictures with their labels; every column as wide as its widest picture."""
    face, step = font(FACE), line_height(font(FACE))
    rows = [cells[start : start + per_row] for start in range(0, len(cells), per_row)]
    widths = [max(row[column][0].width for row in rows if column < len(row)) for column in range(min(per_row, len(cells)))]
    labels = [[_lines(label, width) for (_, label), width in zip(row, widths, strict=False)] for row in rows]
    heights = [
        max(picture.height for picture, _ in row) + 6 + step * max(map(len, lines)) + GAP for row, lines in zip(rows, labels, strict=True)
    ]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), sum(heights) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row, lines, height in zip(rows, labels, heights, strict=True):
        left = GAP
        for (picture, _), words, width in zip(row, lines, widths, strict=False):
            sheet.paste(picture, (left, top))
            for index, line in enumerate(words):
                draw.text((left, top + picture.height + 5 + index * step), line, fill=INK, font=face)
            left += width + GAP
        top += height
    return sheet


def write_jpeg(picture: Image.Image, path: Path, most_bytes: int) -> None:
    """As good a JPEG as `most_bytes` allow, without colour subsampling: what is shown is colour and grain.

    Raises:
        SystemExit: even a poor one is larger.
    """
    for quality in (94, 90, 86, 82, 78, 74, 70):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        if buffer.tell() <= most_bytes:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(buffer.getvalue())
            print(f"{path}: {picture.width} x {picture.height}, {buffer.tell():,} bytes, quality {quality}", flush=True)
            return
    raise SystemExit(f"make_pictures: {path.name} is over {most_bytes:,} bytes at any quality; make it smaller.")


def _lines(label: str, width: int) -> list[str]:
    return [line for part in label.split("\n") for line in wrapped(part, font(FACE), width, LINES)]

"""Contact sheets: every picture once, best first, each with its rank, its yardstick and what differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from PIL import Image, ImageDraw

from gallery.export import drawing
from gallery.export.drawing import INK, MAX_PIXELS, PAPER, QUIET, fitted, font, line_height, shortened, wrapped

MARGIN = 48
GAP = 28
CELL = 320
MIN_WIDTH = 720
STRIP_HEIGHT = 250


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One picture of a sheet. label: its rank; value: its yardstick; detail: the parameters that differ, in lines.

    picture None: it could not be read. before: pictures it came from (content, style), shown at its left in a strip.
    """

    picture: Image.Image | None
    label: str
    value: str = ""
    detail: str = ""
    before: tuple[Image.Image, ...] = ()


def contact_sheet(cells: Sequence[Cell], title: str, subtitle: str, columns: int | None = None) -> list[Image.Image]:
    """Labelled pages of at most 40 megapixels, in the order of `cells`; the head is on each. RGB.

    columns: pictures in a row; None chooses for a page a little wider than high. Text that does not fit ends in an ellipsis.

    Raises:
        ValueError: there is no cell, or columns is under 1.
    """
    if not cells or (columns is not None and columns < 1):
        raise ValueError("a contact sheet needs at least one cell and one column")
    strip = any(cell.before for cell in cells)
    tall = _tallest(cells)
    drawn = [_strip(cell) if strip else _fit(cell, tall) for cell in cells]
    cell_width = max((picture.width for picture in drawn), default=CELL) if strip else CELL
    count = columns or min(len(cells), _columns(len(cells), cell_width))
    width = max(MIN_WIDTH, count * (cell_width + GAP) - GAP + 2 * MARGIN)
    header = drawing.head(title, subtitle, width - 2 * MARGIN)
    rows = [_row(cells[at : at + count], drawn[at : at + count], cell_width, width) for at in range(0, len(cells), count)]
    return list(pages(header, rows, width))


def pages(header: Image.Image, rows: Sequence[Image.Image], width: int) -> Iterator[Image.Image]:
    """Rows stacked under the header, on as many pages as `MAX_PIXELS` asks for; a row is never split."""
    room = MAX_PIXELS // width - header.height - 2 * MARGIN
    at = 0
    while at < len(rows):
        end, used = at + 1, rows[at].height
        while end < len(rows) and used + GAP + rows[end].height <= room:
            used += GAP + rows[end].height
            end += 1
        page = Image.new("RGB", (width, used + header.height + 2 * MARGIN), PAPER)
        page.paste(header, (MARGIN, MARGIN))
        y = MARGIN + header.height
        for row in rows[at:end]:
            page.paste(row, (0, y))
            y += row.height + GAP
        yield page
        at = end


def _columns(count: int, cell_width: int) -> int:
    """A page about 1.4 times as wide as high, and not over about 2,200 pixels wide: more is not read on a screen."""
    return max(1, min(ceil(sqrt(count * 1.4 * CELL / cell_width)), (2200 + GAP) // (cell_width + GAP)))


def _tallest(cells: Sequence[Cell]) -> int:
    """Height limit of the pictures: where most are wide, a tall one is shown smaller, so that it leaves no hole above the others."""
    aspects = [cell.picture.height / cell.picture.width for cell in cells if cell.picture is not None]
    return round(CELL * min(1.25, max(0.85, median(aspects, default=0.75))))


def median(values: Sequence[float], default: float) -> float:
    """The middle value, the upper one of two."""
    return sorted(values)[len(values) // 2] if values else default


def _fit(cell: Cell, tall: int) -> Image.Image:
    return fitted(cell.picture, (CELL, tall)) if cell.picture is not None else _missing(CELL, round(CELL * 0.6))


def _missing(width: int, height: int) -> Image.Image:
    place = Image.new("RGB", (width, height), PAPER)
    drawing.empty_place(ImageDraw.Draw(place), (0, 0, width, height), "not readable")
    return place


def _strip(cell: Cell) -> Image.Image:
    """content | style | result at one height; the result is set off by a wider gap."""
    height = STRIP_HEIGHT
    box = (2 * height, height)
    parts = [fitted(picture, box) for picture in cell.before]
    result = fitted(cell.picture, box) if cell.picture is not None else _missing(height, height)
    width = sum(part.width + 8 for part in parts) + (8 if parts else 0) + result.width
    strip = Image.new("RGB", (width, height), PAPER)
    x = 0
    for part in parts:
        strip.paste(part, (x, (height - part.height) // 2))
        x += part.width + 8
    x += 8 if parts else 0
    strip.paste(result, (x, (height - result.height) // 2))
    return strip


def _row(cells: Sequence[Cell], drawn: Sequence[Image.Image], cell_width: int, width: int) -> Image.Image:
    """One row: pictures stand on a common line, captions hang from it."""
    bold, plain = font(21, bold=True), font(18)
    details = [[line for part in cell.detail.split("\n") for line in wrapped(part, plain, cell_width, 2)] for cell in cells]
    top = max(picture.height for picture in drawn)
    text_top = top + 12 + line_height(bold)
    row = Image.new("RGB", (width, text_top + max(map(len, details)) * line_height(plain) + 4), PAPER)
    draw = ImageDraw.Draw(row)
    for index, (cell, picture, lines) in enumerate(zip(cells, drawn, details, strict=True)):
        x = MARGIN + index * (cell_width + GAP)
        row.paste(picture, (x, top - picture.height))
        value = shortened(cell.value, plain, cell_width * 0.6)
        value_width = plain.getlength(value)
        label = shortened(cell.label, bold, cell_width - value_width - 12)
        draw.text((x, top + 10), label, fill=INK, font=bold)
        # Under a wide strip the number would be far from what it belongs to.
        right = x + picture.width - value_width if cell_width <= CELL else x
        draw.text((max(right, x + bold.getlength(label) + 16), top + 12), value, fill=INK, font=plain)
        for number, line in enumerate(lines):
            draw.text((x, text_top + number * line_height(plain)), line, fill=QUIET, font=plain)
    return row

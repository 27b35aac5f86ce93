"""Matrix sheets: one parameter along the columns, another along the rows, a block for each content-style pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from PIL import Image, ImageDraw

from gallery.export import drawing
from gallery.export.captions import value_text, yardstick_text
from gallery.export.contact import MARGIN, pages
from gallery.export.drawing import ACCENT, EMPTY, INK, LINE, PAPER, QUIET, fitted, font, line_height, shortened, wrapped

GAP = 12
ASIDE = 210
"""Width of the content and style pictures at the left of a block, pixels."""
WIDTH = 1760
"""About how wide a sheet is: twice the width at which web pages show pictures, so that it stays sharp on fine screens."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One crossing of a row and a column. picture None: `state` is written in its place."""

    picture: Image.Image | None
    value: float | None
    state: str


@dataclass(frozen=True, kw_only=True)
class Block:
    """One content-style pair: its two pictures with their names, and the places by (row value, column value).

    note: other parameters that tell this block from its neighbours. rising: whether a larger value is better.
    """

    content: Image.Image | None
    content_name: str
    style: Image.Image | None
    style_name: str
    places: Mapping[tuple[Any, Any], Place]
    note: str = ""
    rising: bool = True


@dataclass(frozen=True, kw_only=True)
class Axes:
    """The two parameters and their values in order. rows None: a single row without a head."""

    rows: str | None
    row_values: tuple[Any, ...]
    columns: str | None
    column_values: tuple[Any, ...]


def matrix_sheet(blocks: Sequence[Block], axes: Axes, title: str, subtitle: str) -> list[Image.Image]:
    """Pages of at most 40 megapixels, RGB; a block is never split. The best place of each block is marked."""
    left = 2 * ASIDE + GAP if len(axes.row_values) == 1 else ASIDE
    left += MARGIN + 3 * GAP + _row_head_width(axes)
    cell = cell_width(len(axes.column_values), len(axes.row_values))
    width = left + len(axes.column_values) * (cell + GAP) - GAP + MARGIN
    drawn = [_Drawing(block, axes, cell, left).draw(width) for block in blocks]
    gap = Image.new("RGB", (width, 1), PAPER)
    ImageDraw.Draw(gap).line((MARGIN, 0, width - MARGIN, 0), fill=LINE)
    rows = [drawn[0]]
    for _, following in pairwise(drawn):
        rows.append(_under_a_rule(following, gap))
    return list(pages(drawing.head(title, subtitle, width - 2 * MARGIN), rows, width))


def cell_width(columns: int, rows: int) -> int:
    """Pixels of one picture: as wide as the sheet allows, within what is still looked at and what is not yet a poster."""
    aside = 2 * ASIDE + GAP if rows == 1 else ASIDE + 120
    return max(120, min(340, (WIDTH - aside - 2 * MARGIN - 3 * GAP) // columns - GAP))


def _row_head_width(axes: Axes) -> int:
    """Room for the longest word of a row's head, within reason."""
    if axes.rows is None:
        return 0
    words = [*axes.rows.split(" "), *(word for value in axes.row_values for word in value_text(value).split(" "))]
    return round(min(220, max(font(19, bold=True).getlength(word) for word in words))) + 2 * GAP


def _under_a_rule(block: Image.Image, rule: Image.Image) -> Image.Image:
    ruled = Image.new("RGB", (block.width, block.height + 30), PAPER)
    ruled.paste(rule, (0, 0))
    ruled.paste(block, (0, 30))
    return ruled


class _Drawing:
    """Draws one block."""

    def __init__(self, block: Block, axes: Axes, cell: int, left: int) -> None:
        self.block, self.axes, self.cell, self.left = block, axes, cell, left
        shapes = [place.picture for place in block.places.values() if place.picture is not None]
        aspect = max((picture.height / picture.width for picture in shapes), default=0.75)
        self.height = round(cell * min(1.3, max(0.4, aspect)))
        self.value_face, self.head_face = font(16), font(19, bold=True)
        self.step = self.height + line_height(self.value_face) + 8 + GAP
        best = [place.value for place in block.places.values() if place.value is not None and place.picture is not None]
        self.best = (max(best) if block.rising else min(best)) if len(best) > 1 else None

    def draw(self, width: int) -> Image.Image:
        heads = line_height(self.head_face) + 10
        matrix = heads + len(self.axes.row_values) * self.step - GAP
        aside = self._aside()
        picture = Image.new("RGB", (width, max(matrix, aside.height + heads)), PAPER)
        picture.paste(aside, (MARGIN, heads))
        draw = ImageDraw.Draw(picture)
        self._heads(draw)
        for row, row_value in enumerate(self.axes.row_values):
            top = heads + row * self.step
            if self.axes.rows:
                self._row_head(draw, row_value, top)
            for column, column_value in enumerate(self.axes.column_values):
                at = (self.left + column * (self.cell + GAP), top)
                self._place(picture, self.block.places.get((row_value, column_value)), at)
        return picture

    def _heads(self, draw: ImageDraw.ImageDraw) -> None:
        """The column's parameter is named once, in front of its first value: beta 1, 3.162, 10."""
        if self.axes.columns is None:
            return
        for index, value in enumerate(self.axes.column_values):
            x = self.left + index * (self.cell + GAP)
            room = float(self.cell)
            if index == 0:
                name = shortened(f"{self.axes.columns} ", font(19), room * 0.6)
                draw.text((x, 0), name, fill=QUIET, font=font(19))
                used = font(19).getlength(name + " ")
                x, room = x + round(used), room - used
            draw.text((x, 0), shortened(value_text(value), self.head_face, room), fill=INK, font=self.head_face)

    def _row_head(self, draw: ImageDraw.ImageDraw, value: Any, top: int) -> None:
        """As for the columns: the parameter's name stands at its first value only."""
        room = _row_head_width(self.axes)
        x, step = self.left - room, line_height(self.head_face)
        if value == self.axes.row_values[0]:
            draw.text((x, top), shortened(str(self.axes.rows), font(19), room - GAP), fill=QUIET, font=font(19))
            top += step
        lines = max(1, self.height // step - 1)
        for index, line in enumerate(wrapped(value_text(value), self.head_face, room - GAP, lines)):
            draw.text((x, top + index * step), line, fill=INK, font=self.head_face)

    def _place(self, sheet: Image.Image, place: Place | None, at: tuple[int, int]) -> None:
        x, y = at
        draw = ImageDraw.Draw(sheet)
        if place is None or place.picture is None:
            if place is None:
                draw.rectangle((x, y, x + self.cell - 1, y + self.height - 1), outline=EMPTY)
            else:
                drawing.empty_place(draw, (x, y, x + self.cell, y + self.height), place.state)
            return
        picture = fitted(place.picture, (self.cell, self.height))
        sheet.paste(picture, (x, y))
        text_top = y + self.height + 6
        if place.value is not None and place.value == self.best:
            draw.rectangle((x, y + self.height + 1, x + picture.width - 1, y + self.height + 4), fill=ACCENT)
            draw.text((x, text_top), f"{yardstick_text(place.value)}  best", fill=ACCENT, font=font(16, bold=True))
        else:
            draw.text((x, text_top), yardstick_text(place.value), fill=QUIET, font=self.value_face)

    def _aside(self) -> Image.Image:
        """Content and style with their names: side by side beside a single row, else one above the other."""
        single = len(self.axes.row_values) == 1
        parts = [
            _named(self.block.content, "content", self.block.content_name, self.height if single else ASIDE),
            _named(self.block.style, "style", self.block.style_name, self.height if single else ASIDE),
        ]
        if self.block.note and not single:
            parts.append(_note(self.block.note))
        width = sum(part.width for part in parts) + GAP if single else ASIDE
        height = max(part.height for part in parts) if single else sum(part.height + 18 for part in parts)
        aside = Image.new("RGB", (width, height), PAPER)
        x = y = 0
        for part in parts:
            aside.paste(part, (x, y))
            x, y = (x + part.width + GAP, 0) if single else (0, y + part.height + 18)
        return aside


def _named(picture: Image.Image | None, role: str, name: str, height: int) -> Image.Image:
    small = fitted(picture, (ASIDE, height)) if picture is not None else Image.new("RGB", (ASIDE, min(height, 140)), EMPTY)
    lines = wrapped(name, font(17), ASIDE, 2)
    part = Image.new("RGB", (ASIDE, small.height + 8 + line_height(font(15)) + len(lines) * line_height(font(17))), PAPER)
    part.paste(small, (0, 0))
    draw = ImageDraw.Draw(part)
    draw.text((0, small.height + 6), role, fill=QUIET, font=font(15))
    for index, line in enumerate(lines):
        draw.text((0, small.height + 6 + line_height(font(15)) + index * line_height(font(17))), line, fill=INK, font=font(17))
    return part


def _note(text: str) -> Image.Image:
    lines = wrapped(text, font(16), ASIDE, 3)
    part = Image.new("RGB", (ASIDE, len(lines) * line_height(font(16)) + 4), PAPER)
    draw = ImageDraw.Draw(part)
    for index, line in enumerate(lines):
        draw.text((0, index * line_height(font(16))), line, fill=QUIET, font=font(16))
    return part

"""Contact sheets and matrices: sizes, pages, and that text stays in its place."""

from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from db.queries import results
from db.workspace import Workspace
from gallery.export import contact, drawing
from gallery.export.drawing import EMPTY, PAPER, font, shortened, wrapped
from gallery.export.matrix import Axes, Block, Place, matrix_sheet
from gallery.export.pictures import Pictures
from gallery.export.sheet import Cell, asked_axes, chosen_axes, contact_sheet, grid_sheet, sweep_sheet
from sweep.errors import InputError

RED = (255, 0, 0)


def picture(width: int = 320, height: int = 240, colour: tuple[int, int, int] = RED) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def count_of(page: Image.Image, colour: tuple[int, int, int]) -> int:
    return dict((value, count) for count, value in page.getcolors(maxcolors=1 << 24) or []).get(colour, 0)


def test_every_picture_is_on_the_sheet_with_all_its_pixels() -> None:
    (page,) = contact_sheet([Cell(picture=picture(), label=str(n), value="0.5") for n in range(7)], "t", "s")
    assert count_of(page, RED) == 7 * 320 * 240


def test_long_text_changes_no_size_and_covers_no_picture() -> None:
    short, long = (
        contact_sheet([Cell(picture=picture(), label=text, value=text, detail=text)] * 6, text * 9, text * 99, columns=3)[0]
        for text in ("a", "word " * 90)
    )
    assert short.width == long.width
    assert count_of(short, RED) == count_of(long, RED) == 6 * 320 * 240


def test_text_stays_inside_its_cell() -> None:
    """Two columns; the gap between them and the margins keep the paper's colour under the head, whatever is written."""
    cells = [Cell(picture=None, label="M" * 80, value="W" * 80, detail="MW " * 200 + "\n" + "W" * 300)] * 2
    (page,) = contact_sheet(cells, "", "", columns=2)
    for left, right in ((0, 47), (48 + 320 + 2, 48 + 320 + 26), (page.width - 46, page.width)):
        assert page.crop((left, 130, right, page.height)).getcolors() == [((right - left) * (page.height - 130), PAPER)]


@given(st.text(max_size=80), st.integers(30, 400))
@settings(max_examples=60, deadline=None)
def test_shortened_text_fits_and_says_that_it_was_shortened(text: str, width: int) -> None:
    face = font(18)
    short = shortened(text, face, width)
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert face.getlength(short) <= max(width, face.getlength("…"))
    assert short == shown or short.endswith("…")


@given(st.lists(st.text(alphabet="abcMW_·", min_size=1, max_size=30), max_size=12), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_wrapped_text_fits_its_lines(words: list[str], lines: int) -> None:
    broken = wrapped(" ".join(words), font(18), 200, lines)
    assert len(broken) <= lines and all(font(18).getlength(line) <= 200 for line in broken)
    shown = " ".join(broken).replace("·", "").split()
    assert any("…" in line for line in broken) or shown == " ".join(words).replace("·", "").split()


def test_large_sheets_are_split_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "MAX_PIXELS", 2_000_000)
    pages = contact_sheet([Cell(picture=picture(), label=str(n)) for n in range(40)], "t", "s", columns=4)
    assert len(pages) > 1 and all(page.width * page.height <= 2_000_000 for page in pages)
    assert sum(count_of(page, RED) for page in pages) == 40 * 320 * 240


def test_forty_megapixels_is_the_limit() -> None:
    assert drawing.MAX_PIXELS == contact.MAX_PIXELS == 40_000_000


def test_a_strip_shows_where_a_picture_came_from() -> None:
    blue, green = (0, 0, 255), (0, 255, 0)
    (page,) = contact_sheet([Cell(picture=picture(), label="1", before=(picture(colour=blue), picture(colour=green)))], "t", "s")
    where = {colour: page.convert("RGB").getbbox() for colour in (RED,)}
    columns = {colour: [x for x in range(page.width) if page.getpixel((x, 200)) == colour] for colour in (blue, green, RED)}
    assert where and max(columns[blue]) < min(columns[green]) <= max(columns[green]) < min(columns[RED])


def test_a_picture_that_cannot_be_read_leaves_a_grey_place() -> None:
    (page,) = contact_sheet([Cell(picture=None, label="1")], "t", "s")
    assert count_of(page, EMPTY) > 10_000


def test_type_is_found_without_dejavu(monkeypatch: pytest.MonkeyPatch) -> None:
    truetype = ImageFont.truetype

    def only_from_memory(source: Any, *rest: Any, **named: Any) -> ImageFont.FreeTypeFont:
        if isinstance(source, str):
            raise OSError("no such font")
        return truetype(source, *rest, **named)

    drawing.font.cache_clear()
    monkeypatch.setattr(drawing.ImageFont, "truetype", only_from_memory)
    try:
        assert drawing.shortened("a" * 200, drawing.font(20), 100).endswith("…")
    finally:
        drawing.font.cache_clear()


def block(best: tuple[float, float]) -> Block:
    axes = [(row, column) for row in ("gatys", "shallow") for column in (1.0, 10.0)]
    values = {axes[0]: best[0], axes[1]: best[1], axes[2]: 0.1, axes[3]: 0.2}
    places = {at: Place(picture=picture(), value=value, state="done") for at, value in values.items()}
    return Block(content=picture(), content_name="c", style=None, style_name="s", places=places)


AXES = Axes(rows="layers", row_values=("gatys", "shallow"), columns="beta", column_values=(1.0, 10.0))


def test_a_matrix_marks_the_best_place_of_each_block_once() -> None:
    one = count_of(matrix_sheet([block((0.9, 0.8))], AXES, "t", "s")[0], drawing.ACCENT)
    assert one >= 4 * 300  # a bar under one picture
    assert count_of(matrix_sheet([block((0.9, 0.8))] * 3, AXES, "t", "s")[0], drawing.ACCENT) == 3 * one


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return made_up_workspace(tmp_path_factory.mktemp("ws"), unfinished=2, failed=1)


def test_a_grid_shows_every_combination_and_the_state_of_those_not_done(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        found = results(connection)
        assert chosen_axes(found) == ("layers", "beta")
        (page,) = grid_sheet(found, Pictures(workspace.artifacts, connection), rows="layers", columns="beta")
        (smaller,) = grid_sheet(found[:8], Pictures(workspace.artifacts, connection), rows="layers", columns="beta")
    assert page.width == smaller.width and page.height > 3 * smaller.height
    assert count_of(page, EMPTY) > 0 == count_of(smaller, EMPTY)


def test_a_sweep_is_drawn_into_a_file(workspace: Workspace, tmp_path: Path) -> None:
    (path,) = sweep_sheet(workspace, "demo", tmp_path / "sheets")
    assert path == tmp_path / "sheets/demo.png"
    with Image.open(path) as sheet:
        assert sheet.width > 1000


def test_the_axes_of_a_sheet_may_be_named(workspace: Workspace, tmp_path: Path) -> None:
    (across,) = sweep_sheet(workspace, "demo", tmp_path / "across", rows="layers", columns="beta")
    (down,) = sweep_sheet(workspace, "demo", tmp_path / "down", rows="beta")
    with Image.open(across) as wide, Image.open(down) as tall:
        assert wide.width > wide.height / 2 and tall.height / tall.width > 1.3 * wide.height / wide.width
    with workspace.reader().connect() as connection:
        found = results(connection)
    assert asked_axes(found, "beta", None) == asked_axes(found, None, "layers") == ("beta", "layers")


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        ("size", None, "--rows size: .* choose one of beta, layers"),
        (None, "content", "--columns content: "),
        ("beta", "beta", "both beta; name two different"),
    ],
)
def test_axes_that_cannot_be_are_told(workspace: Workspace, tmp_path: Path, rows: str | None, columns: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        sweep_sheet(workspace, "demo", tmp_path, rows=rows, columns=columns)
    assert not list(tmp_path.iterdir())


def test_too_many_columns_are_told_and_not_drawn(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "ws", betas=2)
    with workspace.writer().begin() as connection:
        connection.exec_driver_sql("UPDATE combination SET beta = id * 1.7")
    with pytest.raises(InputError, match="beta has more than 14 values"):
        sweep_sheet(workspace, "demo", tmp_path, columns="beta")


def test_a_sweep_of_scattered_values_becomes_a_contact_sheet(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "ws", betas=2)
    with workspace.writer().begin() as connection:
        connection.exec_driver_sql("UPDATE combination SET beta = id * 1.7, size = 64 + id")
    (path,) = sweep_sheet(workspace, "demo", tmp_path)
    with Image.open(path) as sheet:
        assert sheet.height > 800


def test_a_sweep_that_is_not_there_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sweep named"):
        sweep_sheet(workspace, "other", tmp_path)

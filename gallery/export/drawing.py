"""Type, colours and text that fits: what the sheets are drawn with."""

from functools import cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER: Final[Colour] = (245, 245, 243)  # neutral and light: colours of pictures are judged on it, not tinted by it
INK: Final[Colour] = (31, 31, 31)
QUIET: Final[Colour] = (104, 104, 102)
LINE: Final[Colour] = (214, 214, 210)
EMPTY: Final[Colour] = (232, 232, 229)
ACCENT: Final[Colour] = (176, 74, 32)

MAX_PIXELS: Final = 40_000_000
"""Of one sheet: larger ones are split, since viewers and upload forms refuse them."""


@cache
def font(size: int, *, bold: bool = False) -> Font:
    """DejaVu Sans where the system has it, else Pillow's own type."""
    try:
        return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def line_height(face: Font) -> int:
    """Pixels from one line of text to the next."""
    top, bottom = face.getbbox("Ågjp")[1::2]
    return round((bottom - top) * 1.3)


def shortened(text: str, face: Font, width: float) -> str:
    """The text, or as much of its beginning as fits the width in pixels, with an ellipsis. A file's suffix is not kept."""
    text = " ".join("".join(character if character.isprintable() else " " for character in text[:2000]).split())
    if face.getlength(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if face.getlength(text[:middle].rstrip() + "…") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrapped(text: str, face: Font, width: float, lines: int) -> list[str]:
    """At most `lines` lines that fit the width, broken at blanks (not at no-break ones); where something is left out stands an ellipsis."""
    broken: list[str] = []
    words = [word for word in text.replace("\n", " ").split(" ") if word]
    while words and len(broken) < lines - 1:
        count = 1
        while count < len(words) and face.getlength(" ".join(words[: count + 1])) <= width:
            count += 1
        broken.append(shortened(" ".join(words[:count]), face, width))
        words = words[count:]
    if words:
        broken.append(shortened(" ".join(words), face, width))
    # A separator belongs to the line above its break, and then says nothing.
    return [line.removeprefix("· ").removesuffix(" ·") for line in broken]


def fitted(picture: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Scaled to touch the box (width, height) in pixels from inside."""
    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture if size == picture.size else picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def empty_place(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], text: str) -> None:
    """A grey place with a word in its middle, where a picture is missing. box: left, top, right, bottom."""
    draw.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=EMPTY)
    face = font(16)
    label = shortened(text, face, box[2] - box[0] - 8)
    draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), label, fill=QUIET, font=face, anchor="mm" if _truetype(face) else None)


def _truetype(face: Font) -> bool:
    return isinstance(face, ImageFont.FreeTypeFont)


def head(title: str, subtitle: str, width: int) -> Image.Image:
    """The head of a sheet `width` pixels wide: a bold title, and below it up to three quiet lines."""
    title_face, quiet_face = font(34, bold=True), font(19)
    lines = wrapped(subtitle, quiet_face, width, 3)
    top = line_height(title_face) + 10
    strip = Image.new("RGB", (width, top + len(lines) * line_height(quiet_face) + 26), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.text((0, 0), shortened(title, title_face, width), fill=INK, font=title_face)
    for index, line in enumerate(lines):
        draw.text((0, top + index * line_height(quiet_face)), line, fill=QUIET, font=quiet_face)
    return strip

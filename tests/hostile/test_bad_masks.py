"""Masks that are missing, broken or unfit, through the command line: refused before anything runs or is recorded."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import picture_bytes
from PIL import Image

pytestmark = pytest.mark.usefixtures("unchanged")

REGION = "{mask: %s, style: style.png}"
WRONG = {
    "a folder": (REGION % "folder", ["style[0].regions[0].mask", "'folder' is a folder"]),
    "gone": (REGION % "gone.png", ["style[0].regions[0].mask", "there is no file", "gone.png", "mask of 'good.png'"]),
    "no such placeholder": (REGION % "'{photo}.png'", ["there is no file", "{photo}.png"]),
    "another shape": (REGION % "square.png", ["square.png of 64 x 64 pixels has another shape", "good.png of 96 x 64"]),
    "black": (REGION % "black.png", ["black.png is black everywhere", "Paint its region white"]),
    "broken": (REGION % "broken.png", ["broken.png", "damaged or cut short"]),
    "no picture": (REGION % "sweep.yaml", ["sweep.yaml is not a picture that can be read"]),
    "too large": (REGION % "bomb.png", ["bomb.png", "megapixels"]),
    "terminal codes": (REGION % '"\\e[31mred"', ["\\x1b[31mred"]),
    "two hundred": (", ".join([REGION % "white.png"] * 200), ["there are 200 regions; at most 16"]),
    "twice": (", ".join([REGION % "white.png"] * 2), ["regions[1].mask", "given to two regions"]),
    "none": ("", ["[] is not allowed"]),
    "unknown key": ("{mask: white.png, styel: style.png}", ["regions[0].styel", "Allowed here: mask, style"]),
}


def bomb() -> bytes:
    """A grey PNG whose header promises 2.4 gigapixels."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", 60_000, 40_000, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(bytes(1000)), b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks)


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_mask_is_refused_with_file_line_and_key(
    here: Callable, told: Callable, spec: Callable, workspace: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.png").write_bytes(picture_bytes(1)[:300])
    (tmp_path / "bomb.png").write_bytes(bomb())
    for name, size, level in (("white", (96, 64), 255), ("black", (96, 64), 0), ("square", (64, 64), 255)):
        Image.new("L", size, level).save(tmp_path / f"{name}.png")
    regions, parts = WRONG[kind]
    for command in ("plan", "run"):
        message = told(here(command, spec(style=f"[{{regions: [{regions}]}}]"), "--workspace", workspace), 2)
        assert [part for part in ("sweep.yaml, line 3, style[0].regions", *parts) if part not in message] == []
        assert message.isprintable()


def test_a_good_mask_plans(here: Callable, spec: Callable, workspace: Path, tmp_path: Path) -> None:
    Image.new("L", (96, 64), 255).save(tmp_path / "good-all.png")
    said = here("plan", spec(style="[{regions: [{mask: '{content}-all.png', style: style.png}]}]"), "--workspace", workspace)
    assert (said.code, "1 combination needs 1 run" in said.out) == (0, True), said

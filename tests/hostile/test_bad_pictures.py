"""Pictures that are missing, broken or meant to hurt, through the command line; and odd ones that are fine."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import picture_bytes
from PIL import Image

pytestmark = pytest.mark.usefixtures("unchanged")


def bomb() -> bytes:
    """A PNG of under a kilobyte whose header promises 3.6 gigapixels, 10 GB once decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


GOOD = picture_bytes(1, (300, 200))
JPEG = picture_bytes(1, (300, 200), "JPEG")
BAD = {
    "empty.png": (b"", "empty (0 bytes)"),
    "text.png": (b"This is a letter, not a picture.\n" * 20, "not a picture that can be read"),
    "truncated.png": (GOOD[: len(GOOD) // 2], "damaged or cut short"),
    "truncated.jpg": (JPEG[: len(JPEG) // 2], "damaged or cut short"),
    "header.png": (GOOD[:20], "damaged"),
    "broken.png": (GOOD[:60] + bytes(200) + GOOD[260:], "damaged"),
    "bomb.png": (bomb(), "megapixels"),
    "vector.png": (b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'/>", "not a picture that can be read"),
    "script.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nquit\n", "not a picture that can be read"),
    "tiny.png": (picture_bytes(1, (300, 8)), "each side needs at least 16"),
    "yaml.webp": (b"!!python/object/apply:os.system [exit]", "not a picture that can be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_by_name(
    here: Callable, told: Callable, spec: Callable, workspace: Path, tmp_path: Path, name: str
) -> None:
    data, reason = BAD[name]
    (tmp_path / name).write_bytes(data)
    for command in ("plan", "run"):
        message = told(here(command, spec(content=f"[good.png, {name}]"), "--workspace", workspace), 2)
        assert name in message
        assert reason in message


def test_a_missing_picture_is_refused_with_file_line_and_key(process: Callable, told: Callable, spec: Callable, workspace: Path) -> None:
    message = told(process("run", spec(content="[good.png, gone.jpg]"), "--workspace", workspace), 2)
    for part in ("sweep.yaml, line 2, content[1]", "no file 'gone.jpg'", "relative to the sweep's file"):
        assert part in message


def test_a_decompression_bomb_is_refused_within_little_time_and_memory(
    process: Callable, told: Callable, spec: Callable, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb())
    said = process("run", spec(style="bomb.png"), "--workspace", workspace, memory=4_000_000_000)
    assert "bomb.png has more than" in told(said, 2)
    assert said.cpu < 20


def odd_pictures() -> dict[str, bytes]:
    base = Image.open(io.BytesIO(picture_bytes(3, (64, 48))))
    rotated = Image.Exif()
    rotated[0x0112] = 6
    made: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "rotated.jpg": (base, {"exif": rotated}),
        "alpha.png": (base.convert("RGBA").copy(), {}),
        "grey.png": (base.convert("L"), {}),
        "grey-alpha.png": (base.convert("LA"), {}),
        "palette.png": (base.convert("P", palette=Image.Palette.ADAPTIVE), {}),
        "palette.gif": (base.convert("P", palette=Image.Palette.ADAPTIVE), {"transparency": 3}),
        "cmyk.jpg": (base.convert("CMYK"), {}),
        "sixteen.png": (base.convert("I").point(lambda value: value * 257).convert("I;16"), {}),
        "bilevel.png": (base.convert("1"), {}),
        "float.tif": (base.convert("F"), {}),
        "photo.webp": (base, {}),
        "photo.bmp": (base, {}),
    }
    made["alpha.png"][0].putalpha(90)
    files = {}
    for name, (image, options) in made.items():
        buffer = io.BytesIO()
        image.save(buffer, Image.registered_extensions()[Path(name).suffix], **options)
        files[name] = buffer.getvalue()
    return files


def test_odd_but_honest_pictures_are_planned(process: Callable, spec: Callable, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    files = odd_pictures()
    for name, data in files.items():
        (tmp_path / "odd" / name).write_bytes(data)
    said = process("plan", spec(content="odd", style="odd/alpha.png"), "--workspace", workspace, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["combinations"] == len(files)
    assert "alpha.png is partly transparent; it is laid on white, and exported pictures get its transparency back." in said.err
    assert "Traceback" not in said.err


@pytest.mark.weights
def test_what_was_changed_on_the_way_in_is_said_by_plan_and_by_run(here: Callable, spec: Callable, tmp_path: Path) -> None:
    base = Image.open(io.BytesIO(picture_bytes(7, (64, 48))))
    (tmp_path / "many").mkdir()
    clear = base.copy()
    clear.putalpha(90)
    clear.save(tmp_path / "many/clear.webp")
    base.save(tmp_path / "many/moving.gif", save_all=True, append_images=[base.rotate(180)])
    base.save(tmp_path / "many/odd.png", icc_profile=b"no profile")
    base.convert("F").save(tmp_path / "many/float.tif")
    base.convert("L").save(tmp_path / "many/red \033[31m.tif", save_all=True, append_images=[base.convert("L")])
    path = spec(content="many", extra="settings: {network: vgg16-hed, size: 16, steps: 1, layers: shallow}\n")
    expected = [
        "clear.webp is partly transparent; it is laid on white, and exported pictures get its transparency back.",
        "moving.gif has several frames or pages; the first is used.",
        "The colour profile of {}odd.png is broken; its colours are taken as sRGB.",
        "they were stretched to black and white.",
        "red \\x1b[31m.tif has several frames or pages; the first is used.",
    ]
    for arguments in (["plan", path], ["plan", path, "--json"], ["run", path, "--address", "inline"]):
        said = here(*arguments, "--workspace", tmp_path / "fresh")
        assert said.code == 0, said.err
        for remark in expected:
            assert said.err.count(remark.format(f"{tmp_path}/many/")) == 1, (remark, said.err)
        assert "\033[31m" not in said.err + said.out
        assert "partly" not in said.out and "frames" not in said.out

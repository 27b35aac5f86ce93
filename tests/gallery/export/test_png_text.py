"""Chunk surgery, checked by a tiny reader of its own, by Pillow and by exiftool."""

import io
import json
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from factories import picture_bytes
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gallery.export.png import MAX_TEXT, read_text_chunks, with_text_chunks
from sweep.errors import ImageError

ZWICKY = "Zürich — 夜 \U0001f3a8"


def made_png(**texts: str) -> bytes:
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_itxt(keyword, text)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture_bytes(1))).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def plain_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(kind, payload) by the letter of the PNG standard; asserts every CRC."""
    assert data[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    found, stream = [], io.BytesIO(data[8:])
    while head := stream.read(8):
        length = int.from_bytes(head[:4], "big")
        payload = stream.read(length)
        assert int.from_bytes(stream.read(4), "big") == zlib.crc32(head[4:] + payload)
        found.append((head[4:], payload))
    return found


def test_pixel_data_is_the_same_bytes_and_every_checksum_is_right() -> None:
    before = made_png(stylesweep="old", Comment="stays")
    after = with_text_chunks(before, {"stylesweep": "new", "Title": ZWICKY})
    idat = [payload for kind, payload in plain_chunks(before) if kind == b"IDAT"]
    assert idat == [payload for kind, payload in plain_chunks(after) if kind == b"IDAT"]
    assert Image.open(io.BytesIO(before)).tobytes() == Image.open(io.BytesIO(after)).tobytes()
    kinds = [kind for kind, _ in plain_chunks(after)]
    assert kinds[0] == b"IHDR" and kinds[-1] == b"IEND"


def test_a_keyword_is_replaced_and_other_text_stays() -> None:
    after = with_text_chunks(made_png(stylesweep="old", Comment="stays"), {"stylesweep": "new"})
    texts = [payload for kind, payload in plain_chunks(after) if kind == b"iTXt"]
    assert sorted(text.split(b"\0")[0] for text in texts) == [b"Comment", b"stylesweep"]
    assert not any(b"old" in text for text in texts)


def test_pillow_reads_what_was_written() -> None:
    opened = Image.open(io.BytesIO(with_text_chunks(made_png(), {"stylesweep": ZWICKY})))
    opened.load()
    assert opened.info["stylesweep"] == ZWICKY


def test_exiftool_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(with_text_chunks(made_png(stylesweep="old"), {"stylesweep": ZWICKY, "Title": "a title"}))
    said = json.loads(subprocess.run(["exiftool", "-j", path], capture_output=True, check=True).stdout)[0]
    assert (said["Stylesweep"], said["Title"]) == (ZWICKY, "a title")
    assert "Warning" not in said


def test_all_three_kinds_of_text_are_read() -> None:
    info = PngInfo()
    info.add_text("plain", "é")
    info.add_text("packed", "b" * 5000, zip=True)
    info.add_itxt("both", ZWICKY, zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG", pnginfo=info)
    assert read_text_chunks(buffer.getvalue()) == {"plain": "é", "packed": "b" * 5000, "both": ZWICKY}


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def with_chunk(extra: bytes) -> bytes:
    data = made_png()
    return data[:33] + extra + data[33:]  # after the header


@pytest.mark.parametrize("cut", [9, 20, 40, -1, -13])
def test_a_cut_off_picture_is_refused(cut: int) -> None:
    with pytest.raises(ImageError, match="cut off"):
        read_text_chunks(made_png(stylesweep="x")[:cut])


def test_a_flipped_bit_is_noticed() -> None:
    data = bytearray(made_png(stylesweep="x"))
    data[45] ^= 1
    with pytest.raises(ImageError, match="checksum"):
        with_text_chunks(bytes(data), {"stylesweep": "y"})


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"iTXt", b"stylesweep\0\0\0\0\0" + b"x" * (MAX_TEXT + 1)),
        chunk(b"zTXt", b"stylesweep\0\0" + zlib.compress(b"x" * 50_000_000)),
        chunk(b"iTXt", b"stylesweep\0\1\0\0\0" + zlib.compress(b"x" * 50_000_000)),
    ],
    ids=["plain", "packed", "packed international"],
)
def test_huge_text_is_refused_before_it_fills_the_memory(extra: bytes) -> None:
    with pytest.raises(ImageError, match="larger than"):
        read_text_chunks(with_chunk(extra))


@pytest.mark.parametrize("payload", [b"stylesweep\0", b"stylesweep\0\0\0en", b"stylesweep\0\1\0\0\0junk", b"stylesweep\0\0\0\0\0\xff\xfe"])
def test_broken_text_is_refused_by_name(payload: bytes) -> None:
    with pytest.raises(ImageError, match="'stylesweep' cannot be decoded"):
        read_text_chunks(with_chunk(chunk(b"iTXt", payload)))


def test_broken_text_of_other_programs_does_not_matter() -> None:
    assert read_text_chunks(with_chunk(chunk(b"zTXt", b"Comment\0\0junk")), keywords={"stylesweep"}) == {}


def test_text_over_the_limit_is_never_written() -> None:
    with pytest.raises(ValueError, match="at most"):
        with_text_chunks(made_png(), {"stylesweep": "é" * (MAX_TEXT // 2 + 1)})

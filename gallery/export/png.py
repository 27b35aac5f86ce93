"""Text in PNG files, read and replaced chunk by chunk: the picture's own bytes are never decoded nor written anew here.

Format: PNG specification, third edition (W3C 2025), sections 5 (chunks) and 11.3.3 (tEXt, zTXt, iTXt).
"""

import struct
import zlib
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from sweep.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_TEXT = 2**20 - 1
"""Bytes of one text chunk. Pillow refuses to open a file with a larger one."""
MAX_ALL_TEXT = 16 * MAX_TEXT
"""Bytes of all text of one file, unpacked: many small compressed chunks could fill the memory."""
TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")


class Chunk(NamedTuple):
    """One chunk: its four-letter kind, its payload, and all its bytes with length and CRC."""

    kind: bytes
    data: memoryview
    whole: memoryview


def chunks(data: bytes, name: str = "the picture") -> Iterator[Chunk]:
    """The chunks of a PNG from IHDR to IEND, each checked against its CRC. What follows IEND is ignored.

    Raises:
        ImageError: it is no PNG, ends too early, or a CRC is wrong.
    """
    if not data.startswith(SIGNATURE):
        raise ImageError(f"{name} is not a PNG picture.")
    view, at, first = memoryview(data), len(SIGNATURE), True
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        payload = view[at + 8 : end - 4]
        if zlib.crc32(payload, zlib.crc32(kind)) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageError(f"{name} is damaged: the checksum of its {kind!r} chunk at byte {at} is wrong. Use an undamaged copy.")
        if first != (kind == b"IHDR"):
            raise ImageError(f"{name} is damaged: a PNG has one header, at its beginning. Use an undamaged copy.")
        yield Chunk(kind, payload, view[at:end])
        if kind == b"IEND":
            return
        at, first = end, False
    raise ImageError(f"{name} is cut off after {len(data):,} bytes: a PNG ends with an IEND chunk. Use a complete copy.")


def read_text_chunks(data: bytes, name: str = "the picture", keywords: Container[str] | None = None) -> dict[str, str]:
    """Keyword -> text of a PNG's tEXt, zTXt and iTXt chunks; the last of equal keywords counts. keywords: only these are read.

    Raises:
        ImageError: as `chunks` says; or a text that was asked for is over `MAX_TEXT` or cannot be decoded.
    """
    found: dict[str, str] = {}
    total = 0
    for chunk in chunks(data, name):
        keyword = _keyword(chunk)
        if keyword is None or (keywords is not None and keyword not in keywords):
            continue
        try:
            raw, encoding = _raw_text(chunk)
            total += len(raw)
            if len(raw) > MAX_TEXT or total > MAX_ALL_TEXT:
                raise ImageError(f"{name}: its text {keyword!r} is larger than {MAX_TEXT:,} bytes and is not read.")
            found[keyword] = raw.decode(encoding)
        except (ValueError, zlib.error) as error:
            raise ImageError(f"{name}: its text {keyword!r} cannot be decoded; use a copy that no other program has changed.") from error
    return found


def with_text_chunks(data: bytes, texts: Mapping[str, str]) -> bytes:
    """The same PNG with these texts as iTXt chunks after its header; chunks of the same keywords are dropped, all others kept as they are.

    Raises:
        ImageError: as `chunks` says.
        ValueError: a keyword is not 1 to 79 printable Latin-1 characters, or a text is over `MAX_TEXT` bytes.
    """
    parts: list[bytes | memoryview] = [SIGNATURE]
    for chunk in chunks(data):
        if _keyword(chunk) not in texts:
            parts.append(chunk.whole)
        if chunk.kind == b"IHDR":
            parts += [_international_text(keyword, text) for keyword, text in texts.items()]
    return b"".join(parts)


def size_of(data: bytes) -> tuple[int, int]:
    """(width, height) of a PNG, from its header.

    Raises:
        ImageError: as `chunks` says.
    """
    header = next(chunks(data))
    width, height = struct.unpack_from(">II", header.data)
    return width, height


def with_pixels_of(data: bytes, other: bytes) -> bytes:
    """The first PNG with the header and the pixels of the other: its text, colour space and all its other chunks stay.

    For another colour type of the same depth; neither may have a palette.

    Raises:
        ImageError: as `chunks` says, for either.
    """
    new = {kind: [chunk.whole for chunk in chunks(other) if chunk.kind == kind] for kind in (b"IHDR", b"IDAT")}
    parts: list[bytes | memoryview] = [SIGNATURE]
    for chunk in chunks(data):
        # All pixels stand where the first of the old ones stood: IDAT chunks follow each other without anything between.
        parts += new.pop(chunk.kind, []) if chunk.kind in (b"IHDR", b"IDAT") else [chunk.whole]
    return b"".join(parts)


def _keyword(chunk: Chunk) -> str | None:
    if chunk.kind not in TEXT_KINDS:
        return None
    return bytes(chunk.data[:80]).split(b"\0", 1)[0].decode("latin-1")


def _raw_text(chunk: Chunk) -> tuple[bytes, str]:
    """The unpacked text, cut just over `MAX_TEXT`, and its encoding."""
    _, _, rest = bytes(chunk.data).partition(b"\0")
    if chunk.kind == b"tEXt":
        return rest, "latin-1"
    if chunk.kind == b"zTXt":
        return _unpacked(rest[1:]), "latin-1"
    if len(rest) < 2:
        raise ValueError("an iTXt chunk without its flags")
    packed = rest[0] == 1
    _, language_end, after = rest[2:].partition(b"\0")
    _, keyword_end, text = after.partition(b"\0")
    if not language_end or not keyword_end:
        raise ValueError("an iTXt chunk without its language and translated keyword")
    return (_unpacked(text) if packed else text), "utf-8"


def _unpacked(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, MAX_TEXT + 1)


def _international_text(keyword: str, text: str) -> bytes:
    raw = text.encode()
    if len(raw) > MAX_TEXT:
        raise ValueError(f"the text {keyword!r} has {len(raw):,} bytes; at most {MAX_TEXT:,} are allowed")
    if not 1 <= len(keyword) <= 79 or not keyword.isprintable() or keyword != keyword.strip():
        raise ValueError(f"not a PNG keyword: {keyword!r}")
    payload = keyword.encode("latin-1") + b"\0\0\0\0\0" + raw  # not packed, no language, no translated keyword
    body = b"iTXt" + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))

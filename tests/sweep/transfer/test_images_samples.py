"""Files of unusual samples, written byte by byte here, so that no library reads what it has itself misunderstood."""

import struct
import zlib

import numpy as np
import pytest

from sweep.errors import ImageError
from sweep.transfer.images import Picture, open_picture

HEIGHT, WIDTH = 32, 40
COLOURS = np.linspace(0, 65535, HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3)
GREY = COLOURS[..., 0]


def tiff(values: np.ndarray, kind: str, photometric: int, **layout: int) -> bytes:
    """An uncompressed TIFF 6.0 of one strip, or one for each plane.

    values (H, W) or (H, W, C); kind: numpy's, as 'u2' or '>f4'. layout: planes=2 (separate), bits=12, extra=0, 1 or 2.
    """
    order, kind = ("<", kind) if kind[0] not in "<>" else (kind[0], kind[1:])
    planes, bits, extra = layout.get("planes", 1), layout.get("bits", 0), layout.get("extra")
    samples = 1 if values.ndim == 2 else values.shape[2]
    parts = [values] if planes == 1 else [values[..., number] for number in range(samples)]
    strips = [part.astype(order + kind).tobytes() for part in parts]
    if bits == 12:
        numbers = values.astype(int).reshape(-1, 2)
        strips = [b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in numbers.tolist())]
    number_format = {"u": 1, "i": 2, "f": 3}[kind[0]]
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("I", [values.shape[1]]), 257: ("I", [values.shape[0]]), 258: ("H", [bits or 8 * int(kind[1])] * samples), 259: ("H", [1]),
        262: ("H", [photometric]), 273: ("I", [0] * len(strips)), 277: ("H", [samples]), 278: ("I", [values.shape[0]]),
        279: ("I", [len(strip) for strip in strips]), 284: ("H", [planes]), 339: ("H", [number_format] * samples),
    }  # fmt: skip
    if extra is not None:
        tags[338] = ("H", [extra])
    far = 8 + 2 + 12 * len(tags) + 4
    outside = sum(size for code, numbers in tags.values() if (size := struct.calcsize(code) * len(numbers)) > 4)
    starts = np.cumsum([far + outside, *(len(strip) for strip in strips)])[:-1].tolist()
    tags[273] = ("I", starts)
    head, long = b"", b""
    for tag, (code, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}I", far + len(long))
        long += packed if len(packed) > 4 else b""
        head += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(numbers)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}IH", 8, len(tags)) + head + bytes(4) + long + b"".join(strips)


def png(rows: np.ndarray, depth: int, colour_type: int, *, clear: tuple[int, ...] = ()) -> bytes:
    """A PNG of unfiltered rows. rows (H, W) or (H, W, C) of samples with `depth` bits; clear: the transparent colour."""
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        bits = (rows.reshape(len(rows), -1, 1).astype(int) >> np.arange(depth)[::-1]) & 1
        lines = [np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in bits]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], depth, colour_type, 0, 0, 0))]
    chunks += [(b"tRNS", struct.pack(f">{len(clear)}H", *clear))] if clear else []
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def assert_shows(picture: Picture, expected: np.ndarray, within: float = 0.51) -> None:
    """expected: (H, W) or (H, W, 3) in 0..255."""
    np.testing.assert_allclose(picture.pixels, expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2), atol=within)


@pytest.mark.parametrize("order", ["<", ">"])
def test_colours_of_16_bits_in_a_tiff_lose_only_their_lower_byte(order: str) -> None:
    assert_shows(open_picture(tiff(COLOURS, f"{order}u2", 2), "deep.tif"), COLOURS / 257, within=1)


def test_colours_of_16_bits_in_a_png_lose_only_their_lower_byte() -> None:
    assert_shows(open_picture(png(COLOURS, 16, 2), "deep.png"), COLOURS / 257, within=1)
    with_alpha = np.dstack([COLOURS, np.full((HEIGHT, WIDTH), 32768)])
    picture = open_picture(png(with_alpha, 16, 6), "deep.png")
    assert set(picture.alpha.ravel()) == {128}  # type: ignore[union-attr]
    assert_shows(picture, (COLOURS / 257 + 255) / 2, within=1.5)


def test_16_bits_in_separate_planes_are_refused_and_8_bits_are_read() -> None:
    for order in "<>":
        with pytest.raises(ImageError, match=r"planes\.tif keeps its colours in separate planes of 16 bits.*save it with interleaved"):
            open_picture(tiff(COLOURS, f"{order}u2", 2, planes=2), "planes.tif")
    assert_shows(open_picture(tiff(COLOURS // 257, "u1", 2, planes=2), "planes.tif"), COLOURS // 257)


KINDS = {"u1": GREY / 257, "u2": GREY, "f4": GREY / 65535, "u4": GREY * 65537}


@pytest.mark.parametrize(("kind", "photometric"), [(kind, black) for kind in KINDS for black in (0, 1) if (kind, black) != ("u4", 0)])
def test_grey_tiffs_of_every_depth_are_neither_clipped_nor_turned_around(kind: str, photometric: int) -> None:
    """photometric 0: white is stored as zero; 1: black is."""
    values = KINDS[kind]
    picture = open_picture(tiff(values if kind == "f4" else np.floor(values), kind, photometric), "grey.tif")
    assert picture.remarks == ()
    assert_shows(picture, GREY / 257 if photometric else 255 - GREY / 257, within=1)


@pytest.mark.parametrize(
    "data",
    [
        tiff(KINDS["u4"], "u4", 0), tiff(COLOURS / 65535, "f4", 2), tiff(COLOURS * 65537, "u4", 2), tiff(GREY / 65535, "f8", 1),
        tiff(COLOURS[..., :2], "u2", 1, extra=2),
    ],
    ids=["32 bits, white is zero", "float colours", "colours of 32 bits", "doubles", "grey of 16 bits with alpha"],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"rare\.tif .* samples are of an unusual kind.* 8 or 16 bits"):
        open_picture(data, "rare.tif")


def test_12_bits_are_scaled_by_their_own_range() -> None:
    values = np.floor(GREY / 16)
    assert_shows(open_picture(tiff(values, "u2", 1, bits=12), "camera.tif"), values * 255 / 4095)


def test_signed_values_are_stretched_and_it_is_said() -> None:
    values = np.linspace(-1000, 3000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    picture = open_picture(tiff(values, "i4", 1), "heights.tif")
    assert_shows(picture, (values + 1000) * 255 / 4000, within=1)
    assert picture.remarks == ("The values of heights.tif run from -1000 to 3000; they were stretched to black and white.",)


@pytest.mark.parametrize(("extra", "before"), [(2, 1.0), (1, 0.5)], ids=["alpha apart", "alpha multiplied in"])
def test_alpha_of_a_tiff_is_kept_whether_it_is_multiplied_in_or_not(extra: int, before: float) -> None:
    colours = COLOURS / 257
    values = np.dstack([np.rint(colours * before), np.full((HEIGHT, WIDTH), 127.5)])
    picture = open_picture(tiff(values, "u1", 2, extra=extra), "cut.tif")
    assert set(picture.alpha.ravel()) == {127}  # type: ignore[union-attr]
    assert_shows(picture, colours * 127 / 255 + 128, within=2)


def test_a_fourth_sample_of_no_meaning_is_no_alpha() -> None:
    picture = open_picture(tiff(np.dstack([COLOURS // 257, np.zeros((HEIGHT, WIDTH))]), "u1", 2, extra=0), "four.tif")
    assert picture.alpha is None
    assert_shows(picture, COLOURS // 257)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_cmyk_tiffs_are_ink_on_white(kind: str) -> None:
    inks = np.dstack([COLOURS, np.full((HEIGHT, WIDTH), 16384)]) / 65535
    picture = open_picture(tiff(np.floor(inks * (255 if kind == "u1" else 65535)), kind, 5), "print.tif")
    assert_shows(picture, 255 * (1 - inks[..., :3]) * (1 - inks[..., 3:]), within=2)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("clear", [False, True])
def test_grey_pngs_of_every_depth_with_and_without_a_transparent_level(depth: int, clear: bool) -> None:
    most = 2**depth - 1
    levels = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) * (most // 71 or 1) % (most + 1)
    picture = open_picture(png(levels, depth, 0, clear=(int(levels[3, 4]),) if clear else ()), "grey.png")
    hidden = clear & (levels == levels[3, 4])
    assert_shows(picture, np.where(hidden, 255, levels * 255 / most))
    assert (picture.alpha is None) is not clear
    if clear:
        np.testing.assert_array_equal(picture.alpha == 0, hidden)


def test_a_transparent_colour_of_16_bits_that_cannot_be_told_apart_is_opaque_and_it_is_said() -> None:
    picture = open_picture(png(COLOURS, 16, 2, clear=(40000, 300, 7)), "deep.png")
    assert picture.alpha is None and "nothing is transparent" in picture.remarks[0]
    assert_shows(picture, COLOURS / 257, within=1)

"""Colour profiles of grey and printed pictures, made byte by byte; the camera's orientation in every format that has one."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from sweep.transfer.images import open_picture

# CIELAB values of sRGB's primaries, white and black under D50, as ICC profiles have them (B. Lindbloom's tables).
LAB = {
    "white": (100, 0, 0), "black": (0, 0, 0), "red": (54.29, 80.81, 69.89), "green": (87.82, -79.27, 80.99),
    "blue": (29.57, 68.30, -112.03),
}  # fmt: skip
RGB = {"white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}


def icc(space: bytes, kind: bytes, connection: bytes, **tags: bytes) -> bytes:
    """A profile of version 2.4 (ICC.1:2001-04): header, table of tags, tags."""

    def fixed(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))

    d50 = (0.9642, 1.0, 0.8249)
    text = b"made by a test"
    every = {
        "desc": b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78),
        "cprt": b"text" + bytes(4) + text + b"\0", "wtpt": b"XYZ " + bytes(4) + fixed(*d50), **tags,
    }  # fmt: skip
    body, table, at = b"", struct.pack(">I", len(every)), 128 + 4 + 12 * len(every)
    for name, data in every.items():
        table += struct.pack(">4sII", name.encode(), at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">II", at + len(body), 0) + bytes.fromhex("02400000") + kind + space + connection
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(*d50)
    return header.ljust(128, b"\0") + table + body


LINEAR_GREY = icc(b"GRAY", b"mntr", b"XYZ ", kTRC=b"curv" + bytes(4) + struct.pack(">IH", 1, 256))


def strange_inks() -> bytes:
    """A press whose cyan ink is red, whose magenta is green, whose yellow is blue; two inks together are black."""
    single = {0b0000: "white", 0b1000: "red", 0b0100: "green", 0b0010: "blue"}
    corners = [LAB[single.get(corner, "black")] for corner in range(16)]  # the first ink varies slowest
    table = [(round(light * 652.8), round((a + 128) * 256), round((b + 128) * 256)) for light, a, b in corners]
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    curves = struct.pack(">2H", 0, 65535)
    lut = b"mft2" + bytes(4) + bytes([4, 3, 2, 0]) + identity + struct.pack(">2H", 2, 2) + 4 * curves
    lut += b"".join(struct.pack(">3H", *entry) for entry in table) + 3 * curves
    return icc(b"CMYK", b"prtr", b"Lab ", A2B0=lut)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def ramp() -> np.ndarray:
    return np.tile(np.arange(256, dtype=np.uint8), (16, 1))


def encoded(linear: np.ndarray) -> np.ndarray:
    """sRGB levels of linear light (IEC 61966-2-1)."""
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_a_grey_profile_is_carried_out(form: str) -> None:
    picture = open_picture(
        saved(Image.fromarray(ramp()), form, icc_profile=LINEAR_GREY, **({"quality": 100} if form == "JPEG" else {})), "g"
    )
    assert picture.remarks == ()
    bright = ramp()[0] >= 8  # where one level of linear light is less than five of sRGB
    expected = encoded(ramp() / 255)
    assert np.abs(picture.pixels[:, bright] - expected[:, bright, None]).max() <= (2 if form != "JPEG" else 8)


def test_a_grey_profile_of_a_picture_with_alpha_is_carried_out_before_it_is_laid_on_white() -> None:
    image = Image.merge("LA", (Image.fromarray(ramp()), Image.new("L", (256, 16), 51)))
    picture = open_picture(saved(image, "PNG", icc_profile=LINEAR_GREY), "g.png")
    np.testing.assert_allclose(picture.pixels[0, 10:, 0], 0.2 * encoded(ramp() / 255)[0, 10:] + 0.8 * 255, atol=1.5)


@pytest.mark.parametrize(("form", "within"), [("TIFF", 4), ("JPEG", 12)])
def test_the_profile_of_a_press_is_carried_out(form: str, within: int) -> None:
    inks = {"white": (0, 0, 0, 0), "red": (255, 0, 0, 0), "green": (0, 255, 0, 0), "blue": (0, 0, 255, 0), "black": (0, 0, 0, 255)}
    strip = np.repeat(np.array(list(inks.values()), dtype=np.uint8)[None], 32, axis=0).repeat(32, axis=1)
    image = Image.frombytes("CMYK", (160, 32), strip.tobytes())
    picture = open_picture(saved(image, form, icc_profile=strange_inks(), **({"quality": 95} if form == "JPEG" else {})), "press")
    assert picture.remarks == ()
    for number, name in enumerate(inks):
        found = picture.pixels[8:24, 32 * number + 8 : 32 * number + 24].reshape(-1, 3).astype(int)
        assert np.abs(found - RGB[name]).max() <= within, name


@pytest.mark.parametrize(
    ("mode", "profile", "space"), [("RGB", LINEAR_GREY, "GRAY"), ("RGB", strange_inks(), "CMYK"), ("CMYK", LINEAR_GREY, "GRAY")]
)
def test_a_profile_for_other_colours_is_ignored_and_it_is_said(mode: str, profile: bytes, space: str) -> None:
    colours = np.dstack([ramp(), ramp()[:, ::-1], ramp() // 2])
    image = Image.fromarray(colours).convert(mode)
    picture = open_picture(saved(image, "TIFF", icc_profile=profile), "odd.tif")
    assert picture.remarks == (
        f"The colour profile of odd.tif is one for {space} colours, which it has not; its colours are taken as sRGB.",
    )
    assert np.abs(picture.pixels.astype(int) - colours).max() <= 1


def test_a_cmyk_jpeg_that_does_not_say_how_its_inks_are_stored_is_read_as_most_are_and_it_is_said() -> None:
    colours = np.dstack([ramp(), ramp()[:, ::-1], ramp() // 2])
    data = saved(Image.fromarray(colours).convert("CMYK"), "JPEG", quality=95)
    marker = data.index(b"\xff\xee")
    (length,) = struct.unpack_from(">H", data, marker + 2)
    assert data[marker + 4 : marker + 9] == b"Adobe"
    with_marker, without = (open_picture(one, "ink.jpg") for one in (data, data[:marker] + data[marker + 2 + length :]))
    assert with_marker.remarks == () and "how its inks are stored" in without.remarks[0]
    np.testing.assert_array_equal(with_marker.pixels, without.pixels)
    assert np.abs(with_marker.pixels.astype(int) - colours).mean() < 4


UNDO = {
    1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: np.rot90(a, -1),
}  # fmt: skip


@pytest.mark.parametrize("orientation", UNDO)
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "AVIF"])
def test_the_cameras_orientation_is_carried_out_in_every_format_that_has_it(form: str, orientation: int) -> None:
    upright = np.dstack([ramp()[:, ::4], ramp()[:, ::-4], np.repeat(np.arange(0, 256, 16, dtype=np.uint8)[:, None], 64, axis=1)])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"tiffinfo": {0x0112: orientation}} if form == "TIFF" else {"exif": exif.tobytes()}
    options |= {"JPEG": {"quality": 98}, "WEBP": {"lossless": True}, "AVIF": {"quality": 98}}.get(form, {})
    picture = open_picture(saved(Image.fromarray(np.ascontiguousarray(UNDO[orientation](upright))), form, **options), "photo")
    assert picture.pixels.shape == upright.shape
    assert np.abs(picture.pixels.astype(int) - upright).mean() < 2.5


def test_alpha_is_turned_with_its_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.dstack([ramp(), ramp(), ramp(), ramp()[:, ::-1]])
    data = saved(Image.fromarray(np.ascontiguousarray(UNDO[6](upright))), "WEBP", lossless=True, exact=True, exif=exif.tobytes())
    np.testing.assert_array_equal(open_picture(data, "cut.webp").alpha, upright[..., 3])


def test_of_an_animated_avif_the_first_frame_is_used() -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "blue")]
    picture = open_picture(saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], quality=95), "moving.avif")
    assert np.abs(picture.pixels.astype(int) - (255, 0, 0)).max() < 12
    assert picture.remarks == ("moving.avif has several frames or pages; the first is used.",)

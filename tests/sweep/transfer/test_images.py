"""Picture files of every kind that people and cameras make, and of kinds that they should not."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from sweep.errors import ImageError
from sweep.transfer.images import FORMATS, encode_png, encode_thumbnail, mean_colour, open_picture, resized, resized_to


@pytest.fixture(scope="module")
def pixels(smooth_picture: Callable[..., np.ndarray]) -> np.ndarray:
    return smooth_picture(5, 40, 60)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_with(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that says it is width x height grey pixels, with the chunks given instead of pixels."""
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), *chunks, (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data


@pytest.mark.parametrize("form", FORMATS)
def test_every_allowed_format_opens_as_what_was_saved(form: str, pixels: np.ndarray) -> None:
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}, "AVIF": {"quality": 95}}.get(form, {})
    picture = open_picture(saved(Image.fromarray(pixels), form, **options), f"a.{form}")
    assert (picture.format, picture.alpha, picture.pixels.shape) == (form, None, pixels.shape)
    # GIF keeps 256 colours, JPEG and AVIF lose a little.
    allowed = 25 if form == "GIF" else 6 if form in ("JPEG", "AVIF") else 0
    assert np.abs(picture.pixels.astype(int) - pixels).mean() <= allowed


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_camera_orientations_come_out_upright(orientation: int, pixels: np.ndarray) -> None:
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),  # the camera says: turn clockwise
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](pixels)))
    picture = open_picture(saved(stored, exif=exif.tobytes()), "photo.png")
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_broken_exif_does_not_hide_the_picture(pixels: np.ndarray) -> None:
    data = saved(Image.fromarray(pixels), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff\x00")
    np.testing.assert_array_equal(open_picture(data, "a.png").pixels, pixels)


def test_grey_becomes_three_equal_channels(pixels: np.ndarray) -> None:
    picture = open_picture(saved(Image.fromarray(pixels[..., 0])), "grey.png")
    np.testing.assert_array_equal(picture.pixels, np.repeat(pixels[..., :1], 3, axis=2))


def test_one_bit_becomes_black_and_white(pixels: np.ndarray) -> None:
    picture = open_picture(saved(Image.fromarray(pixels[..., 0] > 127)), "bits.png")
    np.testing.assert_array_equal(picture.pixels[..., 1], (pixels[..., 0] > 127) * 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_and_the_picture_laid_on_white(mode: str, pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels).convert("L" if mode == "LA" else "RGB")
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
    image.putalpha(Image.fromarray(alpha))
    picture = open_picture(saved(image), "cut.png")
    np.testing.assert_array_equal(picture.alpha, alpha)
    colour = np.asarray(image.convert("RGB")).astype(float)
    expected = colour * alpha[..., None] / 255 + 255 - alpha[..., None]
    np.testing.assert_allclose(picture.pixels, expected, atol=0.51)
    assert (picture.pixels[:, 0] == 255).all()
    assert any("laid on white" in remark for remark in picture.remarks)


def test_alpha_that_hides_nothing_is_no_alpha(pixels: np.ndarray) -> None:
    picture = open_picture(saved(Image.fromarray(pixels).convert("RGBA")), "a.png")
    assert picture.alpha is None and picture.remarks == ()
    np.testing.assert_array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_pictures_open_with_and_without_transparency(transparent: bool, pixels: np.ndarray) -> None:
    image = Image.fromarray(pixels).quantize(16)
    picture = open_picture(saved(image, **({"transparency": 3} if transparent else {})), "p.png")
    hidden = np.asarray(image) == 3
    expected = np.asarray(image.convert("RGB")).copy()
    if transparent:
        expected[hidden] = 255
        np.testing.assert_array_equal(picture.alpha == 0, hidden)
    np.testing.assert_array_equal(picture.pixels, expected)


def test_rgb_with_one_transparent_colour_is_laid_on_white(pixels: np.ndarray) -> None:
    marked = pixels.copy()
    marked[:5] = (1, 2, 3)
    picture = open_picture(saved(Image.fromarray(marked), transparency=(1, 2, 3)), "t.png")
    assert (picture.pixels[:5] == 255).all()
    np.testing.assert_array_equal(picture.pixels[5:], pixels[5:])


def test_cmyk_jpeg_keeps_its_colours(pixels: np.ndarray) -> None:
    picture = open_picture(saved(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95), "print.jpg")
    assert np.abs(picture.pixels.astype(int) - pixels).mean() < 4


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(form: str) -> None:
    values = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    picture = open_picture(saved(Image.fromarray(values), form), f"deep.{form}")
    np.testing.assert_allclose(picture.pixels[..., 0], values / 257, atol=0.51)
    assert picture.pixels.max() == 255 and picture.pixels.min() == 0


def test_floating_point_tiff_is_stretched_and_says_so() -> None:
    values = np.linspace(-3, 5, 32 * 32).reshape(32, 32).astype(np.float32)
    values[0, 0] = np.nan
    picture = open_picture(saved(Image.fromarray(values), "TIFF"), "f.tif")
    assert picture.pixels.max() == 255 and "stretched" in picture.remarks[0]
    half = np.full((32, 32), 0.5, dtype=np.float32)
    assert open_picture(saved(Image.fromarray(half), "TIFF"), "h.tif").pixels[0, 0, 0] == 128


def test_a_colour_profile_is_carried_out(pixels: np.ndarray) -> None:
    # Pillow makes a LAB, XYZ or sRGB profile; sRGB with the red and blue primaries exchanged is made from its bytes.
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(profile[131])}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    profile = bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    picture = open_picture(saved(Image.fromarray(pixels), icc_profile=profile), "swapped.png")
    assert np.abs(picture.pixels.astype(int) - pixels[..., ::-1]).max() <= 2


def test_an_srgb_profile_changes_nothing(pixels: np.ndarray) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(open_picture(saved(Image.fromarray(pixels), icc_profile=profile), "a.png").pixels, pixels)


@pytest.mark.parametrize("profile", [b"not a profile", b"\x00" * 200])
def test_a_broken_colour_profile_is_ignored_with_a_remark(profile: bytes, pixels: np.ndarray) -> None:
    picture = open_picture(saved(Image.fromarray(pixels), icc_profile=profile), "a.png")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert "profile of a.png is broken" in picture.remarks[0]


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_used(form: str) -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if form == "WEBP" else {}
    picture = open_picture(saved(frames[0], form, save_all=True, append_images=frames[1:], **options), "moving")
    assert (picture.pixels == (255, 0, 0)).all()
    assert "the first is used" in picture.remarks[0]


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ImageError, match=r"gone\.png is empty"):
        open_picture(b"", "gone.png")


@pytest.mark.parametrize("data", [b"hello, I am text", b"<svg></svg>", b"%PDF-1.7", b"\x00" * 100, b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused_whatever_its_name_says(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"notes\.png .*(PNG, JPEG|copy it again)"):
        open_picture(data, "notes.png")


def test_formats_that_are_not_on_the_list_are_refused(pixels: np.ndarray) -> None:
    for form in ("PPM", "TGA", "EPS", "ICO", "PCX"):
        with pytest.raises(ImageError):
            open_picture(saved(Image.fromarray(pixels), form), "other")


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("TIFF", "GIF")])
def test_a_file_cut_short_is_refused(form: str, pixels: np.ndarray) -> None:
    data = saved(Image.fromarray(pixels), form)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(ImageError, match=r"half\.img"):
            open_picture(data[: int(len(data) * share)], "half.img")


def test_a_damaged_file_gives_a_picture_or_an_image_error_and_nothing_else(pixels: np.ndarray) -> None:
    generator = np.random.default_rng(0)
    refused = 0
    for form in FORMATS:
        data = saved(Image.fromarray(pixels), form)
        for _ in range(60):
            broken = bytearray(data)
            for position in generator.integers(0, len(data), 4):
                broken[position] = generator.integers(0, 256)
            try:
                open_picture(bytes(broken), "broken")
            except ImageError:
                refused += 1
    assert refused > 0


def test_a_decompression_bomb_is_refused_on_its_header() -> None:
    for width, height in ((20_000, 5_001), (9_500, 9_500), (60_000, 60_000)):
        with pytest.raises(ImageError, match=r"bomb\.png has more than \d+ megapixels"):
            open_picture(png_with(width, height), "bomb.png")


def test_giant_text_in_a_png_is_refused() -> None:
    text = zlib.compress(b"a" * (PngImagePlugin.MAX_TEXT_CHUNK + 1))
    data = png_with(32, 32, (b"zTXt", b"Comment\x00\x00" + text), (b"IDAT", zlib.compress(b"\x00" * 33 * 32)))
    with pytest.raises(ImageError, match="damaged"):
        open_picture(data, "text.png")


def test_a_picture_under_16_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match=r"dot\.png is 15 x 40 pixels; each side needs at least 16"):
        open_picture(saved(Image.new("RGB", (15, 40))), "dot.png")
    assert open_picture(saved(Image.new("RGB", (16, 16))), "ok.png").pixels.shape == (16, 16, 3)


def test_opening_leaves_the_caller_s_warning_filters_alone(pixels: np.ndarray) -> None:
    before = warnings.filters[:]
    open_picture(saved(Image.fromarray(pixels)), "a.png")
    assert warnings.filters == before


def test_resized_shrinks_to_the_long_side_and_never_enlarges(pixels: np.ndarray) -> None:
    assert resized(pixels, 30).shape == (20, 30, 3)
    assert resized(pixels.transpose(1, 0, 2), 30).shape == (30, 20, 3)
    assert resized(pixels, 600) is pixels
    assert resized(np.zeros((1, 400, 3), np.uint8), 20).shape == (1, 20, 3)
    assert resized_to(pixels, 7, 9).shape == (7, 9, 3)


def test_resized_averages_instead_of_skipping() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(resized(stripes, 16).astype(int)[:, 2:-2] - 127.5).max() < 8


def test_a_png_carries_its_text_and_its_colour_space(pixels: np.ndarray) -> None:
    text = {"Title": "Sternennacht über Tübingen 星", "stylesweep": '{"alpha": 1}\nsecond line'}
    data = encode_png(pixels, text)
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        assert {key: opened.text[key] for key in text} == text
        assert opened.info["srgb"] == 0
    assert b"iTXt" in data
    np.testing.assert_array_equal(open_picture(data, "a.png").pixels, pixels)
    assert encode_png(pixels, text) == data


def test_a_thumbnail_is_a_small_webp(smooth_picture: Callable[..., np.ndarray]) -> None:
    large = smooth_picture(1, 400, 640)
    data = encode_thumbnail(large)
    picture = open_picture(data, "thumb.webp")
    assert (picture.format, picture.pixels.shape) == ("WEBP", (200, 320, 3))
    assert len(data) < 30_000
    assert np.abs(picture.pixels.astype(int) - resized(large, 320)).mean() < 8
    assert len(encode_thumbnail(large, 64)) < len(data)


def test_mean_colour_is_hexadecimal() -> None:
    assert mean_colour(np.array([[[0, 16, 255], [2, 16, 255]]], np.uint8)) == "#0110ff"

"""Masks are looked at before anything runs, each beside the photographs that it is for."""

from pathlib import Path

import numpy as np
import pytest
from factories import picture_bytes
from PIL import Image

from sweep.cli.running import prepare
from sweep.errors import SpecError
from sweep.transfer.images import mask_levels, open_picture


def half(size: tuple[int, int] = (96, 64), mode: str = "L") -> Image.Image:
    """White on the left."""
    levels = np.zeros((size[1], size[0]), np.uint8)
    levels[:, : size[0] // 2] = 255
    return Image.fromarray(levels).convert(mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["cat", "dog", "wave"]):
        (tmp_path / f"{name}.png").write_bytes(picture_bytes(number))
    (tmp_path / "s.yaml").write_text(
        'name: x\ncontent: [cat.png, dog.png]\nstyle:\n  - regions:\n      - mask: "{content}-left.png"\n        style: wave.png\n'
        "      - {mask: right.png, style: wave.png}\nsettings: {network: vgg16-hed, size: 64}\n"
    )
    for name in ("cat-left", "dog-left"):
        half().save(tmp_path / f"{name}.png")
    Image.fromarray(255 - np.asarray(half((48, 32)))).save(tmp_path / "right.png")
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(SpecError) as caught:
        prepare(folder / "s.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_good_masks_are_input_pictures_like_the_others(folder: Path) -> None:
    found = prepare(folder / "s.yaml")
    assert {path.name for path in found.files} == {"cat.png", "dog.png", "wave.png", "cat-left.png", "dog-left.png", "right.png"}
    assert found.files[folder / "right.png"].picture().data == (folder / "right.png").read_bytes()


def test_a_mask_of_another_shape_is_refused_by_file_line_and_size(folder: Path) -> None:
    half((64, 64)).save(folder / "dog-left.png")
    said = refusal(folder)
    assert "s.yaml, line 5, style[0].regions[0].mask: '{content}-left.png'" in said
    assert "dog-left.png of 64 x 64 pixels has another shape than the photograph" in said and "dog.png of 96 x 64" in said


def test_a_mask_that_all_photographs_share_must_fit_each(folder: Path) -> None:
    (folder / "dog.png").write_bytes(picture_bytes(1, (64, 96)))
    half((64, 96)).save(folder / "dog-left.png")
    assert "line 7, style[0].regions[1].mask: 'right.png'" in refusal(folder)


@pytest.mark.parametrize(("width", "fits"), [(97, True), (98, True), (100, False)])
def test_three_hundredths_of_the_aspect_are_rounding(folder: Path, width: int, fits: bool) -> None:
    half((width, 64)).save(folder / "cat-left.png")
    if fits:
        prepare(folder / "s.yaml")
    else:
        assert "another shape" in refusal(folder)


@pytest.mark.parametrize("data", [b"", b"no picture", None], ids=["empty", "text", "cut short"])
def test_a_broken_mask_is_refused_by_its_line(folder: Path, data: bytes | None) -> None:
    whole = (folder / "cat-left.png").read_bytes()
    (folder / "cat-left.png").write_bytes(whole[: len(whole) // 2] if data is None else data)
    said = refusal(folder)
    assert said.startswith(f"{folder / 's.yaml'}, line 5, style[0].regions[0].mask") and "cat-left.png" in said


def test_a_black_mask_is_refused_and_so_is_a_point_that_the_run_could_not_see(folder: Path) -> None:
    Image.new("L", (96, 64)).save(folder / "cat-left.png")
    assert "cat-left.png is black everywhere" in refusal(folder)
    point = Image.new("L", (96 * 20, 64 * 20))
    point.putpixel((5, 5), 255)
    point.save(folder / "cat-left.png")
    assert "cat-left.png is black shrunk to 64 pixels" in refusal(folder)


def test_what_is_transparent_is_outside(folder: Path) -> None:
    """A layer painted white where the region is, and nothing elsewhere; laid on white it would be everywhere."""
    layer = Image.new("RGBA", (96, 64), (255, 255, 255, 0))
    layer.paste((255, 255, 255, 255), (0, 0, 48, 64))
    layer.save(folder / "cat-left.png")
    levels = mask_levels(open_picture((folder / "cat-left.png").read_bytes(), "x"))
    np.testing.assert_array_equal(levels, np.asarray(half()))
    files = prepare(folder / "s.yaml").files
    # Not that it is laid on white, as a photograph would be.
    assert [len(file.remarks) for path, file in files.items() if path.name == "cat-left.png"] == [1]
    Image.new("RGBA", (96, 64), (255, 255, 255, 0)).save(folder / "cat-left.png")
    assert "what is transparent counts as black" in refusal(folder)


def test_half_transparent_grey_is_as_grey_as_on_black() -> None:
    import io

    for grey, alpha in ((255, 128), (200, 77), (0, 128), (128, 255), (90, 3)):
        buffer = io.BytesIO()
        Image.new("LA", (20, 20), (grey, alpha)).save(buffer, "PNG")
        levels = mask_levels(open_picture(buffer.getvalue(), "x"))
        assert abs(int(levels[0, 0]) - grey * alpha / 255) <= 1 and np.ptp(levels) == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "I;16", "P"])
def test_however_a_mask_is_stored_white_is_inside(mode: str, tmp_path: Path) -> None:
    if mode == "I;16":
        Image.fromarray(np.asarray(half()).astype(np.uint16) * 257).save(tmp_path / "m.png")
    else:
        half(mode=mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(mask_levels(open_picture((tmp_path / "m.png").read_bytes(), "m.png")), np.asarray(half()))


def test_two_masks_of_the_same_bytes_in_one_entry_are_refused(folder: Path) -> None:
    (folder / "right.png").write_bytes((folder / "cat-left.png").read_bytes())
    assert "are the same picture" in refusal(folder)

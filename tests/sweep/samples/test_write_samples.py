"""The folder that a new user starts with: photographs, styles, credits."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import sweep.samples
from sweep.errors import InputError, StorageError
from sweep.samples import DRAWN_STYLES, MASKS, PHOTOGRAPHS, drawn_style, sample_mask, sample_photograph, write_samples
from sweep.samples.photographs import LONG_SIDE


@functools.cache
def drawn_small(name: str) -> NDArray[np.uint8]:
    return np.roll(drawn_style("stained-glass", 48), DRAWN_STYLES.index(name), axis=0)


@pytest.fixture
def small_styles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One quick painter on a small canvas, its picture shifted for each style, so that a whole folder takes seconds."""

    monkeypatch.setattr(sweep.samples, "drawn_style", drawn_small)
    yield


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder that nobody can write, not even root: a file stands where it should be."""
    obstacle = tmp_path / "taken"
    obstacle.write_text("a file, not a folder")
    return obstacle


@pytest.mark.usefixtures("small_styles")
def test_a_new_folder_gets_every_photograph_every_mask_every_style_and_the_credits(tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "not" / "there yet"
    paths = write_samples(folder, said.append)
    expected = {f"photographs/{name}.jpg" for name in PHOTOGRAPHS}
    expected |= {f"masks/{name}.png" for name in MASKS} | {f"styles/{name}.png" for name in DRAWN_STYLES} | {"ABOUT.txt"}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == expected
    assert sorted(paths) == sorted(folder / name for name in expected)
    assert len(said) == len(paths)
    assert all(str(path) in line for path, line in zip(paths, said, strict=True))
    for path in paths[:-1]:
        with Image.open(path) as picture:
            picture.load()
            assert picture.mode == ("L" if path.parent.name == "masks" else "RGB")


@pytest.mark.usefixtures("small_styles")
def test_identical_files_are_left_alone_and_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    paths = write_samples(tmp_path, lambda _: None)
    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    good = paths[0].read_bytes()
    paths[0].write_bytes(good[:100])
    said: list[str] = []
    write_samples(tmp_path, said.append)
    assert paths[0].read_bytes() == good
    assert [path.stat().st_mtime for path in paths[1:]] == [1_000_000_000] * (len(paths) - 1)
    assert [line.split()[0] for line in said] == ["wrote"] + ["kept"] * (len(paths) - 1)


@pytest.mark.usefixtures("small_styles")
def test_files_of_the_users_own_are_not_touched(tmp_path: Path) -> None:
    own = tmp_path / "photographs" / "mine.jpg"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    write_samples(tmp_path, lambda _: None)
    assert own.read_bytes() == b"mine"


def test_a_file_in_the_place_of_the_folder_is_told_as_a_storage_error(unwritable: Path) -> None:
    with pytest.raises(StorageError, match="taken"):
        write_samples(unwritable, lambda _: None)
    assert unwritable.read_text() == "a file, not a folder"


def test_a_sample_that_cannot_be_replaced_is_told_and_leaves_no_half_written_file(tmp_path: Path) -> None:
    first = next(iter(PHOTOGRAPHS))
    obstacle = tmp_path / "photographs" / f"{first}.jpg"
    obstacle.mkdir(parents=True)
    with pytest.raises(StorageError, match=first):
        write_samples(tmp_path, lambda _: None)
    assert list((tmp_path / "photographs").iterdir()) == [obstacle]


def test_a_folder_that_nobody_may_write_is_told_as_a_storage_error() -> None:
    with pytest.raises(StorageError):
        write_samples(Path("/proc/samples"), lambda _: None)  # not even root makes a folder there


@pytest.mark.usefixtures("small_styles")
def test_the_credits_name_every_picture_with_its_author_and_licence(tmp_path: Path) -> None:
    write_samples(tmp_path, lambda _: None)
    about = (tmp_path / "ABOUT.txt").read_text(encoding="utf-8")
    for name, photograph in PHOTOGRAPHS.items():
        assert f"{name}.jpg" in about
        assert photograph.author in about
        assert photograph.licence in about
    assert all(f"{name}.png" in about for name in (*MASKS, *DRAWN_STYLES))
    assert "CC0" in about.split("styles/")[1]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_photograph_has_a_complete_credit_and_a_free_licence(name: str) -> None:
    photograph = PHOTOGRAPHS[name]
    assert all((photograph.title, photograph.author, photograph.licence, photograph.source))
    assert photograph.licence.startswith(("CC0", "Public domain"))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_in_colour_and_not_larger_than_promised(name: str) -> None:
    picture = sample_photograph(name)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert 256 <= min(picture.shape[:2]) <= max(picture.shape[:2]) <= LONG_SIDE
    assert np.ptp(picture.astype(int), axis=2).mean() > 5


def test_the_astronaut_is_the_picture_that_scikit_image_itself_gives() -> None:
    data = pytest.importorskip("skimage.data")
    np.testing.assert_array_equal(sample_photograph("astronaut"), data.astronaut())


def test_without_scikit_image_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.samples.photographs.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"stylesweep\[samples\]"):
        sample_photograph("cat")


def test_an_unknown_photograph_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="astronaut"):
        sample_photograph("dog")


def test_a_mask_fits_its_photograph_and_the_masks_of_one_photograph_are_together_the_whole_of_it() -> None:
    of_photograph: dict[str, list[NDArray[np.uint8]]] = {}
    for name in MASKS:
        photograph = name.partition("-")[0]
        mask = sample_mask(name)
        assert mask.shape == sample_photograph(photograph).shape[:2]
        assert 0.1 < (mask > 127).mean() < 0.9
        of_photograph.setdefault(photograph, []).append(mask)
    for masks in of_photograph.values():
        np.testing.assert_array_equal(sum(mask.astype(int) for mask in masks), 255)


def test_the_cups_mask_holds_the_white_of_the_cup_and_not_the_dark_corner() -> None:
    coffee, cup = sample_photograph("coffee").astype(int), sample_mask("coffee-cup")
    white = coffee.min(axis=2) > 190
    white[:, 400:] = False  # glints on the table
    assert white.sum() > 3000 and (cup[white] > 127).mean() > 0.95
    assert (cup[:60, :60] == 0).all()


def test_an_unknown_mask_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="coffee-cup"):
        sample_mask("dog")

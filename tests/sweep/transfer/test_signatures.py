"""What signatures see and what they do not; on real pictures, and on ones of which the answer is known."""

import numpy as np
import pytest
from PIL import Image

from sweep.samples import drawn_style, sample_photograph
from sweep.transfer.images import resized, resized_to
from sweep.transfer.signatures import BANDS, CELLS, LENGTH, LIGHT, VERSION, signature

LIGHT_PART, COLOUR_PART, RELIEF_PART = slice(0, 256), slice(256, 384), slice(384, 576)


def numbers(pixels: np.ndarray) -> np.ndarray:
    return np.frombuffer(signature(pixels), dtype=np.uint8)[1:].astype(float)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((numbers(one) - numbers(other)) ** 2).mean()))


def flat(*colour: int) -> np.ndarray:
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (60, 80, 3)).copy()


def test_it_has_its_version_in_front_and_its_length() -> None:
    found = signature(flat(1, 2, 3))
    assert (found[0], len(found)) == (VERSION, LENGTH)
    assert LENGTH == 1 + LIGHT**2 + 2 * CELLS**2 + BANDS * CELLS**2 == 577


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_a_flat_picture_is_its_colour_in_cielab_without_relief(colour: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    found = numbers(flat(*colour))
    assert np.all(abs(found[LIGHT_PART] - 2.55 * lab[0]) <= 0.6)
    for channel, value in enumerate(lab[1:]):
        assert np.all(abs(found[COLOUR_PART][64 * channel : 64 * channel + 64] - np.clip(128 + 2 * value, 0, 255)) <= 0.6)
    assert np.all(found[RELIEF_PART] == 0)


@pytest.mark.parametrize(("size", "band"), [(1, 0), (2, 1), (4, 2)])
def test_relief_is_seen_by_its_size(size: int, band: int) -> None:
    rows = np.arange(128) // size % 2
    board = np.where((rows[:, None] + rows) % 2, 150, 100).astype(np.uint8)
    found = numbers(np.repeat(board[..., None], 3, axis=2))[RELIEF_PART].reshape(BANDS, 64)
    assert np.all(found[band] > 150)
    assert np.all(np.delete(found, band, axis=0) < 10)


def test_strokes_of_another_size_are_another_picture_though_light_and_colour_are_the_same() -> None:
    photograph = resized(sample_photograph("cat"), 256)
    chance = np.random.default_rng(0)
    height, width = photograph.shape[:2]
    fine = chance.normal(0, 25, (height, width))
    coarse = np.kron(chance.normal(0, 25, (height // 4 + 1, width // 4 + 1)), np.ones((4, 4)))[:height, :width]
    one, other = (np.clip(photograph + noise[..., None], 0, 255).astype(np.uint8) for noise in (fine, coarse))
    assert apart(one, other) > 10
    again = np.clip(photograph + chance.normal(0, 25, (height, width))[..., None], 0, 255).astype(np.uint8)
    assert apart(one, again) < 5  # the same grain, otherwise thrown


def test_what_is_saved_smaller_or_lossily_is_nearly_the_same_and_a_stronger_one_is_not() -> None:
    photograph, style = resized(sample_photograph("coffee"), 320), drawn_style("woodcut", 320)
    style = resized_to(style, *photograph.shape[:2])
    mixed = [np.rint(photograph * (1 - share) + style * share).astype(np.uint8) for share in (0.30, 0.32, 0.60)]
    small = np.asarray(Image.fromarray(mixed[0]).resize((240, 240 * photograph.shape[0] // 320), Image.Resampling.LANCZOS))
    assert apart(mixed[0], small) < 5
    assert apart(mixed[0], mixed[1]) < 3
    assert apart(mixed[0], mixed[2]) > 10


def test_thin_and_small_pictures_have_one_too() -> None:
    for shape in ((16, 16, 3), (16, 4000, 3), (4000, 16, 3), (127, 129, 3)):
        assert len(signature(np.full(shape, 7, dtype=np.uint8))) == LENGTH

"""Colours against scikit-image's CIELAB and numpy's moments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.transfer.colours import recoloured, to_lab, with_colours_of

skimage_color = pytest.importorskip("skimage.color")


def noise(seed: int, low: int = 0, high: int = 256, shape: tuple[int, int] = (24, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (*shape, 3)).astype(np.uint8)


def test_lab_is_scikit_image_s() -> None:
    pixels = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).astype(np.uint8).reshape(-1, 1, 3)
    np.testing.assert_allclose(to_lab(pixels), skimage_color.rgb2lab(pixels), atol=0.02)


def test_colours_of_the_photograph_keep_the_picture_s_lightness_and_the_photograph_s_hue() -> None:
    picture, photograph = noise(1), noise(2)
    found = skimage_color.rgb2lab(with_colours_of(picture, photograph))
    # A level of 8 bits is up to one unit of L* in the dark.
    np.testing.assert_allclose(found[..., 0], skimage_color.rgb2lab(picture)[..., 0], atol=1.0)
    wanted = skimage_color.rgb2lab(photograph)[..., 1:]
    length = np.linalg.norm(found[..., 1:], axis=-1)
    # Near black and white no chroma is left, and its direction is rounding.
    vivid = length > 15
    cosine = (found[..., 1:] * wanted).sum(-1)[vivid] / (length * np.linalg.norm(wanted, axis=-1))[vivid]
    assert cosine.min() > 0.97
    assert (length <= np.linalg.norm(wanted, axis=-1) + 2.5).all()


def test_where_the_chroma_fits_it_is_the_photograph_s() -> None:
    picture, photograph = noise(1, 110, 150), noise(2, 100, 160)
    found = skimage_color.rgb2lab(with_colours_of(picture, photograph))
    np.testing.assert_allclose(found[..., 1:], skimage_color.rgb2lab(photograph)[..., 1:], atol=1.0)


def test_a_picture_with_its_own_colours_stays_itself() -> None:
    assert np.abs(with_colours_of(noise(3), noise(3)).astype(int) - noise(3)).max() <= 1


def test_a_grey_photograph_makes_a_grey_picture_and_black_and_white_stay() -> None:
    grey = np.repeat(noise(1)[..., :1], 3, axis=2)
    found = with_colours_of(noise(2), grey).astype(int)
    assert np.ptp(found, axis=2).max() <= 1
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(with_colours_of(ends, np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)), ends)


def test_a_recoloured_style_has_the_photograph_s_mean_and_covariance() -> None:
    generator = np.random.default_rng(0)
    style = np.rint(generator.normal((90, 120, 150), (20, 12, 8), (40, 50, 3))).astype(np.uint8)
    mixed = generator.normal(size=(30, 30, 3)) @ generator.normal(size=(3, 3)).T * 7 + (140, 110, 120)
    photograph = np.rint(mixed).clip(0, 255).astype(np.uint8)
    found = recoloured(style, photograph).reshape(-1, 3).astype(float)
    wanted = photograph.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(found.mean(0), wanted.mean(0), atol=0.3)
    np.testing.assert_allclose(np.cov(found.T), np.cov(wanted.T), atol=2.0)


def test_a_style_recoloured_to_itself_stays_itself() -> None:
    assert np.abs(recoloured(noise(4), noise(4)).astype(int) - noise(4)).max() <= 1


def test_a_style_of_one_colour_becomes_the_photograph_s_mean() -> None:
    plain = np.full((8, 8, 3), 77, dtype=np.uint8)
    photograph = noise(5)
    expected = np.rint(photograph.reshape(-1, 3).mean(0))
    np.testing.assert_array_equal(recoloured(plain, photograph), np.broadcast_to(expected, plain.shape))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 255]))
def test_grey_photographs_and_styles_of_few_colours_are_recoloured_without_trouble(seed: int, step: int) -> None:
    generator = np.random.default_rng(seed)
    style = (generator.integers(0, 2, (6, 7, 3)) * step).astype(np.uint8)
    grey = np.repeat(generator.integers(60, 200, (5, 9, 1)), 3, axis=2).astype(np.uint8)
    found = recoloured(style, grey)
    assert found.shape == style.shape and found.dtype == np.uint8
    assert np.ptp(found.astype(int), axis=2).max() <= 1


def test_only_the_weighed_part_of_the_photograph_counts() -> None:
    photograph = np.concatenate([noise(1, 0, 100), noise(2, 150, 250)], axis=1)
    weights = np.concatenate([np.zeros((24, 32)), np.ones((24, 32))], axis=1)
    np.testing.assert_array_equal(recoloured(noise(6), photograph, weights), recoloured(noise(6), noise(2, 150, 250)))

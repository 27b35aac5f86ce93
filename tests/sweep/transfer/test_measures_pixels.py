"""Palette, sharpness and clipping against scipy, scikit-image and counting."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.color import rgb2lab

from sweep.transfer.measures_pixels import LEVELS, clipped, lab, mixed_palette, palette, palette_distance, sharpness


def _flat(*colour: int, size: tuple[int, int] = (16, 16)) -> np.ndarray:
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (*size, 3)).copy()


def test_lab_is_that_of_scikit_image(smooth_picture: Callable) -> None:
    picture = np.concatenate([smooth_picture(1), _flat(0, 0, 0, size=(48, 64)), _flat(255, 255, 255, size=(48, 64))])
    np.testing.assert_allclose(lab(picture), rgb2lab(picture).reshape(-1, 3), atol=0.02)


def test_white_black_and_grey_have_no_hue() -> None:
    for level, lightness in ((0, 0), (119, 50), (255, 100)):
        found = lab(_flat(level, level, level))[0]
        assert found == pytest.approx([lightness, 0, 0], abs=0.4)


def test_a_palette_distance_is_the_mean_transport_distance_along_13_directions(smooth_picture: Callable) -> None:
    a, b = smooth_picture(1), smooth_picture(2)
    axes = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]
    axes = [np.array(axis) / np.linalg.norm(axis) for axis in axes if axis > (0, 0, 0)]
    assert len(axes) == 13
    expected = np.mean([wasserstein_distance(rgb2lab(a).reshape(-1, 3) @ axis, rgb2lab(b).reshape(-1, 3) @ axis) for axis in axes])
    assert palette_distance(palette(a), palette(b)) == pytest.approx(expected, rel=0.01)


def test_a_palette_forgets_where_the_colours_are_and_how_large_the_picture_is(smooth_picture: Callable) -> None:
    picture = smooth_picture(1)
    shuffled = np.random.default_rng(1).permutation(picture.reshape(-1, 3)).reshape(picture.shape)
    assert palette_distance(palette(picture), palette(shuffled)) == pytest.approx(0, abs=1e-4)
    doubled = picture.repeat(2, axis=0).repeat(2, axis=1)
    assert palette_distance(palette(picture), palette(doubled)) < 0.1


def test_two_greys_are_as_far_apart_as_their_lightness_says() -> None:
    black, white = palette(_flat(0, 0, 0)), palette(_flat(255, 255, 255))
    # Of the 13 directions, 1 lies along L, 4 at 45 degrees and 4 at 1/sqrt(3); the other 4 do not see it.
    assert palette_distance(black, white) == pytest.approx(100 * (1 + 4 / 2**0.5 + 4 / 3**0.5) / 13, rel=1e-4)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.25, 0.75), (1.0, 0.0)])
def test_a_mixed_palette_is_that_of_the_pictures_side_by_side(smooth_picture: Callable, shares: tuple[float, float]) -> None:
    a, b = smooth_picture(1), smooth_picture(2)
    together = np.concatenate([a] * round(4 * shares[0]) + [b] * round(4 * shares[1]))
    mixed = mixed_palette([(palette(a), shares[0]), (palette(b), shares[1])])
    assert mixed.shape == (13, LEVELS)
    assert palette_distance(mixed, palette(together)) < 0.2


def test_sharpness_is_1_for_the_photograph_less_when_blurred_and_more_with_noise(smooth_picture: Callable) -> None:
    photograph = smooth_picture(1)
    blurred = gaussian_filter(photograph, (2, 2, 0))
    noise = np.random.default_rng(1).normal(0, 10, photograph.shape)
    assert sharpness(photograph, photograph) == 1
    assert sharpness(blurred, photograph) < 0.95
    assert sharpness((photograph + noise).clip(0, 255).astype(np.uint8), photograph) > 1.5


def test_sharpness_is_the_ratio_that_a_double_loop_finds(smooth_picture: Callable) -> None:
    picture, photograph = smooth_picture(1, 16, 20), smooth_picture(2, 32, 40)

    def energy(pixels: np.ndarray) -> float:
        luma = (pixels.astype(float) * [0.2126, 0.7152, 0.0722]).sum(-1)
        down = [(luma[i + 1, j] - luma[i, j]) ** 2 for i in range(15) for j in range(20)]
        across = [(luma[i, j + 1] - luma[i, j]) ** 2 for i in range(16) for j in range(19)]
        return float(np.mean(down) + np.mean(across))

    shrunk = np.asarray(Image.fromarray(photograph).resize((20, 16), Image.Resampling.LANCZOS))
    assert sharpness(picture, photograph) == pytest.approx(energy(picture) / energy(shrunk), rel=1e-4)


def test_a_flat_photograph_has_no_sharpness_to_compare_with(smooth_picture: Callable) -> None:
    assert sharpness(smooth_picture(1), _flat(9, 9, 9)) is None
    assert sharpness(_flat(9, 9, 9), smooth_picture(1)) == 0


def test_a_picture_one_pixel_wide_is_measured_along_its_length() -> None:
    line = np.arange(0, 250, 5, dtype=np.uint8)[:, None, None].repeat(3, axis=2)
    assert sharpness(line, line) == 1


def test_clipped_counts_channels_at_either_end() -> None:
    picture = _flat(1, 128, 254, size=(4, 5))
    assert clipped(picture) == 0
    picture[0, 0] = (0, 128, 255)
    picture[3, 4, 1] = 255
    assert clipped(picture) == pytest.approx(3 / 60)

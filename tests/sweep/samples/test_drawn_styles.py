"""The drawn styles: the same every time, unlike one another, and textured all over."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sweep.errors import InputError
from sweep.samples import DRAWN_STYLES, drawn_style

SMALL = 160
PAIRS = list(itertools.combinations(DRAWN_STYLES, 2))


@pytest.fixture(scope="module")
def drawn() -> dict[str, NDArray[np.uint8]]:
    return {name: drawn_style(name, SMALL) for name in DRAWN_STYLES}


def blocks(grey: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """The picture cut into squares: (count, side * side)."""
    across = len(grey) // side
    cut = grey[: across * side, : across * side].reshape(across, side, across, side)
    return np.asarray(cut.swapaxes(1, 2).reshape(across * across, side * side))


def colours(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of the picture in each of 6 x 6 x 6 colour boxes."""
    counts, _ = np.histogramdd(picture.reshape(-1, 3), bins=(6, 6, 6), range=((0, 256),) * 3)
    return np.asarray(counts.ravel() / counts.sum())


def scales(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Share of the contrast in five bands of spatial frequency, coarse to fine."""
    grey = picture.mean(axis=-1)
    power = np.abs(np.fft.rfft2(grey - grey.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(SMALL)[:, None], np.fft.rfftfreq(SMALL)[None])
    edges = (0, 0.03, 0.08, 0.16, 0.3, 0.8)
    bands = [power[(frequency >= low) & (frequency < high)].sum() for low, high in itertools.pairwise(edges)]
    return np.asarray(bands, dtype=np.float64) / float(sum(bands))


def overlap(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """1 for equal shares, 0 for shares that have nothing in common."""
    return float(np.minimum(first, second).sum())


def test_there_are_at_least_four_drawn_styles() -> None:
    assert len(set(DRAWN_STYLES)) == len(DRAWN_STYLES) >= 4


@pytest.mark.parametrize("name", DRAWN_STYLES)
def test_a_style_is_drawn_with_the_same_pixels_every_time(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    again = drawn_style(name, SMALL)
    assert hashlib.sha256(again.tobytes()).digest() == hashlib.sha256(drawn[name].tobytes()).digest()


def test_another_process_draws_the_same_pixels(drawn: dict[str, NDArray[np.uint8]]) -> None:
    code = (
        "import hashlib; from sweep.samples import drawn_style; "
        f"print(hashlib.sha256(drawn_style('stained-glass', {SMALL}).tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert other.stdout.strip() == hashlib.sha256(drawn["stained-glass"].tobytes()).hexdigest()


@pytest.mark.parametrize("name", DRAWN_STYLES)
def test_a_style_is_a_square_of_the_size_asked_for(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    assert drawn[name].shape == (SMALL, SMALL, 3)
    assert drawn[name].dtype == np.uint8


@pytest.mark.parametrize("size", [32, 57, 250])
def test_odd_and_tiny_sizes_are_drawn_too(size: int) -> None:
    assert drawn_style("woodcut", size).shape == (size, size, 3)


@pytest.mark.parametrize("name", ["woodcut", "stained-glass", "pointillism"])
def test_a_style_is_the_same_composition_at_another_size(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        small = Image.fromarray(picture).resize((16, 16), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float64).ravel()

    larger = thumbnail(drawn_style(name, SMALL * 2))
    assert np.corrcoef(larger, thumbnail(drawn[name]))[0, 1] > 0.95
    others = [np.corrcoef(larger, thumbnail(drawn[other]))[0, 1] for other in DRAWN_STYLES if other != name]
    assert max(others) < 0.9


@pytest.mark.parametrize("name", DRAWN_STYLES)
def test_a_style_has_no_large_flat_area(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    contrast = blocks(drawn[name].mean(axis=-1), SMALL // 16).std(axis=1)
    assert contrast.min() > 2.5
    assert np.mean(contrast < 6) < 0.05


@pytest.mark.parametrize("name", DRAWN_STYLES)
def test_a_style_has_structure_at_coarse_middle_and_fine_scales(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    assert scales(drawn[name]).min() > 0.02


@pytest.mark.parametrize("name", DRAWN_STYLES)
def test_a_style_has_a_strong_palette(name: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    flat = drawn[name].reshape(-1, 3).astype(np.float64)
    chroma = flat.max(axis=1) - flat.min(axis=1)
    assert np.percentile(chroma, 90) > 70
    assert np.count_nonzero(colours(drawn[name]) > 0.002) >= 12


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_styles_differ_in_palette_and_in_texture(first: str, second: str, drawn: dict[str, NDArray[np.uint8]]) -> None:
    assert overlap(colours(drawn[first]), colours(drawn[second])) < 0.6
    assert overlap(scales(drawn[first]), scales(drawn[second])) < 0.9


def test_an_unknown_style_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(InputError, match="impasto") as refusal:
        drawn_style("cubism")
    assert all(name in str(refusal.value) for name in DRAWN_STYLES)


@pytest.mark.parametrize("size", [0, -5, 31, 100_000])
def test_a_size_that_cannot_be_drawn_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=str(size)):
        drawn_style("mosaic", size)

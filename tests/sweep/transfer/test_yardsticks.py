"""Protocol y1: its anchors, and its formulas written out again in numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from problems import y1_of

from sweep.transfer.networks import Features
from sweep.transfer.stylize import Source
from sweep.transfer.yardsticks import NAMES, PROTOCOL, YardstickMeter, distance

pytestmark = pytest.mark.weights
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@pytest.fixture(scope="module")
def meter(hed_features: Features) -> YardstickMeter:
    return YardstickMeter(hed_features)


@pytest.fixture(scope="module")
def trio(source: Callable[..., Source]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, a photograph and a style of different shapes."""
    return source(1, 48, 64).pixels, source(2, 96, 128).pixels, source(3, 80, 60).pixels


def test_the_protocol_is_named() -> None:
    assert PROTOCOL == "y1"


def test_an_untouched_photograph_keeps_everything_and_gains_nothing(meter: YardstickMeter, trio: tuple) -> None:
    _, photograph, style = trio
    found = y1_of(meter, photograph, photograph, [(style, 1.0)])
    assert tuple(found) == NAMES
    assert found["content_kept"] == pytest.approx(1, abs=1e-9)
    assert found["style_gained"] == pytest.approx(0, abs=1e-9)
    assert found["balance"] == pytest.approx(0, abs=1e-3)
    assert found["d_content"] == 0


def test_the_style_pasted_in_keeps_nothing_and_gains_all(meter: YardstickMeter, trio: tuple) -> None:
    _, photograph, style = trio
    pasted = np.asarray(Image.fromarray(style).resize((128, 96), Image.Resampling.LANCZOS))
    found = y1_of(meter, pasted, photograph, [(style, 1.0)])
    assert found["content_kept"] == pytest.approx(0, abs=1e-6)
    texture = y1_of(meter, style, photograph, [(style, 1.0)])
    assert texture["style_gained"] == pytest.approx(1, abs=1e-9) and texture["d_style"] == 0


def test_the_values_are_those_of_the_formulas_written_out(meter: YardstickMeter, hed_features: Features, trio: tuple) -> None:
    picture, photograph, style = trio

    def layers(pixels: np.ndarray) -> dict[str, np.ndarray]:
        image = torch.from_numpy(pixels.transpose(2, 0, 1) / 255.0).float()[None]
        with torch.no_grad():
            taps = hed_features(image, {*STYLE, "relu4_2"})
        return {name: tap[0].double().flatten(1).numpy() for name, tap in taps.items()}

    def resize(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(pixels).resize((64, 48), Image.Resampling.LANCZOS))

    def d(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a - b) ** 2).sum() / ((a**2).sum() + (b**2).sum()))

    def d_style(a: dict, b: dict) -> float:
        return float(np.mean([d(*(x[n] @ x[n].T / x[n].shape[1] for x in (a, b))) for n in STYLE]))

    shrunk = np.asarray(Image.fromarray(style).resize((48, 64), Image.Resampling.LANCZOS))  # 60 x 80 to long side 64
    x, c, s, pasted = layers(picture), layers(resize(photograph)), layers(shrunk), layers(resize(style))
    d_content = d(x["relu4_2"], c["relu4_2"])
    kept = 1 - d_content / d(pasted["relu4_2"], c["relu4_2"])
    gained = 1 - d_style(x, s) / d_style(c, s)
    found = y1_of(meter, picture, photograph, [(style, 1.0)])
    assert found["d_content"] == pytest.approx(d_content, rel=1e-3)
    assert found["d_style"] == pytest.approx(d_style(x, s), rel=1e-3)
    assert found["content_kept"] == pytest.approx(kept, abs=1e-3)
    assert found["style_gained"] == pytest.approx(gained, abs=1e-3)
    assert found["balance"] == pytest.approx(max(0, kept) ** 0.4 * max(0, gained) ** 0.6, abs=1e-3)


def test_a_photograph_that_is_its_own_style_has_no_anchor(meter: YardstickMeter, trio: tuple) -> None:
    picture, photograph, _ = trio
    found = y1_of(meter, picture, photograph, [(photograph, 1.0)])
    assert found["content_kept"] is found["style_gained"] is found["balance"] is None
    assert found["d_content"] is not None and found["d_content"] > 0


def test_a_blend_of_a_style_with_itself_is_that_style(meter: YardstickMeter, trio: tuple) -> None:
    picture, photograph, style = trio
    one = y1_of(meter, picture, photograph, [(style, 1.0)])
    assert y1_of(meter, picture, photograph, [(style, 3.0), (style, 1.0)]) == pytest.approx(one, rel=1e-5)
    other = y1_of(meter, picture, photograph, [(style, 0.5), (picture, 0.5)])
    assert other["d_style"] < one["d_style"]


def test_pictures_are_measured_at_256_pixels(meter: YardstickMeter, smooth_picture: Callable) -> None:
    large, photograph, style = smooth_picture(1, 300, 400), smooth_picture(2, 150, 200), smooth_picture(3, 64, 64)
    small = np.asarray(Image.fromarray(large).resize((256, 192), Image.Resampling.LANCZOS))
    styles = [(style, 1.0)]
    assert y1_of(meter, large, photograph, styles) == y1_of(meter, small, photograph, styles)


def test_measuring_twice_gives_the_same_with_and_without_memory(meter: YardstickMeter, hed_features: Features, trio: tuple) -> None:
    picture, photograph, style = trio
    again = [y1_of(meter, picture, photograph, [(style, 1.0)]) for _ in range(2)]
    assert again[0] == again[1] == y1_of(YardstickMeter(hed_features), picture, photograph, [(style, 1.0)])


def test_a_picture_too_thin_to_measure_has_no_yardsticks(meter: YardstickMeter, smooth_picture: Callable) -> None:
    thin, style = smooth_picture(1, 20, 500), smooth_picture(2, 64, 64)
    assert set(y1_of(meter, thin, thin, [(style, 1.0)]).values()) == {None}


def test_a_distance_is_0_for_equals_and_1_for_what_shares_nothing() -> None:
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    assert (distance(a, a), distance(a, b), distance(a * 0, b * 0)) == (0, 1, 0)
    assert distance(a, torch.tensor([2.0, 0.0])) == pytest.approx(0.2)

"""Runs with regions: their keys, and what a worker makes of them with the real optimiser."""

import hashlib
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sweep import worker
from sweep.combination import (
    Combination,
    LayerSet,
    RunSettings,
    Settings,
    canonical_json,
    canonical_regions,
    mean_shares,
    normalised_weights,
    run_key,
)
from sweep.events import Finished
from sweep.request import RunRequest, masks_of, pictures_of
from sweep.transfer import yardsticks

PLAIN: dict[str, Any] = {
    "content": "c" * 64, "alpha": 1.0, "beta": 30.0, "layers": LayerSet.of({"relu4_2": 1}, {"relu1_1": 1}, "one"),
    "settings": Settings(network="vgg16-hed", network_hash="h", size=256),
}  # fmt: skip
SKY, GROUND = "1" * 64, "2" * 64
A, B = "a" * 64, "b" * 64


def masked(*regions: tuple[str, dict[str, float]]) -> Combination:
    canonical = canonical_regions((mask, normalised_weights(shares)) for mask, shares in regions)
    return Combination(**PLAIN, style=mean_shares(canonical), regions=canonical)


def key(*regions: tuple[str, dict[str, float]]) -> str:
    return run_key(masked(*regions).run_settings())


def test_every_difference_between_regions_is_another_run_and_their_order_is_none() -> None:
    one, other = (SKY, {A: 1.0}), (GROUND, {A: 0.4, B: 0.6})
    assert key(one, other) == key(other, one) == key(one, (GROUND, {B: 6.0, A: 4.0}))
    assert masked(one, other).combination_key() == masked(other, one).combination_key()
    different = [
        key(one, other), key(one), key(other), key((GROUND, {A: 1.0}), (SKY, {A: 0.4, B: 0.6})), key(one, (GROUND, {A: 0.5, B: 0.5})),
        key((SKY, {A: 1.0}), (GROUND, {B: 1.0})), key((SKY, {B: 1.0}), (GROUND, {A: 1.0})),
        run_key(Combination(**PLAIN, style=masked(one, other).style).run_settings()),
    ]  # fmt: skip
    assert len(set(different)) == len(different)


def test_a_combination_without_regions_has_no_word_of_them_in_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Combination(**PLAIN, style=((A, 1.0),))
    assert "regions" not in canonical_json(plain.run_settings().canonical())
    # Made before there were regions, by the engine of then.
    monkeypatch.setattr("sweep.combination.ENGINE_VERSION", 1)
    assert run_key(plain.run_settings()) == "r1-72074eeed0893a08b44815dec0f07016297506bf"
    assert plain.combination_key() == "c1-f78df0b01c9ef6f3a929408c5eec2e5a3d33da91"


hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
shares = st.dictionaries(hashes, st.floats(0.01, 100), min_size=1, max_size=4)


@given(st.lists(st.tuples(hashes, shares), min_size=1, max_size=16, unique_by=lambda region: region[0]))
def test_regions_come_back_from_the_database_as_they_went(regions: list[tuple[str, dict[str, float]]]) -> None:
    run = masked(*regions).run_settings()
    back = RunSettings.from_canonical(json.loads(canonical_json(run.canonical())))
    assert (back.regions, back.style, run_key(back)) == (run.regions, run.style, run_key(run))
    assert sum(share for _, share in back.style) == pytest.approx(1)
    assert set(back.pictures()) == {"c" * 64, *(mask for mask, _ in regions), *(name for _, given in regions for name in given)}


def test_the_pictures_of_a_run_without_regions_are_its_content_and_styles() -> None:
    assert Combination(**PLAIN, style=((A, 0.5), (B, 0.5))).run_settings().pictures() == ("c" * 64, A, B)


def hash_of(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


@pytest.fixture
def made(held: Any, request_for: Callable[..., RunRequest]) -> Callable[..., Finished]:
    """made([(mask, style), ...], **settings): the end of a real run; masks and styles as pixels, no region for the plain run."""

    def run(regions: list[tuple[np.ndarray, np.ndarray]], **settings: Any) -> Finished:
        for mask, style in regions:
            held.masks[hash_of(mask)] = mask
            held.pictures[hash_of(style)] = style
        canonical = canonical_regions((hash_of(mask), ((hash_of(style), 1.0),)) for mask, style in regions)
        request = request_for(30.0, steps=settings.pop("steps", 20))
        changed = replace(request.settings, settings=replace(request.settings.settings, **settings))
        if regions:
            changed = replace(changed, regions=canonical, style=mean_shares(canonical))
        end = list(worker.run([replace(request, settings=changed)], held))[-1]
        assert isinstance(end, Finished), end
        return end

    return run


def pixels_of(end: Finished) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(end.picture.data))).astype(int)


def left(shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[:, : shape[1] // 2] = 255
    return mask


@pytest.mark.weights
def test_one_mask_that_is_white_everywhere_gives_the_picture_of_no_mask(
    made: Callable[..., Finished], photograph: np.ndarray, painting: np.ndarray
) -> None:
    plain = made([])
    white = made([(np.full(photograph.shape[:2], 255, np.uint8), painting)])
    np.testing.assert_array_equal(pixels_of(plain), pixels_of(white))
    assert plain.yardsticks == white.yardsticks
    assert plain.picture.data == white.picture.data


@pytest.mark.weights
def test_a_style_goes_where_its_mask_is_white_and_the_photograph_stays_elsewhere(
    made: Callable[..., Finished], photograph: np.ndarray, painting: np.ndarray
) -> None:
    mask = left(photograph.shape[:2])
    end = pixels_of(made([(mask, painting)]))
    height, width = end.shape[:2]
    nothing = np.asarray(Image.fromarray(photograph).resize((width, height), Image.Resampling.LANCZOS)).astype(int)
    columns = np.flatnonzero(np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BOX)).max(axis=0))
    assert np.abs(end - nothing)[:, : width // 3].mean() > 5
    edge = int(columns.max()) + 3  # Lanczos rings at the edge of a mask that is made smaller
    assert edge < 0.6 * width
    np.testing.assert_array_equal(end[:, edge:], nothing[:, edge:])


@pytest.mark.weights
def test_each_region_takes_the_colour_of_its_own_style_whichever_comes_first(
    made: Callable[..., Finished], photograph: np.ndarray, painting: np.ndarray
) -> None:
    # Nearly plain, as a Gram matrix of a perfectly plain picture says little.
    speckles = np.random.default_rng(0).integers(-20, 20, (64, 64, 3))
    red, blue = (np.clip(np.array(colour) + speckles, 0, 255).astype(np.uint8) for colour in ((210, 40, 40), (40, 40, 210)))
    mask = left(photograph.shape[:2])
    regions = [(mask, red), (255 - mask, blue)]
    pictures = [pixels_of(made(list(order))) for order in itertools.permutations(regions)]
    for picture in pictures:
        width = picture.shape[1]
        first, second = picture[:, : width // 3].mean((0, 1)), picture[:, -width // 3 :].mean((0, 1))
        assert first[0] - first[2] > second[0] - second[2] + 30


@pytest.mark.weights
def test_a_mask_of_a_slightly_other_aspect_fits_at_any_size(
    made: Callable[..., Finished], photograph: np.ndarray, painting: np.ndarray
) -> None:
    height, width = photograph.shape[:2]
    for size in (16, 33, 48):
        assert made([(left((height * 4, round(width * 4 * 1.025))), painting)], size=size, steps=2).picture.data


@pytest.mark.weights
def test_the_yardsticks_weigh_the_styles_by_the_area_of_their_regions(
    held: Any, made: Callable[..., Finished], photograph: np.ndarray, painting: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[float]] = []
    meter = yardsticks.YardstickMeter
    measure = meter.measure_all

    def listening(self: Any, picture: np.ndarray, content: np.ndarray, styles: list[tuple[np.ndarray, float]]) -> Any:
        asked.append([share for _, share in styles])
        return measure(self, picture, content, styles)

    monkeypatch.setattr(meter, "measure_all", listening)
    quarter = np.zeros(photograph.shape[:2], np.uint8)
    quarter[:, : photograph.shape[1] // 4] = 255
    made([(quarter, painting), (255 - quarter, photograph[::-1].copy())], steps=2)
    assert sorted(asked[0]) == pytest.approx([0.25, 0.75], abs=0.02)


def test_a_worker_asks_for_masks_at_the_runs_own_size() -> None:
    run = masked((SKY, {A: 1.0}), (GROUND, {B: 1.0})).run_settings()
    request = RunRequest(run_key="r1-x", attempt=1, settings=run)
    assert masks_of(request) == {(SKY, 256), (GROUND, 256)}
    assert pictures_of(request) == {("c" * 64, 256), (A, 256), (B, 256)}
    by_area = replace(request, settings=replace(run, settings=replace(run.settings, size_by="area")), content_size=(100, 400))
    assert {side for _, side in masks_of(by_area)} == {512}
    assert masks_of(replace(request, settings=Combination(**PLAIN, style=((A, 1.0),)).run_settings())) == set()

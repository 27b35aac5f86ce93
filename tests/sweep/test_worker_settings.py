"""Settings on their way into the optimiser: every one arrives, sizes by area, snapshots."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
from PIL import Image

from sweep import process, worker
from sweep.combination import Settings
from sweep.events import Event, Finished, Snapshot
from sweep.request import Inputs, RunRequest, pictures_of
from sweep.samples import sample_photograph
from sweep.transfer.controls import Stop
from sweep.transfer.images import resized
from sweep.transfer.weights import Weights

pytestmark = pytest.mark.weights
Requests = Callable[..., RunRequest]


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1]


def pixels_of(event: Finished | Snapshot) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(event.picture.data)))


def hash_of(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def by_area(request: RunRequest, photograph: np.ndarray, **fields: object) -> RunRequest:
    settings = replace(request.settings, settings=replace(request.settings.settings, size_by="area", **fields))  # type: ignore[arg-type]
    return replace(request, settings=settings, content_size=photograph.shape[:2])


@dataclass
class Asked:
    """Inputs with one more picture, which note the sides that pictures are asked for at."""

    inner: Inputs
    own: np.ndarray
    sides: set[tuple[str, int]] = field(default_factory=set)

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        self.sides.add((sha256, long_side))
        return resized(self.own, long_side) if sha256 == hash_of(self.own) else self.inner.pixels(sha256, long_side)

    def weights(self, network: str, network_hash: str) -> Weights:
        return self.inner.weights(network, network_hash)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_size_by_area_reads_a_wide_photograph_large_enough(held: Inputs, request_for: Requests, scale: float) -> None:
    wide = np.ascontiguousarray(resized(sample_photograph("cat"), 400)[:100])  # 400 x 100
    request = request_for(size=48, steps=3)
    request = replace(request, settings=replace(request.settings, content=hash_of(wide)))
    request = by_area(request, wide, style_scale=scale)
    inputs = Asked(held, wide)
    end = finished(list(worker.run([request], inputs)))
    assert (end.picture.width, end.picture.height) == (96, 24)  # 48 x 48 pixels, at an aspect of 4
    assert inputs.sides == pictures_of(request)
    style = request.settings.style[0][0]
    assert inputs.sides == {(hash_of(wide), 96), (style, 96), (style, round(96 * scale))}


def test_a_size_by_area_is_the_run_of_the_long_side_that_it_comes_to(held: Inputs, request_for: Requests, photograph: np.ndarray) -> None:
    height, width = photograph.shape[:2]
    side = round(40 * (max(height, width) / min(height, width)) ** 0.5)
    area = finished(list(worker.run([by_area(request_for(size=40), photograph)], held)))
    assert side > 40 and area.picture.data == finished(list(worker.run([request_for(size=side)], held))).picture.data


def test_a_run_does_not_depend_on_the_sizes_of_those_before_it(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scales of 64 and of 48 pixels meet at 48: targets of the one, shrunk from other pixels, may not serve the other."""

    def fresh(*requests: RunRequest) -> Finished:
        monkeypatch.setattr(process, "_KEPT", [])
        return finished(list(worker.run(requests, held)))

    def with_scales(size: int) -> RunRequest:
        request = request_for(size=size)
        own = replace(request.settings.settings, smallest=40, factor=4 / 3)
        return replace(request, settings=replace(request.settings, settings=own))

    small, large = with_scales(48), with_scales(64)
    assert fresh(large).picture.data == fresh(small, large).picture.data
    assert fresh(small).picture.data == fresh(large, small).picture.data


CHANGES: list[dict[str, object]] = [
    {"size": 48}, {"steps": 4}, {"init": "noise"}, {"style_scale": 0.7}, {"pooling": "l2"}, {"padding": "replicate"},
    {"colors": "content"}, {"style_loss": "moments"}, {"loss": "gatys"}, {"later_steps": 2}, {"learning_rate": 0.05}, {"momentum": 0.5},
    {"variance_decay": 0.9}, {"levels": 2}, {"epsilon": 0.1}, {"averaging": 0.0}, {"smallest": 60}, {"factor": 1.2}, {"recipe": "gatys"},
    {"dtype": "bfloat16"},
]  # fmt: skip
SCALES = {"size": 64, "smallest": 40, "factor": 4 / 3, "steps": 6}
"""Two scales, of 6 and 3 steps: with one, some changes would change nothing."""


def test_every_setting_arrives_at_the_optimiser(held: Inputs, request_for: Requests) -> None:
    def data(**settings: object) -> bytes:
        request = request_for()
        own = replace(request.settings.settings, **settings)  # type: ignore[arg-type]
        return finished(list(worker.run([replace(request, settings=replace(request.settings, settings=own))], held))).picture.data

    usual = data(**SCALES)
    for change in CHANGES:
        common = {} if "recipe" in change else SCALES
        assert data(**{**common, **change}) != usual, change
    gatys = {"recipe": "gatys", "steps": 6}
    assert data(**gatys) != data(**gatys, history=1)
    assert data(**gatys, init="noise", seed=1) != data(**gatys, init="noise", seed=2)
    long = {"size": 48, "steps": 27}  # a scale is looked at after 25 steps
    assert data(**long) != data(**long, stop=Stop(below=0.9, per=1))
    told = {name for change in CHANGES for name in change} | {"history", "seed", "stop"}
    elsewhere = {"network", "network_hash", "tv", "size_by"}
    assert told == {field.name for field in fields(Settings)} - elsewhere


@pytest.mark.parametrize(("asked", "steps"), [(3, [1, 5, 24]), (frozenset({2, 24, 25}), [2, 24]), (0, [])])
def test_snapshots_are_told_on_the_way_and_change_nothing(
    held: Inputs, request_for: Requests, asked: int | frozenset[int], steps: list[int]
) -> None:
    request = request_for(steps=24, text={"stylesweep": "{}"})
    events = list(worker.run([replace(request, snapshots=asked)], held))
    shots = [event for event in events if isinstance(event, Snapshot)]
    assert [shot.step for shot in shots] == steps
    assert {(shot.run_key, shot.attempt) for shot in shots} <= {(request.run_key, 1)}
    assert finished(events).picture.data == finished(list(worker.run([request], held))).picture.data
    for shot in shots:
        opened = Image.open(io.BytesIO(shot.picture.data))
        opened.load()
        assert opened.text == {}  # type: ignore[attr-defined]  # its recipe would make another picture
        assert opened.size == (shot.picture.width, shot.picture.height)
    if 24 in steps:
        np.testing.assert_array_equal(pixels_of(shots[-1]), pixels_of(finished(events)))

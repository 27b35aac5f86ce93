"""One process's side of a run, with the real optimiser and the real network."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sweep import process, worker
from sweep.combination import LayerSet
from sweep.errors import StorageError
from sweep.events import Event, Failed, Finished, Progress, Started
from sweep.request import Inputs, RunRequest
from sweep.transfer.signatures import signature
from sweep.transfer.weights import Weights
from sweep.transfer.yardstick_names import ALL_NAMES

pytestmark = pytest.mark.weights
Requests = Callable[..., RunRequest]


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1]


def pixels_of(event: Finished) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(event.picture.data)))


class Broken:
    """Inputs that fail as told."""

    def __init__(self, inner: Inputs, error: Exception, times: int = 1) -> None:
        self.inner, self.error, self.times = inner, error, times

    def pixels(self, sha256: str, long_side: int) -> np.ndarray:
        if self.times > 0:
            self.times -= 1
            raise self.error
        return self.inner.pixels(sha256, long_side)

    def weights(self, network: str, network_hash: str) -> Weights:
        return self.inner.weights(network, network_hash)


def test_a_run_tells_of_its_start_its_curve_in_step_order_and_its_end(held: Inputs, request_for: Requests) -> None:
    request = request_for(steps=30)
    events = list(worker.run([request], held))
    assert isinstance(events[0], Started)
    assert events[0].pid == os.getpid()
    assert events[0].versions["torch"] == str(torch.__version__)
    assert all(isinstance(event, Progress) for event in events[1:-1])
    steps = [point.step for event in events[1:-1] for point in event.points]  # type: ignore[attr-defined]
    assert steps == sorted(set(steps))
    end = finished(events)
    assert steps[-1] == end.steps
    assert [event.last for event in events[1:-1]] == [False] * (len(events) - 3) + [True]  # type: ignore[attr-defined]
    assert end.picture.signature == signature(pixels_of(end))
    assert {(event.run_key, event.attempt) for event in events} == {(request.run_key, 1)}
    assert 0 < end.optimise_seconds <= end.seconds


def test_a_run_moves_the_photograph_towards_the_style(held: Inputs, request_for: Requests, photograph: np.ndarray) -> None:
    weak, strong = (finished(list(worker.run([request_for(beta, steps=30)], held))) for beta in (1.0, 1000.0))
    assert strong.yardsticks["style_gained"] > weak.yardsticks["style_gained"] > 0.02  # type: ignore[operator]
    assert strong.yardsticks["content_kept"] < weak.yardsticks["content_kept"] < 1  # type: ignore[operator]
    assert weak.protocol == strong.protocol == "y1"
    assert tuple(strong.yardsticks) == ALL_NAMES
    for name in ("moments_gained", "colour_gained"):
        assert strong.yardsticks[name] > weak.yardsticks[name]  # type: ignore[operator]
    for name in ("structure_kept", "content_kept_y2"):
        assert strong.yardsticks[name] < weak.yardsticks[name]  # type: ignore[operator]
    assert pixels_of(strong).shape[:2] == (weak.picture.height, weak.picture.width)
    assert max(weak.picture.height, weak.picture.width) == 48


def test_the_same_request_gives_the_same_bytes_again(held: Inputs, request_for: Requests) -> None:
    first, second = (finished(list(worker.run([request_for(7.0)], held))) for _ in range(2))
    assert first.picture.data == second.picture.data
    assert first.yardsticks == second.yardsticks


def test_a_run_does_not_depend_on_what_ran_before_it(held: Inputs, request_for: Requests) -> None:
    alone = finished(list(worker.run([request_for(11.0)], held)))
    finished(list(worker.run([request_for(500.0, steps=9)], held)))
    after = finished(list(worker.run([request_for(11.0)], held)))
    assert alone.picture.data == after.picture.data


def test_the_recipe_text_is_in_the_png(held: Inputs, request_for: Requests) -> None:
    text = {"stylesweep": '{"run_key": "r1-ü", "beta": 30}'}
    end = finished(list(worker.run([request_for(text=text)], held)))
    opened = Image.open(io.BytesIO(end.picture.data))
    opened.load()
    assert opened.text == text  # type: ignore[attr-defined]
    assert opened.format == "PNG"
    assert Image.open(io.BytesIO(end.picture.thumbnail)).format == "WEBP"


def test_the_network_is_built_once_per_process(held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_KEPT", [])
    ends = [event for event in worker.run([request_for(beta) for beta in (1.0, 2.0, 3.0)], held) if isinstance(event, Finished)]
    assert len(ends) == 3
    assert held.asked["vgg16-hed"] == 1  # type: ignore[attr-defined]


def test_what_was_kept_for_one_device_serves_no_run_on_another(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cpu:0 stands for another GPU: Ray may give a process now this one, now that one."""
    monkeypatch.setattr(process, "_KEPT", [])
    kept = []
    for device in ("cpu", "cpu:0", "cpu:0", "cpu"):
        monkeypatch.setattr(process, "device_of", lambda _request, device=device: device)
        finished(list(worker.run([request_for(7.0)], held)))
        kept.append(process.kept_on(device))
    assert kept[1] is kept[2]
    assert len({id(one) for one in kept}) == 3
    assert all(len(one.targets) for one in kept)
    assert held.asked["vgg16-hed"] == 3  # type: ignore[attr-defined]


def test_a_run_with_a_gpu_takes_the_one_that_it_was_given(request_for: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    request = replace(request_for(), gpus=0.5, gpu=3)
    assert process.device_of(request) == "cuda:3"
    assert process.device_of(replace(request, gpus=0.0)) == "cpu"
    assert process.device_of(replace(request, device="cpu")) == "cpu"


def test_a_layer_that_the_network_lacks_is_the_inputs_fault_and_the_next_run_goes_on(held: Inputs, request_for: Requests) -> None:
    wrong = request_for(layers=LayerSet.of({"relu4_2": 1}, {"relu9_1": 1}))
    events = list(worker.run([wrong, request_for()], held))
    failure = next(event for event in events if isinstance(event, Failed))
    assert (failure.run_key, failure.kind, failure.traceback) == (wrong.run_key, "input", "")
    assert "relu9_1" in failure.error
    assert finished(events).run_key == request_for().run_key


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StorageError("the file is gone."), "surroundings"),
        (OSError("no such device"), "surroundings"),
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (KeyError("abc"), "bug"),
        (AssertionError(), "bug"),
    ],
)
def test_a_failure_is_told_by_its_kind_and_the_next_run_goes_on(held: Inputs, request_for: Requests, error: Exception, kind: str) -> None:
    events = list(worker.run([request_for(40.0), request_for(41.0)], Broken(held, error)))
    failure = next(event for event in events if isinstance(event, Failed))
    assert (failure.kind, failure.run_key, failure.attempt) == (kind, request_for(40.0).run_key, 1)
    assert ("Traceback" in failure.traceback) is not isinstance(error, StorageError)
    assert type(error).__name__ in failure.error or failure.error == str(error)
    assert finished(events).run_key == request_for(41.0).run_key


def test_a_gpu_that_is_not_there_is_the_surroundings_fault(held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    failure, *rest = worker.run([replace(request_for(), device="cuda")], held)
    assert isinstance(failure, Failed) and not rest
    assert failure.kind == "surroundings"
    assert "finds no GPU" in failure.error


def test_a_run_that_asks_for_no_gpu_stays_on_the_cpu_though_there_is_one(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    started = next(worker.run([request_for(gpus=0.0)], held))
    assert isinstance(started, Started)
    assert started.device.startswith("cpu")


def test_closing_the_iterator_stops_the_run(held: Inputs, request_for: Requests) -> None:
    stream: Iterator[Event] = worker.run([request_for(steps=1_000_000), request_for(2.0)], held)
    assert isinstance(next(stream), Started) and isinstance(next(stream), Started)
    assert isinstance(next(stream), Progress)
    stream.close()  # type: ignore[attr-defined]
    assert next(stream, None) is None


def test_the_thread_count_is_the_requests_own(held: Inputs, request_for: Requests) -> None:
    for threads in (1, 2):
        next(worker.run([request_for(threads=threads)], held))
        assert torch.get_num_threads() == threads


def test_the_picture_of_a_run_that_diverged_is_not_a_result(held: Inputs, request_for: Requests) -> None:
    request = request_for(steps=40)
    hopeless = replace(request, settings=replace(request.settings, alpha=float("inf")))
    end = list(worker.run([hopeless], held))[-1]
    assert type(end).__name__ == "Diverged"
    assert end.picture is not None  # type: ignore[attr-defined]
    assert np.asarray(Image.open(io.BytesIO(end.picture.data))).std() > 5  # type: ignore[attr-defined]  # still the photograph

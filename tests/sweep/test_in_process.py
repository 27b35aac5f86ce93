"""The back end without Ray."""

import time
from collections.abc import Callable

import pytest
import torch

from sweep import worker
from sweep.errors import SurroundingsError
from sweep.events import Event, Finished, Started, Stopped
from sweep.in_process import InProcess
from sweep.places import Ask
from sweep.request import Inputs, RunRequest

pytestmark = pytest.mark.weights
Requests = Callable[..., RunRequest]


def until_all_ended(backend: InProcess, runs: int) -> list[Event]:
    told: list[Event] = []
    deadline = time.monotonic() + 60
    while sum(isinstance(event, Finished) for event in told) < runs and time.monotonic() < deadline:
        told += backend.events(0.05)
    return told


def test_runs_follow_each_other_in_the_order_they_were_submitted(held: Inputs, request_for: Requests) -> None:
    backend = InProcess(held)
    requests = [request_for(beta) for beta in (3.0, 1.0, 2.0)]
    for request in requests:
        backend.submit([request], Ask())
    told = until_all_ended(backend, 3)
    wanted = [request.run_key for request in requests]
    assert [event.run_key for event in told if isinstance(event, Started)] == wanted
    assert [event.run_key for event in told if isinstance(event, Finished)] == wanted
    assert backend.events(0.05) == []


def test_a_gpu_that_fails_ends_it_after_what_was_told_before(held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(worker, "stylize_pack", broken)
    backend = InProcess(held)
    backend.submit([request_for()], Ask())
    assert [type(event) for event in backend.events(60)] == [Started]
    with pytest.raises(SurroundingsError, match=r"a GPU of \S+ failed: CUDA error: an illegal .* Run the same command again"):
        backend.events(0.05)


def test_one_run_works_at_a_time_whatever_it_asks_for(held: Inputs) -> None:
    assert InProcess(held).room(Ask(cpus=0.1, gpus=8)).slots == 1


def test_events_returns_in_time_though_a_run_is_long(held: Inputs, request_for: Requests) -> None:
    backend = InProcess(held)
    backend.submit([request_for(steps=1_000_000)], Ask())
    backend.events(0.01)  # builds the network where no test before has
    began = time.monotonic()
    for _ in range(3):
        assert backend.events(0.2)
    assert time.monotonic() - began < 3 * (0.2 + 2)  # a piece of the curve takes about half a second
    backend.stop()


def test_nothing_is_told_after_stop(held: Inputs, request_for: Requests) -> None:
    backend = InProcess(held)
    backend.submit([request_for(steps=1_000_000)], Ask())
    backend.submit([request_for(2.0)], Ask())
    assert backend.events(0.2)
    backend.stop()
    assert backend.events(0.2) == []


def test_a_cancelled_run_is_silent_and_the_next_one_begins(held: Inputs, request_for: Requests) -> None:
    backend = InProcess(held)
    endless, short = request_for(steps=1_000_000), request_for(2.0)
    backend.submit([endless], Ask())
    backend.submit([short], Ask())
    assert backend.events(0.2)
    backend.submit([request_for(3.0)], Ask())
    backend.cancel(request_for(3.0).run_key, 1)  # has not begun, and never will
    backend.cancel(endless.run_key, endless.attempt)
    assert {event.run_key for event in until_all_ended(backend, 1)} == {short.run_key}


def test_who_is_asked_to_stop_does_and_says_how_far_it_got(held: Inputs, request_for: Requests) -> None:
    backend = InProcess(held)
    endless, waiting, last = request_for(steps=1_000_000), request_for(2.0, start_step=7), request_for(3.0)
    for request in (endless, waiting, last):
        backend.submit([request], Ask())
    assert backend.events(1.5)
    backend.ask_to_stop({(request.run_key, request.attempt) for request in (endless, waiting)} | {("r1-unknown", 1), (last.run_key, 2)})
    told = until_all_ended(backend, 1)
    stopped = {event.run_key: event for event in told if isinstance(event, Stopped)}
    assert set(stopped) == {endless.run_key, waiting.run_key}
    assert stopped[endless.run_key].step > 1
    assert (stopped[waiting.run_key].step, stopped[waiting.run_key].state) == (7, None)  # it never began
    assert isinstance(told[-1], Finished) and told[-1].run_key == last.run_key

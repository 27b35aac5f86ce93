"""A worker that is asked to stop, and one that goes on, with the real optimiser and the real network."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sweep import pacing, worker
from sweep.errors import StorageError
from sweep.events import Checkpoint, Event, Finished, LossPoint, Preview, Progress, Started, Stopped
from sweep.request import Inputs, RunRequest
from sweep.transfer.stylize import stylize_pack

pytestmark = pytest.mark.weights
Requests = Callable[..., RunRequest]


@dataclass
class WithStates:
    """Inputs with states by run key, or with an error in place of one."""

    inner: Inputs
    states: dict[str, bytes | Exception] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def checkpoint(self, run_key: str) -> bytes:
        state = self.states[run_key]
        if isinstance(state, Exception):
            raise state
        return state


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is asked to stop is heard before the next step, and every step is worth keeping."""
    monkeypatch.setattr(pacing, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(pacing, "WORTH_SECONDS", 0.0)


def stop_after(requests: Sequence[RunRequest], asks: int) -> Callable[[], set[tuple[str, int]]]:
    """Names them from the so-manieth time on that it is asked."""
    asked = iter(range(10**9))
    return lambda: {(request.run_key, request.attempt) for request in requests} if next(asked) >= asks else set()


def points(events: Sequence[Event], request: RunRequest) -> list[LossPoint]:
    return [point for event in events if isinstance(event, Progress) and event.run_key == request.run_key for point in event.points]


def pixels_of(event: Event) -> np.ndarray:
    assert isinstance(event, Finished), event
    return np.asarray(Image.open(io.BytesIO(event.picture.data)))


def last(events: Sequence[Event], request: RunRequest) -> Any:
    return [event for event in events if event.run_key == request.run_key][-1]


@pytest.mark.usefixtures("at_once")
def test_a_run_that_was_stopped_goes_on_in_another_attempt_to_the_same_picture_and_curve(held: Inputs, request_for: Requests) -> None:
    request = request_for(steps=40, snapshots=frozenset({5, 30}))
    undisturbed = list(worker.run([request], held))
    first = list(worker.run([request], held, stop_after([request], 17)))
    stopped = last(first, request)
    assert isinstance(stopped, Stopped) and stopped.step == 17 and stopped.state is not None
    again = replace(request, attempt=2, start_step=17)
    second = list(worker.run([again], WithStates(held, {request.run_key: stopped.state})))
    assert isinstance(second[0], Started) and second[0].start_step == 17
    assert points(first, request) + points(second, again) == points(undisturbed, request)
    end, expected = last(second, again), last(undisturbed, request)
    np.testing.assert_array_equal(pixels_of(end), pixels_of(expected))
    assert end.yardsticks == expected.yardsticks and end.steps == expected.steps and end.notes == ()
    kinds = [[type(event).__name__ for event in events].count("Snapshot") for events in (first, second)]
    assert kinds == [1, 1]


def test_a_run_that_is_stopped_at_once_leaves_nothing(held: Inputs, request_for: Requests) -> None:
    request = request_for(steps=40)
    end = list(worker.run([request], held, stop_after([request], 0)))[-1]
    assert end == Stopped(run_key=request.run_key, attempt=1, step=0)


@pytest.mark.parametrize(
    ("state", "why"),
    [(StorageError("the file is gone."), "the file is gone"), (b"no state at all", "the state is damaged")],
    ids=["gone", "damaged"],
)
def test_a_state_that_cannot_be_used_is_said_so_and_the_run_begins_again(
    held: Inputs, request_for: Requests, state: bytes | Exception, why: str
) -> None:
    request = request_for(steps=8, start_step=6)
    events = list(worker.run([request], WithStates(held, {request.run_key: state})))
    assert [event.start_step for event in events if isinstance(event, Started)] == [6, 0]
    assert [point.step for point in points(events, request)] == list(range(1, 9))
    end = last(events, request)
    assert isinstance(end, Finished) and len(end.notes) == 1
    assert "from step 6, but began again" in end.notes[0] and why in end.notes[0]


@pytest.mark.usefixtures("at_once")
def test_l_bfgs_goes_on_and_says_that_its_history_began_anew(held: Inputs, request_for: Requests) -> None:
    request = request_for(steps=12)
    request = replace(request, settings=replace(request.settings, settings=replace(request.settings.settings, recipe="gatys")))
    stopped = last(list(worker.run([request], held, stop_after([request], 8))), request)
    assert isinstance(stopped, Stopped) and stopped.state is not None
    again = replace(request, start_step=stopped.step)
    end = last(list(worker.run([again], WithStates(held, {request.run_key: stopped.state}))), again)
    assert isinstance(end, Finished) and end.steps == 12
    assert end.notes == (f"It went on from step {stopped.step}; there the history of L-BFGS began anew.",)


@pytest.mark.usefixtures("at_once")
def test_one_of_a_pack_stops_and_the_others_go_on(held: Inputs, request_for: Requests) -> None:
    requests = [request_for(beta, steps=20) for beta in (1.0, 30.0, 300.0)]
    events = list(worker.run(requests, held, stop_after([requests[1]], 8)))
    ends = [last(events, request) for request in requests]
    assert [type(end) for end in ends] == [Finished, Stopped, Finished]
    assert all([point.step for point in points(events, request)] == list(range(1, 21)) for request in requests[::2])


@pytest.mark.usefixtures("at_once")
def test_runs_that_go_on_at_several_scales_are_several_packs(held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    def wanted(beta: float) -> RunRequest:
        request = request_for(beta, steps=8, size=64)
        settings = replace(request.settings.settings, smallest=45, factor=1.3, later_steps=6)  # 49 and 64 pixels
        return replace(request, settings=replace(request.settings, settings=settings))

    requests, states = [wanted(beta) for beta in (1.0, 2.0, 3.0, 4.0)], {}
    for request, steps in zip(requests[1:], (3, 5, 11), strict=True):
        stopped = last(list(worker.run([request], held, stop_after([request], steps))), request)
        states[request.run_key] = stopped.state
    again = [replace(request, start_step=step) for request, step in zip(requests, (0, 3, 5, 11), strict=True)]
    sizes = []

    def watched(features: Any, problems: Any, *rest: Any) -> Iterator[Any]:
        sizes.append(len(problems))
        yield from stylize_pack(features, problems, *rest)

    monkeypatch.setattr(worker, "stylize_pack", watched)
    events = list(worker.run(again, WithStates(held, states)))
    assert sizes == [1, 2, 1]
    assert [last(events, request).steps for request in again] == [14] * 4


def test_previews_and_states_are_told_on_the_way_and_change_nothing(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(steps=12)
    plain = list(worker.run([request], held))
    assert not [event for event in plain if isinstance(event, Preview | Checkpoint)]  # half a second
    for name in ("FIRST_PREVIEW_SECONDS", "PREVIEW_SECONDS", "CHECKPOINT_SECONDS", "LONG_SECONDS"):
        monkeypatch.setattr(pacing, name, 0.0)
    monkeypatch.setattr(worker, "PREVIEW_SIDE", 32)
    events = list(worker.run([request], held))
    assert points(events, request) == points(plain, request)
    np.testing.assert_array_equal(pixels_of(events[-1]), pixels_of(plain[-1]))
    for kind in (Preview, Checkpoint):
        assert [event.step for event in events if isinstance(event, kind)] == list(range(1, 12))
    for event in events:
        if isinstance(event, Preview):
            with Image.open(io.BytesIO(event.picture)) as opened:
                assert opened.format == "WEBP" and max(opened.size) == 32
    state = next(event.state for event in events if isinstance(event, Checkpoint) and event.step == 7)
    end = list(worker.run([replace(request, start_step=7)], WithStates(held, {request.run_key: state})))[-1]
    np.testing.assert_array_equal(pixels_of(end), pixels_of(plain[-1]))

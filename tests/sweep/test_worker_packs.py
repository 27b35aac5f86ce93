"""Several requests at once: packs, and what becomes of one that does not fit into memory."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sweep import process, worker
from sweep.events import Event, Failed, Finished, Progress, Started
from sweep.request import Inputs, RunRequest
from sweep.transfer.stylize import Problem, stylize_pack

pytestmark = pytest.mark.weights
Requests = Callable[..., RunRequest]


def ends(events: Sequence[Event]) -> dict[str, Event]:
    """The last event of each run; nothing is told of a run after it."""
    last: dict[str, Event] = {}
    for event in events:
        assert not isinstance(last.get(event.run_key), Finished | Failed), "news after the end"
        last[event.run_key] = event
    return last


def pixels_of(event: Event) -> np.ndarray:
    assert isinstance(event, Finished), event
    return np.asarray(Image.open(io.BytesIO(event.picture.data))).astype(int)


@pytest.fixture
def packs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs each pack had that was begun."""
    sizes: list[int] = []

    def watched(features: Any, problems: Sequence[Problem], *rest: Any) -> Iterator[Any]:
        sizes.append(len(problems))
        yield from stylize_pack(features, problems, *rest)

    monkeypatch.setattr(worker, "stylize_pack", watched)
    return sizes


def test_requests_of_one_shape_run_together_and_end_as_if_alone(held: Inputs, request_for: Requests, packs: list[int]) -> None:
    requests = [request_for(beta, steps=steps) for beta, steps in ((1.0, 12), (30.0, 12), (300.0, 8))]
    events = list(worker.run(requests, held))
    assert packs == [3]
    last = ends(events)
    assert [type(event) for event in events[:3]] == [Started] * 3
    for request in requests:
        (alone,) = ends(list(worker.run([request], held))).values()
        together = last[request.run_key]
        steps = [
            point.step for event in events if isinstance(event, Progress) and event.run_key == request.run_key for point in event.points
        ]
        assert steps == list(range(1, request.settings.settings.steps + 1))  # type: ignore[operator]
        moved = np.abs(pixels_of(alone) - held.pixels(request.settings.content, 48)).mean()
        assert np.abs(pixels_of(together) - pixels_of(alone)).mean() <= 0.03 * moved
        assert together.yardsticks["balance"] == pytest.approx(alone.yardsticks["balance"], abs=0.01)  # type: ignore[attr-defined]


def test_requests_of_several_sizes_run_one_pack_after_another(held: Inputs, request_for: Requests, packs: list[int]) -> None:
    requests = [request_for(1.0), request_for(2.0, size=40), request_for(3.0), request_for(4.0, size=40)]
    last = ends(list(worker.run(requests, held)))
    assert packs == [2, 2]
    assert [max(pixels_of(last[request.run_key]).shape) for request in requests] == [48, 40, 48, 40]


class Memory:
    """A device that holds so many runs at once; with `tight`, so many only once everything cached was dropped."""

    def __init__(self, holds: int, tight: bool = False) -> None:
        self.holds, self.tight = holds, tight
        self.asked: list[int] = []

    def stylize_pack(self, features: Any, problems: Sequence[Problem], *rest: Any) -> Iterator[Any]:
        self.asked.append(len(problems))
        news = stylize_pack(features, problems, *rest)
        yield next(news)
        if len(problems) > self.holds or self.tight:
            self.tight = False
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        yield from news


def test_a_pack_that_does_not_fit_goes_on_in_halves_and_says_so(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(holds=2)
    monkeypatch.setattr(worker, "stylize_pack", memory.stylize_pack)
    requests = [request_for(beta) for beta in (1.0, 3.0, 10.0, 30.0, 100.0)]
    last = ends(list(worker.run(requests, held)))
    assert memory.asked == [5, 2, 3, 1, 2]  # halves, and halves of those
    assert all(isinstance(last[request.run_key], Finished) for request in requests)
    notes = [last[request.run_key].notes for request in requests]  # type: ignore[attr-defined]
    assert all("pack of 5" in one[0] for one in notes)
    assert [len(one) for one in notes] == [1, 1, 2, 2, 2]


def test_a_run_alone_is_tried_once_more_without_what_was_kept_for_others(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(holds=1, tight=True)
    monkeypatch.setattr(worker, "stylize_pack", memory.stylize_pack)
    process.kept_on("cpu").targets.put(("x", (1, 1), "", "", ""), torch.zeros(9))
    (end,) = ends(list(worker.run([request_for()], held))).values()
    assert memory.asked == [1, 1] and len(end.notes) == 1  # type: ignore[attr-defined]
    assert process.kept_on("cpu").targets.get(("x", (1, 1), "", "", "")) is None


def test_a_run_that_never_fits_fails_with_what_it_needs_and_what_to_do(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(holds=0)
    monkeypatch.setattr(worker, "stylize_pack", memory.stylize_pack)
    (end,) = ends(list(worker.run([request_for()], held))).values()
    assert isinstance(end, Failed) and end.kind == "oom" and memory.asked == [1, 1]
    assert "GiB" in end.error and "lower `size`" in end.error and "Tried to allocate" not in end.error
    assert end.traceback == ""


def test_an_error_in_a_pack_ends_only_the_run_whose_fault_it_is(
    held: Inputs, request_for: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(features: Any, problems: Sequence[Problem], *rest: Any) -> Iterator[Any]:
        yield 0, []
        if any(problem.beta < 0.6 for problem in problems):
            raise ValueError("cannot bear it")
        yield from stylize_pack(features, problems, *rest)

    monkeypatch.setattr(worker, "stylize_pack", picky)
    requests = [request_for(beta) for beta in (1.0, 10.0, 100.0)]
    last = ends(list(worker.run(requests, held)))
    assert [type(last[request.run_key]) for request in requests] == [Failed, Finished, Finished]
    assert "cannot bear it" in last[requests[0].run_key].error  # type: ignore[attr-defined]


SCRIPT = """
import resource, sys
from pathlib import Path
import numpy as np
import torch
sys.path.insert(0, sys.argv[1])
from conftest import HeldInputs, named
from sweep import worker
from sweep.combination import Combination, LayerSet, Settings, run_key
from sweep.transfer.presets import network_info
from sweep.transfer.images import resized
from sweep.samples import drawn_style, sample_photograph

torch.set_num_threads(1)
photograph, painting = resized(sample_photograph("cat"), 224), drawn_style("woodcut", 224)
held = HeldInputs(dict([named(photograph), named(painting)]))

def request(beta, size):
    settings = Settings(network="vgg16-hed", network_hash=network_info("vgg16-hed").source_hash, size=size, steps=2, smallest=size)
    run = Combination(content=named(photograph)[0], style=((named(painting)[0], 1.0),), alpha=1.0, beta=beta,
                      layers=LayerSet.of({"relu2_1": 1}, {"relu1_1": 1, "relu2_1": 1}), settings=settings).run_settings()
    return worker.RunRequest(run_key=run_key(run), attempt=1, settings=run)

for event in worker.run([request(1.0, 224), request(2.0, 224)], held):
    pass  # warm: what the process holds by now is no part of a pack
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]) * 2**20, resource.RLIM_INFINITY))
for event in worker.run([request(3.0 + beta, 224) for beta in range(8)], held):
    if type(event).__name__ in ("Finished", "Failed"):
        print(type(event).__name__, getattr(event, "kind", ""), len(getattr(event, "notes", ())), getattr(event, "error", ""))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited by RLIMIT_AS")
def test_a_pack_that_really_exhausts_the_host_s_memory_ends_with_all_its_pictures() -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-c", SCRIPT, str(here), "240"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=here.parent.parent)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["Finished"] * 8, done.stdout + done.stderr
    assert all(int(line.split()[1]) >= 1 for line in lines)

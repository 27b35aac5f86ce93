"""Packs: which runs share a task, and what becomes of the members of one that crashes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import GATYS, SHALLOW, input_picture, plan_of
from scripted import Notes, Scripted, column, crashed, drive, record, started, states, well

from db import drivers
from db.store import ClaimedRun, Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.combination import LayerSet
from sweep.errors import SurroundingsError
from sweep.events import Crashed, Event, Failed
from sweep.places import Ask
from sweep.request import RunRequest
from sweep.tasks import bytes_needed, pack_size, packs, pixels_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path / "workspace", create=True)


@pytest.fixture
def store(workspace: Workspace) -> Store:
    return Store(workspace.writer(), workspace.artifacts)


def claim_all(store: Store) -> list[ClaimedRun]:
    owner, _ = drivers.become_driver(store.engine, "scripted")
    assert owner is not None
    return store.claim(owner, 1000)


def parts(claimed: list[ClaimedRun], size: int, free: int) -> list[list[ClaimedRun]]:
    return packs(claimed, {run.run_key: Ask() for run in claimed}, {run.run_key: size for run in claimed}, free)


@pytest.mark.parametrize(
    ("resources", "gpus", "pixels", "size"),
    [
        ({}, 0.0, 128 * 128, 1),
        ({"pack": "auto"}, 0.0, 128 * 128, 1),
        ({"pack": "auto"}, 1.0, 128 * 128, 8),
        ({"pack": "auto"}, 0.5, 256 * 256, 4),
        ({"pack": "auto"}, 1.0, 512 * 512, 1),
        ({"pack": "auto"}, 1.0, 2048 * 2048, 1),
        ({"pack": "auto", "device": "cpu"}, 1.0, 128 * 128, 1),
        ({"pack": 5}, 0.0, 2048 * 2048, 5),
    ],
)
def test_auto_packs_small_pictures_on_a_gpu_and_nothing_on_a_cpu(resources: dict[str, Any], gpus: float, pixels: int, size: int) -> None:
    assert pack_size(resources, gpus, pixels) == size


def test_runs_of_one_shape_depth_and_recipe_share_tasks_and_each_run_is_in_one(store: Store) -> None:
    wide = input_picture("wide.jpg", 1)
    tall = replace(input_picture("tall.jpg", 5), width=64, height=96)
    style = input_picture("waves.png", 3)
    record_inputs(store, [wide, tall, style])
    deep = LayerSet.of({"relu4_2": 1}, {"relu5_1": 1})
    planned = plan_of([wide, tall], [style], [1.0, 2.0, 3.0, 4.0, 5.0], [SHALLOW, deep])
    record_sweep(store, SweepRecord(name="s", spec_text="", spec_path="", search_seed=None, resources={}), planned, extend=False)
    claimed = claim_all(store)
    found = parts(claimed, size=4, free=1)
    assert Counter(run.run_key for part in found for run in part) == Counter(run.run_key for run in claimed)
    for part in found:
        assert len({(run.settings.content, run.settings.style_layers) for run in part}) == 1  # the two photographs differ in shape
    assert sorted(len(part) for part in found) == [1, 1, 1, 1, 4, 4, 4, 4]


def test_few_runs_are_spread_over_the_free_slots_before_packs_are_filled(store: Store) -> None:
    record(store, betas=3)
    claimed = claim_all(store)
    assert [len(part) for part in parts(claimed, size=8, free=6)] == [1] * 6
    assert [len(part) for part in parts(claimed, size=8, free=3)] == [2, 1, 2, 1]  # two depths, three runs each
    assert [len(part) for part in parts(claimed, size=8, free=1)] == [3, 3]


def test_what_a_run_is_expected_to_take_is_more_than_its_worker_alone(store: Store) -> None:
    record(store, betas=1)
    run = claim_all(store)[0]
    assert 450e6 < bytes_needed(run) < 2e9
    assert pixels_of(run) == 64 * 96 or pixels_of(run) > 0


def test_packed_runs_are_all_recorded_with_their_pack(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=8, pack=4, price_per_hour=2.0)
    backend = Scripted(slots=2)
    assert drive(store, backend) is True
    assert states(workspace) == {"done": runs}
    assert max(len(task) for task in backend.tasks) == 4
    assert column(
        workspace, "SELECT DISTINCT count(*) = min(pack_size) AND min(pack_size) = max(pack_size) FROM attempt GROUP BY pack"
    ) == [1]
    assert set(column(workspace, "SELECT price_per_hour FROM attempt")) == {2.0}  # of the whole task


def test_members_of_a_crashed_pack_run_alone_and_only_that_counts_against_them(workspace: Workspace, store: Store) -> None:
    runs = record(store, betas=4, pack=4)
    poison: list[str] = []
    alone: list[int] = []

    def script(request: RunRequest) -> Iterator[Event]:
        poison[:] = poison or [request.run_key]
        company = next(len(task) for task in backend.tasks if request in task)
        if company == 1:
            alone.append(1)
        yield started(request)
        if poison[0] in [one.run_key for task in backend.tasks if request in task for one in task]:
            yield Crashed(run_key=request.run_key, attempt=request.attempt, kind="crashed", error="boom", alone=company == 1)
            return
        yield from list(well(request))[1:]

    backend = Scripted(script=script, slots=1)
    notes = Notes()
    drive(store, backend, notes)
    assert states(workspace) == {"done": runs - 1, "quarantined": 1}
    assert column(workspace, f"SELECT attempts FROM run WHERE run_key = '{poison[0]}'") == [4]  # with others, then three alone
    assert column(workspace, "SELECT sum(killed_workers) FROM run") == [3]
    others = column(workspace, f"SELECT attempts FROM run WHERE run_key != '{poison[0]}' AND alone")
    assert others == [2] * (len(backend.tasks[0]) - 1)


def test_after_memory_ran_out_a_run_is_tried_once_where_more_is_free(workspace: Workspace, store: Store) -> None:
    record(store, betas=1)

    def script(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        yield crashed(request, "oom")

    backend = Scripted(script=script, slots=1)
    drive(store, backend)
    assert states(workspace) == {"failed": 2}
    assert [bool(ask.memory) for ask in backend.asks] == [False, True, False, True]
    assert column(workspace, "SELECT DISTINCT state FROM attempt") == ["oom"]
    assert "more memory before" in column(workspace, "SELECT error FROM run")[0]


def test_a_gpus_share_is_doubled_until_a_run_has_one_alone(workspace: Workspace, store: Store) -> None:
    record(store, betas=1, gpus=0.25)

    def script(request: RunRequest) -> Iterator[Event]:
        first = started(request)
        yield type(first)(**vars(first) | {"device": "cuda NVIDIA"})
        yield Failed(run_key=request.run_key, attempt=request.attempt, kind="oom", error="no memory for it")

    backend = Scripted(script=script, slots=1)
    drive(store, backend)
    asked: dict[str, list[float]] = {}
    for ask, task in zip(backend.asks, backend.tasks, strict=True):
        asked.setdefault(task[0].run_key, []).append(ask.gpus)
    assert list(asked.values()) == [[0.25, 0.5, 1.0]] * 2
    assert states(workspace) == {"failed": 2}
    assert column(workspace, "SELECT attempts FROM run") == [3, 3]


def test_five_first_runs_that_fail_alike_pause_their_sweep_and_no_other(workspace: Workspace, store: Store) -> None:
    broken = record(store, "broken", betas=10)
    well_off = record(store, "well", betas=2, first=40)
    (last,) = column(workspace, "SELECT max(run_id) FROM combination WHERE sweep_id = 1")

    def script(request: RunRequest) -> Iterator[Event]:
        yield started(request)
        if column(workspace, f"SELECT id <= {last} FROM run WHERE run_key = '{request.run_key}'") == [1]:
            error = f"InputError: the weights /cache/{request.run_key}.pt do not fit"
            yield Failed(run_key=request.run_key, attempt=request.attempt, kind="input", error=error)
            return
        yield from list(well(request))[1:]

    notes = Notes()
    assert drive(store, Scripted(script=script, slots=2), notes) is True
    after = states(workspace)
    assert after["done"] == well_off
    assert 5 <= after["failed"] <= 7 and after["queued"] == broken - after["failed"]
    (remark,) = notes.remarks
    assert remark.startswith("broken is paused: its first 5 runs all failed alike: InputError: the weights")


def test_a_node_where_three_different_runs_lost_their_workers_is_avoided(workspace: Workspace, store: Store) -> None:
    record(store, betas=6)
    seen: list[set[str]] = []

    def script(request: RunRequest) -> Iterator[Event]:
        first = started(request)
        bad = "n-bad" not in backend.avoided and request.attempt == 1
        yield type(first)(**vars(first) | {"place": "n-bad" if bad else "n-good"})
        if bad:
            yield crashed(request)
            return
        yield from list(well(request))[1:]

    backend = Scripted(script=script, slots=1, between=lambda one: seen.append(set(one.avoided)))
    notes = Notes()
    drive(store, backend, notes)
    assert states(workspace) == {"done": 12}
    assert backend.avoided == {"n-bad"}
    assert "3 runs lost their workers on the node n-bad" in notes.remarks[0]


def test_a_pack_whose_workers_never_start_counts_once(workspace: Workspace, store: Store) -> None:
    record(store, betas=40, pack=4)

    def script(request: RunRequest) -> Iterator[Event]:
        yield Crashed(run_key=request.run_key, attempt=request.attempt, kind="crashed", error="no torch", started=False, alone=False)

    backend = Scripted(script=script, slots=1)
    with pytest.raises(SurroundingsError, match="no torch"):
        drive(store, backend)
    assert len(backend.tasks) >= 10
    assert column(workspace, "SELECT count(*) FROM run WHERE alone") == [0]


def test_the_layer_sets_of_these_tests_differ_in_depth() -> None:
    assert {name for name, _ in SHALLOW.style} != {name for name, _ in GATYS.style}

"""Measuring what a step costs: which runs stand for a sweep, and real ones, timed."""

import json
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from factories import picture_bytes

from db import calibration
from db.workspace import open_workspace
from sweep import calibrate, calibrate_together
from sweep.calibrate import Sample, SampleInputs, measure
from sweep.calibrate_samples import PACKS, Wanted, of_networks, of_sweep
from sweep.calibrate_together import measure_together
from sweep.cli import calibrating, planning
from sweep.errors import InputError, SurroundingsError
from sweep.inputs import inspect_inputs
from sweep.request import RunRequest
from sweep.spec import parse_spec
from sweep.speed import Measured
from sweep.transfer.cost import work
from sweep.transfer.recipe import Recipe
from sweep.yaml_file import YamlFile


def wanted_of(folder: Path, settings: str, more: str = "", sizes: tuple[int, ...] = ()) -> Wanted:
    (folder / "small.png").write_bytes(picture_bytes(1, size=(96, 64)))
    (folder / "large.png").write_bytes(picture_bytes(2, size=(700, 500)))
    (folder / "s.png").write_bytes(picture_bytes(3))
    text = f"name: x\ncontent: [small.png, large.png]\nstyle: s.png\nparameters: {settings}\n{more}"
    spec = parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml")
    return of_sweep(spec, inspect_inputs(spec.picture_paths()), dict.fromkeys(spec.network_files(), "h"), sizes)


def shown(wanted: Wanted) -> list[tuple[str, str, int]]:
    return [(one.settings.settings.network, one.settings.settings.recipe, one.size) for one in wanted.samples]


def test_a_sweep_is_measured_at_the_ends_and_the_middle_of_what_its_runs_go_through(tmp_path: Path) -> None:
    wanted = wanted_of(tmp_path, "{size: [512, 256], beta: [1, 2, 3], network: vgg16, recipe: [pyramid, gatys]}")
    # 512 / sqrt(2)^n from 96 on: 128, 181, 256, 362, 512; and the small photograph, which is never enlarged.
    assert shown(wanted) == [("vgg16", "pyramid", size) for size in (96, 256, 512)] + [("vgg16", "gatys", size) for size in (96, 256, 512)]
    assert {one.content_size for one in wanted.samples} == {(500, 700)}
    assert len(wanted.inputs.pictures) == 2


def test_the_run_that_stands_for_the_others_is_the_costliest(tmp_path: Path) -> None:
    layers = "layers: [{content: [relu1_1], style: [relu1_1]}, gatys, shallow]"
    wanted = wanted_of(tmp_path, f"{{size: [64, 48], network: vgg16, {layers}}}")
    assert {one.settings.settings.size for one in wanted.samples} == {64}
    assert {len(one.settings.style_layers) for one in wanted.samples} == {5}
    assert [size for _, _, size in shown(wanted)] == [48, 64]


def test_sizes_that_are_named_are_measured_instead(tmp_path: Path) -> None:
    assert [size for _, _, size in shown(wanted_of(tmp_path, "{network: vgg16}", sizes=(300, 200)))] == [200, 300]


def test_packs_are_tried_on_a_gpu_alone(tmp_path: Path) -> None:
    wanted = wanted_of(tmp_path, "{network: vgg16, size: 64}", "resources: {cpus: 2}\n")
    assert {one.pack for one in wanted.on(gpu=False)} == {1}
    assert {(one.pack, one.gpus, one.threads) for one in wanted.on(gpu=True)} == {(pack, 1.0, 2) for pack in PACKS}
    fixed = wanted_of(tmp_path, "{network: vgg16, size: 64}", "resources: {pack: 3}\n")
    assert [one.pack for one in fixed.on(gpu=True)] == [1, 3]


def test_without_a_sweep_drawn_pictures_are_measured_by_every_recipe() -> None:
    wanted = of_networks(["vgg19"], (64, 32))
    assert shown(wanted) == [("vgg19", recipe, size) for recipe in ("pyramid", "gatys") for size in (32, 64)]
    assert {name: pixels.shape for name, pixels in wanted.inputs.pictures.items()} == {"content": (48, 64, 3), "style": (64, 64, 3)}
    with pytest.raises(InputError, match="--sizes 16 is too small"):
        of_networks(["vgg19"], (16,))


@pytest.fixture
def sample(photograph: np.ndarray, request_for: Callable[..., RunRequest]) -> Sample:
    height, width = photograph.shape[:2]
    return Sample(settings=request_for(size=64).settings, content_size=(height, width), size=40, seconds=0.3)


@pytest.fixture
def inputs(held: SampleInputs) -> SampleInputs:
    return SampleInputs(pictures=held.pictures)


@pytest.mark.weights
def test_what_is_measured_is_a_step_of_a_real_run_at_that_size_alone(sample: Sample, inputs: SampleInputs) -> None:
    told: list[Measured | None] = []
    (row,) = measure([sample], inputs, lambda _, row: told.append(row))
    assert told == [row]
    assert (row.network, row.recipe, row.dtype, row.size, row.pack, row.threads) == ("vgg16-hed", "pyramid", "float32", 40, 1, 1)
    # relu3_1 is the deepest layer of that run; one scale, whatever the recipe's own pyramid.
    assert row.work == work("vgg16-hed", "relu3_1", sample.content_size, Recipe(size=40, smallest=40, steps=1))
    assert 0 < row.seconds_per_step < 60
    assert row.seconds_fixed > 0
    assert 100e6 < row.peak_memory < 8e9
    assert row.device.startswith("cpu") and "torch" in row.versions


def test_a_step_takes_the_median_of_its_stretches_shared_by_the_pack(
    sample: Sample, inputs: SampleInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Stretches of 0.1, 0.1 and 2.0 seconds a step; what comes before the first mark is the libraries' warming up.
    marks = [(9.0, 5), (9.5, 10), (10.5, 20), (20.5, 25)]
    timed = calibrate._Timed(steps=25, seconds=24.0, optimise_seconds=20.5, peak_memory=7, device="cuda X", marks=marks)
    monkeypatch.setattr(calibrate, "_run", lambda *_: timed)
    (row,) = measure([replace(sample, pack=2)], inputs, lambda *_: None)
    assert (row.seconds_per_step, row.seconds_fixed) == pytest.approx((0.1 / 2, 3.5 / 2))
    assert (row.pack, row.peak_memory, row.on_gpu) == (2, 7, True)
    monkeypatch.setattr(timed, "marks", marks[:1])
    assert measure([sample], inputs, lambda *_: None)[0].seconds_per_step == pytest.approx(20.5 / 25)


@pytest.mark.weights
def test_several_processes_measure_at_once_and_their_mean_is_kept(sample: Sample, inputs: SampleInputs) -> None:
    told: list[int] = []
    samples = [sample, replace(sample, size=48)]
    rows = measure_together(samples, inputs, 2, lambda sample, _: told.append(sample.size))
    assert told == [40, 48] == [row.size for row in rows]


def test_a_process_that_cannot_measure_says_why(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_together.signal, "signal", lambda *_: None)
    monkeypatch.setattr(calibrate_together, "POLL_SECONDS", 0.01)
    answers: queue.Queue[object] = queue.Queue()
    calibrate_together._one_of_several([sample], SampleInputs(pictures={}), threading.Barrier(1), answers)
    with pytest.raises(SurroundingsError, match="a run of vgg16-hed, pyramid, float32, 40 px cannot be measured: KeyError"):
        calibrate_together._next(answers, [])
    dead = SimpleNamespace(exitcode=-9)
    with pytest.raises(SurroundingsError, match="exit code -9"):
        calibrate_together._next(answers, [dead])  # type: ignore[list-item]


def test_what_has_no_room_is_left_out_with_all_larger_packs(sample: Sample, inputs: SampleInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def run(sample: Sample, steps: int, _: SampleInputs) -> object:
        tried.append(sample.pack)
        return None if sample.pack > 1 else calibrate._Timed(steps=steps, seconds=3.0, optimise_seconds=2.0, device="cuda X")

    monkeypatch.setattr(calibrate, "_run", run)
    told: list[bool] = []
    rows = measure([replace(sample, pack=pack) for pack in (1, 2, 4)], inputs, lambda _, row: told.append(row is None))
    assert (tried, told) == ([1, 1, 2], [False, True, True])
    assert [(row.pack, row.seconds_fixed) for row in rows] == [(1, 1.0)]


@pytest.mark.weights
def test_a_plan_after_calibrate_rests_on_it(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("os.getloadavg", lambda: (0.6, 0.0, 0.0))
    path = sweep_file("measured", [1.0, 10.0])
    planning.plan(path, tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out)["basis"] == "guess"
    calibrating.calibrate(path, calibrating.CalibrateOptions(workspace=tmp_path, sizes=(32, 48), as_json=True))
    said = capsys.readouterr()
    rows = json.loads(said.out)
    assert [row["size"] for row in rows] == [32, 48]
    assert "vgg16-hed, pyramid, float32, 48 px: " in said.err
    assert "this machine is busy (a load of 0.6 on 1 core)" in said.err
    with open_workspace(tmp_path, create=False).reader().connect() as connection:
        assert [row.seconds_per_step for row in calibration.measured(connection)] == [row["seconds_per_step"] for row in rows]
    planning.plan(path, tmp_path, as_json=True)
    made = json.loads(capsys.readouterr().out)
    assert (made["basis"], made["measured"], made["node"]) == ("calibration", True, rows[0]["node"])
    # Two runs of 6 steps at 48 pixels, one scale, one after the other.
    assert made["seconds"] == pytest.approx(2 * (6 * rows[1]["seconds_per_step"] + rows[1]["seconds_fixed"]))
    assert made["worker_memory"] == rows[1]["peak_memory"]
    planning.plan(path, tmp_path, as_json=False)
    assert f"as `stylesweep calibrate` measured it on {rows[0]['node']}" in capsys.readouterr().out


@pytest.mark.parametrize("sizes", ["big", "128;256", "8", "-1", "1e3"])
def test_sizes_that_are_none_are_refused(sizes: str) -> None:
    with pytest.raises(InputError, match="is not understood"):
        calibrating.read_sizes(sizes)


def test_a_network_that_is_unknown_or_not_of_the_sweep_is_refused(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    for network, said in (("vgg99", "choose one of vgg19"), ("vgg19", "no run of the sweep uses --network vgg19")):
        with pytest.raises(InputError, match=said):
            calibrating.calibrate(sweep_file("other", [1.0]), calibrating.CalibrateOptions(workspace=tmp_path, network=network))
    assert list(tmp_path.iterdir()) == []

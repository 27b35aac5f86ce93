"""What a sweep would run: what is shared, what is reused, and what it is expected to cost."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from factories import made_up_workspace, picture_bytes
from sqlalchemy import text as sql

from db import queries
from sweep.cli import planning
from sweep.combination import run_key
from sweep.errors import InputError
from sweep.inputs import inspect_inputs
from sweep.plan import BYTES_PER_PIXEL, BYTES_PER_RUN, Plan, make_plan, own_weights, picture_sizes
from sweep.spec import NamedCombination, SweepSpec, parse_spec
from sweep.speed import Speed
from sweep.transfer.cost import peak_bytes
from sweep.transfer.cost import work as work_of
from sweep.transfer.recipe import Recipe
from sweep.yaml_file import YamlFile

SPEED = Speed(rate=1e10, slots=2, measured=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["a.png", "b.png", "s.png"]):
        (tmp_path / name).write_bytes(picture_bytes(number))
    (tmp_path / "same.png").write_bytes(picture_bytes(0))
    return tmp_path


def spec_of(folder: Path, parameters: str, content: str = "a.png", settings: str = "{network: vgg16-hed, size: 64}") -> SweepSpec:
    text = f"name: x\ncontent: {content}\nstyle: s.png\nparameters: {parameters}\nsettings: {settings}\n"
    return parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml")


def named_of(spec: SweepSpec) -> tuple[list[NamedCombination], dict[str, tuple[int, int]]]:
    files = inspect_inputs(spec.picture_paths())
    named = list(spec.combinations({path: file.sha256 for path, file in files.items()}, dict.fromkeys(spec.network_files(), "h")))
    return named, picture_sizes((file.sha256, file.width, file.height) for file in files.values())


def plan_of(spec: SweepSpec, states: dict[str, str] | None = None, speed: Speed = SPEED) -> Plan:
    named, sizes = named_of(spec)
    states = states or {}
    return make_plan(spec, named, sizes, lambda keys: {key: states[key] for key in keys if key in states}, speed)


def test_a_grid_of_five_by_five_weights_on_equal_logarithmic_steps_needs_nine_runs(folder: Path) -> None:
    steps = "{min: 1, max: 10000, count: 5, distribution: log_uniform_values}"
    made = plan_of(spec_of(folder, f"{{alpha: {steps}, beta: {steps}}}"))
    assert (made.combinations, made.runs, made.reused, made.to_run) == (25, 9, 0, 9)
    shared = Counter(run_key(item.combination.run_settings()) for item in made.planned)
    assert sorted(shared.values()) == [1, 1, 2, 2, 3, 3, 4, 4, 5]


@pytest.mark.parametrize(
    ("low", "high", "count"), [(0.003, 70, 7), (1, 1000, 5), (1, 300, 6), (0.1, 0.7, 9), (1e-5, 1e5, 12), (2, 3, 30), (1e-100, 1e100, 20)]
)
def test_a_grid_of_any_equal_logarithmic_steps_shares_as_much(folder: Path, low: float, high: float, count: int) -> None:
    steps = f"{{min: {low}, max: {high}, count: {count}, distribution: log_uniform_values}}"
    made = plan_of(spec_of(folder, f"{{alpha: {steps}, beta: {steps}}}"))
    assert (made.combinations, made.runs) == (count**2, 2 * count - 1)


@pytest.mark.parametrize(
    ("settings", "narrowest"),  # relu5_1 stands behind four pools, relu3_1 behind two
    [("{network: vgg16-hed, size: 96}", 16), ("{network: vgg16-hed, size: 96, layers: {content: [relu3_1], style: [relu1_1]}}", 4)],
)
def test_a_photograph_that_would_be_too_narrow_for_the_layers_is_refused_before_anything_runs(
    folder: Path, settings: str, narrowest: int
) -> None:
    for name, width in (("narrow.png", 10 * narrowest - 10), ("wide.png", 10 * narrowest)):
        (folder / name).write_bytes(picture_bytes(7, (width, 960)))
    assert plan_of(spec_of(folder, "{beta: [1]}", "wide.png", settings)).runs == 1
    with pytest.raises(InputError) as caught:
        plan_of(spec_of(folder, "{beta: [1]}", "[wide.png, narrow.png]", settings))
    layer = "relu5_1" if narrowest == 16 else "relu3_1"
    assert str(caught.value).startswith(
        f"{folder / 'narrow.png'} would be {narrowest - 1} x 96 pixels at size 96, and {layer} needs {narrowest} on the shorter side. Give"
    )


def test_what_is_done_or_diverged_is_reused_and_what_failed_waits_for_a_retry(folder: Path) -> None:
    spec = spec_of(folder, "{beta: [1, 2, 3, 4, 5]}")
    keys = [run_key(item.combination.run_settings()) for item in plan_of(spec).planned]
    made = plan_of(spec, dict(zip(keys, ["done", "diverged", "failed", "quarantined", "running"], strict=True)))
    assert (made.runs, made.reused, made.failed, made.to_run) == (5, 2, 2, 1)
    assert made.work == pytest.approx(plan_of(spec).work / 5)
    words = planning.describe(made, spec, "stylesweep retry it").splitlines()
    assert "  failed    2 here before: `stylesweep retry it` queues them again" in words


def test_what_failed_in_another_sweep_is_to_run_in_this_one(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", unfinished=3, failed=2)
    with workspace.reader().connect() as connection:
        results = queries.results(connection)
        states = {result.run_key: result.state for result in results}
        failed = {key for key, state in states.items() if state == "failed"}
        assert len(failed) == 2
        assert queries.states_for(connection, results[0].sweep, list(states)) == states
        assert queries.states_for(connection, "another", list(states)).keys() == states.keys() - failed


def test_runs_of_another_sweep_of_the_workspace_are_reused(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", unfinished=3, failed=2)
    with workspace.reader().connect() as connection:
        known = queries.results(connection)
        states = queries.states_of(connection, [result.run_key for result in known])
        unknown = queries.states_of(connection, ["r1-" + "0" * 40])
    assert states == {result.run_key: result.state for result in known}
    assert unknown == {}
    done = sum(state == "done" for state in states.values())
    assert done == len(states) - 5


def test_one_picture_under_two_names_and_a_value_written_twice_count_once(folder: Path) -> None:
    made = plan_of(spec_of(folder, "{beta: [1, 1.0, 2]}", content="[a.png, same.png, b.png]"))
    assert (made.combinations, made.runs) == (4, 4)
    assert {item.content_name for item in made.planned} == {"a.png", "b.png"}


def test_seeds_share_a_run_unless_the_start_is_noise(folder: Path) -> None:
    assert plan_of(spec_of(folder, "{seed: [0, 1, 2]}")).runs == 1
    assert plan_of(spec_of(folder, "{seed: [0, 1, 2], init: [noise]}")).runs == 3


def test_estimates_are_positive_and_proportional_to_the_runs(folder: Path) -> None:
    one, four = plan_of(spec_of(folder, "{beta: [1]}")), plan_of(spec_of(folder, "{beta: [1, 2, 3, 4]}"))
    assert one.work > 0
    assert four.work == pytest.approx(4 * one.work)
    assert one.seconds == pytest.approx(one.work / SPEED.rate)  # one run cannot use two workers
    assert four.seconds == pytest.approx(2 * one.seconds)
    assert four.seconds_per_run == pytest.approx(one.seconds_per_run)
    assert four.bytes == pytest.approx(4 * one.bytes, rel=0.01)
    assert one.bytes > 0


def test_the_memory_is_that_of_the_largest_run_which_is_still_to_do(folder: Path) -> None:
    spec = spec_of(folder, "{size: [48, 96], dtype: [float32, bfloat16]}", settings="{network: vgg16-hed}")
    (folder / "a.png").write_bytes(picture_bytes(0, size=(400, 300)))
    made = plan_of(spec)
    recipe = Recipe(size=96)
    largest = peak_bytes("vgg16-hed", "relu5_1", (300, 400), recipe)
    assert made.memory == max(largest, peak_bytes("vgg16-hed", "relu5_1", (300, 400), recipe, "bfloat16"))
    small = [run_key(one.combination.run_settings()) for one in made.planned if one.combination.settings.size == 96]
    less = plan_of(spec, dict.fromkeys(small, "done")).memory
    assert 0 < less < made.memory
    everything = [run_key(one.combination.run_settings()) for one in made.planned]
    assert plan_of(spec, dict.fromkeys(everything, "done")).memory == 0


def test_a_plan_says_when_the_machine_s_memory_is_too_small_for_so_many_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(folder, "{beta: [1, 2, 3]}")
    made = plan_of(spec)
    needs = 2 * (made.memory + planning.WORKER_BYTES)
    for has, warned in ((needs + 4096, False), (needs - 4096, True)):
        monkeypatch.setattr("os.sysconf", lambda name, has=has: 4096 if name == "SC_PAGE_SIZE" else has // 4096)
        line = next(line for line in planning.describe(made, spec, "retry").splitlines() if line.startswith("  memory"))
        assert ("2 workers at once need" in line and "raise resources.cpus" in line) is warned


def test_each_region_has_gram_matrices_of_its_own_and_each_is_multiplied_twice() -> None:
    recipe = Recipe(size=64, smallest=64, steps=1)
    one, three = (work_of("vgg16-hed", "relu2_1", (64, 64), recipe, grams) for grams in (1, 3))
    # relu1_1: 64 channels at 64 x 64 places, relu2_1: 128 at 32 x 32; F F^T, and its gradient by the features.
    assert three - one == 2 * 2 * (64**2 * 64**2 + 128**2 * 32**2)


def test_larger_pictures_more_steps_and_deeper_layers_cost_more(folder: Path) -> None:
    def work(settings: str) -> float:
        return plan_of(spec_of(folder, "{}", settings=f"{{network: vgg16-hed, {settings}}}")).work

    assert work("size: 48") < work("size: 64") < work("size: 96")
    assert work("size: 96") == work("size: 4096")  # nothing is enlarged: the picture is 96 x 64
    assert work("size: 64, steps: 20") * 2 == pytest.approx(work("size: 64, steps: 40"))
    shallow, deep = "{content: [relu1_1], style: [relu1_1]}", "{content: [relu1_1], style: [relu5_1]}"
    assert work(f"size: 64, layers: {shallow}") < work(f"size: 64, layers: {deep}")


@pytest.mark.parametrize(
    ("name", "values"),
    [("recipe", "pyramid, gatys"), ("size_by", "long_side, area"), ("later_steps", "null, 3"), ("smallest", "null, 32"),
     ("factor", "null, 2.0"), ("steps", "null, 7"), ("size", "256, 48")],
)  # fmt: skip
def test_whatever_changes_the_scales_changes_the_work_of_its_own_runs_alone(folder: Path, name: str, values: str) -> None:
    (folder / "a.png").write_bytes(picture_bytes(0, size=(400, 300)))

    def plan(values: str) -> Plan:
        size = "" if name == "size" else ", size: 256"
        return plan_of(spec_of(folder, f"{{{name}: [{values}]}}", settings=f"{{network: vgg16-hed{size}}}"))

    first, second = (plan(value) for value in values.split(", "))
    assert first.work != second.work
    assert plan(values).work == pytest.approx(first.work + second.work)
    assert plan(values).bytes == pytest.approx(first.bytes + second.bytes, abs=1)


def test_a_size_by_area_is_that_of_the_photograph_itself(folder: Path) -> None:
    (folder / "a.png").write_bytes(picture_bytes(0, size=(400, 100)))
    spec = spec_of(folder, "{}", settings="{network: vgg16-hed, size: 100, size_by: area}")
    # 100 x 100 pixels at an aspect of 4: 200 x 50.
    expected = work_of("vgg16-hed", "relu5_1", (100, 400), Recipe(size=200))
    made = plan_of(spec)
    assert made.work == expected
    assert made.bytes == int(BYTES_PER_PIXEL * 200 * 50 + BYTES_PER_RUN)


def test_snapshots_take_disk_and_no_time_and_are_no_other_runs(folder: Path) -> None:
    def planned(snapshots: str) -> Plan:
        text = f"name: x\ncontent: a.png\nstyle: s.png\nsettings: {{network: vgg16-hed, size: 64}}\nsnapshots: {snapshots}\n"
        return plan_of(parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml"))

    none, by_number, by_step, unreached = (planned(written) for written in ("0", "5", "[1, 2, 3, 200, 150]", "[1, 201]"))
    assert none.work == by_number.work
    picture = BYTES_PER_PIXEL * 64 * 43 + BYTES_PER_RUN  # one scale of 200 steps
    assert [made.bytes for made in (none, by_number, by_step)] == [int(picture), int(6 * picture), int(6 * picture)]
    assert unreached.bytes == int(2 * picture)
    keys = {run_key(item.combination.run_settings()) for made in (none, by_step) for item in made.planned}
    assert len(keys) == 1


def test_snapshots_of_small_scales_take_less_disk(folder: Path) -> None:
    (folder / "a.png").write_bytes(picture_bytes(0, size=(144, 108)))
    text = "name: x\ncontent: a.png\nstyle: s.png\nsettings: {network: vgg16-hed, size: 144, steps: 8}\nsnapshots: [8, 9, 12, 13]\n"
    made = plan_of(parse_spec(YamlFile(text, "s.yaml"), folder / "s.yaml"))
    pixels = 144 * 108 + 102 * 76 + 2 * 144 * 108  # the picture, step 8 of the first scale, steps 9 and 12 of the second
    assert made.bytes == int(BYTES_PER_PIXEL * pixels + 4 * BYTES_PER_RUN)


def test_runs_that_may_stop_early_say_nothing_of_the_speed(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w")
    with workspace.writer().begin() as connection:
        usual = queries.measured_rate(connection)
        connection.execute(
            sql("UPDATE run SET work = work * 100, settings = json_set(settings, '$.stop', json('{\"per\": 25}')) WHERE id > 9")
        )
        assert queries.measured_rate(connection) == pytest.approx(usual, rel=0.2)
        connection.execute(sql("UPDATE run SET settings = json_set(settings, '$.stop', json('{\"per\": 25}'))"))
        assert queries.measured_rate(connection) is None


def test_a_speed_is_that_of_one_number_type(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w")
    with workspace.writer().begin() as connection:
        connection.execute(sql("UPDATE run SET settings = json_set(settings, '$.dtype', 'bfloat16') WHERE id > 9"))
        rates = {}
        for dtype, which in (("float32", "<= 9"), ("bfloat16", "> 9")):
            summed = f"SELECT sum(work) / sum(attempt.seconds) FROM run JOIN attempt ON run_id = run.id WHERE run.id {which}"
            rates[dtype] = connection.execute(sql(summed)).scalar_one()
        assert {dtype: queries.measured_rate(connection, "vgg16-hed", dtype) for dtype in rates} == pytest.approx(rates)


def test_reused_runs_cost_nothing(folder: Path) -> None:
    spec = spec_of(folder, "{beta: [1, 2]}")
    keys = [run_key(item.combination.run_settings()) for item in plan_of(spec).planned]
    made = plan_of(spec, dict.fromkeys(keys, "done"))
    assert (made.to_run, made.work, made.seconds, made.seconds_per_run, made.bytes) == (0, 0, 0, 0, 0)


def test_a_faster_worker_and_more_of_them_take_less_time(folder: Path) -> None:
    spec = spec_of(folder, "{beta: [1, 2, 3, 4]}")
    slow = plan_of(spec)
    assert plan_of(spec, speed=replace(SPEED, rate=2e10)).seconds == pytest.approx(slow.seconds / 2)
    assert plan_of(spec, speed=replace(SPEED, slots=4)).seconds == pytest.approx(slow.seconds / 2)
    assert plan_of(spec, speed=replace(SPEED, slots=400)).seconds == pytest.approx(slow.seconds / 2)


def test_own_weight_files_are_listed_by_their_hash(folder: Path) -> None:
    (folder / "mine.safetensors").write_bytes(b"w")
    spec = spec_of(folder, "{}", settings="{network: vgg16-hed, weights: mine.safetensors}")
    assert own_weights(spec, {("vgg16-hed", folder / "mine.safetensors"): "abc"}) == {"abc": str(folder / "mine.safetensors")}
    plain = spec_of(folder, "{}")
    assert own_weights(plain, dict.fromkeys(plain.network_files(), "h")) == {}

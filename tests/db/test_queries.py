"""Reads, each against the same question asked in plain Python over the raw tables."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories import GATYS, curve, made_up_workspace, plan_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from db import queries
from db.drivers import become_driver
from db.models import Image, Run, Sweep
from db.store import Store
from db.sweeps import InputPicture, SweepRecord, record_sweep
from db.workspace import Workspace, open_workspace
from sweep.errors import InputError


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A sweep with runs of many states, and a second one that shares some of them."""
    made = made_up_workspace(tmp_path_factory.mktemp("queries") / "w", betas=2, unfinished=3, failed=2)
    store = Store(made.writer(), made.artifacts)
    with store.engine.connect() as connection:
        rows = {row.sha256: row for row in connection.execute(select(*Image.__table__.columns).where(Image.original_name.is_not(None)))}
    inputs = [
        InputPicture(
            sha256=row.sha256, data=b"", format="png", width=96, height=64, mean_colour="#000000", name=row.original_name, thumbnail=b""
        )
        for row in sorted(rows.values(), key=lambda row: row.original_name)
    ]
    contents, styles = [one for one in inputs if one.name in ("harbour.jpg", "cat.png")], [one for one in inputs if one.name == "waves.png"]
    record = SweepRecord(
        name="50%_off", spec_text="x", spec_path="p.yaml", search_seed=None, resources={"cpus": 1, "weights": {"abc": "/w.pth"}}
    )
    record_sweep(store, record, plan_of(contents, styles, [1.0, 1000.0], [GATYS]), extend=False)
    owner, _ = become_driver(store.engine, "x")
    assert owner is not None
    store.claim(owner, 1)
    return made


@pytest.fixture
def connection(workspace: Workspace) -> Iterator[Connection]:
    with workspace.reader().connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def tables(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Every table as plain dictionaries, read without a line of ours."""
    plain = sqlite3.connect(workspace.folder / "sweeps.db")
    plain.row_factory = sqlite3.Row
    names = [row[0] for row in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: [dict(row) for row in plain.execute(f"SELECT * FROM {name}")] for name in names}
    plain.close()
    return found


Tables = dict[str, list[dict[str, Any]]]


def test_sweeps_are_counted_by_combination_and_by_distinct_run(connection: Connection, tables: Tables) -> None:
    found = queries.sweeps(connection)
    assert [row.name for row in found] == ["50%_off", "demo"]  # newest first
    runs = {run["id"]: run for run in tables["run"]}
    for row in found:
        mine = [combination["run_id"] for combination in tables["combination"] if combination["sweep_id"] == row.id]
        states = Counter(runs[run_id]["state"] for run_id in set(mine))
        assert (row.combinations, row.runs, dict(row.states)) == (len(mine), len(set(mine)), dict(states))
        assert row.settled == sum(number for state, number in states.items() if state not in ("queued", "running"))
        done = [runs[run_id] for run_id in set(mine) if runs[run_id]["state"] == "done"]
        best = max(done, key=lambda run: run["balance"])
        assert row.best_thumbnail == next(image["thumbnail"] for image in tables["image"] if image["sha256"] == best["output"])


def test_one_sweep_by_its_name_is_as_in_the_list(connection: Connection) -> None:
    for row in queries.sweeps(connection):
        assert queries.sweep_named(connection, row.name) == row
    for name in ("gone", "demo%", "Demo", "", "50%_of_", "'; DROP TABLE run; --"):
        with pytest.raises(InputError, match=r"its sweeps: 50%_off, demo"):
            queries.sweep_named(connection, name)


def test_results_are_the_join_of_the_tables(connection: Connection, tables: Tables) -> None:
    found = queries.results(connection)
    runs, images = {run["id"]: run for run in tables["run"]}, {image["sha256"]: image for image in tables["image"]}
    sweeps = {sweep["id"]: sweep["name"] for sweep in tables["sweep"]}
    expected = sorted(tables["combination"], key=lambda row: (row["sweep_id"], row["position"]))
    assert [result.id for result in found] == [row["id"] for row in expected]
    for result, row in zip(found, expected, strict=True):
        run = runs[row["run_id"]]
        assert (result.sweep, result.run_key, result.state, result.error) == (
            sweeps[row["sweep_id"]],
            run["run_key"],
            run["state"],
            run["error"],
        )
        assert result.parameters == {name: row[name] for name in queries.PARAMETERS}
        assert result.yardsticks == {name: run[name] for name in queries.YARDSTICKS}
        picture = images[run["output"]] if run["output"] else None
        assert (result.image, result.width) == ((picture["sha256"], picture["width"]) if picture else (None, None))


def test_image_paths_lead_to_the_files(workspace: Workspace, connection: Connection) -> None:
    paths = [result.image_path() for result in queries.results(connection)]
    assert any(paths)
    assert any(path is None for path in paths)
    assert all((workspace.folder / path).is_file() for path in paths if path)


def test_results_can_be_narrowed_and_paged(connection: Connection) -> None:
    every = queries.results(connection)
    assert queries.results(connection, limit=3, offset=4) == every[4:7]
    assert queries.results(connection, Sweep.name == "demo", Run.state == "failed") == [
        result for result in every if result.sweep == "demo" and result.state == "failed"
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_run_is_found_by_any_beginning_of_its_key_that_fits_no_other(connection: Connection, data: st.DataObject) -> None:
    keys = sorted({result.run_key for result in queries.results(connection)})
    key = data.draw(st.sampled_from(keys))
    beginning = key[: data.draw(st.integers(3, len(key)))]
    asked = data.draw(st.sampled_from([beginning, beginning.removeprefix("r1-")]))
    fitting = [other for other in keys if other.startswith(beginning)]
    if len(fitting) == 1:
        assert queries.find_result(connection, asked).run_key == key
    else:
        with pytest.raises(InputError, match="several runs begin with"):
            queries.find_result(connection, asked)


@pytest.mark.parametrize(
    "text", ["%", "_", "r1-%", "r1-_", "r1-________________________________________", "\\", "r1-\\%", "'", "zzz", "r1-zzz", "/", "*"]
)
def test_no_sign_of_sqls_patterns_finds_a_run(connection: Connection, text: str) -> None:
    with pytest.raises(InputError, match="there is no run"):
        queries.find_result(connection, text)


def test_a_run_of_two_sweeps_is_found_as_its_first_combination(connection: Connection) -> None:
    every = queries.results(connection)
    shared = Counter(result.run_key for result in every).most_common(1)[0]
    assert shared[1] == 2
    assert queries.find_result(connection, shared[0]) == next(result for result in every if result.run_key == shared[0])


def test_curves_attempts_and_snapshots_of_a_run_come_in_order(connection: Connection, tables: Tables) -> None:
    result = next(result for result in queries.results(connection) if result.state == "done")
    run_id = next(run["id"] for run in tables["run"] if run["run_key"] == result.run_key)
    points = sorted((point for point in tables["loss_point"] if point["run_id"] == run_id), key=lambda point: point["step"])
    assert queries.loss_curve(connection, result.run_key) == [{k: v for k, v in point.items() if k != "run_id"} for point in points]
    assert [point["content_loss"] for point in points] == [point.content_loss for point in curve(0)]
    assert [attempt["number"] for attempt in queries.attempts(connection, result.run_key)] == [1]
    assert queries.attempts(connection, result.run_key)[0]["versions"] == {"torch": "2.13.0"}
    assert queries.snapshots(connection, result.run_key) == []
    assert queries.loss_curve(connection, "gone") == queries.attempts(connection, "gone") == []


def test_states_of_more_runs_than_sql_takes_parameters(connection: Connection, tables: Tables) -> None:
    states = {run["run_key"]: run["state"] for run in tables["run"]}
    asked = [f"r1-{number:040x}" for number in range(2000)] + sorted(states)
    assert queries.states_of(connection, asked) == states
    assert queries.states_of(connection, []) == {}


def test_the_measured_rate_is_work_by_time_of_what_was_done_here(connection: Connection, tables: Tables) -> None:
    runs = {run["id"]: run for run in tables["run"]}
    done = [attempt for attempt in tables["attempt"] if attempt["state"] == "done"]
    expected = sum(runs[attempt["run_id"]]["work"] for attempt in done) / sum(attempt["seconds"] for attempt in done)
    assert queries.measured_rate(connection) == pytest.approx(expected)
    assert queries.measured_rate(connection, "vgg16-hed") == pytest.approx(expected)
    assert queries.measured_rate(connection, "vgg19") is None


def test_pictures_and_own_weights_are_found_by_hash(connection: Connection, tables: Tables) -> None:
    first = tables["image"][0]
    assert queries.image(connection, first["sha256"]) == first
    assert queries.image(connection, "0" * 64) is None
    assert queries.weights_file(connection, "abc") == "/w.pth"
    assert queries.weights_file(connection, "abcd") is None


def test_an_empty_workspace_answers_every_question(tmp_path: Path) -> None:
    with open_workspace(tmp_path / "w", create=True).reader().connect() as connection:
        assert (queries.sweeps(connection), queries.results(connection), queries.measured_rate(connection)) == ([], [], None)
        with pytest.raises(InputError, match="its sweeps: none yet"):
            queries.sweep_named(connection, "demo")
        with pytest.raises(InputError, match="there is no run"):
            queries.find_result(connection, "")

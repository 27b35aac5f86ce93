"""How a sweep stands while it runs: numbers, the live line, and lines for machines."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from factories import curve, finished_event, made_up_workspace, picture_bytes
from sqlalchemy import update

from db import drivers, watching
from db.models import SETTLED, Attempt, Sweep
from db.store import ClaimedRun, Store
from db.workspace import Workspace
from sweep import events, standing
from sweep.cli import progress, showing, tally
from sweep.combination import RunSettings
from sweep.standing import FromOutside, Standing, Window, part_done
from sweep.transfer.cost import work
from sweep.transfer.recipe import Recipe

FULL = Standing(
    runs=96, settled=12, failed=3, running=4, steps_per_second=35.25, seconds_left=7300.0, spent=12.5,
    newest=events.LossPoint(40, 512, 0.1234, 0.5678, 0.0),
)  # fmt: skip
PLAN = tally.Outlook(name="demo")


class Clock:
    """Time that passes when it is told to, wherever these modules ask for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 50_000.0
        for module in (standing, tally, progress):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """16 runs of one work: 8 done, 2 failed, 6 queued."""
    return made_up_workspace(tmp_path / "w", betas=2, unfinished=6, failed=2)


def claimed(workspace: Workspace, count: int) -> tuple[Store, str, list[ClaimedRun]]:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = drivers.become_driver(store.engine, "test")
    assert owner is not None
    return store, owner, store.claim(owner, count)


def started(run: ClaimedRun, start_step: int = 0) -> events.Started:
    return events.Started(
        run_key=run.run_key, attempt=run.attempt, node="n", pid=1, device="cpu", versions={}, start_step=start_step
    )  # fmt: skip


def at(run: ClaimedRun, step: int) -> events.Progress:
    return events.Progress(run_key=run.run_key, attempt=run.attempt, points=(events.LossPoint(step, 96, 0.25, 0.5, 0.0),))


def test_the_line_holds_what_fits_the_most_important_first() -> None:
    assert FULL.line(200) == "12/96, 3 failed, 4 running, 2 h 2 min left, 35.2 steps/s, 12.50 spent, content 0.123, style 0.568 at 512 px"
    for width in range(5, 120):
        line = FULL.line(width)
        assert len(line) <= width
        assert FULL.line(200).startswith(line)
    assert Standing(runs=3, settled=0, failed=0, running=0).line(80) == "0/3"


@pytest.mark.parametrize("seed", range(3))
def test_the_speed_is_that_of_the_last_minutes_alone(seed: int) -> None:
    chance, window = random.Random(seed), Window()
    now, steps, work_, seen = 0.0, 0.0, 0.0, list[tuple[float, float, float]]()
    for _ in range(400):
        now += chance.uniform(0.05, 3)
        steps, work_ = steps + chance.uniform(0, 20), work_ + chance.uniform(0, 1e12)
        window.see(now, steps, work_)
        if not seen or now - seen[-1][0] >= standing.SAMPLE_SECONDS:
            seen.append((now, steps, work_))
        inside = [one for one in seen if seen[-1][0] - one[0] <= standing.WINDOW_SECONDS]
        oldest, newest = min(inside), max(inside)
        speed = window.speed()
        if speed is None:
            assert newest[0] - oldest[0] < standing.LEAST_SECONDS
        else:
            passed = newest[0] - oldest[0]
            assert speed == pytest.approx(((newest[1] - oldest[1]) / passed, (newest[2] - oldest[2]) / passed))


def test_the_part_that_is_done_counts_each_step_by_its_size(workspace: Workspace) -> None:
    run = claimed(workspace, 1)[2][0]
    larger = RunSettings.from_canonical({**run.settings.canonical(), "size": 256})
    recipe, size = Recipe(size=256), (300, 400)
    per_step: list[float] = []
    for height, width, steps in recipe.scales(*size):
        alone = Recipe(size=max(height, width), smallest=max(height, width), steps=1)
        per_step += [work("vgg16-hed", "relu5_1", size, alone)] * steps
    for step in (0, 1, 150, 200, 201, 299, 300, 420, len(per_step), len(per_step) + 5):
        assert part_done(larger, size, step) == pytest.approx(sum(per_step[:step]) / sum(per_step))
    assert part_done(larger, None, 100) == 0.0


def test_a_tally_counts_from_the_events_and_passes_over_what_it_does_not_know(workspace: Workspace, clock: Clock) -> None:
    store, owner, runs = claimed(workspace, 4)
    counted = tally.Tally(workspace, PLAN)
    assert counted.standing() == Standing(runs=16, settled=10, failed=2, running=0)
    for run in runs[:3]:
        store.started(owner, started(run))
        counted.event(run, started(run), "running")
    counted.event(runs[0], at(runs[0], 7), "running")
    counted.event(runs[0], events.Preview(run_key=runs[0].run_key, attempt=1, step=7, picture=b"x"), "running")
    counted.event(runs[0], events.Checkpoint(run_key=runs[0].run_key, attempt=1, step=7, state=b"x"), "running")
    counted.event(runs[3], events.Event(run_key=runs[3].run_key, attempt=1), "running")
    now = counted.standing()
    assert (now.settled, now.running, now.newest) == (10, 3, at(runs[0], 7).points[0])
    store.finished(owner, finished_event(runs[0], 1))
    counted.event(runs[0], finished_event(runs[0], 1), "done")
    stopped = events.Stopped(run_key=runs[1].run_key, attempt=1, step=3)
    counted.event(runs[1], stopped, "queued")
    now = counted.standing()
    assert (now.runs, now.settled, now.failed, now.running) == (16, 11, 2, 1)


def test_the_time_left_is_the_work_left_by_the_speed_now(workspace: Workspace, clock: Clock) -> None:
    _, _, runs = claimed(workspace, 2)
    runs = [replace(run, content_size=(64, 96)) for run in runs]  # one scale of 200 steps
    counted = tally.Tally(workspace, PLAN)
    for run in runs:
        counted.event(run, started(run, start_step=50), "running")
    for step in range(50, 150, 5):
        for run in runs:
            counted.event(run, at(run, step), "running")
        now = counted.standing()
        clock.now += 1.0
    # Two runs of 200 steps at 5 steps a second each, at step 145 now; four more are queued.
    assert now.steps_per_second == pytest.approx(10.0)
    assert now.seconds_left == pytest.approx((2 * (200 - 145) + 4 * 200) / 10)


def test_the_tally_learns_of_another_sweep_and_of_what_was_spent(workspace: Workspace, clock: Clock) -> None:
    counted = tally.Tally(workspace, PLAN)
    made_up_workspace(workspace.folder, betas=4, name="second", unfinished=32)
    assert counted.standing().runs == 16
    with workspace.writer().begin() as connection:
        connection.execute(update(Sweep).where(Sweep.name == "demo").values(resources={"price_per_hour": 2.0}))
        took = {"created_at": 9e9, "started_at": 0, "finished_at": 1800}
        connection.execute(update(Attempt).where(Attempt.id == 1).values(**took, price_per_hour=2.0))
    clock.now += tally.LOOK_SECONDS
    now = counted.standing()
    assert now.runs > 16
    assert now.spent == pytest.approx(1.0, abs=0.01)


def test_a_census_counts_the_distinct_runs(workspace: Workspace) -> None:
    store, owner, runs = claimed(workspace, 2)
    store.started(owner, started(runs[0]))
    store.progress(owner, [events.Progress(run_key=runs[0].run_key, attempt=1, points=curve(1, 30))])
    with workspace.reader().connect() as connection:
        counted = watching.census(connection, 1)
        assert counted == watching.census(connection)  # it is the only active sweep
        (now,) = watching.underway(connection, 1)
        assert watching.census(connection, 2).runs == 0
    assert counted.states == {"done": 8, "failed": 2, "running": 2, "queued": 4}
    assert (counted.runs, counted.settled, counted.failed, counted.steps) == (16, 10, 2, 8 * 60)
    assert (counted.work_left, counted.work_done) == (6e9, 10e9)
    assert (now.run_key, now.step, now.content_size, now.pack_size) == (runs[0].run_key, 29, (64, 96), 1)
    assert sum(counted.states.get(state, 0) for state in SETTLED) == 10


def test_who_looks_from_outside_sees_the_same(workspace: Workspace, clock: Clock) -> None:
    store, owner, runs = claimed(workspace, 2)
    for run in runs:
        store.started(owner, started(run))
    outside = FromOutside(1)
    for step in range(1, 60, 4):
        news = [events.Progress(run_key=run.run_key, attempt=1, points=at(run, step).points) for run in runs]
        store.progress(owner, news)
        with workspace.reader().connect() as connection:
            now = outside.look(connection)
        clock.now += 2.0
    assert (now.runs, now.settled, now.failed, now.running) == (16, 10, 2, 2)
    assert now.steps_per_second == pytest.approx(4.0)  # two runs, 4 steps in 2 seconds each
    assert now.seconds_left == pytest.approx((2 * (200 - 57) + 4 * 200) / 4, rel=0.01)


def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workspace: Workspace, name: str) -> str:
    """What is drawn on a terminal of 80 columns, without control sequences."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    _, _, runs = claimed(workspace, 2)
    with progress.Terminal(workspace, tally.Outlook(name=name, seconds=100.0)) as shown:
        shown.event(runs[0], started(runs[0]), "running")
        shown.event(runs[0], at(runs[0], 7), "running")
        shown.tick(1)
        shown._line._progress.refresh()
        shown.event(runs[0], finished_event(runs[0], 1), "done")
    return capsys.readouterr().err


@pytest.mark.parametrize("name", ["demo", "a-sweep-whose-name-is-far-too-long-for-any-terminal"])
def test_the_live_line_fits_eighty_columns(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal(monkeypatch, capsys, workspace, name))
    live = [line for line in re.split(r"[\r\n]", said) if "10/16" in line and "━" in line]
    assert live and all(len(line.rstrip()) <= 80 for line in live)
    assert any("10/16, 2 failed, 1 running, 100 s left" in line.replace("2 min", "100 s") for line in live)
    assert "[11/16]" in said


def test_a_log_file_gets_a_line_a_minute(workspace: Workspace, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Terminal(workspace, PLAN) as shown:
        for _ in range(4 * 125):
            shown.tick(1)
            clock.now += 0.25
    assert capsys.readouterr().err.splitlines() == ["demo: 10/16, 2 failed, 0 steps/s"] * 2


def test_machines_get_the_same_numbers_every_few_seconds(workspace: Workspace, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, runs = claimed(workspace, 1)
    picture = events.PictureFile(data=b"", format="png", width=1, height=1, mean_colour="#000000", thumbnail=picture_bytes(1))
    with progress.JsonLines(workspace, PLAN) as shown:
        shown.event(runs[0], started(runs[0]), "running")
        for event in (
            at(runs[0], 3),
            events.Snapshot(run_key=runs[0].run_key, attempt=1, step=3, picture=picture),
            events.Preview(run_key=runs[0].run_key, attempt=1, step=3, picture=b"\xff"),
            events.Checkpoint(run_key=runs[0].run_key, attempt=1, step=3, state=b"\xff"),
            events.Stopped(run_key=runs[0].run_key, attempt=1, step=3, state=b"\xff"),
        ):
            shown.event(runs[0], event, "running")
        for _ in range(4 * 11):
            shown.tick(1)
            clock.now += 0.25
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = ["started", "progress", "snapshot", "preview", "checkpoint", "stopped"]
    assert [line["event"] for line in said] == [*told, "standing", "standing"]
    assert {line["state"] for line in said[:6]} == {"running"}
    assert {name: said[-1][name] for name in ("sweep", "runs", "settled", "failed", "running", "spent")} == {
        "sweep": "demo", "runs": 16, "settled": 10, "failed": 2, "running": 0, "spent": None,
    }  # fmt: skip


def test_status_says_how_far_a_sweep_is_and_why_it_is_paused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    store, owner, runs = claimed(workspace, 1)
    store.started(owner, started(runs[0]))
    showing.status(None, workspace.folder, as_json=True)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["state"], row["done"], row["failed"], row["running"], row["queued"]) == ("demo", "active", 8, 2, 1, 5)
    assert (row["percent"], row["driven"], row["reason"], row["spent"]) == (62.5, True, None, None)
    # The finished attempts took 12 to 14 seconds for a work of 1e9 each; one worker is at it.
    assert 6 * 12 <= row["seconds_left"] <= 6 * 14
    with store.engine.begin() as connection:
        connection.execute(update(Sweep).values(state="paused", reason="the time given by --max-hours is over."))
        connection.execute(update(Attempt).values(price_per_hour=3600.0, started_at=Attempt.created_at, finished_at=Attempt.created_at + 2))
        connection.execute(update(Sweep).values(created_at=0.0))
    showing.status("demo", workspace.folder, as_json=False)
    said = capsys.readouterr().out
    assert "62 %" in said and f"{11 * 2:.2f}" in said
    assert "demo is paused: the time given by --max-hours is over." in said

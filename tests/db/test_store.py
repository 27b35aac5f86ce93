"""The store against a plain-Python model of its rules: whatever happens in whatever order, both say the same."""

import math
import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from factories import GATYS, curve, finished_event, input_picture, made_up_workspace, picture_bytes, plan_of, snapshot_event
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from db import queries, steering
from db.checkpoints import state_of
from db.drivers import become_driver, heartbeat, resign
from db.models import Attempt, Combination, Image, LossPoint, Run, Snapshot, Sweep
from db.setbacks import MAX_LOST, MAX_WORKER_KILLS
from db.store import ClaimedRun, Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep import events
from sweep.combination import run_key
from sweep.errors import InputError
from sweep.transfer.yardstick_names import ALL_NAMES

CONTENT, STYLE = input_picture("c.png", 1), input_picture("s.png", 2)
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Memory where there is some: the model is about rules, not about disks."""
BETAS = [1.0, 2.0, 3.0, 4.0, 5.0]
PLANNED = {beta: plan_of([CONTENT], [STYLE], [beta], [GATYS])[0] for beta in BETAS}
KEYS = {beta: run_key(planned.combination.run_settings()) for beta, planned in PLANNED.items()}


def record(name: str = "demo") -> SweepRecord:
    return SweepRecord(name=name, spec_text="x", spec_path=f"{name}.yaml", search_seed=None, resources={"cpus": 1})


def new_store(folder: Path) -> Store:
    workspace = open_workspace(folder, create=True)
    engine = workspace.writer()
    store = Store(engine, workspace.artifacts)
    record_inputs(store, [CONTENT, STYLE])
    return store


def started(run: ClaimedRun) -> events.Started:
    return events.Started(run_key=run.run_key, attempt=run.attempt, node="here", pid=1, device="cpu", versions={"torch": "2"})


def diverged(run: ClaimedRun, seed: int = 0) -> events.Diverged:
    picture = events.PictureFile(
        data=picture_bytes(seed),
        format="png",
        width=96,
        height=64,
        mean_colour="#000000",
        thumbnail=picture_bytes(seed, form="WEBP"),
        signature=b"1far" + bytes([seed]),
    )
    return events.Diverged(run_key=run.run_key, attempt=run.attempt, step=7, picture=picture, seconds=1.5, peak_memory=10)


def failed(run: ClaimedRun, kind: events.FailureKind = "bug") -> events.Failed:
    return events.Failed(run_key=run.run_key, attempt=run.attempt, kind=kind, error="ValueError: no", traceback="T")


def crashed(run: ClaimedRun, kind: Any = "crashed", begun: bool = True) -> events.Crashed:
    return events.Crashed(run_key=run.run_key, attempt=run.attempt, kind=kind, error="worker died", started=begun)


@dataclass
class Known:
    """The model of one run."""

    state: str = "queued"
    owner: str | None = None
    attempts: list[str] = field(default_factory=list)
    kills: int = 0
    seq: int | None = None
    curve: dict[int, float] = field(default_factory=dict)
    snapshots: set[int] = field(default_factory=set)
    saved: tuple[int, bytes] | None = None  # its newest state, and after which step
    preview: int | None = None
    lost: int = 0
    more_memory: bool = False


class StoreAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="stylesweep-test-", dir=FAST))
        self.store = new_store(self.folder)
        self.runs: dict[str, Known] = {}
        self.sweeps: dict[str, set[str]] = {}
        self.held: list[tuple[str, ClaimedRun]] = []
        self.owner: str | None = None
        self.highest_seq = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        self.take_over()

    @rule(name=st.sampled_from(["one", "two"]), betas=st.sets(st.sampled_from(BETAS), min_size=1), extend=st.booleans())
    def record_or_extend(self, name: str, betas: set[float], extend: bool) -> None:
        keys = {KEYS[beta] for beta in betas}
        known = self.sweeps.get(name)
        planned = [PLANNED[beta] for beta in sorted(betas)]
        if known is not None and 2 * len(known & keys) < len(keys) and not extend:
            with pytest.raises(InputError, match="--extend"):
                record_sweep(self.store, record(name), planned, extend=False)
            return
        fresh = keys - (known or set())
        assert record_sweep(self.store, record(name), planned, extend=extend) == len(fresh)
        self.sweeps[name] = (known or set()) | keys
        for key in fresh:
            run = self.runs.setdefault(key, Known())
            if run.state in ("failed", "quarantined", "cancelled"):
                self._queue(run)

    def _queue(self, run: Known) -> None:
        run.state, run.kills, run.seq, run.lost, run.more_memory = "queued", 0, None, 0, False

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        claimed = self.store.claim(self.owner, limit)
        queued = [key for key, run in self.runs.items() if run.state == "queued"]
        assert len(claimed) == min(limit, len(queued))
        for run in claimed:
            known = self.runs[run.run_key]
            assert known.state == "queued"
            known.state, known.owner = "running", self.owner
            # What it goes on from is kept; without a state it begins anew.
            known.curve = {step: loss for step, loss in known.curve.items() if known.saved and step <= known.saved[0]}
            known.snapshots = {step for step in known.snapshots if known.saved and step <= known.saved[0]}
            assert run.start_step == (known.saved[0] if known.saved else 0)
            known.attempts.append("running")
            assert run.attempt == len(known.attempts)
            assert run.sweep in {name for name, keys in self.sweeps.items() if run.run_key in keys}
            self.held.append((self.owner, run))

    def _pick(self, data: st.DataObject) -> tuple[str, ClaimedRun, bool]:
        """Any (owner, claimed run) there ever was, late ones too, and whether the model says that it is still held."""
        owner, run = data.draw(st.sampled_from(self.held))
        known = self.runs[run.run_key]
        return owner, run, known.state == "running" and known.owner == owner and len(known.attempts) == run.attempt

    def _settle(self, run: ClaimedRun, state: str, attempt: str) -> None:
        known = self.runs[run.run_key]
        known.state, known.owner = state, None
        known.attempts[-1] = attempt
        known.saved = known.preview = None
        with self.store.engine.connect() as connection:
            known.seq = connection.execute(select(Run.finished_seq).where(Run.run_key == run.run_key)).scalar_one()
        assert known.seq > self.highest_seq
        self.highest_seq = known.seq

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        owner, run, holds = self._pick(data)
        assert self.store.started(owner, started(run)) == holds

    @precondition(lambda self: self.held)
    @rule(data=st.data(), first=st.integers(0, 10), count=st.integers(0, 4), bad=st.sampled_from([None, math.nan, math.inf]))
    def progress(self, data: st.DataObject, first: int, count: int, bad: float | None) -> None:
        owner, run, holds = self._pick(data)
        points = [replace(curve(1)[0], step=first + n, content_loss=0.1 + first + n) for n in range(count)]
        if bad is not None:
            points.append(replace(curve(1)[0], step=50, style_loss=bad))
        self.store.progress(owner, [events.Progress(run_key=run.run_key, attempt=run.attempt, points=tuple(points))])
        if holds:
            self.runs[run.run_key].curve |= {point.step: point.content_loss for point in points if point.step != 50}

    @precondition(lambda self: self.held)
    @rule(data=st.data(), step=st.sampled_from([1, 7, 30]), seed=st.integers(0, 2))
    def keep_a_snapshot(self, data: st.DataObject, step: int, seed: int) -> None:
        owner, run, holds = self._pick(data)
        assert self.store.snapshot(owner, snapshot_event(run, step, seed)) == holds
        if holds:
            self.runs[run.run_key].snapshots.add(step)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), step=st.integers(1, 12), told=st.integers(0, 3))
    def keep_a_state(self, data: st.DataObject, step: int, told: int) -> None:
        owner, run, holds = self._pick(data)
        points = [replace(curve(1)[0], step=step - n, content_loss=1000.0 + step) for n in range(told)]
        event = events.Checkpoint(run_key=run.run_key, attempt=run.attempt, step=step, state=f"{run.attempt} {step}".encode())
        assert self.store.checkpoint(owner, event, points) == holds
        if holds:
            known = self.runs[run.run_key]
            known.saved = (step, event.state)
            known.curve |= {point.step: point.content_loss for point in points}

    @precondition(lambda self: self.held)
    @rule(data=st.data(), step=st.integers(1, 12), kept=st.booleans())
    def stop(self, data: st.DataObject, step: int, kept: bool) -> None:
        owner, run, holds = self._pick(data)
        state = f"stopped {run.attempt} {step}".encode() if kept else None
        event = events.Stopped(run_key=run.run_key, attempt=run.attempt, step=step, state=state)
        assert self.store.stopped(owner, event, [replace(curve(1)[0], step=step, content_loss=7.0)]) == ("queued" if holds else None)
        if holds:
            known = self.runs[run.run_key]
            self._goes_back(known, "cancelled")
            known.saved = known.saved if state is None else (step, state)
            known.curve[step] = 7.0

    @precondition(lambda self: self.held)
    @rule(data=st.data(), steps=st.lists(st.integers(1, 12), min_size=1, max_size=2))
    def show(self, data: st.DataObject, steps: list[int]) -> None:
        picked = [(*self._pick(data), step) for step in steps]
        for owner in dict.fromkeys(owner for owner, _, _, _ in picked):
            shown = [(run, holds, step) for whose, run, holds, step in picked if whose == owner]
            previews = [events.Preview(run_key=run.run_key, attempt=run.attempt, step=step, picture=b"webp") for run, _, step in shown]
            self.store.preview(owner, previews)
            for run, holds, step in shown:
                if holds:
                    self.runs[run.run_key].preview = step

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        owner, run, holds = self._pick(data)
        assert self.store.finished(owner, finished_event(run, 3)) == holds
        if holds:
            self._settle(run, "done", "done")

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def diverge(self, data: st.DataObject) -> None:
        owner, run, holds = self._pick(data)
        assert self.store.diverged(owner, diverged(run)) == holds
        if holds:
            self._settle(run, "diverged", "diverged")
            self.runs[run.run_key].snapshots.add(7)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), kind=st.sampled_from(["bug", "oom", "stuck"]), need=st.sampled_from([0.0, 1e9]))
    def fail(self, data: st.DataObject, kind: events.FailureKind, need: float) -> None:
        owner, run, holds = self._pick(data)
        known = self.runs[run.run_key]
        again = kind == "oom" and need > 0 and not known.more_memory
        expected = None if not holds else "queued" if again else "failed"
        assert self.store.failed(owner, failed(run, kind), need=need) == expected
        if expected == "failed":
            self._settle(run, "failed", "oom" if kind == "oom" else "failed")
        elif expected == "queued":
            self._goes_back(known, "oom")
            known.more_memory = True

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["crashed", "crashed", "lost", "oom"]),
        begun=st.booleans(),
        need=st.sampled_from([0.0, 1e9]),
    )
    def crash(self, data: st.DataObject, kind: str, begun: bool, need: float) -> None:
        owner, run, holds = self._pick(data)
        known = self.runs[run.run_key]
        kills = known.kills + (kind == "crashed" and begun)
        again = kind == "oom" and need > 0 and not known.more_memory
        expected: str | None = "queued"
        if kind == "oom":
            expected = "queued" if again else "failed"
        elif kills >= MAX_WORKER_KILLS or (kind == "lost" and known.lost + 1 >= MAX_LOST):
            expected = "quarantined"
        expected = expected if holds else None
        assert self.store.crashed(owner, crashed(run, kind, begun), need) == expected
        if expected in ("quarantined", "failed"):
            known.kills = kills
            self._settle(run, expected, kind)
        elif expected == "queued":
            known.kills, known.lost, known.more_memory = kills, known.lost + (kind == "lost" and begun), known.more_memory or again
            self._goes_back(known, kind)

    def _goes_back(self, known: Known, attempt: str) -> None:
        known.state, known.owner, known.attempts[-1], known.preview = "queued", None, attempt, None

    @rule()
    def take_over(self) -> None:
        """The driver dies without a word, and another one comes."""
        if self.owner is not None:
            with self.store.engine.begin() as connection:
                connection.execute(text("UPDATE driver SET process_started = -1"))
        dead = self.owner
        self.owner, holder = become_driver(self.store.engine, "test")
        assert holder is None
        for run in self.runs.values():
            if run.state == "running":
                self._goes_back(run, "lost")
        if dead is not None:
            assert self.store.claim(dead, 1) == []
            assert not heartbeat(self.store.engine, dead)
            assert resign(self.store.engine, dead) == 0

    @rule()
    def stop_and_start(self) -> None:
        running = [run for run in self.runs.values() if run.state == "running"]
        assert resign(self.store.engine, self.owner) == len(running)
        for run in running:
            self._goes_back(run, "cancelled")
        self.owner, _ = become_driver(self.store.engine, "test")

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        keys = data.draw(st.sets(st.sampled_from(sorted(self.runs)), min_size=1))
        with self.store.engine.connect() as connection:
            ids = list(connection.execute(select(Run.id).where(Run.run_key.in_(keys))).scalars())
        again = [self.runs[key] for key in keys if self.runs[key].state in ("failed", "quarantined", "diverged", "cancelled")]
        assert self.store.retry(ids) == len(again)
        for run in again:
            self._queue(run)

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        with self.store.engine.connect() as connection:
            rows = connection.execute(select(Run)).mappings().all()
            runs = {row.run_key: row for row in connection.execute(select(*Run.__table__.columns))}
            assert len(rows) == len(self.runs)
            for key, known in self.runs.items():
                row = runs[key]
                assert (row.state, row.owner, row.attempts, row.killed_workers, row.finished_seq) == (
                    known.state, known.owner, len(known.attempts), known.kills, known.seq,
                )  # fmt: skip
                assert (row.output is not None) == (known.state == "done")
                assert (row.finished_at is not None) == (known.seq is not None)
                attempts = (
                    connection.execute(select(Attempt.state).where(Attempt.run_id == row.id).order_by(Attempt.number)).scalars().all()
                )
                assert attempts == known.attempts
                points = connection.execute(select(LossPoint.step, LossPoint.content_loss).where(LossPoint.run_id == row.id)).all()
                assert dict(map(tuple, points)) == known.curve
                snapshots = connection.execute(select(Snapshot.step).where(Snapshot.run_id == row.id)).scalars().all()
                assert set(snapshots) == known.snapshots and len(snapshots) == len(known.snapshots)
                state, preview = queries.checkpoint(connection, key), queries.preview(connection, key)
                found = (state.step, state_of(self.store.checkpoints, state)) if state else None
                assert (found, preview[0] if preview else None) == (known.saved, known.preview)
            files = list(self.store.checkpoints.glob("*"))
            assert len(files) == sum(run.saved is not None for run in self.runs.values()), files
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            for name, keys in self.sweeps.items():
                assert {result.run_key for result in queries.results(connection, Sweep.name == name)} == keys


TestStoreAgainstModel = StoreAgainstModel.TestCase
TestStoreAgainstModel.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return made_up_workspace(tmp_path / "w", betas=1, unfinished=2, failed=1)


def driving(workspace: Workspace) -> tuple[Store, str]:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    return store, owner


def run_row(store: Store, key: str) -> Any:
    with store.engine.connect() as connection:
        return connection.execute(select(*Run.__table__.columns).where(Run.run_key == key)).one()


def test_a_run_is_claimed_by_priority_and_then_by_age_and_never_twice(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    with store.engine.begin() as connection:
        connection.execute(update(Run).where(Run.run_key == KEYS[4.0]).values(priority=5))
    order = [run.run_key for run in store.claim(owner, 2) + store.claim(owner, 99)]
    assert order == [KEYS[beta] for beta in (4.0, 1.0, 2.0, 3.0, 5.0)]
    assert store.claim(owner, 99) == []


def driving_new(tmp_path: Path) -> tuple[Store, str]:
    store = new_store(tmp_path / "w")
    record_sweep(store, record(), PLANNED.values(), extend=False)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    return store, owner


def test_a_run_that_no_active_sweep_wants_is_left_alone(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    record_sweep(store, record("other"), [PLANNED[2.0]], extend=False)
    with store.engine.begin() as connection:
        steering.pause(connection, steering.sweep_id(connection, "demo"))
    assert [run.run_key for run in store.claim(owner, 99)] == [KEYS[2.0]]


def test_a_claimed_run_carries_the_names_and_weights_of_its_combination(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    assert (run.sweep, run.alpha, run.beta, run.layers, run.attempt) == ("demo", 1.0, 1.0, "gatys", 1)
    assert run.names == {CONTENT.sha256: "c.png", STYLE.sha256: "s.png"}
    assert run_key(run.settings) == run.run_key
    assert run.resources == {"cpus": 1}


def test_a_claimed_run_knows_the_size_of_its_photograph(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    assert {run.content_size for run in store.claim(owner, 9)} == {(64, 96)}  # (height, width)


def test_a_replaced_driver_is_given_no_more_runs(tmp_path: Path) -> None:
    store, old = driving_new(tmp_path)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE driver SET process_started = -1"))
    assert become_driver(store.engine, "new")[0] is not None
    assert store.claim(old, 1) == []


def test_a_late_result_of_a_lost_attempt_is_dropped_and_the_new_ones_is_kept(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    late = store.claim(owner, 1)[0]
    assert store.crashed(owner, crashed(late, "lost")) == "queued"
    again = store.claim(owner, 1)[0]
    assert (again.run_key, again.attempt) == (late.run_key, 2)
    store.progress(owner, [events.Progress(run_key=late.run_key, attempt=1, points=curve(1))])
    assert not store.finished(owner, finished_event(late, 1), curve(1))
    assert not store.diverged(owner, diverged(late))
    assert not store.failed(owner, failed(late))
    assert store.crashed(owner, crashed(late)) is None
    assert run_row(store, late.run_key).state == "running"
    assert store.finished(owner, finished_event(again, 2), curve(2))
    kept = run_row(store, late.run_key)
    assert not store.finished(owner, finished_event(again, 5), curve(5))  # told twice
    assert run_row(store, late.run_key) == kept
    assert store.artifacts.get(kept.output, "png") == picture_bytes(2)


def test_the_third_killed_worker_quarantines_a_run_and_a_lost_node_does_not(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    kinds = ["lost", "crashed", "lost", "crashed", "lost", "lost", "crashed"]
    for number, kind in enumerate(kinds, start=1):
        run = store.claim(owner, 1)[0]
        assert run.attempt == number
        store.started(owner, started(run))
        assert store.crashed(owner, crashed(run, kind)) == ("quarantined" if number == len(kinds) else "queued")
    row = run_row(store, run.run_key)
    assert (row.state, row.killed_workers, row.owner) == ("quarantined", 3, None)
    assert "3 attempts killed their worker; the last: worker died" in row.error
    assert store.claim(owner, 1)[0].run_key != run.run_key


def test_a_worker_that_died_before_it_began_does_not_count_against_the_run(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    for _ in range(5):
        run = store.claim(owner, 1)[0]
        assert store.crashed(owner, crashed(run, "crashed", begun=False)) == "queued"


def test_finished_numbers_rise_and_are_never_given_twice_not_even_after_a_retry(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    runs = store.claim(owner, 3)
    store.finished(owner, finished_event(runs[0], 0))
    store.failed(owner, failed(runs[1]))
    seen = run_row(store, runs[1].run_key).finished_seq
    assert (run_row(store, runs[0].run_key).finished_seq, seen) == (1, 2)
    assert store.retry([runs[1].run_id]) == 1
    store.finished(owner, finished_event(runs[2], 2))
    assert run_row(store, runs[2].run_key).finished_seq > seen  # "new since" must find it


def test_a_curve_holds_finite_points_only_and_a_step_told_twice_once(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    points = curve(1, 5)
    bad = [replace(points[0], step=90 + n, **{name: value}) for n, (name, value) in enumerate(
        (name, value) for name in ("content_loss", "style_loss", "tv_loss") for value in (math.nan, math.inf, -math.inf)
    )]  # fmt: skip
    for _ in range(2):
        store.progress(owner, [events.Progress(run_key=run.run_key, attempt=1, points=(*points, *bad))])
    with store.engine.connect() as connection:
        assert [point["step"] for point in queries.loss_curve(connection, run.run_key)] == [0, 1, 2, 3, 4]
        assert [point["style_loss"] for point in queries.loss_curve(connection, run.run_key)] == [point.style_loss for point in points]


def test_a_new_attempt_begins_with_an_empty_curve_and_no_snapshot(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    store.diverged(owner, diverged(run), curve(1, 9))
    with store.engine.connect() as connection:
        assert len(queries.loss_curve(connection, run.run_key)) == 9
        snapshots = queries.snapshots(connection, run.run_key)
        assert [step for step, _, _ in snapshots] == [7]
        assert connection.execute(select(Image.signature).where(Image.sha256 == snapshots[0][1])).scalar() == b"1far\0"
    store.retry([run.run_id])
    row = run_row(store, run.run_key)
    assert (row.error, row.steps, row.seconds, row.finished_at) == (None, None, None, None)
    again = store.claim(owner, 1)[0]
    assert again.run_key == run.run_key
    with store.engine.connect() as connection:
        assert queries.loss_curve(connection, run.run_key) == []
        assert queries.snapshots(connection, run.run_key) == []


def test_snapshots_of_a_diverged_run_stay_beside_its_last_picture_and_those_of_a_lost_attempt_do_not(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    for step in (20, 3):
        assert store.snapshot(owner, snapshot_event(run, step, step))
    store.crashed(owner, crashed(run))
    again = store.claim(owner, 1)[0]
    assert again.run_key == run.run_key
    assert not store.snapshot(owner, snapshot_event(run, 30, 30))  # late news of the lost attempt
    assert not store.snapshot("somebody else", snapshot_event(again, 30, 30))
    for step, seed in ((1, 1), (5, 5), (5, 6)):  # told twice
        assert store.snapshot(owner, snapshot_event(again, step, seed))
    assert store.diverged(owner, diverged(again, seed=9))
    with store.engine.connect() as connection:
        kept = queries.snapshots(connection, run.run_key)
    expected = [(1, picture_bytes(1)), (5, picture_bytes(6)), (7, picture_bytes(9))]
    assert [(step, store.artifacts.get(image, "png")) for step, image, _ in kept] == expected
    assert all(store.artifacts.get(str(thumbnail), "webp") for _, _, thumbnail in kept)


def test_a_snapshot_s_file_is_there_before_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    monkeypatch.setattr(store.artifacts, "put", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.snapshot(owner, snapshot_event(run, 1, 1))
    with store.engine.connect() as connection:
        assert queries.snapshots(connection, run.run_key) == []


def test_yardsticks_that_are_not_finite_are_not_measured(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    odd = {"balance": math.nan, "content_kept": math.inf, "style_gained": None, "d_content": 0.25, "clipped": 0.5, "sharpness": -math.inf}
    assert store.finished(owner, replace(finished_event(run, 1), yardsticks=odd))
    with store.engine.connect() as connection:
        found = queries.find_result(connection, run.run_key).yardsticks
    assert found == dict.fromkeys(ALL_NAMES) | {"d_content": 0.25, "clipped": 0.5}


def test_what_had_to_be_done_differently_is_noted_with_the_attempt(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    one, other, third = store.claim(owner, 3)
    assert store.finished(owner, replace(finished_event(one, 1), notes=("Memory ran out.", "It was tried again.")))
    assert store.finished(owner, finished_event(other, 2))
    assert store.diverged(owner, replace(diverged(third), notes=("Memory ran out.",)))
    with store.engine.connect() as connection:
        notes = [queries.attempts(connection, run.run_key)[0]["notes"] for run in (one, other, third)]
    assert notes == ["Memory ran out.\nIt was tried again.", None, "Memory ran out."]


def test_a_file_that_cannot_be_written_leaves_the_run_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, owner = driving_new(tmp_path)
    run = store.claim(owner, 1)[0]
    blocked = store.artifacts.folder.parent / "file"
    blocked.write_bytes(b"")
    monkeypatch.setattr(store.artifacts, "folder", blocked / "artifacts")
    with pytest.raises(Exception, match="Not a directory"):
        store.finished(owner, finished_event(run, 1), curve(1))
    row = run_row(store, run.run_key)
    assert (row.state, row.output, row.finished_seq) == ("running", None, None)


BAD = [
    ("run", {"state": "odd", "finished_seq": None}, "ck_run_state"),
    ("run", {"state": "done", "output": None, "finished_seq": 900, "owner": None}, "ck_run_done_has_picture"),
    ("run", {"state": "running", "owner": None, "finished_seq": None}, "ck_run_running_has_owner"),
    ("run", {"state": "queued", "owner": "d-1", "finished_seq": None}, "ck_run_running_has_owner"),
    ("run", {"state": "failed", "finished_seq": None}, "ck_run_finished_has_seq"),
    ("run", {"state": "queued", "finished_seq": 900}, "ck_run_finished_has_seq"),
    ("run", {"output": "0" * 64}, "FOREIGN KEY"),
    ("attempt", {"state": "odd"}, "ck_attempt_state"),
    ("attempt", {"run_id": 900}, "FOREIGN KEY"),
    ("sweep", {"state": "odd"}, "ck_sweep_state"),
    ("combination", {"run_id": 900}, "FOREIGN KEY"),
    ("combination", {"style_sha256": "0" * 64}, "FOREIGN KEY"),
    ("loss_point", {"style_loss": None}, "NOT NULL"),
    ("run", {"run_key": None}, "NOT NULL"),
]


@pytest.mark.parametrize(("table", "values", "what"), BAD)
def test_the_database_itself_refuses_rows_that_break_the_rules(workspace: Workspace, table: str, values: dict[str, Any], what: str) -> None:
    clause = ", ".join(f"{name} = :{name}" for name in values)
    first = "rowid" if table != "loss_point" else "step"
    with pytest.raises(IntegrityError, match=what), workspace.writer().begin() as connection:
        connection.execute(text(f"UPDATE {table} SET {clause} WHERE {first} = (SELECT min({first}) FROM {table})"), values)


def test_the_database_itself_refuses_doubles(workspace: Workspace) -> None:
    with workspace.writer().connect() as connection:
        combination = dict(connection.execute(select(*Combination.__table__.columns).limit(1)).mappings().one()) | {"id": None}
        attempt = dict(connection.execute(select(*Attempt.__table__.columns).limit(1)).mappings().one()) | {"id": None}
        run = dict(connection.execute(select(*Run.__table__.columns).where(Run.state == "done").limit(1)).mappings().one()) | {"id": None}
    doubles = [
        (Combination, combination | {"position": 900}),
        (Combination, combination | {"combination_key": "c1-new"}),
        (Attempt, attempt),
    ]
    doubles += [(Run, run | {"finished_seq": 900}), (Run, run | {"run_key": "r1-new"})]
    for table, row in doubles:
        with pytest.raises(IntegrityError, match="UNIQUE"), workspace.writer().begin() as connection:
            connection.execute(insert(table).values(**row))


def test_a_sweep_recorded_again_adds_nothing_and_runs_nothing(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    for number, run in enumerate(store.claim(owner, 99)):
        store.finished(owner, finished_event(run, number))
    assert record_sweep(store, record(), PLANNED.values(), extend=False) == 0
    assert store.claim(owner, 99) == []


def test_a_new_sweep_shares_what_is_done_and_queues_again_what_failed(tmp_path: Path) -> None:
    store, owner = driving_new(tmp_path)
    runs = store.claim(owner, 99)
    store.finished(owner, finished_event(runs[0], 0))
    store.diverged(owner, diverged(runs[1]))
    store.failed(owner, failed(runs[2]))
    assert record_sweep(store, record("other"), PLANNED.values(), extend=False) == 5
    assert [run_row(store, run.run_key).state for run in runs] == ["done", "diverged", "queued", "running", "running"]


def test_a_rather_different_file_of_the_same_name_is_refused_until_extended(tmp_path: Path) -> None:
    store = new_store(tmp_path / "w")
    record_sweep(store, record(), [PLANNED[1.0], PLANNED[2.0]], extend=False)
    different = [PLANNED[2.0], PLANNED[3.0], PLANNED[4.0]]
    with pytest.raises(InputError, match=r"'demo' is already in this workspace, and only 1 of the 3 .* --extend"):
        record_sweep(store, record(), different, extend=False)
    with store.engine.connect() as connection:
        assert queries.sweep_named(connection, "demo").combinations == 2
    assert record_sweep(store, record(), different[:2], extend=False) == 1  # half of it is known
    assert record_sweep(store, record(), different, extend=True) == 1
    with store.engine.connect() as connection:
        assert [result.position for result in queries.results(connection)] == [0, 1, 2, 3]


def test_input_pictures_are_kept_byte_for_byte_and_once(tmp_path: Path) -> None:
    store = new_store(tmp_path / "w")
    record_inputs(store, [replace(CONTENT, name="another name.png")])
    with store.engine.connect() as connection:
        assert queries.image(connection, CONTENT.sha256)["original_name"] == "c.png"
    assert store.artifacts.get(CONTENT.sha256, "png") == CONTENT.data

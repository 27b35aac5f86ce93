"""Merging workspaces, against a plain dict model; and that nothing of either is ever lost, doubled or set back by it."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from crash.checker import half_written
from factories import GATYS, curve, finished_event, input_picture, made_up_workspace, picture_bytes, plan_of, snapshot_event
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from old_schemas import as_before_schema_0006
from sqlalchemy import text

from db.drivers import become_driver, resign
from db.merge import PREFIX, merge
from db.merge_sweeps import REASON
from db.models import Review, ReviewTag
from db.store import Store
from db.sweeps import SweepRecord, record_inputs, record_sweep
from db.workspace import Workspace, open_workspace
from sweep import events
from sweep.errors import InputError, StorageError

FATES = ("queued", "lost", "running", "done", "diverged", "failed", "cancelled")
PEOPLE = ("ann", "bob")


@dataclass
class Plan:
    """What a workspace is made of: beta -> fate, sweep -> betas, and what was said: (beta, person, field) -> (value, at)."""

    fates: dict[int, str]
    sweeps: dict[str, list[int]]
    said: dict[tuple[int, str, str], tuple[Any, float]] = field(default_factory=dict)
    tags: dict[tuple[int, str, str], tuple[bool, float]] = field(default_factory=dict)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    sweeps = draw(
        st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.integers(1, 7), min_size=1, max_size=5, unique=True), min_size=1)
    )
    betas = sorted({beta for some in sweeps.values() for beta in some})
    fates = {beta: draw(st.sampled_from(FATES)) for beta in betas}
    moment = st.integers(1, 3).map(float)  # so few that some things are said at once
    values = {
        "flag": st.sampled_from(["pick", "reject", None]),
        "stars": st.integers(0, 5),
        "note": st.sampled_from(["", "fine", "grainy"]),
    }
    keys = st.tuples(st.integers(1, 7), st.sampled_from(PEOPLE), st.sampled_from(sorted(values)))
    said = {key: (draw(values[key[2]]), draw(moment)) for key in draw(st.lists(keys, max_size=4, unique=True))}
    tagged = st.tuples(st.integers(1, 7), st.sampled_from(PEOPLE), st.sampled_from(["sky", "print"]))
    tags = draw(st.dictionaries(tagged, st.tuples(st.booleans(), moment), max_size=3))
    return Plan(fates=fates, sweeps=sweeps, said=said, tags=tags)


CONTENT, STYLE = input_picture("harbour.jpg", 1), input_picture("waves.png", 3)
PLANNED = {beta: plan_of([CONTENT], [STYLE], [float(beta)], [GATYS])[0] for beta in range(1, 8)}


def built(empty: Path, folder: Path, plan: Plan, seed: int) -> Workspace:
    """With the real store, as a driver would; `seed` tells its pictures from another workspace's."""
    workspace = open_workspace(Path(shutil.copytree(empty, folder)), create=True)
    store = Store(workspace.writer(), workspace.artifacts)
    record_inputs(store, [CONTENT, STYLE])
    for name, betas in plan.sweeps.items():
        record = SweepRecord(name=name, spec_text=f"of {seed}", spec_path=f"{name}.yaml", search_seed=None, resources={"cpus": 1})
        record_sweep(store, record, [PLANNED[beta] for beta in betas], extend=True)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for run in store.claim(owner, 100):
        beta = round(run.settings.beta / run.settings.alpha)
        fate = plan.fates[beta]
        this = {"run_key": run.run_key, "attempt": run.attempt}
        store.snapshot(owner, snapshot_event(run, 5, 100 * seed + beta))
        store.progress(owner, [events.Progress(points=curve(beta, 5 + seed), **this)])
        if fate == "done":
            store.finished(owner, finished_event(run, 100 * seed + beta), curve(beta, 20 + seed))
        elif fate == "diverged":
            store.diverged(owner, events.Diverged(step=9, seconds=1.0, picture=None, peak_memory=1, **this))  # type: ignore[arg-type]
        elif fate == "failed":
            store.failed(owner, events.Failed(kind="bug", error=f"made up by {seed}", **this))  # type: ignore[arg-type]
        elif fate != "running":
            store.crashed(owner, events.Crashed(kind="lost", error="node lost", started=True, **this))  # type: ignore[arg-type]
    with store.engine.begin() as connection:
        keys = dict(connection.execute(text("SELECT round(beta / alpha), run_key FROM run")).all())
        for beta, fate in plan.fates.items():
            if fate == "cancelled":
                connection.execute(text("UPDATE run SET state = 'cancelled' WHERE run_key = :key"), {"key": keys[beta]})
        say(connection, plan)
    return workspace


def say(connection: Any, plan: Plan) -> None:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for (beta, person, name), (value, at) in plan.said.items():
        rows.setdefault((f"key-{beta}", person), {}).update({name: value, f"{name}_at": at})
    for (key, person), values in rows.items():
        connection.execute(Review.__table__.insert().values(run_key=key, person=person, **values))
    for (beta, person, tag), (present, at) in plan.tags.items():
        connection.execute(ReviewTag.__table__.insert().values(run_key=f"key-{beta}", person=person, tag=tag, present=present, at=at))


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain:
        return plain.execute(query).fetchall()


def dump(workspace: Workspace) -> list[str]:
    with closing(sqlite3.connect(workspace.folder / "sweeps.db")) as plain:
        return list(plain.iterdump())


# ---- the model: plain dicts, merged by the rules as they are told to people


def state_of(workspace: Workspace) -> dict[str, Any]:
    """A workspace as plain dicts."""
    runs = {
        key: {"state": state, "output": output, "error": error}
        for key, state, output, error in rows(workspace, "SELECT run_key, state, output, error FROM run")
    }
    for key, points in rows(workspace, "SELECT run_key, count(step) FROM run LEFT JOIN loss_point ON run_id = id GROUP BY run_key"):
        runs[key]["points"] = points
    for key, images in rows(workspace, "SELECT run_key, group_concat(image) FROM run LEFT JOIN snapshot ON run_id = id GROUP BY run_key"):
        runs[key]["snapshots"] = images
    for run in runs.values():
        run["attempts"] = []
    for key, *attempt in rows(
        workspace, "SELECT run_key, a.owner, a.created_at, a.state FROM attempt a JOIN run ON run.id = run_id ORDER BY number"
    ):
        runs[key]["attempts"].append(tuple(attempt))
    sweeps: dict[str, dict[str, str]] = {name: {} for (name,) in rows(workspace, "SELECT name FROM sweep ORDER BY id")}
    joined = "FROM combination JOIN sweep ON sweep.id = sweep_id JOIN run ON run.id = run_id ORDER BY sweep_id, position"
    for name, combination, key in rows(workspace, f"SELECT name, combination_key, run_key {joined}"):
        sweeps[name][combination] = key
    states = dict(rows(workspace, "SELECT name, state FROM sweep"))
    said = {}
    for key, person, *fields in rows(workspace, "SELECT run_key, person, flag, flag_at, stars, stars_at, note, note_at FROM review"):
        for name, value, at in zip(("flag", "stars", "note"), fields[::2], fields[1::2], strict=True):
            if at is not None:
                said[key, person, name] = (value, at)
    tags = {(key, person, tag): (bool(present), at) for key, person, tag, present, at in rows(workspace, "SELECT * FROM review_tag")}
    return {"runs": runs, "sweeps": sweeps, "states": states, "said": said, "tags": tags}


FURTHER = ["failed", "diverged", "done"]


def merged(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    runs = {key: dict(run) for key, run in ours["runs"].items()}
    for key, their in theirs["runs"].items():
        runs[key] = merged_run(runs.get(key), their)
    sweeps = {name: dict(keys) for name, keys in ours["sweeps"].items()}
    states = dict(ours["states"])
    for name, keys in theirs["sweeps"].items():
        here, number = name, 1
        while here in sweeps and 2 * len(keys.keys() & sweeps[here].keys()) < min(len(keys), len(sweeps[here])):
            number += 1
            here = f"{name} ({number})"
        for key in (key for combination, key in keys.items() if combination not in sweeps.get(here, {})):
            if runs[key]["state"] == "cancelled" and theirs["runs"][key]["state"] in ("queued", "running"):
                runs[key] |= {"state": "queued", "error": None}
        new = here not in sweeps
        sweeps[here] = keys | sweeps.get(here, {}) if new else sweeps[here] | keys
        if new:
            states[here] = "active"
    open_runs = {key for key, run in runs.items() if run["state"] in ("queued", "running")}
    for name, keys in sweeps.items():
        waits = bool(open_runs & set(keys.values()))
        if name not in ours["sweeps"] and waits:
            states[name] = "paused"
        elif states[name] == "paused" and not waits:  # no plan pauses one, so it was a merge
            states[name] = "active"
    said = {key: max(words, key=newest) for key, words in both(ours["said"], theirs["said"]).items()}
    tags = {key: max(words, key=lambda word: (word[1], word[0])) for key, words in both(ours["tags"], theirs["tags"]).items()}
    return {"runs": runs, "sweeps": sweeps, "states": states, "said": said, "tags": tags}


def merged_run(ours: dict[str, Any] | None, theirs: dict[str, Any]) -> dict[str, Any]:
    ended = [attempt for attempt in theirs["attempts"] if attempt[2] != "running"]
    their_rank = FURTHER.index(theirs["state"]) if theirs["state"] in FURTHER else -1
    if ours is None:
        unfinished = theirs["state"] in ("queued", "running")
        nothing = {"state": "queued", "points": 0, "snapshots": None} if unfinished else {}
        return theirs | nothing | {"attempts": ended}
    our_rank = FURTHER.index(ours["state"]) if ours["state"] in FURTHER else -1
    before = ours["attempts"]
    if their_rank > our_rank and (ours["state"] != "running" or theirs["state"] == "done"):
        before = [(*attempt[:2], "cancelled") if attempt[2] == "running" else attempt for attempt in before]
        known = {attempt[:2] for attempt in before}
        return theirs | {"attempts": before + [attempt for attempt in ended if attempt[:2] not in known]}
    if ours["state"] in ("queued", "cancelled"):
        known = {attempt[:2] for attempt in before}
        return ours | {"attempts": before + [attempt for attempt in ended if attempt[:2] not in known]}
    return ours


def both(one: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, list[Any]]:
    return {key: [words[key] for words in (one, other) if key in words] for key in one.keys() | other.keys()}


def newest(word: tuple[Any, float]) -> tuple[Any, ...]:
    value, at = word
    return (at, value is not None, value if value is not None else 0)


# ---- the tests

# Without shrinking: an example takes a tenth of a second, and plans are small from the beginning.
A_WHILE = settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.reuse, Phase.generate]
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty workspace to copy: making its schema takes longer than all that comes into it."""
    return open_workspace(tmp_path_factory.mktemp("empty") / "w", create=True).folder


def sound(workspace: Workspace) -> None:
    assert rows(workspace, "PRAGMA integrity_check") == [("ok",)]
    assert rows(workspace, "PRAGMA foreign_key_check") == []
    files = {path.name for path in workspace.artifacts.folder.glob("*/*")}
    for sha256, form, thumbnail in rows(workspace, "SELECT sha256, format, thumbnail FROM image"):
        assert {f"{sha256}.{form}", f"{thumbnail}.webp"} <= files
    assert half_written(workspace.folder) == []
    assert list(workspace.folder.glob(f"{PREFIX}*")) == []
    numbered = "SELECT run_id, group_concat(number) FROM (SELECT * FROM attempt ORDER BY number) GROUP BY run_id"
    counts = dict(rows(workspace, "SELECT id, attempts FROM run"))
    for run_id, numbers in rows(workspace, numbered):
        assert [int(number) for number in numbers.split(",")] == list(range(1, counts[run_id] + 1))


@A_WHILE
@given(one=plans(), others=st.lists(plans(), min_size=1, max_size=2))
@example(one=Plan({2: "done"}, {"b": [2]}), others=[Plan({7: "lost"}, {"b": [7]}), Plan({3: "done", 7: "diverged"}, {"b": [3, 7]})])
@example(one=Plan({2: "done"}, {"b": [2]}), others=[Plan({7: "lost"}, {"b": [7]}), Plan({7: "done"}, {"a": [7]})])
def test_a_merge_is_that_of_plain_dicts_and_a_second_one_changes_nothing(
    empty: Path, one: Plan, others: list[Plan], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("m")
    ours = built(empty, folder / "ours", one, 1)
    for number, plan in enumerate(others):
        theirs = built(empty, folder / f"theirs{number}", plan, 2 + number)
        untouched = dump(theirs)
        numbers = dict(rows(ours, "SELECT run_key, finished_seq FROM run WHERE finished_seq IS NOT NULL"))
        expected = merged(state_of(ours), state_of(theirs))
        merge(ours, theirs.folder)
        found = state_of(ours)
        for part in expected:
            assert found[part] == expected[part]
        assert dump(theirs) == untouched
        later = dict(rows(ours, "SELECT run_key, finished_seq FROM run WHERE finished_seq IS NOT NULL"))
        fresh = [seq for key, seq in later.items() if numbers.get(key) != seq]
        assert min(fresh, default=1000) > max(numbers.values(), default=0)  # what is new is told as new
        sound(ours)
        once = dump(ours)
        again = merge(ours, theirs.folder)
        assert dump(ours) == once
        assert (again.files, again.results, again.sweeps, again.combinations, again.reviews) == (0, 0, 0, 0, 0)
    shutil.rmtree(folder)


@A_WHILE
@given(one=plans(), other=plans())
def test_both_directions_come_to_the_same_reviews_and_the_same_runs_done(
    empty: Path, one: Plan, other: Plan, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("m")
    here, there = built(empty, folder / "here", one, 1), built(empty, folder / "there", other, 2)
    shutil.copytree(here.folder, folder / "here-before")
    merge(here, there.folder)
    merge(there, folder / "here-before")
    one_way, other_way = state_of(here), state_of(there)
    assert (one_way["said"], one_way["tags"]) == (other_way["said"], other_way["tags"])
    done = [{key for key, run in way["runs"].items() if run["state"] == "done"} for way in (one_way, other_way)]
    assert done[0] == done[1]
    shutil.rmtree(folder)


def test_what_is_merged_finishes_later_than_all_that_was_there_even_after_a_retry(tmp_path: Path) -> None:
    ours = made_up_workspace(tmp_path / "ours", betas=1, failed=2)
    merge(ours, made_up_workspace(tmp_path / "theirs", betas=2, name="theirs", failed=4).folder)
    given_so_far = max(seq for (seq,) in rows(ours, "SELECT finished_seq FROM run WHERE finished_seq IS NOT NULL"))
    store = Store(ours.writer(), ours.artifacts)
    failed = [run_id for (run_id,) in rows(ours, "SELECT id FROM run WHERE state = 'failed'")]
    assert failed and store.retry(failed) == len(failed)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    run = store.claim(owner, 1)[0]
    store.finished(owner, finished_event(run, 1))
    resign(store.engine, owner)
    assert rows(ours, f"SELECT finished_seq > {given_so_far} FROM run WHERE run_key = '{run.run_key}'") == [(1,)]


def test_results_of_an_unfinished_sweep_are_looked_at_and_set_nothing_to_work(tmp_path: Path) -> None:
    theirs = made_up_workspace(tmp_path / "theirs", betas=1, unfinished=2)
    ours = open_workspace(tmp_path / "ours", create=True)
    assert merge(ours, theirs.folder).paused == ("demo",)
    assert rows(ours, "SELECT state, reason FROM sweep") == [("paused", REASON)]
    store = Store(ours.writer(), ours.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None and store.claim(owner, 10) == []
    resign(store.engine, owner)
    finish_all(theirs)
    assert merge(ours, theirs.folder).paused == ()
    assert rows(ours, "SELECT state, reason FROM sweep") == [("active", None)]
    assert rows(ours, "SELECT DISTINCT state FROM run") == [("done",)]


def finish_all(workspace: Workspace) -> None:
    store = Store(workspace.writer(), workspace.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    for number, run in enumerate(store.claim(owner, 100)):
        store.finished(owner, finished_event(run, 500 + number), curve(number))
    resign(store.engine, owner)


def test_a_run_that_runs_here_ends_as_done_when_it_is_done_elsewhere_and_its_late_news_are_dropped(tmp_path: Path) -> None:
    theirs = made_up_workspace(tmp_path / "theirs", betas=1)
    ours = made_up_workspace(tmp_path / "ours", betas=1, unfinished=1)
    store = Store(ours.writer(), ours.artifacts)
    owner, _ = become_driver(store.engine, "test")
    assert owner is not None
    (run,) = store.claim(owner, 1)
    merge(ours, theirs.folder)
    picture = rows(ours, f"SELECT output FROM run WHERE run_key = '{run.run_key}'")
    assert store.finished(owner, finished_event(run, 77)) is False
    assert rows(ours, f"SELECT output FROM run WHERE run_key = '{run.run_key}'") == picture
    assert picture == rows(theirs, f"SELECT output FROM run WHERE run_key = '{run.run_key}'")
    assert rows(ours, "SELECT count(*) FROM attempt WHERE state = 'running'") == [(0,)]
    resign(store.engine, owner)
    sound(ours)


def test_an_older_schema_is_read_from_a_copy_and_stays_as_it_is(tmp_path: Path) -> None:
    theirs = made_up_workspace(tmp_path / "theirs", betas=1)
    with closing(sqlite3.connect(theirs.folder / "sweeps.db")) as plain, plain:
        as_before_schema_0006(plain)
        plain.execute("UPDATE alembic_version SET version_num = '0005'")
    before = (theirs.folder / "sweeps.db").read_bytes()
    ours = open_workspace(tmp_path / "ours", create=True)
    assert merge(ours, theirs.folder).results == 8
    assert (theirs.folder / "sweeps.db").read_bytes() == before
    assert rows(ours, "SELECT count(*) FROM run WHERE state = 'done' AND wanted = 0") == [(8,)]


def test_what_cannot_be_merged_is_refused_with_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    ours = made_up_workspace(tmp_path / "ours", betas=1)
    theirs = made_up_workspace(tmp_path / "theirs", betas=1, name="theirs")
    before = dump(ours)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="there is no workspace in"):
        merge(ours, tmp_path / "none")
    with pytest.raises(InputError, match="is the workspace itself"):
        merge(ours, ours.folder)
    (tmp_path / "none" / "sweeps.db").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        merge(ours, tmp_path / "none")
    (tmp_path / "none" / "sweeps.db").write_bytes(b"These are my notes. " * 500)
    with pytest.raises(StorageError, match=r"none/sweeps\.db: it is not a SQLite database"):
        merge(ours, tmp_path / "none")
    with closing(sqlite3.connect(theirs.folder / "sweeps.db")) as plain, plain:
        plain.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InputError, match=r"theirs/sweeps.db was written by a newer stylesweep"):
        merge(ours, theirs.folder)
    assert dump(ours) == before


def test_signatures_of_pictures_come_along_and_fill_in_where_ours_has_none(tmp_path: Path) -> None:
    theirs = made_up_workspace(tmp_path / "theirs", betas=1)
    shutil.copytree(theirs.folder, tmp_path / "old")
    old, ours = open_workspace(tmp_path / "old", create=False), open_workspace(tmp_path / "ours", create=True)
    with closing(sqlite3.connect(theirs.folder / "sweeps.db")) as plain, plain:
        plain.execute("UPDATE image SET signature = CAST(sha256 AS BLOB) WHERE sha256 > '8'")
    signatures = "SELECT sha256, signature FROM image ORDER BY 1"
    known = rows(theirs, signatures)
    assert 0 < sum(signature is not None for _, signature in known) < len(known)
    for workspace in (old, ours):
        merge(workspace, theirs.folder)
        assert rows(workspace, signatures) == known
    with closing(sqlite3.connect(theirs.folder / "sweeps.db")) as plain, plain:
        plain.execute("UPDATE image SET signature = NULL")
    merge(ours, theirs.folder)
    assert rows(ours, signatures) == known


@pytest.mark.parametrize("damage", ["missing", "other bytes"])
def test_a_damaged_picture_over_there_is_told_and_no_row_comes(tmp_path: Path, damage: str) -> None:
    theirs = made_up_workspace(tmp_path / "theirs", betas=1)
    path = sorted(theirs.artifacts.folder.glob("*/*.png"))[3]
    path.unlink() if damage == "missing" else path.write_bytes(picture_bytes(999))
    ours = open_workspace(tmp_path / "ours", create=True)
    before = dump(ours)
    with pytest.raises(StorageError, match=f"1 files of the other workspace are missing or damaged: .*{path.name}"):
        merge(ours, theirs.folder)
    assert dump(ours) == before


def test_a_picture_that_is_lost_here_comes_back_from_a_workspace_that_has_it(tmp_path: Path) -> None:
    ours = made_up_workspace(tmp_path / "ours", betas=1)
    shutil.copytree(ours.folder, tmp_path / "copy")
    lost = sorted(ours.artifacts.folder.glob("*/*.png"))[2]
    kept = lost.read_bytes()
    lost.unlink()
    merge(ours, tmp_path / "copy")
    assert lost.read_bytes() == kept


def test_a_sweep_of_the_same_name_with_other_combinations_gets_a_name_of_its_own(empty: Path, tmp_path: Path) -> None:
    ours = built(empty, tmp_path / "ours", Plan(fates={1: "done", 2: "done"}, sweeps={"a": [1, 2]}), 1)
    other = built(empty, tmp_path / "other", Plan(fates={5: "done", 6: "done"}, sweeps={"a": [5, 6]}), 2)
    grown = built(empty, tmp_path / "grown", Plan(fates=dict.fromkeys(range(1, 8), "done"), sweeps={"a": [1, 2, 3, 4, 7]}), 3)
    assert merge(ours, other.folder).renamed == (("a", "a (2)"),)
    assert merge(ours, grown.folder).renamed == ()
    assert {name: len(keys) for name, keys in state_of(ours)["sweeps"].items()} == {"a": 5, "a (2)": 2}
    assert rows(ours, "SELECT name, spec_text FROM sweep ORDER BY id") == [("a", "of 3"), ("a (2)", "of 2")]

"""Reviews against a plain dict: whatever order operations come in, and however often, the later word of each field counts."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from factories import made_up_workspace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.merge import merge
from db.models import Review, ReviewTag, Run
from db.review_operations import AHEAD, Operation, Refused, default_person, read_id, read_operation, read_person
from db.reviews import UNSAID, Ack, Said, apply, people, said, said_by_all, tag_counts
from db.workspace import Workspace

NOW = 1000.0
PEOPLE = ("ann", "bob")


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Workspace]:
    """Two of the same runs."""
    one, two = (made_up_workspace(tmp_path_factory.mktemp(name), betas=1) for name in ("one", "two"))
    assert run_keys(one) == run_keys(two)
    return one, two


@pytest.fixture
def workspace(workspaces: tuple[Workspace, Workspace]) -> Iterator[Workspace]:
    empty(workspaces[0])
    yield workspaces[0]
    empty(workspaces[0])


def empty(*them: Workspace) -> None:
    for one in them:
        with one.writer().begin() as connection:
            for table in (Review, ReviewTag):
                connection.execute(table.__table__.delete())  # type: ignore[attr-defined]


def run_keys(workspace: Workspace) -> list[str]:
    with workspace.reader().connect() as connection:
        return list(connection.execute(select(Run.run_key).order_by(Run.run_key)).scalars())


def do(workspace: Workspace, person: str, *operations: Operation, now: float = NOW) -> list[Ack]:
    with workspace.writer().begin() as connection:
        return apply(connection, person, operations, now)


def everything(workspace: Workspace) -> dict[str, list[Any]]:
    with workspace.reader().connect() as connection:
        return {
            table.__tablename__: sorted(tuple(row) for row in connection.execute(select(*table.__table__.columns)))
            for table in (Review, ReviewTag)
        }


def op(run_key: str, field: str, value: Any, at: float = 1.0, **more: Any) -> Operation:
    return Operation(**{"id": "c-1", "run_key": run_key, "field": field, "value": value, "at": at, **more})


# --- the model --------------------------------------------------------------------------------------------------------

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "flag": st.sampled_from(["pick", "reject", None]),
    "stars": st.integers(0, 5),
    "note": st.sampled_from([None, "fine", "grainy", "Über\nalles \U0001f3a8"]),
    "tag": st.sampled_from(["sky", "print", "Sky"]),
}


@st.composite
def spoken(draw: st.DrawFn) -> list[tuple[str, int, str, Any, bool, float]]:
    """(person, number of the run, field, value, present, at); so few moments that some are said at once."""
    one = st.sampled_from(sorted(VALUES)).flatmap(
        lambda field: st.tuples(
            st.sampled_from(PEOPLE), st.integers(0, 2), st.just(field), VALUES[field],
            st.booleans() if field == "tag" else st.just(True), st.integers(1, 4).map(float),
        )
    )  # fmt: skip
    return draw(st.lists(one, max_size=14))


def model(words: Sequence[tuple[str, int, str, Any, bool, float]]) -> dict[tuple[str, int], Said]:
    """Slot -> the greatest word; then what that says."""
    slots: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for person, run, field, value, present, at in words:
        slot = (person, run, field, value if field == "tag" else "")
        what = present if field == "tag" else value
        word = (at, what is not None, what if what is not None else 0)
        slots[slot] = max(slots.get(slot, (0.0, False, 0)), word)
    state: dict[tuple[str, int], dict[str, Any]] = {}
    for (person, run, field, tag), (_, there, what) in sorted(slots.items(), key=lambda one: (one[0][3] or "",)):
        review = state.setdefault((person, run), {"tags": ()})
        if field == "tag":
            review["tags"] += (tag,) if what else ()
        elif there:
            review[field] = what
    return {key: one for key, review in state.items() if (one := Said(**review)) != UNSAID}


def run_all(workspace: Workspace, words: Sequence[tuple[str, int, str, Any, bool, float]], keys: Sequence[str], size: int = 3) -> None:
    for start in range(0, len(words), size):
        for person in PEOPLE:
            mine = [word for word in words[start : start + size] if word[0] == person]
            if mine:
                do(workspace, person, *[op(keys[run], field, value, at, present=present) for _, run, field, value, present, at in mine])


def read_all(workspace: Workspace, keys: Sequence[str]) -> dict[tuple[str, int], Said]:
    with workspace.reader().connect() as connection:
        return {(person, keys.index(key)): one for person in PEOPLE for key, one in said(connection, person).items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=spoken(), data=st.data())
def test_any_order_and_any_repetition_come_to_what_the_model_says(workspace: Workspace, words: Any, data: st.DataObject) -> None:
    empty(workspace)
    keys = run_keys(workspace)
    run_all(workspace, words, keys)
    assert read_all(workspace, keys) == model(words)
    rows = everything(workspace)
    again = data.draw(st.lists(st.sampled_from(words), max_size=8)) if words else []
    run_all(workspace, again, keys, size=2)  # resent, in any order
    assert everything(workspace) == rows
    empty(workspace)
    run_all(workspace, data.draw(st.permutations(words)), keys, size=1)
    assert everything(workspace) == rows


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(here=spoken(), there=spoken())
def test_a_merge_of_what_was_said_in_two_places_is_what_one_place_would_hold(
    workspaces: tuple[Workspace, Workspace], here: Any, there: Any
) -> None:
    one, two = workspaces
    empty(one, two)
    keys = run_keys(one)
    run_all(one, here, keys)
    run_all(two, there, keys)
    merge(one, two.folder)
    assert read_all(one, keys) == model([*here, *there])
    run_all(one, there, keys)  # and operations that come once more, after the merge, change nothing
    assert read_all(one, keys) == model([*here, *there])


# --- applying ---------------------------------------------------------------------------------------------------------


def test_an_unknown_run_is_refused_and_the_others_are_applied(workspace: Workspace) -> None:
    (key, *_) = run_keys(workspace)
    answers = do(workspace, "ann", op("r1-unknown", "flag", "pick", id="a"), op(key, "flag", "pick", id="b"))
    assert [one.id for one in answers] == ["a", "b"]
    assert answers[0].reason == "this workspace has no run r1-unknown"
    assert answers[1] == Ack(id="b")
    with workspace.reader().connect() as connection:
        assert said(connection, "ann") == {key: Said(flag="pick")}


def test_an_older_word_does_not_undo_a_newer_one_and_is_told_so(workspace: Workspace) -> None:
    (key, *_) = run_keys(workspace)
    do(workspace, "ann", op(key, "flag", "reject", at=20))
    assert do(workspace, "ann", op(key, "flag", "pick", at=10)) == [Ack(id="c-1", newer=True, stands="reject")]
    assert do(workspace, "ann", op(key, "flag", "reject", at=15)) == [Ack(id="c-1")]
    assert do(workspace, "bob", op(key, "flag", "pick", at=10)) == [Ack(id="c-1")]
    with workspace.reader().connect() as connection:
        assert said_by_all(connection, key) == {"ann": Said(flag="reject"), "bob": Said(flag="pick")}


def test_a_word_from_a_clock_that_was_ahead_can_be_outdone(workspace: Workspace) -> None:
    """It may come by a merge. Sent twice, the answer to it is the same."""
    (key, *_) = run_keys(workspace)
    do(workspace, "ann", op(key, "flag", "reject", at=NOW + 3600), op(key, "tag", "sky", at=NOW + 3600))
    for _ in range(2):
        assert do(workspace, "ann", op(key, "flag", "pick", at=NOW), op(key, "tag", "sky", at=NOW, present=False)) == [Ack(id="c-1")] * 2
        with workspace.reader().connect() as connection:
            assert said(connection, "ann") == {key: Said(flag="pick")}
    rows = everything(workspace)
    do(workspace, "ann", op(key, "flag", "pick", at=NOW))
    assert everything(workspace) == rows


def test_more_runs_than_fit_one_statement(workspace: Workspace) -> None:
    keys = run_keys(workspace)
    many = [op(f"r1-{number:040x}", "stars", 3, id=f"c-{number}") for number in range(1200)]
    answers = do(workspace, "ann", *many, *[op(key, "stars", 4) for key in keys])
    assert sum(one.reason is not None for one in answers) == 1200
    with workspace.reader().connect() as connection:
        assert said(connection, "ann", [*keys, *(one.run_key for one in many)]) == {key: Said(stars=4) for key in keys}


# --- reading ----------------------------------------------------------------------------------------------------------


def test_tags_are_counted_without_those_that_were_taken_away(workspace: Workspace) -> None:
    one, two, *_ = run_keys(workspace)
    do(workspace, "ann", op(one, "tag", "sky"), op(two, "tag", "sky"), op(one, "tag", "print"), op(two, "tag", "print", present=False))
    do(workspace, "bob", op(one, "tag", "sky"), op(one, "tag", "bold"))
    with workspace.reader().connect() as connection:
        assert list(tag_counts(connection).items()) == [("sky", 2), ("bold", 1), ("print", 1)]
        assert tag_counts(connection, "ann") == {"sky": 2, "print": 1}
        assert said(connection, "ann", [two, "r1-other"]) == {two: Said(tags=("sky",))}
        assert people(connection) == ["ann", "bob"]


def test_what_was_taken_back_is_no_review(workspace: Workspace) -> None:
    (key, *_) = run_keys(workspace)
    do(workspace, "ann", op(key, "flag", "pick", at=1), op(key, "tag", "sky", at=1))
    do(workspace, "ann", op(key, "flag", None, at=2), op(key, "tag", "sky", at=2, present=False))
    with workspace.reader().connect() as connection:
        assert said(connection, "ann") == {}
        assert said_by_all(connection, key) == {}


def test_judged_is_what_has_a_flag_or_stars() -> None:
    assert Said(flag="reject").judged and Said(stars=1).judged
    assert not Said(note="hm", tags=("sky",)).judged and not UNSAID.judged


# --- what strangers write ---------------------------------------------------------------------------------------------

RAW = {"id": "c-1", "run": "r1-0", "field": "flag", "value": "pick", "at": 12.5}


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({}, "pick"),
        ({"value": None}, None),
        ({"field": "stars", "value": 0}, 0),
        ({"field": "note", "value": "  two\r\nlines\t"}, "two\nlines"),
        ({"field": "note", "value": " "}, None),
        ({"field": "tag", "value": "  big   sky "}, "big sky"),
    ],
)
def test_an_operation_is_read(change: dict[str, Any], value: Any) -> None:
    assert read_operation(RAW | change, NOW) == Operation(
        id="c-1", run_key="r1-0", field=change.get("field", "flag"), value=value, at=12.5
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "id is a line"),
        ({"id": "x" * 101}, "id is a line"),
        ({"run": 7}, "run is a line"),
        ({"run": "r" * 65}, "run is a line"),
        ({"run": "r1\x00"}, "run is a line"),
        ({"field": "vote"}, "field is one of flag, stars, note, tag"),
        ({"field": ["flag"]}, "field is one of"),
        ({"value": "maybe"}, "a flag is"),
        ({"value": ["pick"]}, "a flag is"),
        ({"field": "stars", "value": 6}, "stars are"),
        ({"field": "stars", "value": -1}, "stars are"),
        ({"field": "stars", "value": True}, "stars are"),
        ({"field": "stars", "value": 2.0}, "stars are"),
        ({"field": "note", "value": None}, "a note is"),
        ({"field": "note", "value": "x" * 4001}, "a note is"),
        ({"field": "note", "value": "a\x00b"}, "a note holds no control"),
        ({"field": "note", "value": "a\ud800b"}, "a note holds no control"),
        ({"field": "tag", "value": ""}, "a tag is"),
        ({"field": "tag", "value": "x" * 101}, "a tag is"),
        ({"field": "tag", "value": "\ud800"}, "a tag is"),
        ({"field": "tag", "value": "sky", "present": 1}, "present is"),
        ({"present": False}, "present is"),
        ({"at": "now"}, "at is a time"),
        ({"at": float("nan")}, "at is a time"),
        ({"at": -1}, "at is a time"),
        ({"at": 1e300}, "at is a time"),
        ({"at": 10**400}, "at is a time"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_operation(RAW | change, NOW)


@pytest.mark.parametrize("raw", [None, 3, "pick", [], [RAW]])
def test_an_operation_is_an_object(raw: object) -> None:
    with pytest.raises(Refused, match="object"):
        read_operation(raw, NOW)
    assert read_id(raw) == ""


def test_a_time_is_set_right_by_how_far_the_other_clock_is_off() -> None:
    assert read_operation(RAW | {"at": 4000.0}, NOW, ahead=3600.0).at == 400.0
    assert read_operation(RAW | {"at": NOW + AHEAD}, NOW).at == NOW + AHEAD
    assert read_operation(RAW | {"at": NOW + AHEAD + 1}, NOW).at == NOW
    assert read_operation({**RAW, "at": None}, NOW).at == NOW
    assert read_id(RAW | {"value": "maybe"}) == "c-1"


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "x" * 201, None, 3])
def test_a_person_is_a_line_of_text(name: object) -> None:
    with pytest.raises(Refused, match="a person is"):
        read_person(name)


def test_who_reviews_is_the_variable_or_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLESWEEP_PERSON", "  Ann  Lee ")
    assert default_person() == "Ann Lee"
    monkeypatch.setenv("STYLESWEEP_PERSON", " ")
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    assert default_person() == "bob"
    monkeypatch.setattr("getpass.getuser", lambda: "")
    assert default_person() == "somebody"


def test_a_review_is_one_row_whose_other_fields_stay(workspace: Workspace) -> None:
    (key, *_) = run_keys(workspace)
    do(workspace, "ann", op(key, "flag", "pick"), op(key, "stars", 3), op(key, "note", "fine"))
    do(workspace, "ann", op(key, "stars", 4, at=2))
    assert everything(workspace)["review"] == [(key, "ann", "pick", 1.0, 4, 2.0, "fine", 1.0)]

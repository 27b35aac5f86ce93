"""The route that takes reviews, called as the server calls it."""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from factories import made_up_workspace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.applications import Starlette

import gallery.review_route as review_route
from db.models import Review, ReviewTag, Run
from db.reviews import Said, said
from db.workspace import Workspace
from gallery.review_route import MAX_BODY, REVIEW_URL, review_routes

HEADERS = {"content-type": "application/json", "x-stylesweep": "1"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return made_up_workspace(tmp_path_factory.mktemp("reviewed"), betas=1)


@pytest.fixture
def workspace(shared: Workspace) -> Iterator[Workspace]:
    yield shared
    with shared.writer().begin() as connection:
        for table in (Review, ReviewTag):
            connection.execute(table.__table__.delete())  # type: ignore[attr-defined]


def run_keys(workspace: Workspace) -> list[str]:
    with workspace.reader().connect() as connection:
        return list(connection.execute(select(Run.run_key).order_by(Run.run_key)).scalars())


def send(folder: Path, body: Any, *, method: str = "POST", headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=review_routes(folder)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8501") as client:
            return await client.request(method, REVIEW_URL, content=content, headers=HEADERS if headers is None else headers)

    return asyncio.run(ask())


def pick(run: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": f"c-{number}", "run": run, "field": "flag", "value": "pick", **more}


def reviews(workspace: Workspace, person: str = "ann") -> dict[str, Said]:
    with workspace.reader().connect() as connection:
        return said(connection, person)


def test_operations_are_written_and_acknowledged(workspace: Workspace) -> None:
    one, two, *_ = run_keys(workspace)
    ops = [
        pick(one),
        {"id": "c-2", "run": one, "field": "stars", "value": 4},
        {"id": "c-3", "run": two, "field": "tag", "value": "big sky"},
        {"id": "c-4", "run": two, "field": "note", "value": "<b>&"},
    ]
    before = time.time()
    for _ in range(2):
        answer = send(workspace.folder, {"person": "ann", "ops": ops})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        told = answer.json()
        assert before <= told["now"] <= time.time()
        assert told["acks"] == [{"id": f"c-{number}", "ok": True, "newer": False} for number in (1, 2, 3, 4)]
        assert reviews(workspace) == {one: Said(flag="pick", stars=4), two: Said(note="<b>&", tags=("big sky",))}


def test_some_are_refused_with_their_reasons_and_the_rest_is_written(workspace: Workspace) -> None:
    (one, *_) = run_keys(workspace)
    ops = [pick("r1-none", 1), pick(one, 2), {**pick(one, 3), "value": "maybe"}, 7]
    answer = send(workspace.folder, {"person": "ann", "ops": ops})
    assert answer.status_code == 409
    acks = {ack["id"]: ack for ack in answer.json()["acks"]}
    assert acks["c-1"]["reason"] == "this workspace has no run r1-none"
    assert acks["c-2"] == {"id": "c-2", "ok": True, "newer": False}
    assert acks["c-3"]["reason"] == "a flag is pick, reject or null"
    assert acks[""]["reason"] == "an operation is an object"
    assert reviews(workspace) == {one: Said(flag="pick")}


def test_a_later_word_stands_and_the_answer_says_so(workspace: Workspace) -> None:
    (one, *_) = run_keys(workspace)
    now = time.time()
    send(workspace.folder, {"person": "ann", "ops": [pick(one, at=now)]})
    late = {"person": "ann", "ops": [{**pick(one, 2), "value": "reject", "at": now - 60}]}
    assert send(workspace.folder, late).json()["acks"] == [{"id": "c-2", "ok": True, "newer": True, "stands": "pick"}]
    assert reviews(workspace) == {one: Said(flag="pick")}
    # The same from a client whose clock is two hours behind: it was said a minute from now by that clock's own measure.
    slow = {"person": "ann", "now": now - 7200, "ops": [{**pick(one, 3), "value": "reject", "at": now - 7200 + 1}]}
    assert send(workspace.folder, slow).json()["acks"] == [{"id": "c-3", "ok": True, "newer": False}]
    assert reviews(workspace) == {one: Said(flag="reject")}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"person": "ann"}',
        b'{"person": "ann", "ops": {}}',
        b'{"person": "", "ops": []}',
        b'{"person": "a\\u0000", "ops": []}',
        b'{"person": "\\ud800", "ops": []}',
        b'{"person": 3, "ops": []}',
        json.dumps({"person": "ann", "ops": [pick("r1")] * 501}).encode(),
        b" " * (MAX_BODY + 1),
    ],
)
def test_what_cannot_be_read_is_answered_so(workspace: Workspace, body: bytes) -> None:
    answer = send(workspace.folder, body)
    assert answer.status_code == 400
    assert answer.json()["reason"]
    assert answer.json()["acks"] == []


def test_numbers_beyond_all_bounds_are_no_trouble(workspace: Workspace) -> None:
    (one, *_) = run_keys(workspace)
    for clock in (10**400, -1, True, "now", None):
        answer = send(workspace.folder, {"person": "ann", "now": clock, "ops": [pick(one, at=10**400)]})
        assert answer.status_code == 409
    assert send(workspace.folder, b'{"person": "ann", "now": NaN, "ops": []}').status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json"},
        {"x-stylesweep": "1"},
        {"x-stylesweep": "1", "content-type": "text/plain"},
        {"x-stylesweep": "0", "content-type": "application/json"},
        HEADERS | {"host": "evil.example"},
        HEADERS | {"host": "evil.example:8501"},
        HEADERS | {"host": "[::1"},
        HEADERS | {"host": ""},
        HEADERS | {"origin": "http://evil.example"},
        HEADERS | {"origin": "http://127.0.0.1:9999"},
        HEADERS | {"origin": "null"},
        HEADERS | {"sec-fetch-site": "cross-site"},
        HEADERS | {"sec-fetch-site": "same-site"},
    ],
)
def test_only_pages_of_this_server_write(workspace: Workspace, headers: dict[str, str]) -> None:
    (one, *_) = run_keys(workspace)
    answer = send(workspace.folder, {"person": "ann", "ops": [pick(one)]}, headers=headers)
    assert answer.status_code == 403
    assert reviews(workspace) == {}


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "localhost"])
def test_pages_of_this_server_are_told_by_their_origin(workspace: Workspace, host: str) -> None:
    (one, *_) = run_keys(workspace)
    headers = HEADERS | {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    headers["content-type"] = "application/json; charset=utf-8"
    assert send(workspace.folder, {"person": "ann", "ops": [pick(one)]}, headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nothing_else_is_done_there(workspace: Workspace, method: str) -> None:
    assert send(workspace.folder, b"", method=method).status_code == 405


def test_without_a_workspace_nothing_is_made(tmp_path: Path) -> None:
    answer = send(tmp_path / "none", {"person": "ann", "ops": [pick("r1")]})
    assert answer.status_code == 404
    assert not (tmp_path / "none").exists()


def test_a_locked_workspace_is_busy_and_takes_it_when_it_is_free(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_route, "PATIENCE_MS", 100)
    (one, *_) = run_keys(workspace)
    asked = {"person": "ann", "ops": [pick(one)]}
    lock = sqlite3.connect(workspace.folder / "sweeps.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    answer = send(workspace.folder, asked)
    assert time.monotonic() - began < 5
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["reason"] == "another program is writing to the workspace"
    assert answer.json()["acks"] == []
    monkeypatch.setattr(review_route, "PATIENCE_MS", 5000)
    timer = threading.Timer(0.3, lock.rollback)
    timer.start()
    assert send(workspace.folder, asked).status_code == 200  # it waited
    timer.join()
    lock.close()
    assert reviews(workspace) == {one: Said(flag="pick")}


def test_a_database_of_another_program_is_said_to_be_none_of_ours(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "sweeps.db")) as other:
        other.executescript("CREATE TABLE other (id INTEGER)")
    answer = send(tmp_path, {"person": "ann", "ops": [pick("r1")]})
    assert answer.status_code == 503
    assert "no such table" in answer.json()["reason"]


def test_many_clients_at_once_lose_nothing(workspace: Workspace) -> None:
    keys = run_keys(workspace)

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=Starlette(routes=review_routes(workspace.folder)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8501", headers=HEADERS, timeout=60) as client:
            asked = [
                {"person": f"p{n % 4}", "ops": [{**pick(keys[n % len(keys)], n), "field": "tag", "value": f"t{n}"}]} for n in range(40)
            ]
            return list(await asyncio.gather(*[client.post(REVIEW_URL, json=one) for one in asked]))

    assert {answer.status_code for answer in asyncio.run(all_of_them())} == {200}
    with workspace.reader().connect() as connection:
        tags = connection.execute(select(ReviewTag.tag)).scalars().all()
    assert sorted(tags) == sorted(f"t{n}" for n in range(40))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "run", "field", "value", "at", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ops=st.lists(ANYTHING, max_size=4), person=ANYTHING, clock=ANYTHING)
def test_whatever_comes_is_answered(workspace: Workspace, ops: list[Any], person: Any, clock: Any) -> None:
    answer = send(workspace.folder, {"person": person, "now": clock, "ops": ops})
    assert answer.status_code in (200, 400, 409)
    assert len(answer.json()["acks"]) in (0, len(ops))

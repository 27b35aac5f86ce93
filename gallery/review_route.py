"""POST /app/static/review: what components send of reviews, written at once, outside Streamlit's reruns.

Asked: {"person": "ann", "now": <the client's clock, seconds>, "ops": [{"id", "run", "field", "value", "present"?, "at"?}, ...]}.
Told: {"now": <ours>, "acks": [{"id", "ok": true, "newer": bool, "stands"?} or {"id", "ok": false, "reason"}], "reason"?}, with status

    200  all were taken; `newer`: the person has said something else later, elsewhere, which stands
    409  some were refused, each with its reason; the others were taken
    400  nothing of it can be read        403  it does not come from a page of ours        404  there is no workspace
    503  nothing was written, the workspace is busy or its disk full: to be sent again, as often as it takes

db/reviews.py makes the same of operations that come twice or in another order, so a client may always send again.
"""

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from db.engine import open_engine, storage_errors
from db.review_operations import AHEAD, Operation, Refused, read_id, read_operation, read_person
from db.reviews import Ack, apply
from db.workspace import sqlite_url
from sweep.errors import StylesweepError, WorkspaceBusy

REVIEW_URL = "/app/static/review"
HEADER = "x-stylesweep"
"""A page of another site cannot set it without asking first, and is then refused."""
MAX_BODY = 512 * 1024
MAX_OPERATIONS = 500
PATIENCE_MS = 1500
"""How long one request waits for a locked database; the client then sends it again."""
LOOPBACK = ("localhost", "127.0.0.1")


class Turned(Exception):
    """A request that is answered without a look at the database."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def review_routes(folder: Path, hosts: Collection[str] = LOOPBACK) -> list[Route]:
    """The route for one workspace, which need not exist yet. hosts: the names that this server is called by; none for any."""
    return [Route(REVIEW_URL, Reviewing(folder, hosts).post, methods=["POST"])]


class Reviewing:
    """The endpoint, with a writing connection of its own for each request."""

    def __init__(self, folder: Path, hosts: Collection[str]) -> None:
        self.database = folder / "sweeps.db"
        self.hosts = frozenset(hosts)
        self.engine: Engine = open_engine(sqlite_url(self.database), patience_ms=PATIENCE_MS)

    async def post(self, request: Request) -> JSONResponse:
        """Read the body here, write in a thread: a locked database then holds up no page."""
        arrived = time.time()
        try:
            guard(request, self.hosts)
            body = await _body(request)
            person, operations, acks = read_request(body, arrived)
            return await run_in_threadpool(self._write, person, operations, acks)
        except Turned as turned:
            return _answer(turned.status, [], turned.reason)

    def _write(self, person: str, operations: list[Operation], refused: list[Ack]) -> JSONResponse:
        if not self.database.is_file():  # connecting would create it
            return _answer(404, [], "there is no workspace")
        try:
            with storage_errors(str(self.engine.url)), self.engine.begin() as connection:
                acks = apply(connection, person, operations, time.time()) if operations else []
        except WorkspaceBusy:
            return _answer(503, [], "another program is writing to the workspace")
        except StylesweepError as error:
            return _answer(503, [], str(error))
        except DBAPIError as error:
            return _answer(503, [], f"the workspace could not be written ({error.orig})")
        acks += refused
        return _answer(200 if all(ack.reason is None for ack in acks) else 409, acks)


def guard(request: Request, hosts: Collection[str]) -> None:
    """Only pages of this server write, under a name that it goes by.

    Raises:
        Turned: somebody else's page, or a name that a stranger's DNS made up.
    """
    host = request.headers.get("host", "")
    if hosts and _hostname(f"//{host}") not in hosts:
        raise Turned(403, "this server does not go by that name")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise Turned(403, "reviews are taken from this server's own pages only")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Turned(403, "reviews are taken from this server's own pages only")
    if request.headers.get(HEADER) != "1" or request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Turned(403, "reviews are taken as application/json with the header X-Stylesweep: 1")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


async def _body(request: Request) -> bytes:
    """Raises Turned for one that is too large, without reading on."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise Turned(400, f"more than {MAX_BODY // 1024} kB at once")
    except ClientDisconnect as error:
        raise Turned(400, "the request broke off") from error
    return bytes(body)


def read_request(body: bytes, now: float) -> tuple[str, list[Operation], list[Ack]]:
    """Who, what they say, and answers to what is refused already.

    Raises:
        Turned: it is no such request at all.
    """
    try:
        asked = json.loads(body)
        if not isinstance(asked, dict) or not isinstance(asked.get("ops"), list):
            raise Turned(400, 'a request is {"person": ..., "ops": [...]}')
        person = read_person(asked.get("person"))
    except Refused as error:
        raise Turned(400, str(error)) from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or nested without end
        raise Turned(400, "this is no JSON") from error
    if len(asked["ops"]) > MAX_OPERATIONS:
        raise Turned(400, f"more than {MAX_OPERATIONS} operations at once")
    ahead = _ahead(asked.get("now"), now)
    operations: list[Operation] = []
    refused: list[Ack] = []
    for raw in asked["ops"]:
        try:
            operations.append(read_operation(raw, now, ahead))
        except Refused as error:
            refused.append(Ack(id=read_id(raw), reason=str(error)))
    return person, operations, refused


def _ahead(clock: object, now: float) -> float:
    """By how much the client's clock is ahead; 0 for what the way here explains."""
    if not isinstance(clock, int | float) or isinstance(clock, bool) or not 0 < clock < 1e12:
        return 0.0
    return clock - now if abs(clock - now) > AHEAD else 0.0


def _answer(status: int, acks: list[Ack], reason: str = "") -> JSONResponse:
    content: dict[str, Any] = {"now": time.time(), "acks": [_told(ack) for ack in acks]}
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse(content | ({"reason": reason} if reason else {}), status, headers)


def _told(ack: Ack) -> dict[str, Any]:
    if ack.reason is not None:
        return {"id": ack.id, "ok": False, "reason": ack.reason}
    return {"id": ack.id, "ok": True, "newer": ack.newer} | ({"stands": ack.stands} if ack.newer else {})

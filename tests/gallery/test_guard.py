"""The guard before the gallery, called as a server calls it: over HTTP and over the WebSocket."""

import asyncio
import contextlib
import re
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from typer.testing import CliRunner

from gallery.guard import Access, Guard, chosen_access
from sweep.errors import InputError

TOKEN = "a-token-for-tests-0123456789"
PATHS = ["/", "/gallery?sweep=demo", "/app/static/t/00.webp", "/app/static/review", "/_stcore/health", "/_stcore/host-config", "/nowhere"]


async def _page(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"here: {request.url.path}")


async def _stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("here")
    await socket.close()


def guarded(access: Access) -> Starlette:
    routes = [Route("/{path:path}", _page, methods=["GET", "POST"]), WebSocketRoute("/_stcore/stream", _stream)]
    return Starlette(routes=routes, middleware=[Middleware(Guard, access=access)])


def ask(access: Access, *urls: str, method: str = "GET", base: str = "http://127.0.0.1:8501", **headers: str) -> list[httpx.Response]:
    """The answers to several requests of one browser, which keeps its cookies."""

    async def asking() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=guarded(access))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return [await client.request(method, url, headers=named) for url in urls]

    return asyncio.run(asking())


def connect(access: Access, **headers: str) -> list[Message]:
    """What the server says to a WebSocket that wants to be opened."""
    said: list[Message] = []
    given = {"host": "127.0.0.1:8501"} | headers
    scope: dict[str, Any] = {
        "type": "websocket", "path": "/_stcore/stream", "raw_path": b"/_stcore/stream", "query_string": b"", "scheme": "ws",
        "root_path": "", "subprotocols": [], "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        said.append(message)

    asyncio.run(guarded(access)(scope, receive, send))
    return said


def opens(said: list[Message]) -> bool:
    return said[0]["type"] == "websocket.accept"


def cookie_of(access: Access) -> str:
    (answer,) = ask(access, f"/?token={access.token}")
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.mark.parametrize("path", PATHS)
def test_without_a_token_this_machine_is_let_in(path: str) -> None:
    (answer,) = ask(Access(), path)
    assert (answer.status_code, answer.text) == (200, f"here: {path.partition('?')[0]}")


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1", "127.0.0.1:1", "LOCALHOST:8501", "localhost."])
def test_this_machine_has_two_names_whatever_the_port(host: str) -> None:
    assert ask(Access(), "/", host=host)[0].status_code == 200
    assert opens(connect(Access(), host=host))


FOREIGN = [
    "evil.example",
    "evil.example:8501",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "",
    "a b",
    "[::1",
    "127.0.0.1:x",
    "0.0.0.0",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_is_refused_for_pages_pictures_and_the_websocket(host: str) -> None:
    for access in (Access(), Access(token=TOKEN)):
        for answer in ask(access, *PATHS, host=host):
            assert answer.status_code == 403
            assert "here" not in answer.text.split(":")
            assert answer.headers["cache-control"] == "no-store"
        assert connect(access, host=host, cookie=cookie_of(access) if access.token else "") == [
            {"type": "websocket.close", "code": 1008, "reason": ""}
        ]


def test_two_host_headers_are_none() -> None:
    said: list[Message] = []
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "scheme": "http", "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"host", b"evil.example")],
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        said.append(message)

    asyncio.run(guarded(Access())(scope, receive, send))
    assert said[0]["status"] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000", "null", "http://127.0.0.1:8502", "http://127.0.0.1"])
def test_a_page_of_another_site_or_port_may_not_ask(origin: str) -> None:
    assert ask(Access(), "/app/static/review", method="POST", origin=origin)[0].status_code == 403
    assert not opens(connect(Access(), origin=origin))
    with_token = Access(token=TOKEN)
    assert not opens(connect(with_token, origin=origin, cookie=cookie_of(with_token)))


def test_our_own_pages_may_ask() -> None:
    assert ask(Access(), "/app/static/review", method="POST", origin="http://127.0.0.1:8501")[0].status_code == 200
    assert opens(connect(Access(), origin="http://127.0.0.1:8501"))
    assert opens(connect(Access(), host="localhost:9000", origin="http://localhost:9000"))  # through a tunnel from another port


@pytest.mark.parametrize("path", PATHS)
def test_with_a_token_nobody_is_let_in_without_it(path: str) -> None:
    for url in (path, f"{path}{'&' if '?' in path else '?'}token={TOKEN[:-1]}", f"{path}{'&' if '?' in path else '?'}token="):
        (answer,) = ask(Access(token=TOKEN), url)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "here" not in answer.text.split(":")
        assert answer.headers["cache-control"] == "no-store"


def test_the_websocket_wants_the_cookie() -> None:
    access = Access(token=TOKEN)
    right = cookie_of(access)
    name, value = right.split("=")
    assert opens(connect(access, cookie=right))
    assert opens(connect(access, cookie=f"other=1; {right}", origin="http://127.0.0.1:8501"))
    for wrong in ("", f"{name}=", f"{name}={value[:-1]}", f"{name}={value}0", f"{name}={TOKEN}", f"x{right}", f"{name}=\u00e9"):
        assert not opens(connect(access, cookie=wrong)), wrong


@pytest.mark.parametrize("gone", [True, False])
def test_a_browser_that_goes_in_the_middle_of_an_answer_is_no_error_but_another_failure_is(gone: bool) -> None:
    async def streamlit(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(OSError):
            await send({"type": "websocket.send", "bytes": b"a delta"})
        raise RuntimeError('Cannot call "send" once a close message has been sent.')

    async def send(_: Message) -> None:
        if gone:
            raise ConnectionResetError

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "headers": [(b"host", b"127.0.0.1:8501")]}
    with contextlib.nullcontext() if gone else pytest.raises(RuntimeError):
        asyncio.run(Guard(streamlit, Access())(scope, receive, send))


def test_the_token_is_taken_out_of_the_address_and_kept_as_a_cookie() -> None:
    access = Access(token=TOKEN)
    first, second, picture = ask(access, f"/gallery?sweep=a+b&token={TOKEN}&beta=1&beta=10", "/gallery?sweep=a+b", "/app/static/t/00.webp")
    assert first.status_code == 303
    assert first.headers["location"] == "/gallery?sweep=a+b&beta=1&beta=10"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert TOKEN not in cookie
    assert first.headers["cache-control"] == "no-store"
    assert (second.status_code, picture.status_code) == (200, 200)


def test_a_token_that_is_given_again_is_taken_out_again() -> None:
    answers = ask(Access(token=TOKEN), f"/?token={TOKEN}", f"/?token={TOKEN}", "/run?id=1&token=old")
    assert [answer.headers["location"] for answer in answers] == ["/", "/", "/run?id=1"]


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "///evil.example"])
def test_the_way_on_never_leads_to_another_host(path: str) -> None:
    answer = ask(Access(token=TOKEN), f"http://127.0.0.1:8501{path}?token={TOKEN}")[0]
    assert answer.status_code == 303
    assert re.match(r"/[^/\\]", answer.headers["location"])


def test_a_token_opens_no_other_gallery() -> None:
    one, other = Access(token=TOKEN), Access(token=TOKEN + "x")
    assert cookie_of(one).split("=")[0] != cookie_of(other).split("=")[0]
    assert not opens(connect(other, cookie=cookie_of(one)))


def test_the_page_that_asks_for_the_token_goes_on_where_the_address_led_and_shows_names_as_text() -> None:
    (answer,) = ask(Access(token=TOKEN), "/gallery?sweep=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&p=2", accept="text/html,*/*")
    assert answer.status_code == 401
    assert "<script" not in answer.text
    assert '<input type="hidden" name="p" value="2">' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    (wrong,) = ask(Access(token=TOKEN), "/?token=wrong", accept="text/html")
    assert "not its token" in wrong.text
    assert "wrong" not in wrong.text.replace("not its token", "")


def test_who_follows_a_link_from_another_site_is_asked_again_from_here() -> None:
    headers = {"sec_fetch_mode": "navigate", "sec_fetch_site": "cross-site", "accept": "text/html"}
    (answer,) = ask(Access(token=TOKEN), "/gallery?sweep=demo", **headers)
    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    (here,) = ask(Access(token=TOKEN), "/gallery?sweep=demo", **headers | {"sec_fetch_site": "same-origin"})
    assert here.status_code == 401
    (picture,) = ask(Access(token=TOKEN), "/app/static/t/00.webp", **headers | {"sec_fetch_mode": "no-cors"})
    assert picture.status_code == 401


def test_no_other_page_may_frame_or_embed_what_is_answered() -> None:
    for access in (Access(), Access(token=TOKEN)):
        (answer,) = ask(access, "/")
        assert "frame-ancestors" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "head.example", "10.0.0.1"])
def test_beyond_this_machine_a_token_is_needed(host: str) -> None:
    with pytest.raises(InputError, match=r"--host .* needs a token: add --new-token, or set STYLESWEEP_TOKEN"):
        Access(host=host)
    assert Access(host=host, token=TOKEN).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_on_this_machine_none_is(host: str) -> None:
    assert Access(host=host).url(8501) == f"http://{'[::1]' if host == '::1' else host}:8501"


@pytest.mark.parametrize("token", ["", "short", "x" * 201, "with a space and more", "a" * 20 + "&", "a" * 20 + "\n", "\u00e9" * 20])
def test_a_token_that_is_weak_or_fits_into_no_address_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="16 to 200 letters"):
        Access(token=token)


def test_the_printed_address_carries_the_token_and_nothing_else_shows_it() -> None:
    access = Access(token=TOKEN)
    assert access.url(8501) == f"http://127.0.0.1:8501/?token={TOKEN}"
    assert TOKEN not in repr(access)
    assert re.fullmatch(rf"http://[^/:]+:8501/\?token={TOKEN}", Access(host="0.0.0.0", token=TOKEN).url(8501))


def test_a_server_on_every_address_answers_to_every_name_but_wants_the_cookie() -> None:
    access = Access(host="0.0.0.0", token=TOKEN)
    assert ask(access, "/", host="head.example:8501")[0].status_code == 401
    assert opens(connect(access, host="head.example:8501", origin="http://head.example:8501", cookie=cookie_of(access)))
    named = Access(host="192.168.1.5", token=TOKEN)
    assert ask(named, "/", host="192.168.1.5:8501")[0].status_code == 401
    assert ask(named, "/", host="evil.example")[0].status_code == 403


def test_the_token_is_the_environments_or_a_new_one_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_access("127.0.0.1", new_token=False).token is None
    monkeypatch.setenv("STYLESWEEP_TOKEN", TOKEN)
    assert chosen_access("127.0.0.1", new_token=False).token == TOKEN
    assert chosen_access("127.0.0.1", new_token=False).token is None  # no program that is started from here inherits it
    made = {chosen_access("0.0.0.0", new_token=True).token for _ in range(3)}
    assert len(made) == 3
    assert all(token is not None and len(token) >= 40 for token in made)


def test_the_command_line_refuses_with_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweep.cli.main import app

    monkeypatch.delenv("STYLESWEEP_TOKEN", raising=False)
    refused = CliRunner().invoke(app, ["gallery", "--host", "0.0.0.0"])
    assert isinstance(refused.exception, InputError)
    assert refused.exception.exit_code == 2


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_every_answer_compares_in_constant_time(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token and the cookie are compared by hmac.compare_digest alone."""
    compared: list[tuple[bytes, bytes]] = []

    def comparing(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr("gallery.guard.hmac.compare_digest", comparing)
    if kind == "http":
        assert ask(Access(token=TOKEN), f"/?token={TOKEN}")[0].status_code == 401
    else:
        assert not opens(connect(Access(token=TOKEN)))
    assert compared

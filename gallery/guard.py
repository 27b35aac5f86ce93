"""Who may look: the machine itself, or whoever has the token. Every request passes here first, of pages, pictures and the WebSocket.

(Not called token.py: Streamlit puts this folder first on the path, where it would stand for Python's own `token`.)
"""

import hashlib
import hmac
import html
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sweep.errors import InputError

LOOPBACK = "127.0.0.1"
TOKEN_VARIABLE = "STYLESWEEP_TOKEN"  # noqa: S105  its name, not its value
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  named to be refused without a token
_TOKEN = re.compile(r"[A-Za-z0-9_.~-]{16,200}")
# No other page may frame ours or read from it, and no address of ours, which may hold a token, is told to another.
_HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
_OWN_PAGE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where the gallery listens, and the token that it wants, if any.

    Raises:
        InputError: beyond this machine without a token, or a token that is easily guessed or does not fit into an address.
    """

    host: str = LOOPBACK
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise InputError(
                f"the token in {TOKEN_VARIABLE} must be 16 to 200 letters, digits or any of -._~; "
                "`stylesweep gallery --new-token` makes one."
            )
        if self.token is None and not _is_loopback(self.host):
            raise InputError(
                f"--host {self.host} would open the gallery to everyone who reaches this machine, so it needs a token: add --new-token, "
                f"or set {TOKEN_VARIABLE}. Or leave --host out and look through a tunnel (docs/clusters.md)."
            )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that a browser may call this server by; () for any.

        A page of another name that was made to point here (DNS rebinding) is told apart by its own name in the Host header. Who
        listens on every address cannot know all its names, and relies on the cookie, which belongs to one name.
        """
        if self.host in EVERY_ADDRESS:
            return ()
        return tuple(dict.fromkeys(("localhost", LOOPBACK, self.host.lower())))

    def url(self, port: int) -> str:
        """The address to open; with the token, if there is one."""
        name = socket.gethostname() if self.host in EVERY_ADDRESS else self.host
        place = f"http://{f'[{name}]' if ':' in name else name}:{port}"
        return f"{place}/?{urlencode({'token': self.token})}" if self.token else place


def chosen_access(host: str, *, new_token: bool) -> Access:
    """What the command line asks for: a token made now, or the one in the environment, or none.

    No option takes a token itself: every user of a machine can read the arguments of its programs.
    """
    given = os.environ.pop(TOKEN_VARIABLE, None) or None
    return Access(host=host, token=secrets.token_urlsafe(32) if new_token else given)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """ASGI middleware before all of Streamlit's and our own routes. What it does not know it does not let through."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.hosts = access.hosts
        self.token = access.token
        digest = hashlib.sha256(f"stylesweep cookie {access.token}".encode()).hexdigest()
        # Named after the token, as browsers keep one jar for all ports of a host: two galleries do not take each other's away.
        self.cookie, self.value = f"stylesweep-{digest[:8]}", digest[8:]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            if self._stranger(scope) is None and self._has_cookie(scope):
                await self._talk(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": ""})
        elif scope["type"] == "http":
            answer = self._stranger(scope) or self._without_token(scope)
            await (answer or self.app)(scope, receive, _with_headers(send))

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Until the browser goes, which is no error: Streamlit (1.67) then closes what is closed, and a traceback would say so."""
        gone = False

        async def tell(message: Message) -> None:
            nonlocal gone
            try:
                await send(message)
            except OSError:  # the server's word for it
                gone = True
                raise

        try:
            await self.app(scope, receive, tell)
        except RuntimeError:
            if not gone:
                raise

    def _stranger(self, scope: Scope) -> Response | None:
        """A refusal for who calls this server by a foreign name, or asks from another site's page."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        name = _hostname(hosts[0]) if len(hosts) == 1 else None
        if name is None or (self.hosts and name not in self.hosts):
            return _refusal(f"This gallery does not answer to that name. Open it as http://{LOOPBACK} with its port.")
        origins = headers.getlist("origin")
        if any(urlsplit(origin).netloc.lower() != hosts[0].lower() for origin in origins):
            return _refusal("This gallery does not answer the pages of other sites.")
        return None

    def _without_token(self, scope: Scope) -> Response | None:
        """Asks for the token where it is missing; takes it out of the address where it was given."""
        if self.token is None:
            return None
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for key, value in pairs if key == "token"]
        others = [(key, value) for key, value in pairs if key != "token"]
        known = self._has_cookie(scope) or any(_same(value, self.token) for value in given)
        if known and not given:
            return None
        if known:
            return self._welcome(scope, others)
        headers = Headers(scope=scope)
        if headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return _again()
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(_ask(others, wrong=bool(given)), 401, _OWN_PAGE)
        return PlainTextResponse("a token is needed", 401, _OWN_PAGE)

    def _welcome(self, scope: Scope, others: list[tuple[str, str]]) -> Response:
        """The cookie, and on to the same address without the token."""
        path = "/" + quote(scope["path"].lstrip("/\\"))  # two slashes would lead to another host
        answer = RedirectResponse(f"{path}?{urlencode(others)}" if others else path, 303, _OWN_PAGE)
        answer.set_cookie(self.cookie, self.value, httponly=True, samesite="strict", secure=scope.get("scheme") == "https")
        return answer

    def _has_cookie(self, scope: Scope) -> bool:
        return self.token is None or _same(HTTPConnection(scope).cookies.get(self.cookie, ""), self.value)


def _same(given: str, right: str) -> bool:
    """In a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _hostname(host: str) -> str | None:
    """The name in a Host header, without its port; None where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or "@" in host or not parts.hostname:
        return None
    return parts.hostname.rstrip(".")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add(message)
        await send(message)

    return sending


def _add(message: MutableMapping[str, Any]) -> None:
    message.setdefault("headers", [])
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)


def _refusal(words: str) -> Response:
    return PlainTextResponse(words, 403, {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})


def _again() -> Response:
    """Who follows a link on another site sends no SameSite=Strict cookie; asked again from a page of our own, the browser does."""
    return HTMLResponse('<!doctype html><title>stylesweep</title><meta http-equiv="refresh" content="0">', headers=_OWN_PAGE)


def _ask(others: list[tuple[str, str]], *, wrong: bool) -> str:
    """A page that asks for the token and then goes where the address led."""
    kept = "".join(f'<input type="hidden" name="{html.escape(key)}" value="{html.escape(value)}">' for key, value in others)
    words = "That is not its token." if wrong else "This gallery wants its token."
    return _PAGE.replace("{words}", words).replace("{kept}", kept)


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>stylesweep</title><style>
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; }
body { background: #f2f2f2; color: #1c1c1c; }
main { max-width: 30rem; padding: 2rem; }
h1 { font-size: 1.25rem; margin: 0 0 0.5rem; }
form { display: flex; gap: 0.5rem; margin-top: 1.25rem; }
input { flex: 1; min-width: 0; font: inherit; padding: 0.5rem 0.65rem; border: 1px solid #b4b4b4; border-radius: 4px; }
input { background: #fff; color: inherit; }
button { font: inherit; padding: 0.5rem 1rem; border: 0; border-radius: 4px; background: #3d6697; color: #fff; }
:focus-visible { outline: 3px solid #3d6697; outline-offset: 2px; }
@media (prefers-color-scheme: dark) {
  body { background: #1e1e1e; color: #e4e4e4; }
  input { background: #2a2a2a; border-color: #5a5a5a; }
  button { background: #7fa6d6; color: #16202c; }
  :focus-visible { outline-color: #7fa6d6; }
}
</style></head><body><main>
<h1>{words}</h1>
<p>Open the address that <code>stylesweep gallery</code> printed where it was started, or give the token from it here. Once is enough for
this browser.</p>
<form>{kept}<input name="token" type="password" required autofocus autocomplete="off" aria-label="Token"><button>Open</button></form>
</main></body></html>
"""

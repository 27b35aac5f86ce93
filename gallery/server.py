"""The launcher: one local server for the pages and the pictures."""

import contextlib
import errno
import os
import socket
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from gallery.export_route import export_routes
from gallery.guard import Access, Guard
from gallery.late import skip_what_is_gone
from gallery.preview_route import preview_routes
from gallery.review_route import review_routes
from gallery.routes import picture_routes
from sweep.errors import SurroundingsError
from sweep.typed import WORKSPACE_VARIABLE

_HERE = Path(__file__).parent


def serve(workspace_folder: Path, port: int = 8501, access: Access | None = None) -> None:
    """Serve the gallery of a workspace, which need not exist yet, until interrupted; on 127.0.0.1 unless told. Prints its URL.

    Raises:
        SurroundingsError: the port is taken or not allowed.
    """
    access = access or Access()
    require_port(port, access.host)
    os.environ[WORKSPACE_VARIABLE] = str(workspace_folder.absolute())
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        application(workspace_folder.absolute(), port, access).run(config=settings(access) | {"server.port": port})


def application(folder: Path, port: int, access: Access) -> st.App:
    """The ASGI application: Streamlit's own routes, and ours for pictures, exports and reviews, all behind the guard."""
    skip_what_is_gone()
    guard = Middleware(Guard, access=access)
    ours = (picture_routes(folder), preview_routes(folder), export_routes(folder), review_routes(folder, access.hosts))
    routes = [route for some in ours for route in some]
    return st.App(_HERE / "app.py", routes=routes, middleware=[guard], lifespan=_announce(access.url(port)))


def settings(access: Access | None = None) -> dict[str, Any]:
    """What .streamlit/config.toml says, by dotted names: Streamlit itself would look for it in the working directory."""
    shipped = dict(_flat(tomllib.loads((_HERE / ".streamlit" / "config.toml").read_text())))
    if access is None:
        return shipped
    return shipped | {"server.address": access.host, "server.allowedHosts": list(access.hosts) or ["*"]}


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in table.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return pairs


def require_port(port: int, host: str) -> None:
    """Say that a port cannot be had before Streamlit silently takes the next one.

    Raises:
        SurroundingsError: it is taken, or needs rights that this user lacks; or the address is none of this machine's.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise SurroundingsError(f"{host} is no address of this machine; --host takes one, or 0.0.0.0 for all of them.") from error
            taken = error.errno == errno.EADDRINUSE
            reason = "is in use by another program" if taken else f"cannot be opened ({error.strerror})"
            raise SurroundingsError(f"port {port} {reason}; choose another, for example --port {max(port, 8500) + 1}.") from error
        except OverflowError as error:
            raise SurroundingsError(f"{port} is not a port; --port takes a number from 1024 to 65535.") from error


def _announce(url: str) -> Callable[[st.App], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        sys.stdout.write(f"The gallery is at {url} (Ctrl-C ends it).\n")
        sys.stdout.flush()
        yield

    return lifespan

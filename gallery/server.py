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

from gallery.reading import WORKSPACE_VARIABLE
from gallery.review_route import review_routes
from gallery.routes import picture_routes
from sweep.errors import SurroundingsError

ADDRESS = "127.0.0.1"
_HERE = Path(__file__).parent


def serve(workspace_folder: Path, port: int = 8501) -> None:
    """Serve the gallery of a workspace, which need not exist yet, on 127.0.0.1 until interrupted. Prints its URL.

    Raises:
        SurroundingsError: the port is taken or not allowed.
    """
    require_port(port)
    os.environ[WORKSPACE_VARIABLE] = str(workspace_folder.absolute())
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        application(workspace_folder.absolute(), port).run(config=settings() | {"server.port": port})


def application(folder: Path, port: int) -> st.App:
    """The ASGI application: Streamlit's own routes, and ours for pictures and reviews."""
    routes = [*picture_routes(folder), *review_routes(folder, settings()["server.allowedHosts"])]
    return st.App(_HERE / "app.py", routes=routes, lifespan=_announce(port))


def settings() -> dict[str, Any]:
    """What .streamlit/config.toml says, by dotted names: Streamlit itself would look for it in the working directory."""
    return dict(_flat(tomllib.loads((_HERE / ".streamlit" / "config.toml").read_text())))


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in table.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(f"{prefix}{key}", value)]
    return pairs


def require_port(port: int) -> None:
    """Say that a port cannot be had before Streamlit silently takes the next one.

    Raises:
        SurroundingsError: it is taken, or needs rights that this user lacks.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "is in use by another program" if taken else f"cannot be opened ({error.strerror})"
            raise SurroundingsError(f"port {port} {reason}; choose another, for example --port {max(port, 8500) + 1}.") from error
        except OverflowError as error:
            raise SurroundingsError(f"{port} is not a port; --port takes a number from 1024 to 65535.") from error


def _announce(port: int) -> Callable[[st.App], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        sys.stdout.write(f"The gallery is at http://{ADDRESS}:{port} (Ctrl-C ends it).\n")
        sys.stdout.flush()
        yield

    return lifespan

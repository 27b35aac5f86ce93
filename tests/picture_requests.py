"""Pictures asked for as a browser asks for them, without a server."""

from pathlib import Path

import httpx
from asking import ask
from sqlalchemy import select

from db.models import Image
from db.workspace import Workspace
from gallery.routes import picture_routes


def get(folder: Path, url: str, *, method: str = "GET", **headers: str) -> httpx.Response:
    return ask(picture_routes(folder), url, method=method, **headers)


def some_image(workspace: Workspace) -> tuple[str, str, str]:
    """(hash, format, hash of its thumbnail) of a result."""
    with workspace.reader().connect() as connection:
        row = connection.execute(select(Image.sha256, Image.format, Image.thumbnail).where(Image.original_name.is_(None))).first()
    assert row is not None
    return row.sha256, row.format, row.thumbnail


def assert_nothing_there(answer: httpx.Response) -> None:
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"

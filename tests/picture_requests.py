"""Pictures asked for as a browser asks for them, without a server."""

import asyncio
from pathlib import Path

import httpx
from sqlalchemy import select
from starlette.applications import Starlette

from db.models import Image
from db.workspace import Workspace
from gallery.routes import picture_routes


def get(folder: Path, url: str, *, method: str = "GET", **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=picture_routes(folder)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(ask())


def some_image(workspace: Workspace) -> tuple[str, str, str]:
    """(hash, format, hash of its thumbnail) of a result."""
    with workspace.reader().connect() as connection:
        row = connection.execute(select(Image.sha256, Image.format, Image.thumbnail).where(Image.original_name.is_(None))).first()
    assert row is not None
    return row.sha256, row.format, row.thumbnail


def assert_nothing_there(answer: httpx.Response) -> None:
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"

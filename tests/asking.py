"""Routes, called as the server calls them."""

import asyncio
from collections.abc import Sequence

import httpx
from starlette.applications import Starlette
from starlette.routing import Route


def ask(routes: Sequence[Route], url: str, *, method: str = "GET", **headers: str) -> httpx.Response:
    """One request."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(send())

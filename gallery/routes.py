"""The routes that serve pictures: by SHA-256, never by a path, and only those that the database knows."""

import contextlib
import re
from pathlib import Path

from sqlalchemy import Connection, Engine, exists, select
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from db.artifacts import Artifacts
from db.engine import open_engine
from db.models import Image, Run
from db.workspace import sqlite_url
from gallery.crops import Crops
from gallery.export import alpha as export_alpha
from gallery.export import pictures as export
from gallery.export.pictures import UNREADABLE
from sweep.errors import StylesweepError

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "avif": "image/avif",
}
# A file is named by its content, so what a browser has kept never goes stale. No sniffing: a picture stays a picture.
FOUND_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
MISSING_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
ICON_URL = "/app/static/icon.svg"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="5" fill="#4a4a4a"/>'
    + "".join(
        f'<rect x="{5 + 8 * (n % 3)}" y="{5 + 8 * (n // 3)}" width="6" height="6" fill="{colour}"/>'
        for n, colour in enumerate(("#e9e2d0", "#d9b76a", "#c0712e", "#b9c4c9", "#7c9a8e", "#8d5a3b", "#5b7f9e", "#3d6697", "#27364d"))
    )
    + "</svg>"
)
_NAME = re.compile(r"([0-9a-f]{64})\.([a-z0-9]{1,8})")


def thumbnail_url(sha256: str) -> str:
    """Where a thumbnail is served. Below /app/static/, which Streamlit's own elements take for a URL of this server."""
    return f"/app/static/t/{sha256}.webp"


def original_url(sha256: str, suffix: str) -> str:
    """Where a picture's own file is served, byte for byte."""
    return f"/app/static/f/{sha256}.{suffix}"


def picture_routes(folder: Path) -> list[Route]:
    """Routes for one workspace; it need not exist yet."""
    return Pictures(folder).routes()


class Pictures:
    """The endpoints. Plain functions: Starlette runs them in threads, so that a slow disk does not hold up the pages."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "sweeps.db"
        self.artifacts = Artifacts(folder / "artifacts")
        self.engine: Engine = open_engine(sqlite_url(self.database), reader=True)
        self.crops = Crops(self.artifacts, self.engine)

    def routes(self) -> list[Route]:
        """GET and HEAD."""
        return [
            Route(ICON_URL, _icon),
            Route("/app/static/t/{name}", self.thumbnail),
            Route("/app/static/f/{name}", self.original),
            Route("/app/static/c/{name}", self.crops.crop),
        ]

    def thumbnail(self, request: Request) -> Response:
        """/app/static/t/{sha256}.webp"""
        return self._serve(request, thumbnail=True)

    def original(self, request: Request) -> Response:
        """/app/static/f/{sha256}.{format}; ?dl=1&name=... makes it a download of that name, with its photograph's alpha if it has one."""
        return self._serve(request, thumbnail=False)

    def _serve(self, request: Request, *, thumbnail: bool) -> Response:
        match = _NAME.fullmatch(request.path_params["name"])
        if match is None:
            return _missing()
        sha256, suffix = match.groups()
        try:
            known = self._known(sha256, suffix, thumbnail=thumbnail)
        except DBAPIError:
            return PlainTextResponse("the workspace is busy", 503, MISSING_HEADERS | {"Retry-After": "2"})
        path = self.artifacts.path(sha256, suffix)
        if not known or not path.is_file():
            return _missing()
        headers = FOUND_HEADERS | {"ETag": f'"{sha256}"'}
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if request.query_params.get("dl") == "1" and not thumbnail:
            name = download_name(request.query_params.get("name", ""), sha256, suffix)
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
            if suffix == "png" and (restored := self._with_alpha(sha256)) is not None:
                return Response(restored, headers=headers | {"ETag": f'"{sha256}-alpha"'}, media_type=MEDIA_TYPES[suffix])
        return FileResponse(path, headers=headers, media_type=MEDIA_TYPES.get(suffix, "application/octet-stream"))

    def _known(self, sha256: str, suffix: str, *, thumbnail: bool) -> bool:
        if not self.database.is_file():
            return False  # connecting would create it
        with self.engine.connect() as connection:
            return _is_thumbnail(connection, sha256, suffix) if thumbnail else _is_original(connection, sha256, suffix)

    def _with_alpha(self, sha256: str) -> bytes | None:
        """A result whose photograph is transparent, transparent again; None for any other picture."""
        with contextlib.suppress(DBAPIError, StylesweepError, *UNREADABLE), self.engine.connect() as connection:
            settings = connection.execute(select(Run.settings).where(Run.output == sha256).limit(1)).scalar()
            if settings is not None:
                pictures = export.Pictures(self.artifacts, connection)
                stored = pictures.original(sha256)
                restored = export_alpha.Alphas(pictures).restored(stored, settings["content"])
                return None if restored is stored else restored
        return None


def _is_thumbnail(connection: Connection, sha256: str, suffix: str) -> bool:
    return suffix == "webp" and bool(connection.execute(select(exists().where(Image.thumbnail == sha256))).scalar())


def _is_original(connection: Connection, sha256: str, suffix: str) -> bool:
    return connection.execute(select(Image.format).where(Image.sha256 == sha256)).scalar() == suffix


def _icon(_request: Request) -> Response:
    """The page's own icon: an icon named in Streamlit's way would be fetched from another host."""
    return Response(_ICON, media_type="image/svg+xml", headers=FOUND_HEADERS | {"Cache-Control": "public, max-age=3600"})


def _missing() -> Response:
    return PlainTextResponse("no such picture", 404, MISSING_HEADERS)


def download_name(wanted: str, sha256: str, suffix: str) -> str:
    """A file name that is safe in a header and on any system, always with the file's own suffix."""
    stem = re.sub(r"[^A-Za-z0-9._ -]+", "_", wanted).removesuffix(f".{suffix}").strip(" .")[:100]
    return f"{stem or sha256[:12]}.{suffix}"

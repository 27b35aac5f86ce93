"""The route that hands out finished exports, by name and never by a path."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from gallery.export.jobs import find
from gallery.routes import MISSING_HEADERS


def export_url(name: str) -> str:
    """Where a finished export is downloaded from."""
    return f"/app/static/x/{name}.zip"


def export_routes(folder: Path) -> list[Route]:
    """/app/static/x/{name}.zip, GET and HEAD, for one workspace."""

    def serve(request: Request) -> Response:
        """A plain function: Starlette runs it in a thread."""
        stem, dot, suffix = str(request.path_params["name"]).rpartition(".")
        path = find(folder, stem) if dot and suffix == "zip" else None
        if path is None:
            return PlainTextResponse("no such export", 404, MISSING_HEADERS)
        return FileResponse(path, headers=MISSING_HEADERS, media_type="application/zip", filename=path.name)

    return [Route("/app/static/x/{name}", serve)]

"""The route that serves how a running run looks: by run key, never by a path, out of the database."""

import re
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from db import queries
from db.engine import open_engine
from db.workspace import sqlite_url
from gallery.routes import MISSING_HEADERS

_NAME = re.compile(r"(r1-[0-9a-f]{40})\.webp")


def preview_url(run_key: str, step: int) -> str:
    """Where the picture of a run after that step is served, while it is the newest."""
    return f"/app/static/p/{run_key}.webp?step={step}"


def preview_routes(folder: Path) -> list[Route]:
    """/app/static/p/{run_key}.webp?step=N, GET and HEAD, for one workspace, which need not exist yet."""
    database = folder / "sweeps.db"
    engine = open_engine(sqlite_url(database), reader=True)

    def serve(request: Request) -> Response:
        """A plain function: Starlette runs it in a thread."""
        match = _NAME.fullmatch(request.path_params["name"])
        if match is None or not database.is_file():
            return _missing()
        try:
            with engine.connect() as connection:
                found = queries.preview(connection, match[1])
                known = found is not None or bool(queries.states_of(connection, [match[1]]))
        except DBAPIError:
            return PlainTextResponse("the workspace is busy", 503, MISSING_HEADERS | {"Retry-After": "2"})
        if found is None:  # of a run that has just ended nothing is to be shown, and that is no error
            return Response(status_code=204, headers=MISSING_HEADERS) if known else _missing()
        step, picture, _ = found
        # What was asked for may be gone: then the newest is shown, but not kept under the other's name.
        kept = "private, max-age=600, immutable" if request.query_params.get("step") == str(step) else "no-store"
        return Response(picture, media_type="image/webp", headers=MISSING_HEADERS | {"Cache-Control": kept})

    return [Route("/app/static/p/{name}", serve)]


def _missing() -> Response:
    return PlainTextResponse("no such picture", 404, MISSING_HEADERS)

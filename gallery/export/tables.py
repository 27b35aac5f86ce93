"""The export's tables: runs.csv for spreadsheets, runs.json for programs. Every parameter and yardstick, full precision."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from db.queries import PARAMETERS, YARDSTICKS, Result
from db.reviews import Said
from gallery.export.names import basename
from gallery.export.recipe import KEYWORD, Recipe

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One exported picture: its rank from 1, the result, its recipe and its files' paths inside the bundle.

    said: what was said of it; None where reviews stay at home.
    """

    rank: int
    result: Result
    recipe: Recipe
    image: str
    sidecar: str
    said: Said | None = None


def row_of(one: Exported) -> dict[str, Any]:
    """A flat row; None where nothing was measured."""
    result = one.result
    parameters = {name: result.parameters[name] for name in PARAMETERS}
    parameters["content"] = basename(parameters["content"])
    return {
        "rank": one.rank,
        "image": one.image,
        "recipe_file": one.sidecar,
        "run_key": result.run_key,
        "sweep": result.sweep,
        "position": result.position,
        **parameters,
        "content_sha256": result.content_sha256,
        "style_sha256": " ".join(style["sha256"] for style in one.recipe["style"]),
        "network_hash": one.recipe["settings"]["network_hash"],
        "protocol": result.protocol,
        **{name: result.yardsticks.get(name) for name in YARDSTICKS},
        **_review(one.said),
        "width": result.width,
        "height": result.height,
        "seconds": result.seconds,
    }


def _review(said: Said | None) -> dict[str, Any]:
    """Its columns, where reviews go out."""
    if said is None:
        return {}
    return {"flag": said.flag, "stars": said.stars, "tags": ", ".join(said.tags), "note": said.note}


def csv_text(exported: Sequence[Exported]) -> str:
    """One row per picture. A text that a spreadsheet would run as a formula gets a quote in front; numbers stay numbers."""
    return csv_of([row_of(one) for one in exported])


def csv_of(rows: Sequence[dict[str, Any]]) -> str:
    """CSV (RFC 4180) with a head; floats by their shortest exact form, None as an empty cell."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    if rows:
        writer.writerow(rows[0])
        writer.writerows(_cells(row.values()) for row in rows)
    return buffer.getvalue()


def _cells(values: Iterable[Any]) -> list[Any]:
    return [f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value for value in values]


def json_text(exported: Sequence[Exported]) -> str:
    """A list of objects: the row of runs.csv, and the recipe under the keyword that it has in a picture."""
    rows = [{**row_of(one), KEYWORD: one.recipe} for one in exported]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

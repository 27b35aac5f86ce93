"""What must hold of a workspace whenever its driver has died, read with nothing but sqlite3, hashlib and Pillow."""

import hashlib
import io
import sqlite3
from itertools import pairwise
from pathlib import Path

from PIL import Image


def violations(workspace: Path, acknowledged: list[str], verified: set[str], points: int | None = 40) -> list[str]:
    """Every broken promise as a sentence. verified: pictures looked at before, not opened again; grows. points: of each curve, if known.

    acknowledged: run keys that the driver has called done, in that order, over all its lives.
    """
    connection = sqlite3.connect(workspace / "sweeps.db", timeout=20)
    try:
        found = [f"integrity: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        found += [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
        done = dict(connection.execute("SELECT run_key, output FROM run WHERE state = 'done'").fetchall())
        found += [f"lost: {key} was called done" for key in acknowledged if key not in done]
        found += [f"doubled: {key} was called done twice" for key in {key for key in acknowledged if acknowledged.count(key) > 1}]
        doubled = "SELECT run_id FROM attempt WHERE state = 'done' GROUP BY run_id HAVING count(*) > 1"
        found += [f"doubled: run {row[0]} has two done attempts" for row in connection.execute(doubled)]
        sequence = dict(connection.execute("SELECT run_key, finished_seq FROM run").fetchall())
        numbers = [sequence[key] or 0 for key in acknowledged]
        found += [f"finished_seq does not rise: {numbers}"] if any(b <= a for a, b in pairwise(numbers)) else []
        curves = "SELECT r.run_key, count(p.step) FROM run r LEFT JOIN loss_point p ON p.run_id = r.id WHERE r.state = 'done' GROUP BY r.id"
        found += [
            f"half a curve: {key} has {count} points" for key, count in connection.execute(curves) if count != (points or max(count, 1))
        ]
        images = connection.execute("SELECT sha256, format, thumbnail FROM image").fetchall()
        known = {sha256 for sha256, _, _ in images}
        found += [f"no picture: {key} is done" for key, output in done.items() if output not in known]
    finally:
        connection.close()
    for sha256, form, thumbnail in images:
        for name, suffix in ((sha256, form), (thumbnail, "webp")):
            if name not in verified:
                found += _picture(workspace / "artifacts" / name[:2] / f"{name}.{suffix}", name)
                verified.add(name)
    return found


def _picture(path: Path, sha256: str) -> list[str]:
    if not path.is_file():
        return [f"row without picture: {path.name}"]
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        return [f"damaged: {path.name} does not match its name"]
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
    return []


def half_written(workspace: Path) -> list[Path]:
    """Pictures under their final name that are not whole: there must never be one, with a row or without."""
    files = [path for path in (workspace / "artifacts").glob("*/*.*") if not path.name.startswith(".")]
    return [path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem]

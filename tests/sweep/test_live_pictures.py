"""The newest picture of a running run, through the real driver and the back end in this process."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from db import queries
from db.workspace import open_workspace
from sweep import driver, in_process, pacing
from sweep.cli import running
from sweep.events import Event

pytestmark = pytest.mark.weights
SHORTENED = 0.05
"""Of what they are by default: a preview every quarter of a second, the database written every twentieth."""


def test_the_newest_picture_of_a_running_run_is_in_the_database(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = pacing.FIRST_PREVIEW_SECONDS, pacing.PREVIEW_SECONDS + driver.PROGRESS_SECONDS
    assert sum(latest) <= 10, "the promise is ten seconds"
    for module, name in (
        (pacing, "FIRST_PREVIEW_SECONDS"), (pacing, "PREVIEW_SECONDS"), (driver, "PROGRESS_SECONDS"), (driver, "POLL_SECONDS"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, getattr(module, name) * SHORTENED)
    workspace = open_workspace(tmp_path, create=True)
    seen: list[tuple[int, bytes] | None] = []

    class Watched(in_process.InProcess):
        def events(self, timeout: float) -> list[Event]:
            with workspace.reader().connect() as connection:
                keys = [result.run_key for result in queries.results(connection)]
                shown = queries.preview(connection, keys[0])
            seen.append(shown and shown[:2])
            return super().events(timeout)

    monkeypatch.setattr(in_process, "InProcess", Watched)
    assert running.run(sweep_file("live", [30.0], steps=200), running.RunOptions(workspace=tmp_path, address="inline")) == 0
    pictures = dict(filter(None, seen))
    assert len(pictures) >= 2 and list(pictures) == sorted(pictures) and min(pictures) > 0 and max(pictures) <= 200
    assert len(set(pictures.values())) == len(pictures)
    for picture in pictures.values():
        with Image.open(io.BytesIO(picture)) as opened:
            assert opened.format == "WEBP" and opened.size == (48, 32)
    with workspace.reader().connect() as connection:
        (result,) = queries.results(connection)
        assert result.state == "done" and queries.preview(connection, result.run_key) is None

"""What was measured of steps, kept in the workspace."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from db import calibration
from db.workspace import open_workspace
from sweep.speed import Measured

ROW = Measured(
    node="here", device="cpu x86_64", threads=1, network="vgg16-hed", recipe="pyramid", dtype="float32", size=128, pack=1,
    work=7.5e9, seconds_per_step=0.123, seconds_fixed=0.4, peak_memory=512_000_000, versions={"torch": "2.13.0"}, at=1000.0,
)  # fmt: skip


def test_what_is_recorded_is_read_back_and_measuring_again_replaces_it(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "w", create=True)
    changes: list[dict[str, Any]] = [{"size": 256}, {"node": "there"}, {"pack": 4}, {"recipe": "gatys"}, {"threads": 2}]
    others = [replace(ROW, **change) for change in changes]
    calibration.record(workspace.writer(), [ROW, *others])
    again = replace(ROW, seconds_per_step=0.2, work=7.6e9, at=2000.0)
    calibration.record(workspace.writer(), [again])
    with workspace.reader().connect() as connection:
        assert calibration.measured(connection) == [*others, again]

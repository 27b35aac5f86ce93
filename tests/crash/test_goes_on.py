"""A run that its driver and its worker left half done goes on from its state, and ends as if nothing had happened."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crash import processes
from crash.processes import ask, ended, kill, states, stylesweep, until
from PIL import Image

pytestmark = pytest.mark.weights
SweepFile = Callable[..., Path]
EAGER = str(Path(__file__).with_name("eager.py"))


def picture(workspace: Path) -> np.ndarray:
    ((output,),) = ask(workspace, "SELECT output FROM run")
    return np.asarray(Image.open(workspace / "artifacts" / output[:2] / f"{output}.png"))


def whole_curve(workspace: Path) -> list[tuple[Any, ...]]:
    return ask(workspace, "SELECT step, size, content_loss, style_loss, tv_loss FROM loss_point ORDER BY step")


def finish(spec: Path, workspace: Path) -> None:
    with ended(stylesweep("run", spec, "--workspace", workspace, "--address", "inline")) as process:
        said, _ = process.communicate(timeout=200)
        assert process.returncode == 0, said


@pytest.mark.parametrize("kills", [2])
def test_a_run_goes_on_from_its_state_after_its_driver_was_killed(
    real_sweep: SweepFile, tmp_path: Path, kills: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = real_sweep("goes-on", runs=1, steps=400)
    undisturbed, workspace = tmp_path / "undisturbed", tmp_path / "killed"
    finish(spec, undisturbed)
    shown = "SELECT count(*) FROM preview p JOIN run r ON r.id = p.run_id WHERE r.state = 'running'"
    starts = [0]
    with monkeypatch.context() as patch:
        patch.setattr(processes, "COMMAND", [processes.COMMAND[0], EAGER])
        for _ in range(kills):
            newer = f"SELECT step FROM checkpoint WHERE step > {starts[-1]} + 20"
            with ended(stylesweep("run", spec, "--workspace", workspace, "--address", "inline")) as process:
                until(lambda query=newer: ask(workspace, query) and ask(workspace, shown) == [(1,)], 90, "a state and a preview")
                kill(process.pid)
                process.communicate(timeout=60)
            ((step, file),) = ask(workspace, "SELECT step, file FROM checkpoint")
            assert (workspace / "checkpoints" / file).is_file() and states(workspace) == {"running": 1}
            starts.append(step)
    finish(spec, workspace)
    told = ask(workspace, "SELECT start_step, state FROM attempt ORDER BY number")
    assert told == [*((step, "lost") for step in starts[:-1]), (starts[-1], "done")]
    assert 0 < starts[1] < starts[2] < 400
    np.testing.assert_array_equal(picture(workspace), picture(undisturbed))
    assert whole_curve(workspace) == whole_curve(undisturbed) and len(whole_curve(workspace)) > 100
    assert ask(workspace, "SELECT (SELECT count(*) FROM checkpoint), (SELECT count(*) FROM preview)") == [(0, 0)]
    assert [path for path in (workspace / "checkpoints").iterdir() if path.suffix == ".safetensors"] == []
    with capsys.disabled():
        print(
            f"\n{kills} SIGKILLs of a driver in the midst of a run: it went on after steps {starts[1:]} of 400, picture and curve bit-equal"
        )


def test_a_run_whose_state_was_damaged_meanwhile_begins_again_and_says_so(
    real_sweep: SweepFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = real_sweep("damaged", runs=1, steps=150)
    with monkeypatch.context() as patch:
        patch.setattr(processes, "COMMAND", [processes.COMMAND[0], EAGER])
        with ended(stylesweep("run", spec, "--workspace", tmp_path, "--address", "inline")) as process:
            until(lambda: ask(tmp_path, "SELECT step FROM checkpoint"), 90, "a state")
            kill(process.pid)
            process.communicate(timeout=60)
    ((file,),) = ask(tmp_path, "SELECT file FROM checkpoint")
    path = tmp_path / "checkpoints" / file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    finish(spec, tmp_path)
    ((start, state, notes),) = ask(tmp_path, "SELECT start_step, state, notes FROM attempt WHERE number = 2")
    assert (start, state) == (0, "done") and "began again" in notes and "damaged" in notes
    steps = [step for step, *_ in whole_curve(tmp_path)]
    assert steps[0] == 1 and steps == sorted(set(steps)) and steps[-1] == 150
    connection = sqlite3.connect(tmp_path / "sweeps.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()

"""Settings from a YAML file through a real run into the table, out in a picture, and back as the same run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db import queries
from db.workspace import Workspace, open_workspace
from gallery.export.reading import read_recipe
from sweep.cli import running, taking
from sweep.combination import run_key
from sweep.spec import load_spec

pytestmark = pytest.mark.weights

SETTINGS = """
  size_by: area
  later_steps: 2
  momentum: 0.8
  variance_decay: 0.95
  epsilon: 1e-6
  averaging: 0.5
  smallest: 40
  factor: 1.2
"""
SWEPT = "  learning_rate: [null, 0.05]\n  stop: {values: [off, {below: 90%, per: 5 steps}]}\n"


@pytest.fixture(scope="module")
def ran(sweep_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace]:
    """The file, and the workspace that it was run in."""
    plain = sweep_file("all-of-it", [10.0], size=40, steps=27)
    path = plain.with_name("settings.yaml")
    given = plain.read_text().replace("settings:\n", f"{SWEPT}settings:{SETTINGS}")
    path.write_text(f"{given}snapshots: [1, 3, 26, 99]\n")
    folder = tmp_path_factory.mktemp("ran")
    assert running.run(path, running.RunOptions(workspace=folder, address="inline")) == 0
    return path, open_workspace(folder, create=False)


def results(workspace: Workspace, name: str = "all-of-it") -> list[queries.Result]:
    with workspace.reader().connect() as connection:
        return [result for result in queries.results(connection) if result.sweep == name]


def test_every_setting_of_the_file_is_in_the_table(ran: tuple[Path, Workspace]) -> None:
    found = results(ran[1])
    assert [(one.parameters["learning_rate"], one.parameters["stop"]) for one in found] == [
        (None, "off"), (None, "90 % per 5 steps"), (0.05, "off"), (0.05, "90 % per 5 steps"),
    ]  # fmt: skip
    same: dict[str, Any] = {
        "size_by": "area", "later_steps": 2, "momentum": 0.8, "variance_decay": 0.95, "epsilon": 1e-6,
        "averaging": 0.5, "smallest": 40, "factor": 1.2, "history": None,
    }  # fmt: skip
    for one in found:
        assert {name: one.parameters[name] for name in same} == same
        assert one.state == "done"
        # The photograph is 64 x 43 pixels; as many as 40 x 40 have are 49 x 33 of them.
        assert (one.width, one.height) == (49, 33)


def test_the_snapshots_of_the_file_are_kept_as_far_as_a_run_gets(ran: tuple[Path, Workspace]) -> None:
    with ran[1].reader().connect() as connection:
        for one in results(ran[1]):
            kept = queries.snapshots(connection, one.run_key)
            # A scale is looked at after its 25th step.
            assert [step for step, _, _ in kept] == ([1, 3, 26] if one.parameters["stop"] == "off" else [1, 3])
            assert all(ran[1].artifacts.get(image, "png") for _, image, _ in kept)


def test_a_picture_made_again_is_the_run_that_is_there(
    ran: tuple[Path, Workspace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, workspace = ran
    for one in results(workspace):
        picture = workspace.folder / str(one.image_path())
        assert read_recipe(picture.read_bytes(), "p.png")["settings"]["later_steps"] == 2
        options = taking.RerunOptions(workspace=workspace.folder, size=None, address="inline", inputs=None)
        assert taking.rerun(str(picture), options) == 0
        assert "1 are done already" in capsys.readouterr().err
    spec = load_spec(path)
    sha256 = {picture: results(workspace)[0].content_sha256 for picture in spec.contents}
    sha256 |= {style.paths[0][0]: results(workspace)[0].style_sha256 for style in spec.styles}
    hashes = dict.fromkeys(spec.network_files(), results(workspace)[0].settings["network_hash"])
    keys = [run_key(combination.combination.run_settings()) for combination in spec.combinations(sha256, hashes)]
    assert keys == [one.run_key for one in results(workspace)]


def test_a_longer_draw_extends_the_sweep_and_runs_only_what_is_new(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    plain = sweep_file("drawn", [1.0], size=40, steps=2)
    path = plain.with_name("draws.yaml")
    text = (
        plain.read_text()
        .replace("{values: [1.0]}", "{min: 1, max: 100}")
        .replace("name: drawn\n", "name: drawn\nmethod: random\nruns: 2\n")
    )
    options = running.RunOptions(workspace=tmp_path, address="inline")
    made = []
    for runs in (2, 4):
        path.write_text(text.replace("runs: 2\n", f"runs: {runs}\nsearch_seed: 11\n"))
        assert running.run(path, options) == 0
        made.append(sorted(results(open_workspace(tmp_path, create=False), "drawn"), key=lambda one: one.position))
    assert [len(some) for some in made] == [2, 4]
    assert [(one.run_key, one.finished_seq) for one in made[1][:2]] == [(one.run_key, one.finished_seq) for one in made[0]]
    with open_workspace(tmp_path, create=False).reader().connect() as connection:
        assert connection.exec_driver_sql("SELECT search_seed FROM sweep").scalars().all() == [11]

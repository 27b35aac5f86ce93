"""The size that is told beforehand is that of the zip, within 15 per cent."""

from dataclasses import replace
from pathlib import Path

import pytest
from factories import made_up_workspace
from gallery_factories import add_sweep, random_points

from db import queries
from db.models import Run, Sweep
from db.workspace import Workspace
from gallery.export.bundle import PRESETS, export_results
from gallery.export.estimate import estimate
from gallery.export.forms import FORMS


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = made_up_workspace(tmp_path_factory.mktemp("w"), betas=3)
    add_sweep(made, "wide", random_points(60, 3))
    return made


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("sweep", "amount"), [("demo", 1), ("demo", 24), ("wide", 40)])
def test_within_fifteen_per_cent(workspace: Workspace, tmp_path: Path, preset: str, form: str, sweep: str, amount: int) -> None:
    options = replace(PRESETS[preset], form=form)
    with workspace.reader().connect() as connection:
        results = queries.results(connection, Sweep.name == sweep, Run.state == "done")[:amount]
        found = estimate(connection, workspace.artifacts, [result.id for result in results], options)
    report = export_results(workspace, results, tmp_path / "x.zip", options)
    size = (tmp_path / "x.zip").stat().st_size
    assert found.bytes == pytest.approx(size, rel=0.15)
    assert found.files == len(report.files) + 1  # the manifest
    assert found.pictures == report.images


def test_of_nothing_it_is_nothing(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        assert estimate(connection, workspace.artifacts, [], PRESETS["archive"]).bytes == 0

"""The generator of benchmarks/gallery.py: real keys and plausible numbers, and no folder of somebody else's is touched."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import queries
from db.models import Attempt, Combination, LossPoint, Review, Run
from db.workspace import Workspace, open_workspace
from sweep.combination import RunSettings, run_key

pytestmark = pytest.mark.usefixtures("benchmarks_importable")
RUNS = 500


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("many") / "workspace"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
        import gallery_pictures
        from gallery_workspace import made_up

        patch.setattr(gallery_pictures, "SIDE", 32)
        assert made_up(folder, RUNS)
    return open_workspace(folder, create=False)


def test_it_has_as_many_runs_as_asked_for_and_some_are_shared(many: Workspace) -> None:
    with many.reader().connect() as connection:
        found = queries.sweep_named(connection, "many")
        rows = connection.execute(select(Run.run_key, Run.settings)).all()
    assert found.runs == RUNS < found.combinations
    assert {"done", "queued", "failed"} <= set(found.states)
    assert all(run_key(RunSettings.from_canonical(settings)) == key for key, settings in rows)


def test_what_is_done_has_a_picture_and_mostly_yardsticks(many: Workspace) -> None:
    with many.reader().connect() as connection:
        done = queries.results(connection, Run.state == "done")
        counts = [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (Attempt, LossPoint, Review)]
        pairs = connection.execute(select(Combination.content, Combination.style).distinct()).all()
    assert len(pairs) == 60
    assert min(counts) > 0
    assert all(one.thumbnail and (many.folder / str(one.image_path())).is_file() for one in done)
    measured = [one.yardsticks["balance"] for one in done if one.yardsticks["balance"] is not None]
    assert 0.9 * len(done) < len(measured) < len(done)
    assert all(0 <= value <= 1.1 for value in measured)


def test_it_is_kept_and_nothing_else_is_written_over(many: Workspace, tmp_path: Path) -> None:
    from gallery_workspace import made_up

    assert not made_up(many.folder, RUNS)
    with pytest.raises(SystemExit, match="holds something else"):
        made_up(many.folder, RUNS + 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(SystemExit, match="holds something else"):
        made_up(tmp_path / "mine", 10)
    with pytest.raises(SystemExit, match="--runs takes 1 to"):
        made_up(tmp_path / "new", 10**9)
    assert not (tmp_path / "new").exists()

"""Which results are chosen."""

from pathlib import Path

import pytest
from factories import made_up_workspace
from sqlalchemy import update

from db.models import Run
from db.queries import Result, results
from db.workspace import Workspace
from gallery.export.best import select_best
from sweep.errors import InputError
from sweep.transfer.yardstick_names import RISING


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """2 x 2 pairs of 8 combinations; some not done, two without a balance."""
    made = made_up_workspace(tmp_path_factory.mktemp("ws"), unfinished=3, failed=2)
    with made.writer().begin() as connection:
        connection.execute(update(Run).where(Run.id.in_([3, 9])).values(balance=None))
    return made


def chosen(workspace: Workspace, top: int | None = None, per_pair: int | None = None, by: str = "balance") -> list[Result]:
    with workspace.reader().connect() as connection:
        return select_best(connection, "demo", top, per_pair, by)


@pytest.mark.parametrize("by", list(RISING))
def test_best_comes_first_in_the_yardsticks_own_direction(by: str, workspace: Workspace) -> None:
    values = [result.yardsticks[by] for result in chosen(workspace, by=by)]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=not (by.startswith("d_") or by == "clipped"))
    assert values == known + [None] * (len(values) - len(known))


def test_only_done_runs_are_chosen_and_all_of_them(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        done = {result.run_key for result in results(connection, Run.state == "done")}
    found = [result.run_key for result in chosen(workspace)]
    assert set(found) == done and len(found) == len(done) == 27


def test_top_takes_the_beginning(workspace: Workspace) -> None:
    assert chosen(workspace, top=5) == chosen(workspace)[:5]


def test_per_pair_takes_the_best_of_each_pair(workspace: Workspace) -> None:
    everything, two = chosen(workspace), chosen(workspace, per_pair=2)
    pairs = {(one.content_sha256, one.style_sha256) for one in everything}
    expected = {one.id for pair in pairs for one in [r for r in everything if (r.content_sha256, r.style_sha256) == pair][:2]}
    assert {one.id for one in two} == expected and len(two) == 8
    assert [one.id for one in two] == [one.id for one in everything if one.id in expected]


def test_a_run_shared_by_combinations_is_chosen_once(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    with workspace.writer().begin() as connection:
        connection.exec_driver_sql("UPDATE combination SET run_id = 1 WHERE id IN (1, 2, 3)")
    found = chosen(workspace)
    assert len(found) == len({one.run_key for one in found}) == 6
    assert next(one for one in found if one.settings["content"] == found[0].settings["content"]).position in range(8)
    assert min(one.position for one in found) == 0


def test_two_protocols_are_never_mixed(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    with workspace.writer().begin() as connection:
        connection.execute(update(Run).where(Run.id <= 3).values(protocol="y0", balance=99.0))
    assert [one.protocol for one in chosen(workspace)] == ["y1"] * 5 + ["y0"] * 3


def test_the_protocol_of_y1_does_not_part_what_another_yardstick_orders(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    with workspace.writer().begin() as connection:
        connection.execute(update(Run).where(Run.id <= 3).values(protocol="y0"))
    by_structure = chosen(workspace, by="structure_kept")
    values = [one.yardsticks["structure_kept"] for one in by_structure]
    assert values == sorted(values, reverse=True)
    assert [one.protocol for one in by_structure] != [one.protocol for one in chosen(workspace)]
    assert [one.protocol for one in chosen(workspace, by="d_style_3")] == ["y1"] * 5 + ["y0"] * 3


def test_sharpness_is_no_order_and_says_why(workspace: Workspace) -> None:
    with pytest.raises(InputError, match=r"'sharpness': neither more nor less of it is better; choose one of balance"):
        chosen(workspace, by="sharpness")


def test_ties_keep_the_order_of_the_sweep(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    with workspace.writer().begin() as connection:
        connection.execute(update(Run).values(balance=0.5))
    assert [one.position for one in chosen(workspace)] == list(range(8))


def test_an_unknown_yardstick_lists_the_known(workspace: Workspace) -> None:
    with pytest.raises(InputError, match=r"'loss'.*balance, content_kept, style_gained, d_content, d_style"):
        chosen(workspace, by="loss")


def test_a_sweep_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run of the sweep 'demo' is done yet \(16 queued\)"):
        chosen(made_up_workspace(tmp_path, betas=2, unfinished=16))


def test_an_unknown_sweep_and_a_senseless_limit_are_told(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection, pytest.raises(InputError, match="no sweep named 'other'"):
        select_best(connection, "other", None, None, "balance")
    with pytest.raises(InputError, match="at least 1"):
        chosen(workspace, top=0)

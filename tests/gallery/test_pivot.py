"""Runs laid along two parameters, and the file that makes what is missing there."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace
from gallery_factories import Point, add_sweep
from sqlalchemy import Connection

from db.queries import Result, results
from db.workspace import Workspace
from gallery.look import Look, take_look
from gallery.missing import missing_spec
from gallery.pivot import MOST, Pivot, likely_axes, line, means, pivot
from gallery.reviewed import nothing_said
from gallery.selection import Selected, select
from gallery.sieve import Sieve
from gallery.tiles import tiles_at
from gallery.view import Range, View
from sweep.spec import parse_spec
from sweep.yaml_file import read_yaml

THERE = [(beta, layers, seed) for beta in (1.0, 10.0, 100.0) for layers in ("gatys", "shallow") for seed in (0, 1)]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Betas x layers x two seeds, without two of the cells, and without one of the seeds in a third."""
    workspace = made_up_workspace(tmp_path_factory.mktemp("axes"))
    left_out = {(100.0, "gatys", 0), (100.0, "gatys", 1), (1.0, "shallow", 0), (1.0, "shallow", 1), (10.0, "gatys", 1)}
    points = [
        Point(beta=beta, layers=layers, seed=seed, content_kept=0.1 * seed + 0.3, style_gained=0.5)
        for beta, layers, seed in THERE
        if (beta, layers, seed) not in left_out
    ]
    add_sweep(workspace, "laid", points)
    add_sweep(workspace, "long", [Point(beta=float(number + 1)) for number in range(MOST + 6)])
    return workspace


def looked(connection: Connection, sweep: str, **view: Any) -> tuple[Look, Selected]:
    look = take_look(connection, (sweep,), 10_000)
    return look, select(connection, Sieve(connection, look, View(sweeps=(sweep,), **view), nothing_said(look)))


def along(look: Look, selected: Selected, x: str, y: str, known: Selected | None = None) -> Pivot:
    return pivot(look, (line(look, selected, x), line(look, selected, y)), selected, known)


def test_a_cell_shows_the_best_run_that_fits_it_and_says_of_how_many(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        rows = [row for row in results(connection) if row.sweep == "laid"]
        look, selected = looked(connection, "laid")
        found = along(look, selected, "beta", "layers")
        fitting: dict[tuple[Any, Any], list[Result]] = defaultdict(list)
        for row in rows:
            fitting[row.parameters["layers"], row.parameters["beta"]].append(row)
        for (row_at, column_at), cell in found.cells.items():
            there = fitting.get((found.rows[row_at], found.columns[column_at]), [])
            assert cell.runs == len(there)
            if there:
                assert cell.place is not None
                (tile,) = tiles_at(connection, look, selected, [cell.place])
                assert tile.result.yardsticks["balance"] == max(one.yardsticks["balance"] or 0 for one in there)
    assert [(found.rows[row], found.columns[column]) for row, column in found.missing()] == [("gatys", 100.0), ("shallow", 1.0)]


def test_pinned_by_a_filter_more_is_missing(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        look, selected = looked(connection, "laid", choices=(("seed", (1,)),))
        found = along(look, selected, "beta", "layers")
    assert len(found.missing()) == 3


def test_pinned_the_axes_stay_and_cells_without_such_a_run_are_missing(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        look, selected = looked(connection, "laid")
        _, pinned = looked(connection, "laid", choices=(("seed", (1,)),))
        ends = line(look, selected, "beta"), line(look, selected, "layers")
        found = pivot(look, ends, pinned)
    assert found.columns == (1.0, 10.0, 100.0)
    assert [(found.rows[row], found.columns[column]) for row, column in found.missing()] == [
        ("gatys", 10.0), ("gatys", 100.0), ("shallow", 1.0)
    ]  # fmt: skip


def test_a_cell_whose_runs_a_filter_hides_is_not_missing(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        look, every = looked(connection, "laid")
        _, kept = looked(connection, "laid", yardsticks=(("content_kept", Range(low=0.35, high=1.0)),))  # seed 1 alone
        found = pivot(look, (line(look, every, "beta"), line(look, every, "layers")), kept, every)
    hidden = {(found.rows[row], found.columns[column]) for (row, column), cell in found.cells.items() if cell.hidden}
    assert hidden == {("gatys", 10.0)}
    assert [(found.rows[row], found.columns[column]) for row, column in found.missing()] == [("gatys", 100.0), ("shallow", 1.0)]


def test_means_are_those_of_what_is_shown(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        look, selected = looked(connection, "laid")
        found = along(look, selected, "beta", "layers")
    values = {cell.place: float(number) for number, cell in enumerate(found.cells.values()) if cell.place is not None}
    columns, rows = means(found, values)
    for column, mean in enumerate(columns):
        shown = [values[cell.place] for at, cell in found.cells.items() if at[1] == column and cell.place is not None]
        assert mean == pytest.approx(sum(shown) / len(shown))
    assert len(rows) == 2


def test_too_many_values_are_cut_and_said(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        look, selected = looked(connection, "long")
        found = along(look, selected, "beta", "")
    assert len(found.columns) == MOST
    assert found.left_out == 6
    assert found.rows == (None,) or len(found.rows) == 1


def test_axes_are_what_was_asked_for_or_likely_and_never_the_same_twice() -> None:
    assert likely_axes(("size", "layers", "beta"), "", "") == ("beta", "layers")
    assert likely_axes(("size", "layers", "beta"), "layers", "") == ("layers", "beta")
    assert likely_axes(("size", "layers", "beta"), "", "beta") == ("layers", "beta")
    assert likely_axes(("size", "layers", "beta"), "size", "size") == ("size", "beta")
    assert likely_axes(("beta",), "size", "alpha") == ("beta", "")
    assert likely_axes((), "", "") == ("", "")


def plan_of(text: str, path: Path) -> list[Any]:
    path.write_text(text)
    spec = parse_spec(read_yaml(path), path)
    hashes = {picture: picture.stem for picture in spec.picture_paths()}
    return [one.combination for one in spec.combinations(hashes, dict.fromkeys(spec.network_files(), "test"))]


@pytest.mark.parametrize(("x", "y"), [("beta", "layers"), ("layers", "beta"), ("seed", "beta")])
def test_what_is_missing_is_offered_as_a_file_that_makes_just_that(laid: Workspace, x: str, y: str) -> None:
    with laid.reader().connect() as connection:
        view = {"choices": (("layers", ("gatys",)),)} if x == "seed" else {}
        look, selected = looked(connection, "laid", **view)
        found = along(look, selected, x, y)
        missing = missing_spec(connection, look, selected, found)
    assert missing is not None
    combinations = plan_of(missing.text, laid.folder / "missing.yaml")
    assert missing.runs == len(combinations) == len(found.missing()) > 0
    if "layers" not in (x, y):
        wanted = {(found.rows[row], found.columns[column]) for row, column in found.missing()}
        assert {(one.beta, one.settings.seed) for one in combinations} == wanted


def test_pictures_along_the_axes_are_offered_by_their_files(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path)
    pairs = [("harbour.jpg", "waves.png"), ("harbour.jpg", "glass.png"), ("cat.png", "waves.png")]
    add_sweep(workspace, "pairs", [Point(content=content, style=style) for content, style in pairs])
    with workspace.reader().connect() as connection:
        look, selected = looked(connection, "pairs")
        missing = missing_spec(connection, look, selected, along(look, selected, "style", "content"))
        rows = {row.parameters["content"]: row for row in results(connection) if row.sweep == "pairs"}
        styles = {row.parameters["style"]: row for row in results(connection) if row.sweep == "pairs"}
    assert missing is not None
    (one,) = plan_of(missing.text, workspace.folder / "missing.yaml")
    assert one.content == rows["cat.png"].content_sha256
    assert one.style[0][0] == styles["glass.png"].style_sha256


def test_nothing_missing_is_no_file(laid: Workspace) -> None:
    with laid.reader().connect() as connection:
        look, selected = looked(connection, "long")
        assert missing_spec(connection, look, selected, along(look, selected, "beta", "")) is None

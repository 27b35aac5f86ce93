"""The gallery's page as axes and as a table, and what a link keeps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from factories import made_up_workspace
from gallery_factories import Point, add_sweep, look_at
from page_harness import component, components, page, words
from streamlit.testing.v1 import AppTest

from db.queries import results
from db.workspace import Workspace

Make = Callable[..., Workspace]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def make(*points: Point, name: str = "sweep") -> Workspace:
        workspace = made_up_workspace(tmp_path)
        add_sweep(workspace, name, list(points))
        look_at(tmp_path, monkeypatch)
        return workspace

    return make


def yaml_of(at: AppTest) -> list[str]:
    return [str(code.value) for code in at.code if code.language == "yaml"]


def test_a_sweep_of_one_run_has_nothing_to_lay_along_an_axis(made: Make) -> None:
    made(Point())
    assert "nothing to lay along an axis" in words(page("gallery", sweep="sweep", view="axes"))
    assert len(component(page("gallery", sweep="sweep"), "grid")["items"]) == 1


def grid_of(*, seeds: tuple[int, ...] = (0, 1)) -> list[Point]:
    """Seed 1 comes out best throughout."""
    return [
        Point(beta=beta, layers=layers, seed=seed, content_kept=0.3 + 0.1 * seed, style_gained=0.5)
        for beta in (1.0, 10.0)
        for layers in ("gatys", "shallow")
        for seed in seeds
    ]


AXES = {"sweep": "sweep", "view": "axes", "x": "beta", "y": "layers"}


def cells(at: AppTest, key: str) -> set[object]:
    return {cell.get(key) for row in component(at, "matrix")["cells"] for cell in row}


def parameters(workspace: Workspace, at: AppTest, name: str) -> set[object]:
    with workspace.reader().connect() as connection:
        of = {row.run_key: row.parameters[name] for row in results(connection)}
    return {of[str(run)] for run in cells(at, "run")}


def test_what_is_along_no_axis_is_pinned_as_in_the_first_run_and_may_be_pinned_elsewhere(made: Make) -> None:
    workspace = made(*grid_of())
    at = page("gallery", **AXES)
    assert [head["text"] for head in component(at, "matrix")["columns"]] == ["1", "10"]
    assert [head["text"] for head in component(at, "matrix")["rows"]] == ["gatys", "shallow"]
    assert cells(at, "of") == {""}
    assert parameters(workspace, at, "seed") == {1}
    at.selectbox(key="pin-seed").select("0").run()
    assert at.query_params["pin"] == "seed:0"
    assert parameters(workspace, at, "seed") == {0}
    assert "seed" not in at.query_params, "what is pinned here is no filter of the other layouts"
    assert yaml_of(at) == []


def test_each_cell_may_be_the_best_of_all_and_says_of_how_many(made: Make) -> None:
    made(*grid_of())
    at = page("gallery", **AXES, others="best")
    assert cells(at, "of") == {"best of 2"}
    assert "over seed" in words(at)
    assert not any(box.key == "pin-seed" for box in at.selectbox)


def test_where_pinning_would_leave_cells_empty_each_is_the_best_of_what_there_is(made: Make) -> None:
    corners = [(beta, layers) for beta in (1.0, 10.0) for layers in ("gatys", "shallow")]
    made(*(Point(beta=beta, layers=layers, steps=50 + number) for number, (beta, layers) in enumerate(corners)))
    at = page("gallery", **AXES)
    assert not cells(at, "missing") - {None}
    pinned = page("gallery", **AXES, others="pinned")
    assert len([1 for row in component(pinned, "matrix")["cells"] for cell in row if cell.get("missing")]) == 3
    (text,) = yaml_of(pinned)
    assert "steps: 5" in text


def test_a_cell_that_a_filter_empties_says_so_and_is_not_offered_to_run(made: Make) -> None:
    points = [point for point in grid_of(seeds=(0,)) if (point.beta, point.layers) != (1.0, "gatys")]
    made(*(replace(point, state="failed" if (point.beta, point.layers) == (10.0, "shallow") else "done") for point in points))
    at = page("gallery", **AXES, state="done", beta="1..10")
    assert [[cell["none"] for cell in row] for row in component(at, "matrix")["cells"]] == [["not run", "Done"], ["Done", "filtered out"]]
    (text,) = yaml_of(at)
    assert "10" not in text.partition("beta:")[2].partition("layers")[0]


def test_a_pager_goes_through_a_third_parameter_and_missing_cells_are_offered(made: Make) -> None:
    points = [Point(beta=beta, layers=layers, seed=seed) for beta in (1.0, 10.0) for layers in ("gatys", "shallow") for seed in (0, 1)]
    made(*(point for point in points if (point.beta, point.layers, point.seed) != (10.0, "gatys", 1)))
    view = {"sweep": "sweep", "view": "axes", "x": "beta", "y": "layers", "z": "seed"}
    whole = component(page("gallery", **view, zv="0"), "matrix")
    assert not any(cell.get("missing") for row in whole["cells"] for cell in row)
    at = page("gallery", **view, zv="1")
    holes = [
        (row, column)
        for row, cells in enumerate(component(at, "matrix")["cells"])
        for column, cell in enumerate(cells)
        if "missing" in cell
    ]
    assert holes == [(0, 1)]
    (text,) = yaml_of(at)
    assert "seed: 1" in text or "seed:\n" in text


def test_swapping_the_axes_swaps_them_in_the_address(made: Make) -> None:
    made(*(Point(beta=beta, layers=layers) for beta in (1.0, 10.0) for layers in ("gatys", "shallow")))
    at = page("gallery", sweep="sweep", view="axes", x="beta", y="layers")
    next(button for button in at.button if button.label == "Swap").click().run()
    assert (at.query_params["x"], at.query_params["y"]) == ("layers", "beta")


def test_a_table_has_the_rows_of_the_page(opened: Workspace) -> None:
    del opened
    at = page("gallery", sweep="wide", view="table", p="2")
    grid = component(page("gallery", sweep="wide", p="2"), "grid")["items"]
    (frame,) = at.dataframe
    assert list(frame.value["Run"]) == [item["id"] for item in grid]
    assert "grid" not in components(at)


def test_a_link_of_a_moment_shows_what_was_there_then(opened: Workspace) -> None:
    del opened
    now, then = page("gallery", sweep="wide"), page("gallery", sweep="wide", asof="40")
    before, after = (sum("src" in item for item in component(at, "grid")["items"]) for at in (then, now))
    assert before < after
    assert then.query_params["asof"] == "40"
    link = next(str(code.value) for code in now.code if "asof=" in str(code.value))
    assert "by=" in link


def test_groups_come_one_after_the_other(opened: Workspace) -> None:
    del opened
    items = component(page("gallery", sweep="wide", group="style", n="192"), "grid")["items"]
    groups = [item["group"] for item in items]
    assert groups == sorted(groups)
    assert len(set(groups)) == 2


def test_an_order_within_each_pair_is_said_on_the_tiles(opened: Workspace) -> None:
    del opened
    items = component(page("gallery", sweep="wide", within="1"), "grid")["items"]
    assert "better than 100% of its pair" in items[0]["value"]

"""The gallery's page as axes and as a table, and what a link keeps."""

from collections.abc import Callable
from pathlib import Path

import pytest
from factories import made_up_workspace
from gallery_factories import Point, add_sweep, look_at
from page_harness import component, components, page, words
from streamlit.testing.v1 import AppTest

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


def test_axes_say_what_each_cell_is_the_best_of_and_offer_to_pin_it(made: Make) -> None:
    made(*(Point(beta=beta, layers=layers, seed=seed) for beta in (1.0, 10.0) for layers in ("gatys", "shallow") for seed in (0, 1)))
    at = page("gallery", sweep="sweep", view="axes", x="beta", y="layers")
    matrix = component(at, "matrix")
    assert [head["text"] for head in matrix["columns"]] == ["1", "10"]
    assert [head["text"] for head in matrix["rows"]] == ["gatys", "shallow"]
    assert {cell["of"] for row in matrix["cells"] for cell in row} == {"best of 2"}
    assert "over seed" in words(at)
    next(button for button in at.button if "Pin them" in button.label).click().run()
    assert at.query_params["seed"] == "0"
    assert {cell["of"] for row in component(at, "matrix")["cells"] for cell in row} == {""}
    assert yaml_of(at) == []


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

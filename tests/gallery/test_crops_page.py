"""The page that shows one region of many pictures."""

import re
from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace
from gallery_factories import HOSTILE, look_at
from page_harness import components
from page_harness import page as page_named
from page_harness import words as words_of
from picture_requests import get
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from db import queries
from db.models import Image
from db.queries import Result
from db.workspace import Workspace, open_workspace
from gallery.components.crops import region_of
from gallery.crops_view import Where, read_where


def page(**params: str) -> AppTest:
    return page_named("crops", **params)


def words(at: AppTest) -> str:
    return words_of(at).replace("\\", "")


def component(at: AppTest) -> dict[str, Any] | None:
    return components(at).get("crops")


def results(workspace: Workspace, sweep: str) -> list[Result]:
    with workspace.reader().connect() as connection:
        return [one for one in queries.results(connection) if one.sweep == sweep and one.state == "done"]


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({}, Where()),
        ({"cx": ["0.25"], "cy": ["0.75"], "cs": ["256"], "on": ["r1-a"]}, Where(x=0.25, y=0.75, side=256, on="r1-a")),
        ({"cx": ["-3"], "cy": ["9"], "cs": ["1"]}, Where(x=0.0, y=1.0, side=96)),
        ({"cs": ["100000"]}, Where(side=384)),
        ({"cs": ["200"]}, Where(side=192)),
        ({"cx": ["nan"], "cy": ["inf"], "cs": ["x"], "on": ["x" * 500]}, Where(on="x" * 80)),
        ({"cx": ["0.123456789"]}, Where(x=0.1235)),
    ],
)
def test_a_region_in_an_url_is_read_and_brought_within_bounds(params: dict[str, list[str]], where: Where) -> None:
    assert read_where(params) == where
    assert read_where({name: [value] for name, value in where.to_params().items()}) == where


def test_what_goes_without_saying_stands_in_no_url() -> None:
    assert Where().to_params() == {}
    assert Where(x=0.25, side=96).to_params() == {"cx": "0.25", "cs": "96"}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (None, None),
        ({"region": {"x": 0.5, "y": 0.5, "side": 192, "on": ""}}, None),
        ({"region": {"x": 0.3, "y": 7, "side": 5000, "on": "a", "told": 2}}, (Where(x=0.3, y=1.0, side=384, on="a"), 2)),
        ({"region": {"x": None, "y": [], "told": 2}}, (Where(), 2)),
    ],
)
def test_what_the_script_says_of_the_region_is_bounded(state: Any, told: tuple[Where, int] | None) -> None:
    assert region_of(state) == told


def test_all_pictures_of_the_filter_come_in_groups_beside_their_content_and_style(opened: Workspace) -> None:
    at = page(sweep="demo", sort="plan", cx="0.2", cs="96")
    drawn = component(at)
    assert drawn is not None
    assert (drawn["x"], drawn["y"], drawn["side"]) == (0.2, 0.5, 96)
    runs = results(opened, "demo")
    assert sorted(one["run"] for group in drawn["groups"] for one in group["results"]) == sorted(run.run_key for run in runs)
    for group in drawn["groups"]:
        content, style = group["inputs"]
        assert content["name"].startswith("Content: ") and style["name"].startswith("Style: ")
        assert group["name"] == f"{Path(content['name'][9:]).stem} · {Path(style['name'][7:]).stem} · 96 x 64 px"
        assert (content["w"], content["h"], content["long"]) == (96, 64, 96)
        assert all(one["long"] is None and one["name"].startswith("beta") for one in group["results"])
    assert "Showing 1-12 of 12 pictures of demo" in words(at)
    assert "differ in size" not in words(at)


def test_what_is_drawn_can_be_fetched(opened: Workspace) -> None:
    drawn = component(page(sweep="demo"))
    assert drawn is not None
    group = drawn["groups"][0]
    for one in (*group["inputs"], group["results"][0]):
        assert get(opened.folder, one["whole"]).status_code == 200
        long = f"long={one['long']}&" if one["long"] else ""
        assert get(opened.folder, f"{one['crop']}?{long}x=0&y=0&w={one['w']}&h={one['h']}").status_code == 200


def test_pages_hold_as_many_pictures_as_the_gallerys(opened: Workspace) -> None:
    total = len({run.run_key for run in results(opened, "wide")})
    shown = []
    for number in ("1", "2", "3", "4", "99"):
        drawn = component(page(sweep="wide", p=number))
        assert drawn is not None
        shown.append([one["run"] for group in drawn["groups"] for one in group["results"]])
    assert [len(one) for one in shown[:3]] == [48, 48, 48]
    assert shown[4] == shown[-2]  # beyond the last page is the last
    assert len({key for one in shown for key in one}) == total == sum(len(one) for one in shown[:4])


def test_a_filter_holds_here_too(opened: Workspace) -> None:
    drawn = component(page(sweep="wide", content="cat.png", style="glass.png"))
    assert drawn is not None
    assert {group["name"].rpartition(" · ")[0] for group in drawn["groups"]} == {"cat · glass"}


def test_sizes_that_differ_are_said_and_kept_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    look_at(tmp_path, monkeypatch)
    with workspace.writer().begin() as connection:
        connection.execute(update(Image).where(Image.sha256 == results(workspace, "demo")[0].image).values(width=48, height=32))
    at = page()
    assert "differ in size" in words(at)
    drawn = component(at)
    assert drawn is not None
    small = next(group for group in drawn["groups"] if group["name"].endswith("48 x 32 px"))
    assert [(one["w"], one["h"], one["long"]) for one in small["inputs"]] == [(48, 32, 48), (48, 32, 48)]


@pytest.mark.parametrize(
    ("params", "said"), [({"state": "failed"}, "None of the runs"), ({"content": "nothing.png"}, "No combination matches")]
)
def test_without_a_picture_it_says_so(opened: Workspace, params: dict[str, str], said: str) -> None:
    at = page(sweep="demo", **params)
    assert said in words(at)
    assert component(at) is None


def test_without_a_workspace_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at(tmp_path / "none", monkeypatch)
    assert "make demo" in [element.value for element in page().code]
    open_workspace(tmp_path, create=True)
    look_at(tmp_path, monkeypatch)
    assert "make demo" in [element.value for element in page().code]


def test_names_are_text_whatever_they_hold(opened: Workspace) -> None:
    at = page(sweep=f"odd {HOSTILE[:40]}")
    drawn = component(at)
    assert drawn is not None and drawn["groups"]
    assert not [element for element in at.markdown if re.search(r"(?<!\\)<img", str(element.value))]

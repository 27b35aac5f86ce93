"""The page that compares runs: what it reads and says, and what it does with what the stage asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories import made_up_workspace
from gallery_factories import HOSTILE, Point, add_sweep, look_at
from page_harness import components
from page_harness import page as page_named
from page_harness import words as words_of
from sqlalchemy import insert, select, update
from streamlit.testing.v1 import AppTest

from db import queries
from db.models import Combination, Image, Review, Run
from db.queries import Result
from db.review_operations import default_person
from db.workspace import Workspace, open_workspace
from gallery.charts import common_starts, compared_chart
from gallery.compare_table import best_of, curve_words, equal_words, parameter_lines, yardstick_lines
from gallery.compare_view import Compared, Request, read_compared, read_request, run_named, seen_size, shortened, shown_params, style_tokens
from gallery.components.compare import Asked, Shown, asked_of, shown_of
from gallery.crops import Crop
from sweep.transfer.yardstick_names import NAMES


def page(**params: str) -> AppTest:
    return page_named("compare", **params)


def words(at: AppTest) -> str:
    return words_of(at).replace("\\", "")


def component(at: AppTest, key: str) -> dict[str, Any] | None:
    return components(at).get(key)


def results(workspace: Workspace, sweep: str, state: str = "done") -> list[Result]:
    with workspace.reader().connect() as connection:
        return [one for one in queries.results(connection) if one.sweep == sweep and one.state == state]


@contextmanager
def compared(workspace: Workspace, *ids: str, sweeps: tuple[str, ...] = ("demo",)) -> Iterator[Compared]:
    with workspace.reader().connect() as connection:
        yield read_compared(connection, Request(ids=ids), sweeps)


# --- the URL ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "request_"),
    [
        ({}, Request()),
        ({"ids": ["a,b"]}, Request(ids=("a", "b"))),
        ({"ids": ["a, b ,", "c"], "mode": ["slider"], "pair": ["AC"]}, Request(ids=("a", "b", "c"), mode="slider", pair=(0, 2))),
        ({"mode": ["nonsense"], "pair": ["AA"]}, Request()),
        ({"pair": ["AZ"]}, Request()),
        ({"pair": ["BAC"]}, Request()),
        ({"pair": ["BA"]}, Request(pair=(1, 0))),
        ({"ids": ["x" * 5000]}, Request(ids=("x" * 64,))),
        ({"ids": [",".join("abcdefghijklmnopqrstuvwxyz")]}, Request(ids=tuple("abcdefghijklmnopqrst"))),
    ],
)
def test_what_makes_sense_in_an_url_is_read(params: dict[str, list[str]], request_: Request) -> None:
    assert read_request(params) == request_


def test_mode_and_pair_stand_in_the_url_unless_they_go_without_saying() -> None:
    assert shown_params("side", (0, 1)) == {}
    assert shown_params("flicker", (2, 0)) == {"mode": "flicker", "pair": "CA"}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (None, None),
        ({}, None),
        ({"shown": {"mode": "slider", "pair": [0, 2], "told": 3}}, None),
        (
            {"shown": {"mode": "slider", "pair": [0, 2], "ids": ["r1-a", "../x", "style"] + ["r1-b"] * 9, "told": 3}},
            Shown(mode="slider", pair=(0, 2), ids=("r1-a", "style", *("r1-b",) * 6), told=3),
        ),
        ({"shown": {"mode": "x", "pair": [0, 2], "ids": ["r1-a"], "told": 3}}, None),
        ({"shown": {"mode": "slider", "pair": [0, 99], "ids": ["r1-a"], "told": 3}}, None),
        ({"shown": {"mode": "slider", "pair": "AB", "ids": ["r1-a"], "told": 3}}, None),
        ({"shown": {"mode": "slider", "pair": [0, 1], "ids": ["r1-a"], "told": "3"}}, None),
    ],
)
def test_what_the_stage_says_of_itself_is_believed_only_where_it_makes_sense(state: Any, told: Shown | None) -> None:
    assert shown_of(state) == told


@pytest.mark.parametrize(
    ("state", "asked"),
    [
        (None, None),
        ({"ask": {"kind": "open", "ids": ["r1-a", "content", "../x", 3]}}, Asked(kind="open", ids=("r1-a", "content"))),
        ({"ask": {"kind": "leave"}}, Asked(kind="leave")),
        ({"ask": {"kind": "drop", "ids": []}}, None),
        ({"ask": "open"}, None),
    ],
)
def test_what_the_stage_asks_for_is_bounded(state: Any, asked: Asked | None) -> None:
    assert asked_of(state) == asked


# --- runs and panes -----------------------------------------------------------------------------------------------------


def test_runs_are_found_by_the_beginning_of_their_key(wide: Workspace) -> None:
    key = results(wide, "demo")[0].run_key
    with wide.reader().connect() as connection:
        assert run_named(connection, key) == (key, "")
        assert run_named(connection, key[:14]) == (key, "")
        assert run_named(connection, key[3:14]) == (key, "")
        assert run_named(connection, "r1-")[0] is None
        assert "Several runs" in run_named(connection, "")[1]
        assert "no run" in run_named(connection, "zz")[1]
        assert "no run" in run_named(connection, "r1-%")[1]
        assert "no run" in run_named(connection, "' OR 1=1")[1]
        assert shortened(connection, [key, "content"]) == [key[:15], "content"]
        many = [one.run_key for one in results(wide, "wide")[:2]]  # alike for 30 digits
        assert shortened(connection, many) == many


def test_panes_come_in_the_order_of_the_url_each_with_its_letter_and_what_tells_it_apart(wide: Workspace) -> None:
    first, second = results(wide, "demo")[:2]
    with compared(wide, second.run_key, "style", first.run_key, "content") as found:
        assert [pane.letter for pane in found.panes] == ["A", "B", "C", "D"]
        assert [pane.token for pane in found.panes] == [second.run_key, "style", first.run_key, "content"]
        assert found.letters == ("A", "C")
        a, b, _, d = found.panes
        assert (a.w, a.h, a.scale, a.run) == (96, 64, 1.0, second.run_key)
        assert a.src == f"/app/static/f/{second.image}.png"
        assert found.differing == ("layers",)
        assert a.name == "shallow" and found.panes[2].name == "gatys"
        assert b.name == "Style: waves.png"
        assert d.src == Crop(first.content_sha256, 96).url()
        assert d.note == "96 x 64 px, as the run saw it"
        assert found.remarks == ()


def test_what_the_url_asks_for_in_vain_is_said(wide: Workspace) -> None:
    keys = [one.run_key for one in results(wide, "demo")[:5]]
    with compared(wide, keys[0], "nothing", keys[0][:15], *keys[1:], "content", "content") as found:
        assert [run.run_key for run in found.runs] == keys[:4]
        assert len(found.panes) == 5
        text = " ".join(found.remarks)
        assert "no run nothing" in text
        assert "named twice" in text
        assert f"At most 4 runs are compared at once; {keys[4]} is left out." in text
    with compared(wide, "content", "style") as found:
        assert found.runs == () and found.panes == ()


def test_a_run_without_a_picture_says_why_and_a_diverged_one_shows_the_last(wide: Workspace) -> None:
    failed = results(wide, "demo", "failed")[0]
    diverged = next(one for one in results(wide, "wide", "diverged"))
    with compared(wide, failed.run_key, diverged.run_key) as found:
        assert found.panes[0].src is None
        assert found.panes[0].none == "Failed: there is no picture"
        assert found.panes[1].src is not None
        assert "the last picture kept, at step 7" in found.panes[1].note


def test_pictures_of_different_sizes_are_brought_to_the_largest_and_said_to_be(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    small, large = results(workspace, "demo")[:2]
    with workspace.writer().begin() as connection:
        connection.execute(update(Image).where(Image.sha256 == small.image).values(width=48, height=32))
    with compared(workspace, small.run_key, large.run_key, "content") as found:
        assert [pane.scale for pane in found.panes] == [2.0, 1.0, 2.0]
        assert found.panes[0].note == "48 x 32 px · enlarged 2 times"
        assert (found.panes[2].w, found.panes[2].h) == (48, 32)


@pytest.mark.parametrize(
    ("own", "scale", "size"),
    [
        ((1000, 500), 1.0, (96, 48)),
        ((50, 100), 1.0, (48, 96)),
        ((40, 30), 1.0, (40, 30)),
        ((1000, 500), 0.5, (48, 24)),
        ((1000, 100), 0.1, (160, 16)),
    ],
)
def test_a_style_is_as_large_as_the_run_saw_it(wide: Workspace, own: tuple[int, int], scale: float, size: tuple[int, int]) -> None:
    run = results(wide, "demo")[0]
    changed = replace(run, settings=dict(run.settings) | {"style_scale": scale})
    assert seen_size(changed, "style", own) == size
    assert seen_size(changed, "content", (960, 640)) == (96, 64)


def blended(workspace: Workspace, shares: dict[str, float]) -> list[Result]:
    """Two runs of `demo` with a picture, whose style is a blend of these input pictures now."""
    pair = results(workspace, "demo")[:2]
    with workspace.writer().begin() as connection:
        named = select(Image.original_name, Image.sha256).where(Image.original_name.is_not(None))
        hashes = {name: sha256 for name, sha256 in connection.execute(named)}
        parts = sorted([hashes.get(name, f"{number:x}" * 64), share] for number, (name, share) in enumerate(shares.items()))
        text = " + ".join(f"{share:g} {name}" for name, share in shares.items())
        for run in pair:
            connection.execute(update(Run).where(Run.run_key == run.run_key).values(settings=dict(run.settings) | {"style": parts}))
            connection.execute(update(Combination).where(Combination.id == run.id).values(style=text))
    return pair


def test_every_picture_of_a_blend_is_a_pane_with_its_share_the_greatest_first(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    first, second = blended(workspace, {"glass.png": 0.25, "waves.png": 0.75})
    with compared(workspace, first.run_key, second.run_key, "style", "style2", "style3") as found:
        assert [pane.name for pane in found.panes[2:]] == ["Style 75%: waves.png", "Style 25%: glass.png"]
        assert [(pane.token, pane.letter) for pane in found.panes[2:]] == [("style", "C"), ("style2", "D")]
        assert found.panes[3].alt == "Style image glass.png, 25% of the style"
        assert found.panes[2].src != found.panes[3].src and all(pane.src for pane in found.panes)
        assert style_tokens(found.runs[0]) == ("style", "style2")


def test_of_a_blend_of_many_the_four_greatest_are_offered_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    look_at(workspace.folder, monkeypatch)
    shares = {"cat.png": 0.1, "waves.png": 0.3, "glass.png": 0.25, "harbour.jpg": 0.2, "gone.png": 0.15}
    first, second = blended(workspace, shares)
    at = page(ids=f"{first.run_key},{second.run_key},style", sweep="demo")
    assert "a blend of 5 pictures; the 4 of the greatest shares are shown" in words(at)
    toggle = at.toggle(key="pane-style")
    assert (toggle.label, toggle.value) == ("The style pictures", False)  # one of them is on the stage, not all
    toggle.set_value(True).run()
    stage = component(at, "compare")
    assert stage is not None
    assert [pane["name"].partition(":")[0] for pane in stage["panes"][2:]] == ["Style 30%", "Style 25%", "Style 20%", "Style 15%"]
    assert [bool(pane["src"]) for pane in stage["panes"][2:]] == [True, True, True, False]
    assert str(at.query_params["ids"]).endswith(",style,style2,style3,style4")
    at.toggle(key="pane-style").set_value(False).run()
    stage = component(at, "compare")
    assert stage is not None and [pane["token"] for pane in stage["panes"]] == [first.run_key, second.run_key]


def test_a_shared_run_is_the_combination_of_the_view(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path, betas=1)
    add_sweep(workspace, "other", [Point(beta=3.0)])
    run = results(workspace, "other")[0]
    with workspace.writer().begin() as connection:
        sweep_id = connection.execute(select(Combination.sweep_id).limit(1)).scalar_one()
        row = dict(connection.execute(select(*Combination.__table__.columns).where(Combination.id == run.id)).mappings().one())
        row |= {"sweep_id": sweep_id, "position": 99, "combination_key": "c1-x", "beta": 6.0, "alpha": 2.0}
        row.pop("id")
        connection.execute(insert(Combination).values(row))
    for sweep, beta in (("demo", 6.0), ("other", 3.0)):
        with compared(workspace, run.run_key, sweeps=(sweep,)) as found:
            assert found.runs[0].parameters["beta"] == beta


# --- tables and curves --------------------------------------------------------------------------------------------------


def with_values(run: Result, protocol: str | None = "y1", **yardsticks: float | None) -> Result:
    return replace(run, yardsticks=dict(run.yardsticks) | yardsticks, protocol=protocol)


def test_the_better_one_is_marked_by_the_direction_of_its_yardstick(wide: Workspace) -> None:
    run = results(wide, "demo")[0]
    a = with_values(run, balance=0.5, d_style=0.2, sharpness=1.0)
    b = with_values(run, balance=0.7, d_style=0.1, sharpness=2.0)
    c = with_values(run, balance=None, d_style=None)
    assert best_of("balance", [a, b, c]) == (False, True, False)
    assert best_of("d_style", [a, b, c]) == (False, True, False)
    assert best_of("sharpness", [a, b]) == (False, False)  # neither more nor less is better
    assert best_of("balance", [a, c]) == (False, False)  # nothing to compare with
    assert best_of("balance", [a, a]) == (False, False)
    assert best_of("balance", [b, b, a]) == (True, True, False)
    assert best_of("balance", [a, with_values(b, protocol="y9", balance=0.9)]) == (False, False)  # never across protocols
    assert best_of("balance", [a, with_values(run, balance=0.50001)]) == (False, False)  # what reads alike is level


def test_only_what_differs_is_in_the_table_and_the_rest_in_a_sentence(wide: Workspace) -> None:
    pair = [one for one in results(wide, "demo") if one.parameters["style"] == "waves.png" and one.parameters["layers"] == "gatys"][:2]
    lines = parameter_lines(pair)
    assert [(line.name, line.cells) for line in lines] == [("Beta", ("1", "3.162"))]
    sentence = equal_words(pair)
    assert sentence.startswith("The other 30 parameters are equal: content harbour.jpg, style waves.png, alpha 1, layers gatys")
    assert sentence.endswith("; 11 numbers left to the recipe.")
    assert equal_words([pair[0], pair[0]]).startswith("All 31 parameters are equal")


def test_yardsticks_stand_side_by_side_and_only_those_that_were_measured(wide: Workspace) -> None:
    pair = results(wide, "demo")[:2]
    tables = yardstick_lines(pair)
    assert tables[0][0] == ""
    assert [line.name for line in tables[0][1]] == ["Balance", "Content kept", "Style gained", "Content distance", "Style distance"]
    assert "heuristic" in tables[0][1][0].hint
    assert all(len(line.cells) == 2 for _, lines in tables for line in lines)
    others = {name: None for name in pair[0].yardsticks if name not in NAMES}
    old = [with_values(one, **others) for one in pair]
    assert len(yardstick_lines(old)) == 1


def points(*rows: tuple[int, int, float, float]) -> list[dict[str, Any]]:
    return [dict(zip(("step", "size", "content_loss", "style_loss"), row, strict=True)) for row in rows]


def test_curves_lie_in_one_panel_for_each_loss_with_rules_where_all_agree() -> None:
    curves = {"A": points((0, 64, 0.0, 1.0), (5, 96, 0.2, 0.5)), "B": points((0, 64, 0.0, 2.0), (5, 96, 0.1, 0.1))}
    chart = compared_chart(curves, "style_loss")
    assert chart is not None
    drawn = chart.to_dict()
    rows = next(layer["data"]["values"] for layer in drawn["layer"] if layer["mark"].get("strokeWidth"))
    assert {(row["run"], row["value"]) for row in rows} == {("A", 1.0), ("A", 0.5), ("B", 2.0), ("B", 0.1)}
    assert drawn["layer"][2]["encoding"]["y"]["scale"]["type"] == "log"
    assert [one["size"] for one in common_starts(curves)] == ["64 px", "96 px"]
    curves["B"] = points((0, 64, 0.0, 2.0), (7, 96, 0.1, 0.1))
    assert common_starts(curves) == []
    assert compared_chart({"A": points((0, 64, 0.0, 1.0))}, "content_loss") is None


def test_what_may_be_read_from_curves_depends_on_what_differs(wide: Workspace) -> None:
    first, second = results(wide, "demo")[:2]
    assert "layers" in curve_words([first, second])
    assert "cannot be compared" in curve_words([first, second])
    assert "cannot be compared" not in curve_words([first, first])


# --- the page -----------------------------------------------------------------------------------------------------------


def test_without_a_workspace_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at(tmp_path / "none", monkeypatch)
    assert "make demo" in [element.value for element in page(ids="a,b").code]
    open_workspace(tmp_path, create=True)
    look_at(tmp_path, monkeypatch)
    assert "make demo" in [element.value for element in page(ids="a,b").code]


def test_nothing_chosen_offers_the_first_two_of_the_view(opened: Workspace) -> None:
    at = page(sweep="demo")
    assert "Nothing is chosen" in words(at)
    assert component(at, "compare") is None
    at.button[0].click().run()
    assert not at.exception
    stage = component(at, "compare")
    assert stage is not None
    best = sorted(results(opened, "demo"), key=lambda one: -(one.yardsticks["balance"] or 0))
    assert [pane["run"] for pane in stage["panes"]] == [one.run_key for one in best[:2]]


@pytest.mark.parametrize("ids", ["nonsense", ",,,", "content", "\u0000", "r1-", HOSTILE[:60], "1 OR 1=1"])
def test_ids_that_are_none_are_calm_words(opened: Workspace, ids: str) -> None:
    at = page(ids=ids, sweep="demo")
    assert "Nothing is chosen" in words(at)


def test_one_run_stands_alone_and_says_how_to_add_another(opened: Workspace) -> None:
    run = results(opened, "demo")[0]
    at = page(ids=run.run_key, sweep="demo", mode="slider")
    stage = component(at, "compare")
    assert stage is not None and len(stage["panes"]) == 1
    assert stage["mode"] == "side"
    assert "Add another" in words(at)
    assert component(at, "parameters") is None


def test_two_runs_with_what_differs_yardsticks_and_curves(opened: Workspace) -> None:
    first, second = results(opened, "demo")[:2]
    at = page(ids=f"{first.run_key},{second.run_key}", sweep="demo", sort="plan", mode="flicker")
    stage = component(at, "compare")
    assert stage is not None
    assert stage["mode"] == "flicker"
    assert (stage["previous"], stage["next"]) == (None, results(opened, "demo")[2].run_key)
    assert stage["place"] == "2 of 12 in the view"
    assert [one["here"] for one in stage["strip"]][:3] == ["A", "B", ""]
    assert stage["strip"][0]["token"] == first.run_key
    parameters, yardsticks = component(at, "parameters"), component(at, "yardsticks")
    assert parameters is not None and yardsticks is not None
    assert parameters["letters"] == ["A", "B"]
    assert [line["name"] for line in parameters["tables"][0]["lines"]] == ["Layers"]
    assert len(at.get("vega_lite_chart")) == 2
    assert "Losses are unweighted" in words(at)


def test_without_ids_it_is_what_was_compared_last(opened: Workspace) -> None:
    first, second = results(opened, "demo")[:2]
    at = page(ids=f"{first.run_key},{second.run_key}", sweep="demo", mode="slider")
    del at.query_params["ids"]
    del at.query_params["mode"]
    at.run()
    stage = component(at, "compare")
    assert stage is not None
    assert ([pane["run"] for pane in stage["panes"]], stage["mode"]) == ([first.run_key, second.run_key], "slider")


def test_five_ids_and_a_run_without_a_picture_are_said(opened: Workspace) -> None:
    keys = [one.run_key for one in results(opened, "demo")[:4]] + [results(opened, "demo", "failed")[0].run_key]
    at = page(ids=",".join(keys), sweep="demo")
    assert "At most 4 runs" in words(at)
    at = page(ids=f"{keys[4]},{keys[0]}", sweep="demo")
    stage = component(at, "compare")
    assert stage is not None
    assert [bool(pane["src"]) for pane in stage["panes"]] == [False, True]
    stage = component(page(ids=f"{keys[0]},{keys[4]}", sweep="demo"), "compare")
    assert stage is not None
    assert (stage["place"], stage["previous"]) == ("12 pictures in the view", None)
    assert stage["next"] not in (None, keys[0])


def test_a_view_that_does_not_hold_the_runs_still_offers_its_own(opened: Workspace) -> None:
    first, second = results(opened, "demo")[:2]
    at = page(ids=f"{first.run_key},{second.run_key}", sweep="wide")
    stage = component(at, "compare")
    assert stage is not None
    assert stage["next"] is not None and stage["previous"] is None
    assert stage["place"].endswith("pictures in the view")


def test_a_view_without_any_picture_offers_nothing(opened: Workspace) -> None:
    first, second = results(opened, "demo")[:2]
    at = page(ids=f"{first.run_key},{second.run_key}", sweep="demo", state="failed")
    stage = component(at, "compare")
    assert stage is not None
    assert (stage["next"], stage["previous"], stage["strip"]) == (None, None, [])


def test_content_and_style_come_onto_the_stage_and_leave_it(opened: Workspace) -> None:
    first, second = results(opened, "demo")[:2]
    at = page(ids=f"{first.run_key},{second.run_key}", sweep="demo")
    at.toggle(key="pane-content").set_value(True).run()
    assert not at.exception
    stage = component(at, "compare")
    assert stage is not None and [pane["token"] for pane in stage["panes"]] == [first.run_key, second.run_key, "content"]
    assert f"{first.run_key[:15]},{second.run_key[:15]},content" in at.query_params["ids"]
    at.toggle(key="pane-content").set_value(False).run()
    stage = component(at, "compare")
    assert stage is not None and len(stage["panes"]) == 2


def test_a_run_is_added_by_its_key_and_a_wrong_one_is_said(opened: Workspace) -> None:
    first, second, third = results(opened, "demo")[:3]
    at = page(ids=f"{first.run_key},{second.run_key}", sweep="demo")
    at.text_input(key="compare-key").set_value("zz").run()
    assert "no run zz" in words(at)
    at.text_input(key="compare-key").set_value(second.run_key).run()
    assert "on the stage already" in words(at)
    at.text_input(key="compare-key").set_value(third.run_key[3:15]).run()
    assert not at.exception
    stage = component(at, "compare")
    assert stage is not None and [pane["run"] for pane in stage["panes"]] == [first.run_key, second.run_key, third.run_key]


def test_names_are_text_whatever_they_hold(opened: Workspace) -> None:
    odd = [one for one in results(opened, f"odd {HOSTILE[:40]}")]
    keys = list(dict.fromkeys(one.run_key for one in odd))
    at = page(ids=",".join(keys), sweep=f"odd {HOSTILE[:40]}")
    stage = component(at, "compare")
    assert stage is not None and len(stage["panes"]) == 2
    table = component(at, "parameters")
    assert table is not None and HOSTILE in table["note"]
    assert not [element for element in at.markdown if "<img" in str(element.value)]


def test_a_person_sees_their_reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    workspace = made_up_workspace(tmp_path, betas=1)
    look_at(tmp_path, monkeypatch)
    first, second = results(workspace, "demo")[:2]
    with workspace.writer().begin() as connection:
        row = {"run_key": first.run_key, "person": default_person(), "flag": "pick", "flag_at": 1.0, "stars": 4, "stars_at": 1.0}
        connection.execute(insert(Review).values(row))
    stage = component(page(ids=f"{first.run_key},{second.run_key}"), "compare")
    assert stage is not None
    assert stage["reviews"] == {first.run_key: {"flag": "pick", "stars": 4, "note": "", "tags": []}}
    assert stage["person"] == stage["by"] == default_person()

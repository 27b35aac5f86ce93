"""What the Explore page draws and says, against plain loops over every result."""

import itertools
import math
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gallery_factories import HOSTILE, Point, add_sweep, look_at
from hypothesis import given
from hypothesis import strategies as st
from page_harness import component, page, words
from sqlalchemy import Connection

from db import browse
from db.queries import Result, results
from db.workspace import Workspace
from gallery.axes_of_runs import Axis, axis, narrowed, without
from gallery.components.scatter import Asked, asked
from gallery.explore_view import MOST_LINES, MOST_POINTS, ExploreSpec, number_names, parallel_names, plane, sample
from gallery.explored import Explored, Seen, explored
from gallery.filters import FilterSpec
from gallery.influence import influence, influences
from gallery.look import Look, take_look
from gallery.pareto import front_of
from gallery.reviewed import nothing_said
from gallery.selection import Selected, select
from gallery.sieve import Sieve
from gallery.view import View


@pytest.fixture
def connection(wide: Workspace) -> Iterator[Connection]:
    with wide.reader().connect() as opened:
        yield opened


def looked(connection: Connection, *sweeps: str) -> tuple[Look, Selected]:
    look = take_look(connection, sweeps, browse.newest_seq(connection))
    return look, selected_by(connection, look, View(sweeps=sweeps))


def selected_by(connection: Connection, look: Look, view: View) -> Selected:
    return select(connection, Sieve(connection, look, view, nothing_said(look)))


def fitting(connection: Connection, look: Look, view: View) -> set[int]:
    return set(np.flatnonzero(Sieve(connection, look, view, nothing_said(look)).fits()).tolist())


def everything(look: Look) -> Any:
    """All combinations of a look, as places."""
    return np.arange(len(look.combination))


def all_results(connection: Connection, look: Look) -> list[Result]:
    """The combinations of a look, read anew."""
    by_id = {result.id: result for result in results(connection)}
    return [by_id[one] for one in look.combination.tolist()]


def seen(connection: Connection, *sweeps: str) -> Seen:
    look, selected = looked(connection, *sweeps)
    return Seen(look=look, view=View(sweeps=sweeps), selected=selected, reviewed=nothing_said(look), front=front_of(connection, look))


def drawn(connection: Connection, *sweeps: str, **spec: Any) -> Explored:
    return explored(connection, seen(connection, *sweeps), ExploreSpec(**spec))


# --- axes and ranges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["content_kept", "style_gained", "balance", "sharpness", "beta", "alpha", "size", "steps", "layers", "content"]
)
def test_an_axis_has_each_runs_own_value(connection: Connection, name: str) -> None:
    look, _ = looked(connection, "wide")
    one = axis(connection, look, everything(look), name)
    for value, result in zip(one.values.tolist(), all_results(connection, look), strict=True):
        expected = result.yardsticks[name] if name in result.yardsticks else result.parameters[name]
        if one.ticks:
            assert one.ticks[int(value)] == expected
        else:
            assert math.isnan(value) if expected is None else value == expected


def test_a_parameter_that_spans_much_is_logarithmic_and_what_does_not_vary_is_one_place(connection: Connection) -> None:
    look, _ = looked(connection, "wide")
    assert axis(connection, look, everything(look), "beta").log  # 1 to 100
    assert not axis(connection, look, everything(look), "size").log
    assert not axis(connection, look, everything(look), "content_kept").log
    assert axis(connection, look, everything(look), "network").ticks == ("vgg16-hed",)
    assert axis(connection, look, everything(look), "steps").ticks == (None, 50, 100)  # the recipe's own is a place of its own
    assert axis(connection, look, everything(look), "steps").tick_labels() == ["auto", "50", "100"]
    assert axis(connection, look, everything(look), "size").few == [96.0, 128.0]
    assert axis(connection, look, everything(look), "balance").few == []


RANGES: list[dict[str, tuple[float, float]]] = [
    {"content_kept": (0.2, 0.6)},
    {"content_kept": (0.6, 0.2), "style_gained": (0.5, 2.0)},
    {"beta": (2.0, 31.6), "content_kept": (0.1, 0.9)},
    {"layers": (1.0, 1.0), "seed": (0.0, 1.0)},
    {"steps": (1.0, 2.0), "size": (100.0, 200.0)},
]


@pytest.mark.parametrize("ranges", RANGES)
def test_a_box_is_a_view_with_just_the_runs_that_lie_in_it(connection: Connection, ranges: dict[str, tuple[float, float]]) -> None:
    look, _ = looked(connection, "wide")
    axes = [axis(connection, look, everything(look), name) for name in ranges]
    inside = {
        place
        for place in range(len(look.combination))
        if all(min(ranges[one.name]) <= one.values[place] <= max(ranges[one.name]) for one in axes)
    }
    assert 0 < len(inside) < len(look.combination)
    spec = narrowed(FilterSpec(view=View(sweeps=("wide",))), ranges, axes)
    assert FilterSpec.from_params(spec.to_params()) == spec  # so it can be passed on
    assert fitting(connection, look, spec.view) == inside


@pytest.mark.parametrize("ranges", [{"nonsense": (0.0, 1.0)}, {"beta": (math.nan, 1.0)}, {"content_kept": (0.0, math.inf)}])
def test_ranges_that_make_no_sense_narrow_nothing(connection: Connection, ranges: dict[str, tuple[float, float]]) -> None:
    look, _ = looked(connection, "wide")
    spec = FilterSpec(view=View(sweeps=("wide",)))
    assert narrowed(spec, ranges, [axis(connection, look, everything(look), name) for name in ("beta", "content_kept")]) == spec


@pytest.mark.parametrize(
    ("name", "ends"), [("layers", (0.0, 0.0)), ("beta", (5.0, 40.0)), ("content_kept", (0.5, 9.0)), ("style_gained", (-1.0, 0.3))]
)
def test_leaving_a_range_out_leaves_all_the_rest(connection: Connection, name: str, ends: tuple[float, float]) -> None:
    look, _ = looked(connection, "wide")
    one = axis(connection, look, everything(look), name)
    rest = {place for place, value in enumerate(one.values) if value < ends[0] or value > ends[1]}
    spec = without(FilterSpec(view=View(sweeps=("wide",))), name, ends, [one])
    assert spec is not None
    assert fitting(connection, look, spec.view) == rest


def test_what_no_filter_can_say_is_not_said(connection: Connection) -> None:
    look, _ = looked(connection, "wide")
    spec, axes = FilterSpec(view=View(sweeps=("wide",))), [axis(connection, look, everything(look), "content_kept")]
    assert without(spec, "content_kept", (0.4, 0.6), axes) is None  # two ends would be left
    assert without(spec, "content_kept", (-1.0, 2.0), axes) is None  # nothing would
    assert without(spec, "nonsense", (0.0, 1.0), axes) is None


# --- which of many are drawn ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=400), st.integers(1, 300))
def test_a_sample_is_exactly_as_large_as_allowed_fair_to_every_stratum_and_always_the_same(rows: list[tuple[int, bool]], most: int) -> None:
    stratum = np.array([one for one, _ in rows], dtype=np.int64)
    always = np.array([flag for _, flag in rows], dtype=np.bool_)
    chosen = sample(stratum, always, most)
    assert len(chosen) == min(most, len(rows))
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() == sample(stratum, always, most).tolist()
    kept = int(always.sum())
    if kept <= most:
        assert set(np.flatnonzero(always).tolist()) <= set(chosen.tolist())
    others = Counter(stratum[~always].tolist()) if kept <= most else Counter(stratum[always].tolist())
    taken = Counter(stratum[place] for place in chosen.tolist() if kept > most or not always[place])
    room, total = (most - kept, len(rows) - kept) if kept <= most else (most, kept)
    if len(rows) > most and total:
        for one, amount in others.items():
            assert abs(taken[one] - amount * room / total) < 2


def test_points_are_the_runs_with_both_values_and_at_most_so_many_with_all_that_matter() -> None:
    chance = random.Random(5)
    amount = 3 * MOST_POINTS
    values = np.array([chance.random() if chance.random() < 0.9 else math.nan for _ in range(amount)])
    x, y = Axis(name="x", label="x", values=values), Axis(name="y", label="y", values=np.roll(values, 1))
    always = np.array([chance.random() < 0.01 for _ in range(amount)])
    shown = plane((x, y), np.arange(amount), np.array([chance.randrange(4) for _ in range(amount)]), always)
    known = {place for place in range(amount) if not math.isnan(values[place]) and not math.isnan(values[place - 1])}
    assert shown.measured == len(known)
    assert len(shown.places) == MOST_POINTS
    assert not shown.all_drawn
    assert set(shown.places.tolist()) <= known
    assert {place for place in known if always[place]} <= set(shown.places.tolist())


def test_every_run_is_drawn_where_they_are_few(connection: Connection) -> None:
    found = drawn(connection, "wide")
    look, _ = looked(connection, "wide")
    rows = all_results(connection, look)
    measured = [row for row in rows if row.yardsticks["content_kept"] is not None and row.yardsticks["style_gained"] is not None]
    assert found.plane.measured == len({row.run_key for row in measured}) == len(found.points["key"]) < len(measured)
    told = dict(zip(found.points["key"], zip(found.points["x"], found.points["y"], found.points["src"], strict=True), strict=True))
    for row in measured:
        x, y, source = told[row.run_key]
        assert (x, y) == (pytest.approx(row.yardsticks["content_kept"]), pytest.approx(row.yardsticks["style_gained"]))
        assert source == f"/app/static/t/{row.thumbnail}.webp"


def test_along_a_parameter_every_combination_is_a_point(connection: Connection) -> None:
    found = drawn(connection, "wide", x="beta")
    look, _ = looked(connection, "wide")
    measured = [row for row in all_results(connection, look) if row.yardsticks["style_gained"] is not None]
    expected = Counter((row.run_key, row.parameters["beta"]) for row in measured)
    assert Counter(zip(found.points["key"], found.points["x"], strict=True)) == expected
    assert "combinations" in found.points_drawn()


def test_the_front_is_that_of_each_pair(connection: Connection) -> None:
    found = drawn(connection, "wide")
    points = found.points
    groups: dict[int, list[tuple[float, float, int]]] = defaultdict(list)
    for pair, x, y, front in zip(points["pair"], points["x"], points["y"], points["front"], strict=True):
        groups[pair].append((x, y, front))
    assert len(groups) == 4
    for members in groups.values():
        for x, y, front in members:
            beaten = any(other_x >= x and other_y >= y and (other_x, other_y) != (x, y) for other_x, other_y, _ in members)
            assert front == (not beaten)


def test_the_lines_go_through_everything_that_varies_and_the_yardsticks(connection: Connection) -> None:
    found = drawn(connection, "wide", colour="layers")
    names = [one["name"] for one in found.parallel_data("v")["axes"]]
    assert names == ["content", "style", "alpha", "beta", "layers", "size", "steps", "seed", "content_kept", "style_gained", "balance"]
    assert all(len(one["values"]) == found.parallel_data("v")["amount"] <= MOST_LINES for one in found.parallel_data("v")["axes"])
    assert found.parallel_data("v")["colour"]["ticks"] == ["gatys", "shallow"]


def test_the_order_of_the_axes_is_the_readers_and_the_rest_follows(connection: Connection) -> None:
    look, _ = looked(connection, "wide")
    assert parallel_names(look, ExploreSpec(axes=("balance", "beta")))[:3] == ["balance", "beta", "content"]
    assert sorted(parallel_names(look, ExploreSpec(axes=("balance", "beta")))) == sorted(parallel_names(look, ExploreSpec()))


@pytest.mark.parametrize(
    "params",
    [{}, {"xm": ["nonsense"], "ym": ["layers"], "colour": ["'; drop table run"], "axes": ["a,,b," * 500]}, {"xm": [], "ym": ["", "beta"]}],
)
def test_whatever_the_url_says_the_page_has_axes(connection: Connection, params: dict[str, list[str]]) -> None:
    look, _ = looked(connection, "wide")
    spec = ExploreSpec.from_params(params, look)
    assert (spec.x, spec.y, spec.colour, spec.axes) == ("content_kept", "style_gained", "beta", ())
    good = ExploreSpec.from_params({"xm": ["beta"], "ym": ["sharpness"], "colour": ["none"], "axes": ["seed,beta,nonsense,seed"]}, look)
    assert (good.x, good.y, good.colour, good.axes) == ("beta", "sharpness", "", ("seed", "beta"))
    assert {"beta", "balance"} <= set(number_names(look))
    assert "layers" not in number_names(look)


# --- what moves a yardstick -------------------------------------------------------------------------------------------


def eta_squared(rows: list[tuple[int, Any, float]]) -> float:
    """By the book, in plain Python: rows of (pair, value, yardstick)."""
    pairs: dict[int, list[float]] = defaultdict(list)
    cells: dict[tuple[int, Any], list[float]] = defaultdict(list)
    for pair, value, yardstick in rows:
        pairs[pair].append(yardstick)
        cells[pair, value].append(yardstick)
    total = sum((one - statistics.fmean(members)) ** 2 for members in pairs.values() for one in members)
    between = sum(len(members) * (statistics.fmean(members) - statistics.fmean(pairs[pair])) ** 2 for (pair, _), members in cells.items())
    return between / total


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.floats(0, 1)), min_size=2, max_size=80))
def test_eta_squared_is_the_share_of_variance_between_values_within_pairs(rows: list[tuple[int, int, float]]) -> None:
    values = Axis(name="seed", label="Seed", values=np.array([float(value) for _, value, _ in rows]))
    found = influence(values, np.array([one for *_, one in rows]), np.array([pair for pair, *_ in rows]))
    if found is not None:
        assert found.share == pytest.approx(eta_squared([*rows]), abs=1e-9)
        assert 0 <= found.share <= 1 + 1e-9
        assert found.runs == len(rows)


def test_a_parameter_that_decides_has_all_and_one_that_does_nothing_has_none() -> None:
    rows = list(itertools.product(range(3), range(4), range(5)))  # pair, decides, idle
    pair = np.array([one for one, _, _ in rows])
    yardstick = np.array([10.0 * one + decides for one, decides, _ in rows])
    decides = Axis(name="beta", label="Beta", values=np.array([float(one) for _, one, _ in rows]))
    idle = Axis(name="layers", label="Layers", values=np.array([float(one) for *_, one in rows]), ticks=tuple("abcde"))
    strong, weak = influences([idle, decides], yardstick, pair)
    assert (strong.name, strong.share, strong.highest, strong.lowest) == ("beta", pytest.approx(1.0), "3", "0")
    assert (weak.name, weak.share) == ("layers", pytest.approx(0.0))


def test_nothing_is_said_where_nothing_can_be() -> None:
    pair = np.zeros(6, dtype=np.int64)
    yardstick = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    every_its_own = Axis(name="layers", label="Layers", values=np.arange(6.0), ticks=tuple("abcdef"))
    one_value = Axis(name="seed", label="Seed", values=np.ones(6))
    assert influences([every_its_own, one_value], yardstick, pair) == []
    two = Axis(name="seed", label="Seed", values=np.array([0.0, 0, 0, 1, 1, 1]))
    assert influences([two], np.full(6, 0.5), pair) == []  # nothing varies
    assert influences([two], np.full(6, math.nan), pair) == []
    content = Axis(name="content", label="Content", values=np.array([0.0, 0, 0, 1, 1, 1]))
    assert influences([content], yardstick, pair) == []  # is what a pair is made of


def test_a_number_of_many_values_is_taken_in_stretches() -> None:
    chance = random.Random(2)
    values = np.array([chance.uniform(1, 300) for _ in range(400)])
    found = influence(Axis(name="beta", label="Beta", values=values), values.copy(), np.zeros(400, dtype=np.int64))
    assert found is not None
    assert found.groups == 8
    assert found.share > 0.95
    assert " to " in found.highest


# --- what the scripts say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [None, "open", 3, {}, {"kind": "drop"}, {"kind": ["open"]}, [("kind", "open")]],
)
def test_what_is_no_request_is_none(said: Any) -> None:
    assert asked(said) is None


def test_of_a_request_only_what_makes_sense_is_taken() -> None:
    said = {"kind": "filter", "key": "r1-" + "0" * 500, "ranges": {"beta": [1, 2.5], "x": "y", "z": [1, "2"], "w": [1]}, "names": ["a", 3]}
    assert asked(said) == Asked(kind="filter", key="r1-" + "0" * 61, ranges={"beta": (1.0, 2.5)}, names=("a", "3"))
    assert asked({"kind": "order", "names": "beta", "ranges": [1]}) == Asked(kind="order")


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_draws_points_lines_and_shares(opened: Workspace) -> None:
    at = page("explore", sweep="wide")
    said = words(at)
    data = component(at, "scatter")
    assert "Explore wide" in said
    assert (data["x"]["name"], data["y"]["name"], data["colour"]["name"]) == ("content_kept", "style_gained", "beta")
    assert data["front"] is True
    assert f"{len(data['points']['key'])} runs with both values" in said.replace("\\", "")
    assert component(at, "parallel")["amount"]
    assert {row["name"] for row in component(at, "shares")["rows"]} <= {"Alpha", "Beta", "Layers", "Size", "Steps", "Seed"}
    assert "What moves style gained" in said


def test_axes_and_colour_stand_in_the_url(opened: Workspace) -> None:
    at = page("explore", sweep="wide", xm="beta", ym="sharpness", colour="layers", axes="seed,beta")
    data = component(at, "scatter")
    assert (data["x"]["name"], data["x"]["log"], data["y"]["name"], data["colour"]["ticks"]) == (
        "beta",
        True,
        "sharpness",
        ["gatys", "shallow"],
    )
    assert data["front"] is False
    assert [one["name"] for one in component(at, "parallel")["axes"]][:2] == ["seed", "beta"]
    at.selectbox(key="explore-ym").select("d_colour").run()
    assert component(at, "scatter")["y"]["name"] == "d_colour"
    assert component(at, "scatter")["x"]["name"] == "beta"
    assert "What moves colour distance" in words(at)


def test_filters_hold_here_too_and_can_be_undone(opened: Workspace) -> None:
    whole = len(component(page("explore", sweep="wide"), "scatter")["points"]["key"])
    at = page("explore", sweep="wide", content_kept="0.5..0.9", layers="gatys", ym="balance")
    data = component(at, "scatter")
    assert 0 < len(data["points"]["key"]) < whole
    assert all(0.5 <= x <= 0.9 for x in data["points"]["x"])
    none = page("explore", sweep="wide", content_kept="7..8", ym="balance")
    assert "No combination matches" in words(none)
    (everything,) = [button for button in none.button if button.label == "Show all"]
    everything.click().run()
    assert len(component(none, "scatter")["points"]["key"]) >= whole


def test_without_a_measured_run_the_page_says_so(wide: Workspace, opened: Workspace) -> None:
    assert "No run of this view has both values yet" in words(page("explore", sweep="wide", state="failed"))


@pytest.mark.parametrize("name", ["explore"])
def test_without_a_workspace_the_page_says_what_to_type(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    look_at(tmp_path / "none", monkeypatch)
    assert "make demo" in words(page(name))


def test_hostile_names_are_handed_on_as_they_are(opened: Workspace) -> None:
    sweep = f"odd {HOSTILE[:40]}"
    at = page("explore", sweep=sweep, colour="content")
    details = {one["name"]: one for one in component(at, "scatter")["details"]}
    assert "alpha" in details
    assert "<img" not in words(at).replace("\\<", "")


def test_one_run_is_a_page_too(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from factories import made_up_workspace

    workspace = made_up_workspace(tmp_path, betas=1)
    add_sweep(workspace, "one", [Point()])
    look_at(tmp_path, monkeypatch)
    at = page("explore", sweep="one")
    assert len(component(at, "scatter")["points"]["key"]) == 1
    assert "Nothing can be said" in words(at)

"""The gallery's queries against a plain filter over every combination."""

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from db import browse
from db.browse import Choice, Range, View
from db.models import RUN_STATES
from db.queries import PARAMETERS, Result, results
from db.workspace import Workspace


def everything(workspace: Workspace) -> list[Result]:
    with workspace.reader().connect() as connection:
        return results(connection)


def matches(result: Result, view: View, state: str) -> bool:
    """The filter in plain Python."""
    if result.sweep not in view.sweeps or (view.states and state not in view.states):
        return False
    for name, choice in view.choices:
        value = result.parameters[name]
        inside = value is not None and choice.low <= value <= choice.high if isinstance(choice, Range) else value in choice
        if not inside:
            return False
    return True


def seen_state(result: Result, asof: int) -> str:
    return "running" if (result.finished_seq or 0) > asof else result.state


def expected(rows: Sequence[Result], view: View, asof: int) -> list[tuple[str, int]]:
    """(run key, combinations that share it), in order."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        if matches(row, view, seen_state(row, asof)):
            groups[row.run_key].append(row)

    def place(key: str) -> tuple[Any, ...]:
        first = groups[key][0]
        seen = (first.finished_seq or 0) <= asof
        if view.sort == "plan":
            return (first.id,)
        if view.sort == "newest":
            known = first.finished_seq is not None and seen
            return (not known, -(first.finished_seq or 0) if known else 0, first.id)
        value = first.yardsticks[view.sort] if seen else None
        sign = 1 if view.sort.startswith("d_") or view.sort == "clipped" else -1
        return (seen_state(first, asof) != "done", value is None, sign * (value or 0), first.id)

    return [(key, len(groups[key])) for key in sorted(groups, key=place)]


def some_views(amount: int, rows: Sequence[Result]) -> list[View]:
    chance = random.Random(11)
    views = []
    for _ in range(amount):
        choices: dict[str, Choice] = {}
        for name in chance.sample(PARAMETERS, chance.randrange(3)):
            values = sorted({row.parameters[name] for row in rows}, key=str)
            choices[name] = tuple(chance.sample(values, min(len(values), chance.randrange(1, 3))))
        if chance.random() < 0.3:
            choices["beta"] = Range(low=2.0, high=chance.choice([10.0, 50.0]))
        views.append(
            View(
                sweeps=tuple(chance.sample(sorted({row.sweep for row in rows}), chance.randrange(1, 3))),
                choices=tuple((name, choices[name]) for name in PARAMETERS if name in choices),
                states=tuple(state for state in RUN_STATES if chance.random() < 0.15),
                sort=chance.choice(browse.SORTS),
            )
        )
    return views


def test_pages_of_any_view_are_what_a_plain_filter_and_sort_give(wide: Workspace) -> None:
    rows = everything(wide)
    filled = 0
    with wide.reader().connect() as connection:
        for number, view in enumerate(some_views(60, rows)):
            asof = 10_000 if number % 2 else 120  # also a look from before the last runs finished
            wanted = expected(rows, view, asof)
            filled += len(wanted) > 10
            got = browse.tiles(connection, view, asof, limit=1000)
            assert [(tile.result.run_key, tile.shared) for tile in got] == wanted, view
            assert [tile.result.run_key for tile in browse.tiles(connection, view, asof, limit=7, offset=5)] == [
                key for key, _ in wanted[5:12]
            ]
            assert browse.count(connection, view, asof) == browse.Count(runs=len(wanted), combinations=sum(shared for _, shared in wanted))
    assert filled > 20  # the views were not all empty


def test_facets_count_the_runs_that_each_value_would_show(wide: Workspace) -> None:
    rows = everything(wide)
    view = View(sweeps=("wide",), choices=(("content", ("cat.png",)), ("beta", (10.0, 100.0))), states=("done",))
    with wide.reader().connect() as connection:
        for name in ("content", "beta", "steps", "layers"):
            found = browse.facet(connection, view, 10_000, name)
            others = View(sweeps=view.sweeps, choices=tuple(pair for pair in view.choices if pair[0] != name), states=view.states)
            for value, shown in found.values:
                own = View(sweeps=others.sweeps, choices=(*others.choices, (name, (value,))), states=others.states)
                assert shown == len(expected(rows, own, 10_000)), (name, value)
            assert {value for value, _ in found.values} == {row.parameters[name] for row in rows if row.sweep == "wide"}
            assert found.complete


def test_state_counts_leave_the_choice_of_states_out(wide: Workspace) -> None:
    rows = everything(wide)
    view = View(sweeps=("wide",), choices=(("layers", ("gatys",)),), states=("done",))
    with wide.reader().connect() as connection:
        counts = browse.state_counts(connection, view, 10_000)
    for state in RUN_STATES:
        keys = {row.run_key for row in rows if row.sweep == "wide" and row.parameters["layers"] == "gatys" and row.state == state}
        assert counts.get(state, 0) == len(keys)


def test_varying_names_the_parameters_with_several_values_and_none_counts_as_one(wide: Workspace) -> None:
    rows = [row for row in everything(wide) if row.sweep == "wide"]
    with wide.reader().connect() as connection:
        found = browse.varying(connection, View(sweeps=("wide",)), 10_000)
        fixed_beta = browse.varying(connection, View(sweeps=("wide",), choices=(("beta", (10.0,)), ("steps", (None, 50)))), 10_000)
    assert found == tuple(name for name in PARAMETERS if len({row.parameters[name] for row in rows}) > 1)
    assert "beta" not in fixed_beta
    assert "steps" in fixed_beta


def test_neighbours_walk_through_a_view_in_its_order(wide: Workspace) -> None:
    view = View(sweeps=("wide",), choices=(("layers", ("gatys",)),), sort="style_gained")
    with wide.reader().connect() as connection:
        keys = [tile.result.run_key for tile in browse.tiles(connection, view, 10_000, limit=1000)]
        for place in (0, 1, len(keys) // 2, len(keys) - 1):
            beside = browse.neighbours(connection, view, 10_000, keys[place])
            assert beside is not None
            assert beside.previous == (keys[place - 1] if place else None)
            assert beside.following == (keys[place + 1] if place + 1 < len(keys) else None)
            assert (beside.place, beside.total) == (place + 1, len(keys))
        assert browse.neighbours(connection, view, 10_000, "r1-unknown") is None


def test_what_finished_after_the_look_counts_as_running_and_as_new(wide: Workspace) -> None:
    with wide.reader().connect() as connection:
        newest = browse.newest_seq(connection)
        late = browse.new_since(connection, ("demo", "wide"), 10)
        states = browse.state_counts(connection, View(sweeps=("demo",)), 3)
    finished = {row.run_key: row.finished_seq for row in everything(wide) if row.finished_seq and row.sweep in ("demo", "wide")}
    assert late == sum(seq > 10 for seq in finished.values())
    assert newest == max(row.finished_seq or 0 for row in everything(wide))
    assert states["done"] == 3


@pytest.mark.parametrize("name", ["'; DROP TABLE run; --", "%", "_", "<b>"])
def test_text_from_a_url_is_a_value_and_never_sql(wide: Workspace, name: str) -> None:
    view = View(sweeps=("wide", name), choices=(("content", (name,)),))
    with wide.reader().connect() as connection:
        assert browse.tiles(connection, view, 10_000, limit=10) == []
        assert browse.count(connection, View(sweeps=("wide",)), 10_000).runs > 100

"""What a view selects, and what is counted around it, against a plain filter over every combination."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, insert

from db import browse
from db.models import RUN_STATES, Review, ReviewTag
from db.queries import PARAMETERS, Result, results
from db.workspace import Workspace
from gallery.look import Look, take_look
from gallery.reviewed import Reviewed, nothing_said, read_reviews
from gallery.selection import Selected, extent, facet, flag_counts, percentile, select, star_counts, state_counts, tag_counts
from gallery.sieve import Sieve
from gallery.tiles import tiles_at
from gallery.view import FLAGS, SORTS, YARDSTICK_SORTS, Choice, Range, View
from sweep.transfer.yardstick_names import RISING

NOW = 10_000


def everything(workspace: Workspace) -> list[Result]:
    with workspace.reader().connect() as connection:
        return results(connection)


@dataclass(frozen=True)
class Word:
    """What is said of a run, as the oracle knows it."""

    flag: str = "none"
    stars: int = 0
    tags: frozenset[str] = frozenset()
    note: str = ""


def some_words(rows: Sequence[Result]) -> dict[str, Word]:
    chance = random.Random(3)
    keys = sorted({row.run_key for row in rows})
    return {
        key: Word(
            flag=chance.choice(FLAGS),
            stars=chance.randrange(6),
            tags=frozenset(chance.sample(["print", "poster", "too dark"], chance.randrange(3))),
            note=chance.choice(["", "the Sky is lovely"]),
        )
        for key in chance.sample(keys, len(keys) // 2)
    }


def review(connection: Connection, words: dict[str, Word], person: str) -> None:
    rows = [
        {"run_key": key, "person": person, "flag": None if word.flag == "none" else word.flag, "stars": word.stars, "note": word.note}
        | dict.fromkeys(("flag_at", "stars_at", "note_at"), 7.0)
        for key, word in words.items()
    ]
    connection.execute(insert(Review), rows)
    tags = [{"run_key": key, "person": person, "tag": tag, "present": True, "at": 9.0} for key, word in words.items() for tag in word.tags]
    gone = [{"run_key": key, "person": person, "tag": "gone", "present": False, "at": 9.0} for key in words]
    connection.execute(insert(ReviewTag), [*tags, *gone])


@pytest.fixture(scope="module")
def words(wide: Workspace) -> dict[str, Word]:
    """Ada has reviewed half of the runs; Bob one."""
    found = some_words(everything(wide))
    with wide.writer().begin() as connection:
        review(connection, found, "ada")
        review(connection, {next(iter(found)): Word(flag="pick", stars=5)}, "bob")
    return found


def matches(result: Result, view: View, asof: int, word: Word) -> bool:
    """The filter in plain Python."""
    seen = (result.finished_seq or 0) <= asof
    if result.sweep not in view.sweeps or (view.states and seen_state(result, asof) not in view.states):
        return False
    for name, choice in view.choices:
        value = result.parameters[name]
        inside = value is not None and choice.low <= value <= choice.high if isinstance(choice, Range) else value in choice
        if not inside:
            return False
    for name, ends in view.yardsticks:
        measured = result.yardsticks[name]
        if not seen or measured is None or not ends.low <= measured <= ends.high:
            return False
    if view.flags and word.flag not in view.flags:
        return False
    if view.stars and not view.stars.low <= word.stars <= view.stars.high:
        return False
    if view.tags and not word.tags & set(view.tags):
        return False
    texts = [str(result.parameters[name]) for name in PARAMETERS if isinstance(result.parameters[name], str)] + [*word.tags, word.note]
    whole = "\n".join(texts).casefold()
    return all(
        part in whole or result.run_key.removeprefix("r1-").startswith(part.removeprefix("r1-")) for part in view.text.casefold().split()
    )


def seen_state(result: Result, asof: int) -> str:
    return "running" if (result.finished_seq or 0) > asof else result.state


def rank_of(result: Result, rows: Sequence[Result], name: str, asof: int) -> float | None:
    """The share of the others of its pair that it is better than, by comparing each with each."""
    sign = 1 if RISING[name] else -1

    def value(one: Result) -> float | None:
        found = one.yardsticks[name] if (one.finished_seq or 0) <= asof else None
        return None if found is None else sign * found

    mine = value(result)
    if mine is None:
        return None
    pair = (result.content_sha256, result.parameters["style"], result.style_sha256)
    others = {
        row.run_key: value(row)
        for row in rows
        if (row.content_sha256, row.parameters["style"], row.style_sha256) == pair
        and row.run_key != result.run_key
        and value(row) is not None
    }
    if not others:
        return 1.0
    return sum(1.0 if mine > other else 0.5 if mine == other else 0.0 for other in others.values() if other is not None) / len(others)


def expected(rows: Sequence[Result], view: View, asof: int, words: dict[str, Word]) -> list[tuple[str, int, int]]:
    """(run key, its first combination there, combinations that share it), in order."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for row in rows:
        if matches(row, view, asof, words.get(row.run_key, Word())):
            groups[row.run_key].append(row)
    of_sweeps = [row for row in rows if row.sweep in view.sweeps]

    def place(key: str) -> tuple[Any, ...]:
        first = groups[key][0]
        group = first.sweep if view.group == "sweep" else first.parameters.get(view.group)
        return ((group is not None, group or 0), *order(first))

    def order(first: Result) -> tuple[Any, ...]:
        seen = (first.finished_seq or 0) <= asof
        if view.sort == "plan":
            return (first.id,)
        if view.sort == "stars":
            return (-words.get(first.run_key, Word()).stars, first.id)
        if view.sort == "newest":
            known = first.finished_seq is not None and seen
            return (not known, -(first.finished_seq or 0) if known else 0, first.id)
        value = first.yardsticks[view.sort] if seen else None
        sign = -1 if RISING[view.sort] else 1
        if view.within:
            value, sign = rank_of(first, of_sweeps, view.sort, asof), -1
        return (seen_state(first, asof) != "done", value is None, sign * (value or 0), first.id)

    return [(key, groups[key][0].id, len(groups[key])) for key in sorted(groups, key=place)]


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
                sweeps=tuple(sorted(chance.sample(sorted({row.sweep for row in rows}), chance.randrange(1, 3)))),
                choices=tuple((name, choices[name]) for name in PARAMETERS if name in choices),
                states=tuple(state for state in RUN_STATES if chance.random() < 0.1),
                yardsticks=(("style_gained", Range(low=0.2, high=0.8)),) if chance.random() < 0.2 else (),
                flags=tuple(flag for flag in FLAGS if chance.random() < 0.15),
                stars=Range(low=2, high=4) if chance.random() < 0.15 else None,
                tags=("print", "poster") if chance.random() < 0.15 else (),
                text=chance.choice(["", "", "", "CAT", "gatys waves", "sky", "poster", "r1-0000", "nowhere"]),
                sort=chance.choice(SORTS),
                within=chance.random() < 0.4,
                group=chance.choice(["", "", "style", "beta", "steps", "sweep"]),
            )
        )
    return views


def looked(connection: Connection, view: View, asof: int = NOW, person: str = "ada") -> tuple[Look, Sieve, Selected]:
    look = take_look(connection, view.sweeps, asof)
    sieve = Sieve(connection, look, view, read_reviews(connection, look, person))
    return look, sieve, select(connection, sieve)


def test_any_view_selects_what_a_plain_filter_and_sort_give(wide: Workspace, words: dict[str, Word]) -> None:
    rows = everything(wide)
    filled = 0
    with wide.reader().connect() as connection:
        for number, view in enumerate(some_views(150, rows)):
            asof = NOW if number % 2 else 120  # also a look from before the last runs finished
            if view.group == "sweep" and len(view.sweeps) == 1:
                view = replace(view, group="")
            wanted = expected(rows, view, asof, words)
            filled += len(wanted) > 10
            look, _, selected = looked(connection, view, asof)
            keys = browse.run_keys(connection, [int(look.run[run]) for run in selected.runs])
            got = [
                (keys[int(look.run[run])], int(look.combination[first]), int(shared))
                for run, first, shared in zip(selected.runs, selected.first, selected.shared, strict=True)
            ]
            assert got == wanted, view
            assert selected.combinations == sum(shared for _, _, shared in wanted)
            tiles = tiles_at(connection, look, selected, range(5, 12), view.group)
            assert [(tile.result.run_key, tile.result.id, tile.shared) for tile in tiles] == wanted[5:12]
            assert [tile.state for tile in tiles] == [seen_state(tile.result, asof) for tile in tiles]
    assert filled > 30  # the views were not all empty


def test_facets_count_the_runs_that_each_value_would_show(wide: Workspace, words: dict[str, Word]) -> None:
    rows = everything(wide)
    choices: tuple[tuple[str, Choice], ...] = (("content", ("cat.png",)), ("beta", (10.0, 100.0)))
    view = View(sweeps=("wide",), choices=choices, states=("done",), flags=("pick", "none"))
    with wide.reader().connect() as connection:
        _, sieve, _ = looked(connection, view)
        for name in ("content", "beta", "steps", "layers", "network"):
            found = facet(sieve, name)
            others = tuple(pair for pair in choices if pair[0] != name)
            for value, shown in found.values:
                own = replace(view, choices=(*others, (name, (value,))))
                assert shown == len(expected(rows, own, NOW, words)), (name, value)
            assert {value for value, _ in found.values} == {row.parameters[name] for row in rows if row.sweep == "wide"}


def test_states_flags_stars_and_tags_are_counted_without_their_own_choice(wide: Workspace, words: dict[str, Word]) -> None:
    rows = everything(wide)
    view = View(sweeps=("wide",), states=("done",), flags=("pick",), stars=Range(low=1, high=5), tags=("print",))
    with wide.reader().connect() as connection:
        _, sieve, _ = looked(connection, view)

    def runs(**other: Any) -> int:
        return len(expected(rows, replace(view, **other), NOW, words))

    assert {state: amount for state in RUN_STATES if (amount := runs(states=(state,)))} == state_counts(sieve)
    assert {flag: amount for flag in FLAGS if (amount := runs(flags=(flag,)))} == flag_counts(sieve)
    assert {stars: runs(stars=Range(low=stars, high=stars)) for stars in range(6)} == star_counts(sieve)
    counted = tag_counts(sieve)
    assert set(counted) == {"print", "poster", "too dark"}  # and not the one that was taken away again
    assert counted == {tag: runs(tags=(tag,)) for tag in counted}


def test_a_percentile_is_the_share_of_its_pair_that_a_run_is_better_than(wide: Workspace) -> None:
    rows = [row for row in everything(wide) if row.sweep == "wide"]
    with wide.reader().connect() as connection:
        look = take_look(connection, ("wide",), NOW)
        for name in ("balance", "d_style", "clipped", "content_kept_y2"):
            found = percentile(connection, look, name)
            keys = browse.run_keys(connection, look.run.tolist())
            by_key = {keys[int(run)]: value for run, value in zip(look.run, found, strict=True)}
            for row in rows:
                wanted = rank_of(row, rows, name, NOW)
                got = by_key[row.run_key]
                assert math.isnan(got) if wanted is None else got == pytest.approx(wanted), (name, row.run_key)


def test_a_look_knows_the_values_of_each_parameter_and_which_vary(wide: Workspace) -> None:
    rows = [row for row in everything(wide) if row.sweep == "wide"]
    with wide.reader().connect() as connection:
        look = take_look(connection, ("wide",), NOW)
        spread = extent(connection, look, "balance")
    assert look.varying == tuple(name for name in PARAMETERS if len({row.parameters[name] for row in rows}) > 1)
    for name in PARAMETERS:
        column = look.columns.get(name)
        values = [column.values[code] for code in column.codes] if column else [look.constants[name]] * len(rows)
        assert values == [row.parameters[name] for row in rows]
    balances = [row.yardsticks["balance"] for row in rows if row.yardsticks["balance"] is not None]
    assert spread == (min(balances), max(balances))


def test_what_varies_in_a_view_is_what_its_combinations_differ_in(wide: Workspace, words: dict[str, Word]) -> None:
    view = View(sweeps=("wide",), choices=(("beta", (10.0,)), ("steps", (None, 50))))
    rows = [row for row in everything(wide) if matches(row, view, NOW, Word())]
    with wide.reader().connect() as connection:
        _, _, selected = looked(connection, view)
    assert selected.varying == tuple(name for name in PARAMETERS if len({row.parameters[name] for row in rows}) > 1)
    assert "beta" not in selected.varying
    assert "steps" in selected.varying


def test_what_finished_after_the_look_counts_as_running_and_as_new(wide: Workspace) -> None:
    rows = everything(wide)
    with wide.reader().connect() as connection:
        newest = browse.newest_seq(connection)
        late = browse.new_since(connection, ("demo", "wide"), 10)
        look = take_look(connection, ("demo",), 3)
    finished = {row.run_key: row.finished_seq for row in rows if row.finished_seq and row.sweep in ("demo", "wide")}
    assert newest == max(seq for seq in (row.finished_seq for row in rows) if seq)
    assert late == sum(seq > 10 for seq in finished.values())
    demo = {row.run_key: seen_state(row, 3) for row in rows if row.sweep == "demo"}
    assert sorted(RUN_STATES[state] for state in look.state) == sorted(demo.values())


def test_somebody_elses_reviews_are_not_mine(wide: Workspace, words: dict[str, Word]) -> None:
    with wide.reader().connect() as connection:
        look = take_look(connection, ("demo", "wide"), NOW)
        bob, nobody = read_reviews(connection, look, "bob"), read_reviews(connection, look, "eve")
    assert bob.stars.sum() in (0, 5)  # Bob's one run may be of another sweep
    assert same(nobody, nothing_said(look))


def same(one: Reviewed, other: Reviewed) -> bool:
    return (
        np.array_equal(one.flag, other.flag)
        and np.array_equal(one.stars, other.stars)
        and (one.tags, one.notes) == (other.tags, other.notes)
    )


def test_sweeps_of_no_such_name_are_an_empty_look(wide: Workspace) -> None:
    with wide.reader().connect() as connection:
        for sort in YARDSTICK_SORTS[:3]:
            look, sieve, selected = looked(connection, View(sweeps=("no such",), sort=sort, within=True))
            assert (len(look.run), len(selected.runs), state_counts(sieve)) == (0, 0, {})
            assert extent(connection, look, sort) is None

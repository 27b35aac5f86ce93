"""What the Export page takes from a view, against loops that say the same; its URL; its command."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import made_up_workspace
from hypothesis import given, settings
from hypothesis import strategies as st

from db import queries
from db.models import Run, Sweep
from db.workspace import Workspace
from gallery.export.best import select_best
from gallery.export.bundle import PRESETS
from gallery.export.forms import FORMS
from gallery.export_view import SOURCES, Wanted, chosen_ids, command_words, pictures_of
from gallery.look import DONE
from gallery.view import FLAGS, View
from sweep.cli import taking
from sweep.errors import InputError


class Made:
    """A look and a selection of it, only as far as this page looks at them."""

    def __init__(self, seed: int, amount: int) -> None:
        chance = random.Random(seed)
        self.state = np.array([chance.choice([DONE, DONE, DONE, 0, 4]) for _ in range(amount)], dtype=np.int64)
        self.pair = np.array([chance.randrange(4) for _ in range(amount)], dtype=np.int64)
        self.flag = np.array([chance.randrange(3) for _ in range(amount)], dtype=np.int64)
        order = list(range(amount))
        chance.shuffle(order)
        self.runs = np.array(order[: amount * 3 // 4], dtype=np.int64)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("amount", [0, 1, 7, 200])
@pytest.mark.parametrize("top", [1, 3, 1000])
def test_what_is_taken_is_what_a_loop_takes(seed: int, amount: int, top: int) -> None:
    made: Any = Made(seed, amount)
    done = [place for place, run in enumerate(made.runs) if made.state[run] == DONE]
    seen: dict[int, int] = {}
    per_pair = []
    for place in done:
        pair = int(made.pair[made.runs[place]])
        seen[pair] = seen.get(pair, 0) + 1
        if seen[pair] <= top:
            per_pair.append(place)
    expected = {
        "view": done,
        "top": done[:top],
        "pair": per_pair,
        "picks": [place for place in done if FLAGS[made.flag[made.runs[place]]] == "pick"],
    }
    for source, places in expected.items():
        assert pictures_of(made, made, made, Wanted(source=source, top=top)).tolist() == places


@settings(deadline=None)
@given(
    st.builds(
        Wanted, source=st.sampled_from(SOURCES[1:]), top=st.integers(1, 20_000), preset=st.sampled_from(list(PRESETS)),
        form=st.sampled_from(list(FORMS)), reviews=st.booleans(), opaque=st.booleans(),
        ids=st.lists(st.text("0123456789abcdef", min_size=8, max_size=8), max_size=5, unique=True).map(tuple),
    )
)  # fmt: skip
def test_a_wish_comes_back_from_its_url(wanted: Wanted) -> None:
    assert Wanted.from_params(wanted.to_params()) == wanted


@pytest.mark.parametrize(
    "params", [{"top": ["-3"]}, {"top": ["٣"]}, {"from": ["chosen"]}, {"preset": ["../x"]}, {"form": ["gif"]}, {"ids": [" , ,"]}]
)
def test_nonsense_in_the_url_is_passed_over(params: dict[str, list[str]]) -> None:
    assert Wanted.from_params(params) == Wanted()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return made_up_workspace(tmp_path_factory.mktemp("w"), betas=2, unfinished=2, failed=1)


def test_the_command_takes_the_same_runs(workspace: Workspace) -> None:
    view = View(sweeps=("demo",), sort="style_gained")
    words = command_words(Wanted(source="pair", top=2, form="jpeg", preset="share", opaque=True, reviews=False), view, [])
    assert words == [
        *("export", "demo", "--out", "demo.zip", "--per-pair", "2", "--by", "style_gained", "--preset", "share", "--form", "jpeg"),
        *("--opaque", "--no-reviews"),
    ]  # fmt: skip
    filtered = replace(view, text="cat")
    keys = [f"r1-{number:040x}" for number in range(3)]
    named = command_words(Wanted(source="view"), filtered, keys)
    assert named is not None and named[-2:] == ["--runs", ",".join(key[:11] for key in keys)]
    assert command_words(Wanted(source="view"), filtered, [f"r1-{number:040x}" for number in range(41)]) is None


def test_runs_are_found_by_their_beginnings_once_and_in_order(workspace: Workspace) -> None:
    with workspace.reader().connect() as connection:
        results = queries.results(connection)
        done = [one for one in results if one.state == "done"]
        queued = next(one for one in results if one.state == "queued")
        ids = [done[3].run_key, done[1].run_key[3:15], done[3].run_key[:13], queued.run_key, "r1-ffff", "%", "r1-"]
        found = chosen_ids(connection, ids, ["demo"])
    assert found.combinations == (done[3].id, done[1].id)
    assert (found.unknown, found.unfinished) == (3, 1)


def test_the_command_line_exports_the_runs_that_are_named(workspace: Workspace, tmp_path: Path) -> None:
    with workspace.reader().connect() as connection:
        done = queries.results(connection, Sweep.name == "demo", Run.state == "done")
        best = select_best(connection, "demo", 1, None, "balance")
    selection = taking.Selection(sweep="demo", top=None, per_pair=None, by="balance", runs=(done[4].run_key[:14], done[2].run_key))
    assert taking.export(selection, tmp_path / "out", workspace.folder, taking.Bundle(form="webp")) == 0
    names = sorted(path.name for path in (tmp_path / "out" / "images").iterdir())
    assert [name.rpartition("_")[2] for name in names] == [f"{one.run_key[3:11]}.webp" for one in (done[4], done[2])]
    assert best
    with pytest.raises(InputError, match="exclude each other"):
        taking.export(replace(selection, top=3), tmp_path / "no", workspace.folder, taking.Bundle())
    with pytest.raises(InputError, match="--form 'gif' is not known"):
        taking.export(selection, tmp_path / "no", workspace.folder, taking.Bundle(form="gif"))

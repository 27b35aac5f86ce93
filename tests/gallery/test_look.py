"""A look: which combinations share a pair of pictures, whatever these are called, and what was measured by then."""

from pathlib import Path

import numpy as np
import pytest
from factories import made_up_workspace
from sqlalchemy import Connection, update

from db import browse
from db.models import Combination
from db.queries import results
from gallery.look import AT_ONCE, Look, take_look


def look_at(connection: Connection) -> Look:
    return take_look(connection, ("demo",), browse.newest_seq(connection))


def same_pairs(connection: Connection, look: Look) -> bool:
    """Whether runs have one number just where their combinations have the same pictures and style."""
    pairs = {(row.content_sha256, row.parameters["style"], row.style_sha256): set() for row in results(connection)}  # type: ignore[var-annotated]
    for row, run in zip(results(connection), look.run_of.tolist(), strict=True):
        pairs[row.content_sha256, row.parameters["style"], row.style_sha256].add(int(look.pair[run]))
    return all(len(numbers) == 1 for numbers in pairs.values()) and len(set.union(*pairs.values())) == len(pairs)


@pytest.mark.parametrize("named", ["as they are", "two pictures of one name", "one picture of two names", "one pair"])
def test_a_pair_is_its_pictures_whatever_they_are_called(tmp_path: Path, named: str) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=2)
    with workspace.writer().begin() as connection:
        one = results(connection)[0]
        change = {
            "as they are": update(Combination).values(tv=0.0),
            "two pictures of one name": update(Combination).values(content="same.jpg"),
            "one picture of two names": update(Combination).where(Combination.position % 3 == 0).values(content="other.jpg"),
            "one pair": update(Combination).values(
                content="a.jpg", content_sha256=one.content_sha256, style="b.png", style_sha256=one.style_sha256
            ),
        }
        connection.execute(change[named])
    with workspace.reader().connect() as connection:
        look = look_at(connection)
        assert same_pairs(connection, look)
        assert len(np.unique(look.pair)) == (1 if named == "one pair" else 4)


def test_what_was_measured_later_is_not_known_yet(tmp_path: Path) -> None:
    workspace = made_up_workspace(tmp_path / "w", betas=2)
    with workspace.reader().connect() as connection:
        look = take_look(connection, ("demo",), 5)
        for name in (*AT_ONCE, "sharpness"):
            assert np.flatnonzero(~np.isnan(look.yardstick(connection, name))).tolist() == np.flatnonzero(look.seq > 0).tolist()
    assert (look.seq > 0).sum() == 5

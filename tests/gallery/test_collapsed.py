"""A view with its near-duplicates collapsed: what `select` shows, in which order, and what each of it stands for."""

import numpy as np
import pytest
from gallery_factories import wide_workspace
from sqlalchemy import select as sql
from sqlalchemy import update

from db import browse
from db.models import Image, Run
from db.workspace import Workspace
from gallery.look import Look, take_look
from gallery.reviewed import nothing_said
from gallery.selection import Selected, select
from gallery.sieve import Sieve
from gallery.view import View
from sweep.transfer.signatures import LENGTH, VERSION


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Its pictures fall into three heaps that look alike; one has no signature, one that of another version."""
    workspace = wide_workspace(tmp_path_factory.mktemp("wide"))
    with workspace.writer().begin() as connection:
        outputs = connection.execute(sql(Run.output).where(Run.output.is_not(None)).distinct().order_by(Run.output)).scalars().all()
        assert len(outputs) > 5
        for number, sha256 in enumerate(outputs):
            signature: bytes | None = bytes([VERSION]) + bytes([50 * (number % 3) + number // 3]) * (LENGTH - 1)
            if number < 2:
                signature = (None, bytes([VERSION + 1]) * LENGTH)[number]
            connection.execute(update(Image).where(Image.sha256 == sha256).values(signature=signature))
    return workspace


def selected(workspace: Workspace, **view: object) -> tuple[Look, Selected]:
    with workspace.reader().connect() as connection:
        look = take_look(connection, ("wide",), browse.newest_seq(connection))
        return look, select(connection, Sieve(connection, look, View(sweeps=("wide",), **view), nothing_said(look)))  # type: ignore[arg-type]


@pytest.mark.parametrize("sort", ["balance", "d_style", "plan", "newest"])
def test_the_best_of_each_heap_stands_for_it_in_the_order_that_was_asked_for(wide: Workspace, sort: str) -> None:
    look, every = selected(wide, sort=sort)
    _, shown = selected(wide, sort=sort, collapse=True)
    assert 0 < len(shown.runs) < len(every.runs)
    assert shown.stands_for.sum() == len(every.runs)
    assert shown.combinations == every.combinations
    with wide.reader().connect() as connection:
        signature = {
            run_id: found for run_id, found in connection.execute(sql(Run.id, Image.signature).join(Image, Image.sha256 == Run.output))
        }
    heaps: dict[tuple[int, int], list[int]] = {}
    expected = []
    for place in every.runs.tolist():
        packed = signature.get(int(look.run[place]))
        if packed is None or packed[0] != VERSION:
            expected.append(place)
            continue
        heap = heaps.setdefault((int(look.pair[place]), packed[1] // 50), [])
        if not heap:
            expected.append(place)
        heap.append(place)
    assert shown.runs.tolist() == expected
    counts = {heap[0]: len(heap) for heap in heaps.values()}
    assert shown.stands_for.tolist() == [counts.get(place, 1) for place in expected]
    places = [every.place(run) for run in shown.runs.tolist()]
    assert np.array_equal(shown.first, every.first[places]) and np.array_equal(shown.shared, every.shared[places])


def test_what_finished_later_is_not_looked_at(wide: Workspace) -> None:
    with wide.reader().connect() as connection:
        look = take_look(connection, ("wide",), 5)
        _, known = look.signatures(connection)
        again, _ = look.signatures(connection), known
    assert known.sum() <= 5 and not known[look.seq == 0].any()
    assert again[1] is known

"""Everything that a run's page shows, read in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from db import browse, lineage, queries
from db.lineage import Relative
from db.models import UNSETTLED
from db.queries import Result
from db.reviews import Said, said_by_all
from gallery.cull_queue import known_tags
from gallery.filters import FilterSpec
from gallery.opened import Opened, opened_as, opened_view
from gallery.reading import reading
from gallery.run_around import Around, alone, around, picture_item, ranks
from gallery.run_pictures import Pictured, film, input_pictures, instead, pictured
from gallery.view import View
from gallery.yardstick_rows import Rank
from sweep.errors import InputError


class NoSuchRun(InputError):
    """The address names no run of this workspace."""


@dataclass(frozen=True, kw_only=True)
class RunView(Pictured):
    """A run as one combination of it. spec: the view that it is looked at in; around: its place there, and the runs beside it.

    ranks: yardstick -> how it stands in its pair; reviews: person -> what they said of it; person: who looks.
    """

    shared: Sequence[Result]
    curve: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]
    spec: FilterSpec
    around: Around
    ranks: Mapping[str, Rank]
    reviews: Mapping[str, Said]
    made_from: Sequence[Relative]
    made_into: Sequence[Relative]
    tags: Sequence[str]
    person: str
    driven: bool


def is_unsettled(connection: Connection, text: str) -> bool:
    """Whether there is more to come of a run; of one that the workspace does not have, nothing."""
    try:
        return queries.find_result(connection, text).state in UNSETTLED
    except InputError:
        return False


def read_run(text: str) -> RunView:
    """Read a run by its key, or by an unambiguous beginning of it, with its neighbours in the URL's view.

    Without a view, or where the view does not hold it, the neighbours are those of its own sweep in the order of the plan.

    Raises:
        NoSuchRun: there is none, or several begin so.
    """
    with reading() as connection:
        try:
            result = queries.find_result(connection, text)
        except InputError as error:
            raise NoSuchRun(*error.args) from error
        opened = opened_view(own=("id",))
        beside = around(connection, opened, result.run_key)
        if beside is None:
            opened = opened_as(FilterSpec(view=View(sweeps=(result.sweep,), sort="plan")))
            beside = around(connection, opened, result.run_key)
        return _read(connection, result, opened, beside)


def _read(connection: Connection, result: Result, opened: Opened, beside: Around | None) -> RunView:
    shared = browse.sharing(connection, result.run_key)
    mine = [one for one in shared if one.sweep in opened.spec.view.sweeps]
    known = pictured(connection, mine[0] if mine else result)
    return RunView(
        result=known.result,
        snapshots=known.snapshots,
        images=known.images,
        preview_step=known.preview_step,
        shared=shared,
        curve=queries.loss_curve(connection, result.run_key),
        attempts=queries.attempts(connection, result.run_key),
        spec=opened.spec,
        around=beside or alone(result),
        ranks=ranks(connection, opened.look, result.run_key),
        reviews=said_by_all(connection, result.run_key),
        made_from=lineage.made_from(connection, list(dict.fromkeys(one.sweep for one in shared)), result.run_key),
        made_into=lineage.made_into(connection, result.run_key),
        tags=known_tags(connection, opened.person),
        person=opened.person,
        driven=queries.driver(connection) is not None,
    )


def viewer_data(run: RunView, grid: str) -> dict[str, Any]:
    """What the script that shows the picture needs. grid: where the way back leads."""
    beside = run.around
    return {
        "id": run.result.run_key, "person": run.person, "at": beside.at, "items": beside.items, "first": beside.first,
        "place": beside.place, "total": beside.total, "shown": shown_item(run), "inputs": [one.item() for one in input_pictures(run)],
        "film": [one.item() for one in film(run)], "tags": list(run.tags), "grid": grid,
    }  # fmt: skip


def shown_item(run: RunView) -> dict[str, Any]:
    """The picture that stands for the run: its result, else its last one, else words."""
    if run.result.state == "done" and (found := picture_item(run.result)):
        return found
    return instead(run).item()

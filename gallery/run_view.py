"""Everything that a run's page shows, read in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from db import browse, lineage, queries
from db.lineage import Relative
from db.queries import Result
from db.reviews import Said, said_by_all, tag_counts
from gallery.components.pictures import Shown
from gallery.export.recipe import pictures_of, recipe_of
from gallery.export.spec import rerun_spec
from gallery.filters import FilterSpec
from gallery.opened import Opened, opened_as, opened_view
from gallery.reading import reading
from gallery.routes import original_url, thumbnail_url
from gallery.run_around import Around, alone, around, picture_item, ranks
from gallery.view import View
from gallery.wording import alternative
from gallery.yardstick_rows import Rank
from sweep.combination import RunSettings, Weights
from sweep.errors import InputError

MOST_TAGS = 200
NO_PICTURE = {
    "queued": "Queued: this run has not begun",
    "running": "Running: the picture comes when it is done",
    "failed": "Failed: there is no picture",
    "quarantined": "Quarantined: it killed its worker again and again",
    "cancelled": "Cancelled: there is no picture",
    "diverged": "Diverged: no finite picture was kept",
    "done": "No picture",
}


class NoSuchRun(InputError):
    """The address names no run of this workspace."""


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run as one combination of it. spec: the view that it is looked at in; around: its place there, and the runs beside it.

    ranks: yardstick -> how it stands in its pair; reviews: person -> what they said of it; person: who looks.
    """

    result: Result
    shared: Sequence[Result]
    curve: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]
    snapshots: Sequence[tuple[int, str, str | None]]
    images: Mapping[str, Mapping[str, Any]]
    spec: FilterSpec
    around: Around
    ranks: Mapping[str, Rank]
    reviews: Mapping[str, Said]
    made_from: Sequence[Relative]
    made_into: Sequence[Relative]
    tags: Sequence[str]
    person: str
    driven: bool


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
    snapshots = queries.snapshots(connection, result.run_key)
    wanted = {*RunSettings.from_canonical(result.settings).pictures(), *(sha256 for _, sha256, _ in snapshots)}
    return RunView(
        result=mine[0] if mine else result,
        shared=shared,
        curve=queries.loss_curve(connection, result.run_key),
        attempts=queries.attempts(connection, result.run_key),
        snapshots=snapshots,
        images={sha256: found for sha256 in wanted if (found := queries.image(connection, sha256))},
        spec=opened.spec,
        around=beside or alone(result),
        ranks=ranks(connection, opened.look, result.run_key),
        reviews=said_by_all(connection, result.run_key),
        made_from=lineage.made_from(connection, list(dict.fromkeys(one.sweep for one in shared)), result.run_key),
        made_into=lineage.made_into(connection, result.run_key),
        tags=list(dict.fromkeys([*tag_counts(connection, opened.person), *tag_counts(connection)]))[:MOST_TAGS],
        person=opened.person,
        driven=queries.driver(connection) is not None,
    )


def viewer_data(run: RunView, grid: str) -> dict[str, Any]:
    """What the script that shows the picture needs. grid: where the way back leads."""
    beside = run.around
    return {
        "id": run.result.run_key, "person": run.person, "at": beside.at, "items": beside.items, "first": beside.first,
        "place": beside.place, "total": beside.total, "shown": shown_item(run), "inputs": [small_item(one) for one in input_pictures(run)],
        "film": [small_item(one) for one in film(run)], "tags": list(run.tags), "grid": grid,
    }  # fmt: skip


def shown_item(run: RunView) -> dict[str, Any]:
    """The picture that stands for the run: its result, else its last one, else words."""
    if run.result.state == "done" and (found := picture_item(run.result)):
        return found
    return main_picture(run).item()


def small_item(one: Shown) -> dict[str, Any]:
    """A picture beside it: small by its thumbnail, and large by its own file when it is asked for."""
    return one.item() | ({"full": one.href} if one.href else {})


def main_picture(run: RunView) -> Shown:
    """The result by its original file; of a diverged run the last finite picture."""
    result = run.result
    if result.state == "done" and result.image and result.width and result.height:
        url = original_url(result.image, result.image_format)
        return Shown(
            src=url, href=url, alt=alternative(result.parameters), caption=f"{result.width} x {result.height} px",
            width=result.width, height=result.height, colour=result.mean_colour,
        )  # fmt: skip
    if run.snapshots:
        step, sha256, _ = run.snapshots[-1]
        last = _by_hash(run, sha256, f"The last picture kept, at step {step:,}", alternative(result.parameters))
        return replace(last, src=last.href)
    return Shown(alt="", caption="", none=NO_PICTURE[result.state])


def film(run: RunView) -> list[Shown]:
    """The snapshots by their thumbnails, in step order; a lone one of a run that is not done is shown large already."""
    if run.result.state != "done" and len(run.snapshots) == 1:
        return []
    frames = []
    for step, sha256, _ in run.snapshots:
        alt = f"{alternative(run.result.parameters)}, after step {step:,}"
        frames.append(_by_hash(run, sha256, f"step {step:,}", alt))
    return frames


def input_pictures(run: RunView) -> list[Shown]:
    """The content, then every picture of the style; of regions each mask with its styles."""
    result = run.result
    content, settings = result.parameters["content"], RunSettings.from_canonical(result.settings)
    shown = [_by_hash(run, result.content_sha256, f"Content: {content}", f"Content image {content}")]
    for mask, styles in settings.regions:
        name = _original_name(run, mask)
        shown.append(_by_hash(run, mask, f"Mask: {name}", f"Mask {name}, white where its style goes"))
        shown += _style_pictures(run, styles, f" in {name}")
    if settings.regions:
        return shown
    return shown + _style_pictures(run, settings.style)


def _style_pictures(run: RunView, styles: Weights, where: str = "") -> list[Shown]:
    shown = []
    for sha256, share in styles:
        alone = len(styles) == 1 and not where
        name = run.result.parameters["style"] if alone else _original_name(run, sha256)
        part = "" if len(styles) == 1 else f" ({share:.0%})"
        shown.append(_by_hash(run, sha256, f"Style{where}: {name}{part}", f"Style image {name}{where}"))
    return shown


def _original_name(run: RunView, sha256: str) -> str:
    return str(run.images.get(sha256, {}).get("original_name") or sha256[:12])


def _by_hash(run: RunView, sha256: str, caption: str, alt: str) -> Shown:
    image = run.images.get(sha256)
    if image is None:
        return Shown(alt=alt, caption=caption, none="Not in this workspace")
    url = original_url(sha256, image["format"])
    return Shown(
        src=thumbnail_url(image["thumbnail"]) if image["thumbnail"] else url, href=url, alt=alt, caption=caption,
        width=image["width"], height=image["height"], colour=image["mean_colour"],
    )  # fmt: skip


def recipe_yaml(run: RunView) -> str:
    """A sweep of this one run, to be saved in the workspace's folder, where its input pictures are."""
    names = {sha256: image["original_name"] or sha256[:12] for sha256, image in run.images.items()}
    recipe = recipe_of(run.result, names)
    content, *others = [_stored(run, one["sha256"]) for one in pictures_of(recipe)]
    styles = len(recipe["style"])
    return rerun_spec(recipe, content, others[:styles], mask_paths=others[styles:])


def _stored(run: RunView, sha256: str) -> str:
    """Path of an input picture relative to the workspace."""
    form = run.images[sha256]["format"] if sha256 in run.images else "png"
    return f"artifacts/{sha256[:2]}/{sha256}.{form}"

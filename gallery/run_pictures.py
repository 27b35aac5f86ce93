"""The pictures of a run's page by their URLs, and the file that makes the run again from them. No streamlit import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from db import queries
from db.queries import Result
from gallery.export.recipe import pictures_of, recipe_of
from gallery.export.spec import rerun_spec
from gallery.preview_route import preview_url
from gallery.routes import original_url, thumbnail_url
from gallery.wording import alternative
from sweep.combination import RunSettings, Weights

PREVIEW_SIDE = 384
"""The long side of a preview at most."""
NO_PICTURE = {
    "queued": "Queued: this run has not begun",
    "running": "Running: the picture comes when it is done",
    "failed": "Failed: there is no picture",
    "quarantined": "Quarantined: it killed its worker again and again",
    "cancelled": "Cancelled: there is no picture",
    "diverged": "Diverged: no finite picture was kept",
    "done": "No picture",
}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture by URL, with the size of its file's pixels; src None shows `none` instead. href: its own file, where src is smaller."""

    alt: str
    caption: str
    src: str | None = None
    href: str | None = None
    none: str = "No picture"
    width: int = 3
    height: int = 2
    colour: str | None = None

    def item(self) -> dict[str, Any]:
        """As the scripts take it."""
        same = {name: getattr(self, name) for name in ("alt", "caption", "src", "none", "colour")}
        return same | {"w": self.width, "h": self.height} | ({"full": self.href} if self.href and self.href != self.src else {})


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """A run with all pictures that have to do with it. images: what the workspace knows of them, by SHA-256."""

    result: Result
    snapshots: Sequence[tuple[int, str, str | None]]
    images: Mapping[str, Mapping[str, Any]]
    preview_step: int | None = None
    """Of the newest preview, while the run is running."""


def pictured(connection: Connection, result: Result) -> Pictured:
    """Read which pictures there are."""
    snapshots = queries.snapshots(connection, result.run_key)
    wanted = {*RunSettings.from_canonical(result.settings).pictures(), *(sha256 for _, sha256, _ in snapshots)}
    images = {sha256: found for sha256 in wanted if (found := queries.image(connection, sha256))}
    preview = queries.preview(connection, result.run_key) if result.state == "running" else None
    return Pictured(result=result, snapshots=snapshots, images=images, preview_step=preview[0] if preview else None)


def instead(run: Pictured) -> Shown:
    """What stands for the picture of a run that is not done: the last one that was kept, or why there is none."""
    if run.preview_step is not None:
        return _preview(run, run.preview_step)
    if run.snapshots:
        step, sha256, _ = run.snapshots[-1]
        last = _by_hash(run, sha256, f"The last picture kept, at step {step:,}", alternative(run.result.parameters))
        return replace(last, src=last.href)
    return Shown(alt="", caption="", none=NO_PICTURE[run.result.state])


def _preview(run: Pictured, step: int) -> Shown:
    """How the run looks now, in the photograph's shape."""
    photograph = run.images.get(run.result.content_sha256, {"width": 3, "height": 2})
    scale = PREVIEW_SIDE / max(photograph["width"], photograph["height"])
    width, height = (max(1, round(photograph[side] * scale)) for side in ("width", "height"))
    alt = f"{alternative(run.result.parameters)}, on its way, after step {step:,}"
    caption = f"Running: after step {step:,}"
    return Shown(src=preview_url(run.result.run_key, step), alt=alt, caption=caption, width=width, height=height)


def film(run: Pictured) -> list[Shown]:
    """The snapshots by their thumbnails, in step order; a lone one of a run that is not done is shown large already."""
    if run.result.state != "done" and len(run.snapshots) == 1:
        return []
    frames = []
    for step, sha256, _ in run.snapshots:
        alt = f"{alternative(run.result.parameters)}, after step {step:,}"
        frames.append(_by_hash(run, sha256, f"step {step:,}", alt))
    return frames


def input_pictures(run: Pictured) -> list[Shown]:
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


def _style_pictures(run: Pictured, styles: Weights, where: str = "") -> list[Shown]:
    shown = []
    for sha256, share in styles:
        alone = len(styles) == 1 and not where
        name = run.result.parameters["style"] if alone else _original_name(run, sha256)
        part = "" if len(styles) == 1 else f" ({share:.0%})"
        shown.append(_by_hash(run, sha256, f"Style{where}: {name}{part}", f"Style image {name}{where}"))
    return shown


def _original_name(run: Pictured, sha256: str) -> str:
    return str(run.images.get(sha256, {}).get("original_name") or sha256[:12])


def _by_hash(run: Pictured, sha256: str, caption: str, alt: str) -> Shown:
    image = run.images.get(sha256)
    if image is None:
        return Shown(alt=alt, caption=caption, none="Not in this workspace")
    url = original_url(sha256, image["format"])
    return Shown(
        src=thumbnail_url(image["thumbnail"]) if image["thumbnail"] else url, href=url, alt=alt, caption=caption,
        width=image["width"], height=image["height"], colour=image["mean_colour"],
    )  # fmt: skip


def recipe_yaml(run: Pictured) -> str:
    """A sweep of this one run, to be saved in the workspace's folder, where its input pictures are."""
    names = {sha256: image["original_name"] or sha256[:12] for sha256, image in run.images.items()}
    recipe = recipe_of(run.result, names)
    content, *others = [_stored(run, one["sha256"]) for one in pictures_of(recipe)]
    styles = len(recipe["style"])
    return rerun_spec(recipe, content, others[:styles], mask_paths=others[styles:])


def _stored(run: Pictured, sha256: str) -> str:
    """Path of an input picture relative to the workspace."""
    form = run.images[sha256]["format"] if sha256 in run.images else "png"
    return queries.stored_path(sha256, form)

"""A sweep at a glance: its two most varying parameters against each other."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from db.artifacts import storage_error, write_durably
from db.models import Sweep
from db.queries import Result, results, sweep_named
from db.workspace import Workspace
from gallery.export import captions
from gallery.export.alpha import Alphas
from gallery.export.best import pair_of
from gallery.export.bundle import sheet_files
from gallery.export.contact import CELL, Cell, contact_sheet
from gallery.export.matrix import ASIDE, Axes, Block, Place, cell_width, matrix_sheet
from gallery.export.names import own_name
from gallery.export.pictures import Pictures
from gallery.view import NUMBERS
from sweep.errors import InputError
from sweep.transfer.yardstick_names import RISING

__all__ = ["Cell", "contact_sheet", "grid_sheet", "sweep_sheet"]

MAX_COLUMNS = 14
MAX_CELLS = 3000
BY = "balance"


def sweep_sheet(workspace: Workspace, sweep_name: str, out: Path, *, rows: str | None = None, columns: str | None = None) -> list[Path]:
    """Draw a sweep into the folder `out` as <sweep>.png, <sweep>_2.png, ...; returns the files.

    A matrix where the sweep is a grid of at most 14 columns or `rows` or `columns` name a parameter to stand there, else a contact
    sheet of its best results.

    Raises:
        InputError: there is no such sweep, it has no combination, or a named parameter does not vary in it.
        StorageError: the folder cannot be written.
    """
    with workspace.reader().connect() as connection:
        sweep = sweep_named(connection, sweep_name)
        found = results(connection, Sweep.id == sweep.id, limit=MAX_CELLS)
        if not found:
            raise InputError(f"the sweep {sweep_name!r} has no combination yet.")
        pictures = Pictures(workspace.artifacts, connection)
        axes = asked_axes(found, rows, columns)
        as_grid = rows or columns or _is_grid(found, *axes)
        sheets = grid_sheet(found, pictures, rows=axes[0], columns=axes[1]) if as_grid else _best_sheet(found, pictures)
    paths = []
    for name, data in sheet_files(sheets, own_name(sweep_name, "sweep")):
        try:
            write_durably(out.absolute() / name, data)
        except OSError as error:
            raise storage_error(out / name, error) from error
        paths.append(out / name)
    return paths


def chosen_axes(found: Sequence[Result]) -> tuple[str | None, str | None]:
    """(rows, columns): the non-picture parameters with the second most and the most values; None where fewer vary."""
    counts = {name: len({result.parameters[name] for result in found}) for name in _swept(found)}
    by_count = sorted(counts, key=lambda name: -counts[name])
    # A parameter of numbers reads best along the columns when both have as many values.
    if len(by_count) > 1 and counts[by_count[0]] == counts[by_count[1]] and by_count[0] not in NUMBERS:
        by_count[:2] = by_count[1::-1]
    columns = by_count[0] if by_count else None
    return (by_count[1] if len(by_count) > 1 else None), columns


def asked_axes(found: Sequence[Result], rows: str | None, columns: str | None) -> tuple[str | None, str | None]:
    """(rows, columns) as asked for; the one that is not named is chosen from the parameters that are left.

    Raises:
        InputError: both name one parameter, a parameter does not vary in these results, or the columns would be too many to see.
    """
    if rows is None and columns is None:
        return chosen_axes(found)
    swept = _swept(found)
    for side, name in (("rows", rows), ("columns", columns)):
        if name is not None and name not in swept:
            choice = f"choose one of {', '.join(swept)}" if swept else "leave it out"
            raise InputError(f"--{side} {name}: the sweep {found[0].sweep!r} has no parameter of that name that varies; {choice}.")
    if rows == columns:
        raise InputError(f"--rows and --columns are both {rows}; name two different parameters, or one.")
    left = sorted((name for name in swept if name not in (rows, columns)), key=lambda name: -len(_values(found, name)))
    chosen = (rows or next(iter(left), None)), (columns or next(iter(left), None))
    if len(_values(found, chosen[1])) > MAX_COLUMNS:
        raise InputError(f"--columns: {chosen[1]} has more than {MAX_COLUMNS} values, too many to stand side by side; make it the rows.")
    return chosen


def _swept(found: Sequence[Result]) -> list[str]:
    """What varies beside the pictures."""
    return [name for name in captions.varying(found) if name not in ("content", "style")]


def grid_sheet(found: Sequence[Result], pictures: Pictures, *, rows: str | None, columns: str | None) -> list[Image.Image]:
    """A matrix of all results: `rows` down, `columns` across, one block for each content-style pair and each value of what else varies.

    RGB pages of at most 40 megapixels; places of runs that are not done say so.
    """
    axes = Axes(rows=rows, row_values=_values(found, rows), columns=columns, column_values=_values(found, columns))
    others = [name for name in captions.varying(found) if name not in (rows, columns, "content", "style")]
    groups: dict[Hashable, list[Result]] = {}
    for result in found:
        groups.setdefault((pair_of(result), *(result.parameters[name] for name in others)), []).append(result)
    alphas = Alphas(pictures)
    width = cell_width(len(axes.column_values), len(axes.row_values))
    blocks = [_block(group, axes, (pictures, alphas), (width, captions.caption(group[0], others))) for group in groups.values()]
    said = f"{captions.constants(found)} · {BY} under each picture".removeprefix(" · ")
    return matrix_sheet(blocks, axes, found[0].sweep, said)


def _block(group: Sequence[Result], axes: Axes, source: tuple[Pictures, Alphas], labels: tuple[int, str]) -> Block:
    (pictures, alphas), (width, note) = source, labels
    first = group[0]
    places: dict[tuple[Any, Any], Place] = {}
    for result in group:
        at = (_value(result.parameters, axes.rows), _value(result.parameters, axes.columns))
        picture = alphas.shown(pictures.small(result.image, (width, round(width * 1.3))), result.content_sha256)
        state = result.state if result.state != "done" else "not readable"
        places[at] = Place(picture=picture, value=result.yardsticks[BY], state=state)
    return Block(
        content=pictures.small(first.content_sha256, (ASIDE, 2 * ASIDE)),
        content_name=str(first.parameters["content"]),
        style=pictures.small(first.style_sha256, (ASIDE, 2 * ASIDE)),
        style_name=str(first.parameters["style"]),
        places=places,
        note=note,
        rising=RISING[BY],
    )


def _value(parameters: Mapping[str, Any], name: str | None) -> Any:
    return parameters[name] if name is not None else None


def _values(found: Sequence[Result], name: str | None) -> tuple[Any, ...]:
    """Numbers in rising order, words in the order of the sweep."""
    values = list(dict.fromkeys(_value(result.parameters, name) for result in found))
    if all(isinstance(value, int | float) for value in values if value is not None):
        values.sort(key=lambda value: (value is not None, value))
    return tuple(values)


def _is_grid(found: Sequence[Result], rows: str | None, columns: str | None) -> bool:
    """Whether a matrix would be mostly full; a random search has a value of its own for every run."""
    places = len(_values(found, rows)) * len(_values(found, columns))
    others = [name for name in captions.varying(found) if name not in (rows, columns)]
    groups = len({tuple(result.parameters[name] for name in others) for result in found})
    return len(_values(found, columns)) <= MAX_COLUMNS and len(found) >= 0.5 * places * groups


def _best_sheet(found: Sequence[Result], pictures: Pictures) -> list[Image.Image]:
    done = {result.run_key: result for result in found if result.state == "done"}
    best = sorted(done.values(), key=lambda result: -(result.yardsticks[BY] or 0.0))[:300]
    if not best:
        raise InputError(f"no run of the sweep {found[0].sweep!r} is done yet; `stylesweep run` its file, or wait for it.")
    differ, alphas = captions.varying(best), Alphas(pictures)
    cells = [
        Cell(
            picture=alphas.shown(pictures.small(result.image, (CELL, round(CELL * 1.25))), result.content_sha256),
            label=str(rank),
            value=captions.yardstick_text(result.yardsticks[BY]),
            detail=captions.caption(result, differ),
        )
        for rank, result in enumerate(best, 1)
    ]
    return contact_sheet(cells, found[0].sweep, f"{captions.constants(best)} · best first by {BY}".removeprefix(" · "))

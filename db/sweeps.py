"""Recording what a sweep is: its input pictures, its combinations and the runs they need. One transaction for a sweep."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from db.models import GIVEN_UP, Combination, Run, Sweep
from db.rows import insert_images, queue_settled
from db.steering import refresh_wanted
from db.store import Store
from sweep import combination as words
from sweep.errors import InputError


@dataclass(frozen=True, kw_only=True)
class InputPicture:
    """An input picture as it is recorded; `data` is the original file, kept so that any result can be made again."""

    sha256: str
    data: bytes
    format: str
    width: int
    height: int
    mean_colour: str
    name: str
    thumbnail: bytes


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """A sweep as its YAML file says it. resources: what one run asks for, e.g. {'cpus': 1, 'gpus': 0.5}."""

    name: str
    spec_text: str
    spec_path: str
    search_seed: int | None
    resources: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PlannedCombination:
    """A combination with the names its pictures go by, and the work (multiply-adds) of its run.

    key, run: its combination_key and its run's run_key; left out they are computed.
    """

    combination: words.Combination
    content_name: str
    style_name: str
    work: float
    key: str = ""
    run: str = ""

    def keys(self) -> tuple[str, str]:
        """(combination_key, run_key)."""
        if self.key:
            return self.key, self.run
        return self.combination.combination_key(), words.run_key(self.combination.run_settings())


def record_inputs(store: Store, pictures: Iterable[InputPicture]) -> None:
    """Files first, rows second; known pictures stay as they are."""
    rows = []
    for picture in pictures:
        store.artifacts.put(picture.data, picture.format)
        thumbnail = store.artifacts.put(picture.thumbnail, "webp")
        row = {name: getattr(picture, name) for name in ("sha256", "width", "height", "mean_colour", "format")}
        rows.append(row | {"bytes": len(picture.data), "original_name": picture.name, "thumbnail": thumbnail})
    with store.engine.begin() as connection:
        insert_images(connection, rows)


def record_sweep(store: Store, record: SweepRecord, planned: Iterable[PlannedCombination], *, extend: bool) -> int:
    """Record a sweep, or extend the one of that name; returns how many combinations are new.

    A new combination's run is queued unless it is done or diverged already, in whatever sweep.

    Raises:
        InputError: a sweep of that name exists, under half of the new file's combinations are in it, and extend is false.
    """
    planned = list(planned)
    keys = [item.keys()[0] for item in planned]
    with store.engine.begin() as connection:
        sweep_id = connection.execute(select(Sweep.id).where(Sweep.name == record.name)).scalar()
        known: set[str] = set()
        if sweep_id is not None:
            known = set(connection.execute(select(Combination.combination_key).where(Combination.sweep_id == sweep_id)).scalars())
            if 2 * len(known.intersection(keys)) < len(keys) and not extend:
                raise InputError(
                    f"a sweep named {record.name!r} is already in this workspace, and only {len(known.intersection(keys))} of the "
                    f"{len(keys)} combinations in {record.spec_path} belong to it. Give the file another `name`, "
                    "or add --extend to make them one sweep."
                )
        values = {
            "spec_text": record.spec_text,
            "spec_path": record.spec_path,
            "search_seed": record.search_seed,
            "resources": dict(record.resources),
            "archived_at": None,  # who runs it again wants to see it
        }
        if sweep_id is None:
            created = insert(Sweep).values(name=record.name, created_at=time.time(), **values).returning(Sweep.id)
            sweep_id = connection.execute(created).scalar_one()
        else:
            connection.execute(update(Sweep).where(Sweep.id == sweep_id).values(**values))
        fresh = [(key, item) for key, item in zip(keys, planned, strict=True) if key not in known]
        _add_combinations(connection, sweep_id, fresh)
        refresh_wanted(connection, sweep_id)
    return len(fresh)


def _batches(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _add_combinations(connection: Connection, sweep_id: int, fresh: Sequence[tuple[str, PlannedCombination]]) -> None:
    position = connection.execute(
        select(func.coalesce(func.max(Combination.position), -1)).where(Combination.sweep_id == sweep_id)
    ).scalar_one()
    for batch in _batches(fresh, 500):
        run_ids = _ensure_runs(connection, [item for _, item in batch])
        rows = []
        for key, item in batch:
            position += 1
            run_id = run_ids[item.keys()[1]]
            rows.append(_combination_row(item) | {"combination_key": key, "sweep_id": sweep_id, "position": position, "run_id": run_id})
        connection.execute(insert(Combination), rows)


def _ensure_runs(connection: Connection, items: Sequence[PlannedCombination]) -> dict[str, int]:
    """run_key -> id. Runs that failed, were quarantined or cancelled are queued again, new ones are."""
    of_runs = {item.keys()[1]: item for item in items}
    known = connection.execute(select(Run.run_key, Run.id, Run.state).where(Run.run_key.in_(of_runs))).all()
    queue_settled(connection, [row.id for row in known if row.state in _ENDED], _ENDED)
    there = {row.run_key for row in known}
    rows = {}
    for key, item in of_runs.items():
        if key in there:
            continue
        settings = item.combination.run_settings()
        rows[key] = {
            "run_key": key,
            "settings": settings.canonical(),
            "alpha": settings.alpha,
            "beta": settings.beta,
            "tv": settings.tv,
            "work": item.work,
            "created_at": time.time(),
        }
    if rows:
        connection.execute(insert(Run), list(rows.values()))
    made = connection.execute(select(Run.run_key, Run.id).where(Run.run_key.in_(rows)))
    return {row.run_key: row.id for row in (*known, *made)}


_ENDED = (*GIVEN_UP, "cancelled")


_SETTINGS = tuple(field.name for field in fields(words.Settings) if field.name != "network_hash")


def _combination_row(item: PlannedCombination) -> dict[str, Any]:
    one = item.combination
    settings = {name: getattr(one.settings, name) for name in _SETTINGS}
    stop = one.settings.stop
    return settings | {
        "stop": "off" if stop is None else str(stop),
        "content": item.content_name,
        "content_sha256": one.content,
        "style": item.style_name,
        "style_sha256": max(one.style, key=lambda pair: pair[1])[0],
        "alpha": one.alpha,
        "beta": one.beta,
        "layers": one.layers.name,
    }

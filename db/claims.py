"""Claiming runs: what a driver takes from the queue, and what it is told of it."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine

from db import statements
from db.artifacts import Artifacts
from db.checkpoints import start_of
from db.drivers import LEASE_SECONDS
from db.writing import Writing
from sweep import combination as words

AT_ONCE = 4
"""Runs that are looked up with the next one, as they are often claimed together."""
MOST_IMAGES = 10_000
"""Rows of input pictures that are kept in mind."""


@dataclass(frozen=True, kw_only=True)
class ClaimedRun:
    """A run that a driver now holds, with one attempt opened. names: SHA-256 of a picture -> its name.

    content_size: (height, width) of the photograph's file; None where the workspace does not know it.
    start_step: the step after which it goes on from its newest state; 0 from the beginning. alone: it may share its task with no other.
    memory_asked (bytes), gpus_asked: what it asks for instead of its sweep's `resources`, after memory ran out.
    """

    run_id: int
    run_key: str
    attempt: int
    settings: words.RunSettings
    resources: Mapping[str, Any]
    names: Mapping[str, str]
    sweep: str
    alpha: float
    beta: float
    layers: str
    work: float
    content_size: tuple[int, int] | None = None
    start_step: int = 0
    alone: bool = False
    memory_asked: float | None = None
    gpus_asked: float | None = None


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What an attempt was started with: its task and company, its share of a node, and what that costs."""

    pack: str
    pack_size: int = 1
    cpus: float | None = None
    gpus: float | None = None
    price_per_hour: float | None = None


class Claims(Writing):
    """The part of the Store that hands out."""

    def __init__(self, engine: Engine, artifacts: Artifacts) -> None:
        super().__init__(engine, artifacts)
        self._images: dict[str, Any] = {}

    def claim(self, owner: str, limit: int) -> list[ClaimedRun]:
        """Take up to `limit` queued runs that an active sweep wants, in order of priority, then of age; opens an attempt for each.

        Nothing for an owner whom another driver has replaced: what it took would be held by nobody once it ends.
        """
        with self._transaction() as connection:
            if statements.DRIVING(connection, {"owner": owner}).first() is None:
                return []
            rows = self._seen.pop("next up", []) if limit <= AT_ONCE else []
            rows = rows or statements.QUEUE(connection, {"most": limit}).all()
            return [self._claim_one(connection, owner, row) for row in rows[:limit]]

    def next_up(self) -> ClaimedRun | None:
        """The run that `claim` would give first, as it is: nothing is taken, its attempt is that of the last try. None: nothing waits."""
        with self._transaction() as connection:
            rows = statements.QUEUE(connection, {"most": AT_ONCE}).all()
            if not rows:
                return None
            described = self._described(connection, rows[0], rows[0].attempts)
            if self._batch is not None:  # `claim` comes next, and nothing changes a run that waits meanwhile
                self._seen |= {("next up", rows[0].id): described, "next up": rows}
            return described

    def queued(self) -> int:
        """How many runs wait and are wanted."""
        with self._transaction() as connection:
            return int(connection.execute(statements.QUEUED).scalar_one())

    def _claim_one(self, connection: Connection, owner: str, row: Any) -> ClaimedRun:
        now, number, which = time.time(), row.attempts + 1, {"which": row.id}
        taken = {"state": "running", "owner": owner, "attempts": number, "lease": now + LEASE_SECONDS, "error": None}
        statements.UPDATE_RUN(connection, which | taken)
        step, note = start_of(connection, row.id, self.checkpoints) if row.attempts else (0, None)
        opened = {
            "run_id": row.id,
            "number": number,
            "owner": owner,
            "created_at": now,
            "state": "running",
            "start_step": step,
            "notes": note,
        }
        statements.OPEN_ATTEMPT(connection, opened)
        return self._described(connection, row, number, step)

    def _described(self, connection: Connection, row: Any, number: int, start_step: int = 0) -> ClaimedRun:
        """A row of the queue with everything that its attempt of that number needs to know."""
        known: ClaimedRun | None = self._seen.pop(("next up", row.id), None)
        if known is not None:
            return replace(known, attempt=number, start_step=start_step)
        first = statements.CLAIM(connection, {"which": row.id}).one()
        settings = words.RunSettings.from_canonical(json.loads(row.settings))
        images = self._pictures(connection, settings.pictures())
        return ClaimedRun(
            run_id=row.id,
            run_key=row.run_key,
            attempt=number,
            settings=settings,
            resources=json.loads(first.resources),
            names={image.sha256: image.original_name or image.sha256[:12] for image in images},
            sweep=first.name,
            alpha=first.alpha,
            beta=first.beta,
            layers=first.layers,
            work=row.work,
            start_step=start_step,
            alone=bool(row.alone),
            memory_asked=row.memory_asked,
            gpus_asked=row.gpus_asked,
            content_size=next(((image.height, image.width) for image in images if image.sha256 == settings.content), None),
        )

    def _pictures(self, connection: Connection, wanted: Collection[str]) -> list[Any]:
        """Rows of input pictures. They never change, and a sweep has few, so they are looked up once."""
        missing = [sha256 for sha256 in wanted if sha256 not in self._images]
        if missing:
            if len(self._images) > MOST_IMAGES:
                self._images.clear()
                missing = list(wanted)
            self._images |= {row.sha256: row for row in connection.execute(statements.PICTURES, {"pictures": missing})}
        return [self._images[sha256] for sha256 in wanted if sha256 in self._images]

"""Claiming runs: what a driver takes from the queue, and what it is told of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from db import statements
from db.checkpoints import start_of
from db.drivers import LEASE_SECONDS
from db.models import Driver
from db.writing import Writing
from sweep import combination as words


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

    def claim(self, owner: str, limit: int) -> list[ClaimedRun]:
        """Take up to `limit` queued runs that an active sweep wants, in order of priority, then of age; opens an attempt for each.

        Nothing for an owner whom another driver has replaced: what it took would be held by nobody once it ends.
        """
        with self._transaction() as connection:
            if connection.execute(select(Driver.id).where(Driver.id == owner, Driver.ended_at.is_(None))).first() is None:
                return []
            rows = connection.execute(statements.QUEUE, {"most": limit}).all()
            return [_claim_one(connection, owner, row, self.checkpoints) for row in rows]

    def next_up(self) -> ClaimedRun | None:
        """The run that `claim` would give first, as it is: nothing is taken, its attempt is that of the last try. None: nothing waits."""
        with self._transaction() as connection:
            row = connection.execute(statements.QUEUE, {"most": 1}).first()
            return None if row is None else _described(connection, row, row.attempts)

    def queued(self) -> int:
        """How many runs wait and are wanted."""
        with self._transaction() as connection:
            return int(connection.execute(statements.QUEUED).scalar_one())


def _claim_one(connection: Connection, owner: str, row: Any, states: Path) -> ClaimedRun:
    now, number, which = time.time(), row.attempts + 1, {"which": row.id}
    taken = {"state": "running", "owner": owner, "attempts": number, "lease": now + LEASE_SECONDS, "error": None}
    connection.execute(statements.UPDATE_RUN, which | taken)
    step, note = start_of(connection, row.id, states) if row.attempts else (0, None)
    opened = {"run_id": row.id, "number": number, "owner": owner, "created_at": now, "start_step": step, "notes": note}
    connection.execute(statements.OPEN_ATTEMPT, opened)
    return _described(connection, row, number, step)


def _described(connection: Connection, row: Any, number: int, start_step: int = 0) -> ClaimedRun:
    """A row of the queue with everything that its attempt of that number needs to know."""
    first = connection.execute(statements.CLAIM, {"which": row.id}).one()
    settings = words.RunSettings.from_canonical(row.settings)
    images = connection.execute(statements.PICTURES, {"pictures": list(settings.pictures())}).all()
    return ClaimedRun(
        run_id=row.id,
        run_key=row.run_key,
        attempt=number,
        settings=settings,
        resources=first.resources,
        names={image.sha256: image.original_name or image.sha256[:12] for image in images},
        sweep=first.name,
        alpha=first.alpha,
        beta=first.beta,
        layers=first.layers,
        work=row.work,
        start_step=start_step,
        alone=row.alone,
        memory_asked=row.memory_asked,
        gpus_asked=row.gpus_asked,
        content_size=next(((image.height, image.width) for image in images if image.sha256 == settings.content), None),
    )

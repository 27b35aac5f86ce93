"""Who hands out tasks in a workspace: at most one driver at a time, told by owner, lease and heartbeat."""

import contextlib
import os
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from db.models import UNSETTLED, Attempt, Combination, Driver, Preview, Run, Sweep

HEARTBEAT_SECONDS = 5.0
LEASE_SECONDS = 60.0
"""A driver on another host is taken for dead after this long without a heartbeat; one on this host as soon as its process is gone."""


@dataclass(frozen=True, kw_only=True)
class DriverRow:
    """One driver as the database knows it."""

    id: str
    host: str
    pid: int
    process_started: float
    address: str
    heartbeat: float

    def alive(self) -> bool:
        """Whether it still hands out tasks, as far as this process can tell."""
        if self.host == this_host():
            started = process_start(self.pid)
            if started is None or started != self.process_started:
                return False
            if started:  # the very process: it may be slow, starting Ray or asleep with the laptop, but it is there
                return True
        return time.time() - self.heartbeat <= LEASE_SECONDS


def this_host() -> str:
    """A name for this machine's process table: a pid means nothing after a reboot, or in another container."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
        parts.append(str(Path("/proc/self/ns/pid").readlink()).removeprefix("pid:"))
    return "/".join(parts)


def process_start(pid: int) -> float | None:
    """When a process of this host started, in clock ticks since boot; 0 where only its existence can be told; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else float(fields[19])
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return 0.0


def live_driver(connection: Connection) -> DriverRow | None:
    """The driver that serves the workspace now, if one does."""
    columns = (Driver.id, Driver.host, Driver.pid, Driver.process_started, Driver.address, Driver.heartbeat)
    for row in connection.execute(select(*columns).where(Driver.ended_at.is_(None))).mappings():
        driver = DriverRow(**row)
        if driver.alive():
            return driver
    return None


def become_driver(engine: Engine, address: str) -> tuple[str | None, DriverRow | None]:
    """Take the workspace over if nobody holds it: (own id, None), else (None, who does).

    Leftovers of dead drivers are queued again and their attempts marked lost; that is no failure of the runs. One transaction,
    so of two that try at once one wins.
    """
    with engine.begin() as connection:
        holder = live_driver(connection)
        if holder is not None:
            return None, holder
        now = time.time()
        owner = f"d-{uuid.uuid4().hex[:12]}"
        _queue_again(connection, None, "lost", "its driver ended without a word")
        connection.execute(update(Driver).where(Driver.ended_at.is_(None)).values(ended_at=now))
        connection.execute(
            insert(Driver).values(
                id=owner,
                host=this_host(),
                pid=os.getpid(),
                process_started=process_start(os.getpid()) or 0.0,
                address=address,
                started_at=now,
                heartbeat=now,
            )
        )
    return owner, None


def heartbeat(engine: Engine, owner: str) -> bool:
    """Say that the driver lives and extend its leases; False if another has taken over, and this one must stop."""
    now = time.time()
    with engine.begin() as connection:
        changed = connection.execute(update(Driver).where(Driver.id == owner, Driver.ended_at.is_(None)).values(heartbeat=now))
        connection.execute(update(Run).where(Run.owner == owner, Run.state == "running").values(lease=now + LEASE_SECONDS))
    return changed.rowcount == 1


def resign(engine: Engine, owner: str, why: str = "the driver was stopped") -> int:
    """End as driver: what it held is queued again. Returns how many runs that were."""
    with engine.begin() as connection:
        queued = _queue_again(connection, owner, "cancelled", why)
        connection.execute(update(Driver).where(Driver.id == owner).values(ended_at=time.time()))
    return queued


def try_to_end_idle(engine: Engine, owner: str) -> bool:
    """End as driver unless a run was queued in the meantime; one transaction, so that no run is left to nobody."""
    with engine.begin() as connection:
        waiting = connection.execute(
            select(func.count()).select_from(Run).where(Run.state.in_(UNSETTLED), Run.wanted.is_not(None))
        ).scalar_one()
        if waiting or _waiting_for_a_person(connection):
            return False
        connection.execute(update(Driver).where(Driver.id == owner).values(ended_at=time.time()))
    return True


def _waiting_for_a_person(connection: Connection) -> bool:
    """Whether a sweep with something left to run was paused by somebody, who may resume it any moment."""
    left = select(Combination.id).join(Run, Run.id == Combination.run_id)
    left = left.where(Combination.sweep_id == Sweep.id, Run.state.in_(UNSETTLED))
    paused = select(Sweep.id).where(Sweep.state == "paused", Sweep.reason.is_(None), Sweep.archived_at.is_(None), left.exists())
    return connection.execute(paused.limit(1)).first() is not None


def _queue_again(connection: Connection, owner: str | None, state: str, why: str) -> int:
    """Queue the running runs of one owner (None: of anybody) again, and close their attempts."""
    held = Run.state == "running" if owner is None else (Run.state == "running") & (Run.owner == owner)
    open_attempts = Attempt.state == "running" if owner is None else (Attempt.state == "running") & (Attempt.owner == owner)
    connection.execute(delete(Preview).where(Preview.run_id.in_(select(Run.id).where(held))))
    connection.execute(update(Attempt).where(open_attempts).values(state=state, error=why, finished_at=time.time()))
    return connection.execute(update(Run).where(held).values(state="queued", owner=None, lease=None)).rowcount

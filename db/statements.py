"""What every run needs of the database, as statements that are built once: to build one costs several times what SQLite takes to run it.

`which` is a run's id. An update sets the columns that it is given values for.
"""

from sqlalchemy import bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects import sqlite

from db.models import Attempt, Checkpoint, Combination, Driver, Image, Preview, Run, Snapshot, Sweep

_RUN = Run.id == bindparam("which")

ADD_IMAGE = sqlite.insert(Image).on_conflict_do_nothing()
PUT_POINT = "INSERT OR REPLACE INTO loss_point (run_id, step, size, content_loss, style_loss, tv_loss) VALUES (?, ?, ?, ?, ?, ?)"
"""As text: two hundred rows a run, of plain numbers, take half the time when nothing is done to them on the way."""
PUT_SNAPSHOT = insert(Snapshot).prefix_with("OR REPLACE")
FORGET_STATE, FORGET_PREVIEW = (delete(table).where(table.run_id == bindparam("which")) for table in (Checkpoint, Preview))
HELD = select(Run.id).where(
    Run.run_key == bindparam("run_key"), Run.state == "running", Run.owner == bindparam("owner"), Run.attempts == bindparam("attempt")
)
DRIVING = select(Driver.id).where(Driver.id == bindparam("owner"), Driver.ended_at.is_(None))
"""Whether an owner is still the driver."""
UPDATE_RUN = update(Run).where(_RUN)
UPDATE_RUNNING = update(Run).where(_RUN, Run.state == "running")
OPEN_ATTEMPT = insert(Attempt)
UPDATE_ATTEMPT = update(Attempt).where(Attempt.run_id == bindparam("which"), Attempt.number == bindparam("try"))
COUNTS = select(
    select(func.count()).where(Run.state == "running").scalar_subquery().label("running"),
    select(func.max(Attempt.id)).scalar_subquery().label("newest"),
    select(func.max(Run.finished_seq)).scalar_subquery().label("highest"),
)
"""Each is read from an index."""
SETTLING = COUNTS.add_columns(
    *(exists().where(table.run_id == bindparam("which")).label(name) for table, name in ((Checkpoint, "state"), (Preview, "preview")))
)
"""And whether a run has left something that goes when it settles."""

QUEUE = (
    select(Run.id, Run.run_key, Run.attempts, Run.settings, Run.work, Run.alone, Run.memory_asked, Run.gpus_asked)
    .where(Run.state == "queued", Run.wanted.is_not(None))
    .order_by(Run.priority.desc(), Run.wanted.desc(), Run.id)
    .limit(bindparam("most"))
)
"""Runs that an active sweep wants: by their own priority, then by that of their sweeps, then by age."""
QUEUED = select(func.count()).select_from(Run).where(Run.state == "queued", Run.wanted.is_not(None))
CLAIM = (
    select(Sweep.name, Sweep.resources, Combination.alpha, Combination.beta, Combination.layers)
    .join(Combination, Combination.sweep_id == Sweep.id)
    .where(Combination.run_id == bindparam("which"), Sweep.state == "active")
    .order_by(Sweep.priority.desc(), Sweep.id, Combination.position)
    .limit(1)
)
"""The first combination that wants a run."""
PICTURES = select(Image.sha256, Image.original_name, Image.height, Image.width).where(
    Image.sha256.in_(bindparam("pictures", expanding=True))
)

"""The tables (docs/design.md, section 6). Times are Unix seconds, so that any SQLite tool can compare and subtract them."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models_base import Base, one_of
from db.models_beside import Calibration, Checkpoint, Driver, Preview, Review, ReviewTag

__all__ = [
    "ATTEMPT_STATES",
    "RUN_STATES",
    "SETTLED",
    "SWEEP_STATES",
    "UNSETTLED",
    "Attempt",
    "Base",
    "Calibration",
    "Checkpoint",
    "Combination",
    "Driver",
    "Image",
    "LossPoint",
    "Preview",
    "Review",
    "ReviewTag",
    "Run",
    "Snapshot",
    "Sweep",
]

UNSETTLED = ("queued", "running")
SETTLED = ("done", "diverged", "failed", "quarantined", "cancelled")
RUN_STATES = (*UNSETTLED, *SETTLED)
GIVEN_UP = ("failed", "quarantined")
ATTEMPT_STATES = ("running", "done", "diverged", "failed", "crashed", "oom", "lost", "cancelled")
SWEEP_STATES = ("active", "paused", "cancelled")


Packed = bytes
"""Of columns in a table that has one called `bytes`."""


class Image(Base):
    """A picture in the artifact store: an input, an output or a snapshot; `thumbnail` is a second, small file there."""

    __tablename__ = "image"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    mean_colour: Mapped[str] = mapped_column(String(7))
    bytes: Mapped[int]
    format: Mapped[str] = mapped_column(String(16))
    original_name: Mapped[str | None] = mapped_column(String(255))
    thumbnail: Mapped[str | None] = mapped_column(String(64), index=True)
    # Since schema 0007.
    signature: Mapped[Packed | None] = mapped_column(LargeBinary)
    """What it looks like from afar (sweep/transfer/signatures.py); NULL for inputs, and for what was recorded before."""


class Sweep(Base):
    """One YAML file, one name. `resources` is what one run of it asks for; the driver reads it when it claims."""

    __tablename__ = "sweep"
    __table_args__ = (CheckConstraint(one_of("state", SWEEP_STATES), name="state"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(16), default="active")
    priority: Mapped[int] = mapped_column(default=0)
    spec_text: Mapped[str] = mapped_column(Text)
    spec_path: Mapped[str] = mapped_column(Text)
    search_seed: Mapped[int | None]
    resources: Mapped[dict[str, Any]]
    created_at: Mapped[float]
    # Since schema 0006.
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it is paused, in a sentence, where no person asked for it: the circuit breaker, a limit that was reached."""
    deadline: Mapped[float | None]
    """When it is paused, Unix time (`run --max-hours`)."""
    budget: Mapped[float | None]
    """What it may cost in all, in the currency of `resources.price_per_hour` (`run --max-cost`)."""
    archived_at: Mapped[float | None]


class Run(Base):
    """One optimisation, shared by every combination of equal run_key. Held by at most one (owner, attempt)."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(one_of("state", RUN_STATES), name="state"),
        CheckConstraint("state != 'done' OR output IS NOT NULL", name="done_has_picture"),
        CheckConstraint("(state = 'running') = (owner IS NOT NULL)", name="running_has_owner"),
        CheckConstraint(
            "(state IN ('done', 'diverged', 'failed', 'quarantined')) = (finished_seq IS NOT NULL)",
            name="finished_has_seq",
        ),
        Index("ix_run_queue", "state", text("priority DESC"), text("wanted DESC"), "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_key: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    settings: Mapped[dict[str, Any]]
    alpha: Mapped[float]
    beta: Mapped[float]
    tv: Mapped[float]
    work: Mapped[float]
    """Multiply-adds that the run is expected to take; the unit of every time estimate."""
    owner: Mapped[str | None] = mapped_column(String(64))
    lease: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(default=0)
    killed_workers: Mapped[int] = mapped_column(default=0)
    """Attempts that started and took their worker with them; three quarantine the run."""
    output: Mapped[str | None] = mapped_column(ForeignKey("image.sha256"))
    protocol: Mapped[str | None] = mapped_column(String(16))
    content_kept: Mapped[float | None]
    style_gained: Mapped[float | None]
    balance: Mapped[float | None]
    d_content: Mapped[float | None]
    d_style: Mapped[float | None]
    steps: Mapped[int | None]
    seconds: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float]
    finished_at: Mapped[float | None]
    finished_seq: Mapped[int | None] = mapped_column(unique=True)
    """Rises with every finished run and is never given twice: what is new since a look is `finished_seq > seen`."""
    # Since schema 0004: the yardsticks beside y1's five; NULL for what was recorded before. `protocol` is that of y1 alone, each
    # other name has one protocol for good (sweep/transfer/yardstick_names.py).
    d_style_1: Mapped[float | None]
    d_style_2: Mapped[float | None]
    d_style_3: Mapped[float | None]
    d_style_4: Mapped[float | None]
    d_style_5: Mapped[float | None]
    d_moments: Mapped[float | None]
    moments_gained: Mapped[float | None]
    content_kept_y2: Mapped[float | None]
    balance_y2: Mapped[float | None]
    d_structure: Mapped[float | None]
    structure_kept: Mapped[float | None]
    d_colour: Mapped[float | None]
    colour_gained: Mapped[float | None]
    sharpness: Mapped[float | None]
    clipped: Mapped[float | None]
    # Since schema 0006.
    wanted: Mapped[int | None]
    """The highest priority of the active sweeps that claim it; NULL where none does. Kept by db/steering.py, so that claiming is one look
    at an index however many runs of paused sweeps are queued."""
    lost: Mapped[int] = mapped_column(server_default="0")
    """Attempts that ended with their node; no fault of the run's, but not for ever."""
    alone: Mapped[bool] = mapped_column(server_default="0")
    """A pack that it was in took its worker with it: it is tried alone next, and only that counts against it."""
    memory_asked: Mapped[float | None]
    """Bytes to ask of a node; raised after memory ran out."""
    gpus_asked: Mapped[float | None]
    """The share of a GPU to ask for instead of its sweep's; raised after a GPU's memory ran out."""


class Combination(Base):
    """One point of a sweep as the user wrote it, every parameter that people filter by in a column of its own."""

    __tablename__ = "combination"
    __table_args__ = (
        UniqueConstraint("sweep_id", "position"),
        UniqueConstraint("sweep_id", "combination_key"),
        Index("ix_combination_pair", "sweep_id", "content_sha256", "style"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    sweep_id: Mapped[int] = mapped_column(ForeignKey("sweep.id"))
    position: Mapped[int]
    combination_key: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    content: Mapped[str] = mapped_column(String(255))
    """Name of the content picture, as the user knows it."""
    content_sha256: Mapped[str] = mapped_column(ForeignKey("image.sha256"))
    style: Mapped[str] = mapped_column(Text)
    """Name of the style picture, or of a blend: '0.7 starry.jpg + 0.3 scream.jpg'."""
    style_sha256: Mapped[str] = mapped_column(ForeignKey("image.sha256"))
    """The picture with the largest share of the blend."""
    alpha: Mapped[float]
    beta: Mapped[float]
    layers: Mapped[str] = mapped_column(Text)
    network: Mapped[str] = mapped_column(String(64))
    recipe: Mapped[str] = mapped_column(String(32))
    size: Mapped[int]
    steps: Mapped[int | None]
    init: Mapped[str] = mapped_column(String(32))
    seed: Mapped[int]
    tv: Mapped[float]
    # Since schema 0002, with their neutral value for what was recorded before.
    style_scale: Mapped[float] = mapped_column(server_default="1.0")
    colors: Mapped[str] = mapped_column(String(32), server_default="style")
    loss: Mapped[str] = mapped_column(String(32), server_default="relative")
    style_loss: Mapped[str] = mapped_column(String(32), server_default="gram")
    pooling: Mapped[str] = mapped_column(String(32), server_default="max")
    padding: Mapped[str] = mapped_column(String(32), server_default="zero")
    # Since schema 0003; a number of None is the recipe's own.
    size_by: Mapped[str] = mapped_column(String(32), server_default="long_side")
    stop: Mapped[str] = mapped_column(String(64), server_default="off")
    """As people read it: 'off', or '0.5 % per 25 steps'."""
    dtype: Mapped[str] = mapped_column(String(32), server_default="float32")
    later_steps: Mapped[int | None]
    learning_rate: Mapped[float | None]
    momentum: Mapped[float | None]
    variance_decay: Mapped[float | None]
    levels: Mapped[int | None]
    epsilon: Mapped[float | None]
    averaging: Mapped[float | None]
    smallest: Mapped[int | None]
    factor: Mapped[float | None]
    history: Mapped[int | None]


class Attempt(Base):
    """One try at a run on one node."""

    __tablename__ = "attempt"
    __table_args__ = (
        CheckConstraint(one_of("state", ATTEMPT_STATES), name="state"),
        UniqueConstraint("run_id", "number"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    number: Mapped[int]
    owner: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="running")
    task: Mapped[str | None] = mapped_column(String(64))
    pack: Mapped[str | None] = mapped_column(String(64))
    node: Mapped[str | None] = mapped_column(String(255))
    pid: Mapped[int | None]
    device: Mapped[str | None] = mapped_column(String(128))
    versions: Mapped[dict[str, Any] | None]
    kind: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    seconds: Mapped[float | None]
    optimise_seconds: Mapped[float | None]
    peak_memory: Mapped[int | None]
    notes: Mapped[str | None] = mapped_column(Text)
    """What had to be done differently to get it through (memory ran out, say), a sentence a line."""
    # Since schema 0006.
    place: Mapped[str | None] = mapped_column(String(64))
    """The node as the cluster calls it; `node` is its host's name."""
    pack_size: Mapped[int] = mapped_column(server_default="1")
    start_step: Mapped[int] = mapped_column(server_default="0")
    """The step it went on from; 0 from the beginning."""
    cpus: Mapped[float | None]
    gpus: Mapped[float | None]
    price_per_hour: Mapped[float | None]
    """Of its share of a node: that of its sweep's file when it began."""


class LossPoint(Base):
    """The loss curve: unweighted losses, at most about 200 rows per run, in plain columns so that any SQLite tool can plot them."""

    __tablename__ = "loss_point"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(Integer)
    content_loss: Mapped[float]
    style_loss: Mapped[float]
    tv_loss: Mapped[float]


class Snapshot(Base):
    """A picture taken during a run; for a diverged run its last finite picture."""

    __tablename__ = "snapshot"
    __table_args__ = ({"sqlite_with_rowid": False},)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    image: Mapped[str] = mapped_column(ForeignKey("image.sha256"))

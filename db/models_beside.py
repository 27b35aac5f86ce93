"""The tables beside sweeps and runs: what is under way, who drives, what was measured, what people said."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.models_base import Base, one_of


class Checkpoint(Base):
    """The newest resumable state of an unfinished run: a file in the workspace's `checkpoints/`."""

    __tablename__ = "checkpoint"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    step: Mapped[int]
    file: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int]
    at: Mapped[float]


class Preview(Base):
    """The newest picture of a running run, small, as WebP; gone when the run has ended."""

    __tablename__ = "preview"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    step: Mapped[int]
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[float]


class Calibration(Base):
    """What one step costs on one kind of node: measured by `stylesweep calibrate`, used by `plan`.

    work: multiply-adds of one step of one picture. seconds_per_step: of one picture of a pack of `pack`. seconds_fixed: of a run
    beside its steps (targets, yardsticks, encoding). peak_memory: bytes, of the GPU or of the process.
    """

    __tablename__ = "calibration"
    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(255))
    device: Mapped[str] = mapped_column(String(128))
    threads: Mapped[int]
    network: Mapped[str] = mapped_column(String(64))
    recipe: Mapped[str] = mapped_column(String(32))
    dtype: Mapped[str] = mapped_column(String(32))
    size: Mapped[int]
    pack: Mapped[int]
    work: Mapped[float]
    seconds_per_step: Mapped[float]
    seconds_fixed: Mapped[float]
    peak_memory: Mapped[int]
    versions: Mapped[dict[str, Any]]
    at: Mapped[float]


class Review(Base):
    """What a person said of a run. Each field has a time of its own, so that two copies of a workspace can be merged field by field.

    No foreign key: a review outlives the run's row, and speaks of the same picture in any workspace.
    """

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint(one_of("flag", ("pick", "reject")), name="flag"),
        CheckConstraint("stars BETWEEN 0 AND 5", name="stars"),
    )
    run_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(200), primary_key=True)
    flag: Mapped[str | None] = mapped_column(String(16))
    flag_at: Mapped[float | None]
    stars: Mapped[int | None]
    stars_at: Mapped[float | None]
    note: Mapped[str | None] = mapped_column(Text)
    note_at: Mapped[float | None]


class ReviewTag(Base):
    """A tag that a person gave a run, or took away again (present is then false, so that a merge does not bring it back)."""

    __tablename__ = "review_tag"
    run_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(200), primary_key=True)
    tag: Mapped[str] = mapped_column(String(100), primary_key=True)
    present: Mapped[bool]
    at: Mapped[float]


class Driver(Base):
    """Who hands out tasks. Alive while its heartbeat is fresh; on its own host also told by its pid and start time."""

    __tablename__ = "driver"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int]
    process_started: Mapped[float]
    address: Mapped[str] = mapped_column(String(255))
    started_at: Mapped[float]
    heartbeat: Mapped[float]
    ended_at: Mapped[float | None]

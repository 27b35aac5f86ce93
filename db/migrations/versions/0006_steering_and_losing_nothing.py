"""Steering, resuming inside a run, live pictures, spending, calibration, and what people say of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WANTED = """
UPDATE run SET wanted = (
    SELECT max(sweep.priority) FROM combination JOIN sweep ON sweep.id = combination.sweep_id
    WHERE combination.run_id = run.id AND sweep.state = 'active'
)
"""


def upgrade() -> None:
    # Plainly, without rebuilding the tables: SQLite adds a column that is empty or has a default, and so does every other database.
    for name, kind in (("reason", sa.Text()), ("deadline", sa.Float(53)), ("budget", sa.Float(53)), ("archived_at", sa.Float(53))):
        op.add_column("sweep", sa.Column(name, kind, nullable=True))
    op.drop_index("ix_run_queue", "run")
    op.add_column("run", sa.Column("wanted", sa.Integer, nullable=True))
    op.add_column("run", sa.Column("lost", sa.Integer, nullable=False, server_default="0"))
    op.add_column("run", sa.Column("alone", sa.Boolean, nullable=False, server_default="0"))
    op.add_column("run", sa.Column("memory_asked", sa.Float(53), nullable=True))
    op.add_column("run", sa.Column("gpus_asked", sa.Float(53), nullable=True))
    op.execute(WANTED)
    op.create_index("ix_run_queue", "run", ["state", sa.text("priority DESC"), sa.text("wanted DESC"), "id"])
    op.add_column("attempt", sa.Column("place", sa.String(64), nullable=True))
    for name in ("pack_size", "start_step"):
        op.add_column("attempt", sa.Column(name, sa.Integer, nullable=False, server_default=str(int(name == "pack_size"))))
    for name in ("cpus", "gpus", "price_per_hour"):
        op.add_column("attempt", sa.Column(name, sa.Float(53), nullable=True))
    _new_tables()


def _new_tables() -> None:
    def run_id() -> sa.Column[int]:
        return sa.Column("run_id", sa.Integer, nullable=False)

    def of_run(table: str) -> tuple[sa.ForeignKeyConstraint, sa.PrimaryKeyConstraint]:
        return (
            sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=f"fk_{table}_run_id"),
            sa.PrimaryKeyConstraint("run_id", name=f"pk_{table}"),
        )

    op.create_table(
        "checkpoint",
        run_id(),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        *of_run("checkpoint"),
    )
    op.create_table(
        "preview",
        run_id(),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("picture", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        *of_run("preview"),
    )
    op.create_table(
        "calibration",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("node", sa.String(255), nullable=False),
        sa.Column("device", sa.String(128), nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("recipe", sa.String(32), nullable=False),
        sa.Column("dtype", sa.String(32), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("pack", sa.Integer, nullable=False),
        sa.Column("work", sa.Float(53), nullable=False),
        sa.Column("seconds_per_step", sa.Float(53), nullable=False),
        sa.Column("seconds_fixed", sa.Float(53), nullable=False),
        sa.Column("peak_memory", sa.Integer, nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calibration"),
    )
    op.create_table(
        "review",
        sa.Column("run_key", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("flag", sa.String(16), nullable=True),
        sa.Column("flag_at", sa.Float(53), nullable=True),
        sa.Column("stars", sa.Integer, nullable=True),
        sa.Column("stars_at", sa.Float(53), nullable=True),
        sa.Column("note", sa.Text, nullable=True),
        sa.Column("note_at", sa.Float(53), nullable=True),
        sa.CheckConstraint("flag IN ('pick', 'reject')", name=op.f("ck_review_flag")),
        sa.CheckConstraint("stars BETWEEN 0 AND 5", name=op.f("ck_review_stars")),
        sa.PrimaryKeyConstraint("run_key", "person", name="pk_review"),
    )
    op.create_table(
        "review_tag",
        sa.Column("run_key", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("tag", sa.String(100), nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("run_key", "person", "tag", name="pk_review_tag"),
    )


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

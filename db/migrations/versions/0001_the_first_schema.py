"""the first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "driver",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.Float(precision=53), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("started_at", sa.Float(precision=53), nullable=False),
        sa.Column("heartbeat", sa.Float(precision=53), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_driver")),
    )
    op.create_table(
        "image",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("mean_colour", sa.String(length=7), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("original_name", sa.String(length=255), nullable=True),
        sa.Column("thumbnail", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_image")),
    )
    with op.batch_alter_table("image", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_image_thumbnail"), ["thumbnail"], unique=False)

    op.create_table(
        "sweep",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("spec_text", sa.Text(), nullable=False),
        sa.Column("spec_path", sa.Text(), nullable=False),
        sa.Column("search_seed", sa.Integer(), nullable=True),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'cancelled')", name=op.f("ck_sweep_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweep")),
        sa.UniqueConstraint("name", name=op.f("uq_sweep_name")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("alpha", sa.Float(precision=53), nullable=False),
        sa.Column("beta", sa.Float(precision=53), nullable=False),
        sa.Column("tv", sa.Float(precision=53), nullable=False),
        sa.Column("work", sa.Float(precision=53), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("lease", sa.Float(precision=53), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("killed_workers", sa.Integer(), nullable=False),
        sa.Column("output", sa.String(length=64), nullable=True),
        sa.Column("protocol", sa.String(length=16), nullable=True),
        sa.Column("content_kept", sa.Float(precision=53), nullable=True),
        sa.Column("style_gained", sa.Float(precision=53), nullable=True),
        sa.Column("balance", sa.Float(precision=53), nullable=True),
        sa.Column("d_content", sa.Float(precision=53), nullable=True),
        sa.Column("d_style", sa.Float(precision=53), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(precision=53), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("finished_at", sa.Float(precision=53), nullable=True),
        sa.Column("finished_seq", sa.Integer(), nullable=True),
        sa.CheckConstraint("(state = 'running') = (owner IS NOT NULL)", name=op.f("ck_run_running_has_owner")),
        sa.CheckConstraint(
            "(state IN ('done', 'diverged', 'failed', 'quarantined')) = (finished_seq IS NOT NULL)",
            name=op.f("ck_run_finished_has_seq"),
        ),
        sa.CheckConstraint("state != 'done' OR output IS NOT NULL", name=op.f("ck_run_done_has_picture")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'diverged', 'failed', 'quarantined', 'cancelled')",
            name=op.f("ck_run_state"),
        ),
        sa.ForeignKeyConstraint(["output"], ["image.sha256"], name=op.f("fk_run_output")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("finished_seq", name=op.f("uq_run_finished_seq")),
        sa.UniqueConstraint("run_key", name=op.f("uq_run_run_key")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_queue", ["state", "priority", "id"], unique=False)

    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=True),
        sa.Column("pack", sa.String(length=64), nullable=True),
        sa.Column("node", sa.String(length=255), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("device", sa.String(length=128), nullable=True),
        sa.Column("versions", sa.JSON(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("started_at", sa.Float(precision=53), nullable=True),
        sa.Column("finished_at", sa.Float(precision=53), nullable=True),
        sa.Column("seconds", sa.Float(precision=53), nullable=True),
        sa.Column("optimise_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("peak_memory", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('running', 'done', 'diverged', 'failed', 'crashed', 'oom', 'lost', 'cancelled')",
            name=op.f("ck_attempt_state"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_attempt_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_attempt_run_id_number")),
    )
    op.create_table(
        "combination",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sweep_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("combination_key", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(length=255), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("style_sha256", sa.String(length=64), nullable=False),
        sa.Column("alpha", sa.Float(precision=53), nullable=False),
        sa.Column("beta", sa.Float(precision=53), nullable=False),
        sa.Column("layers", sa.Text(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=32), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=True),
        sa.Column("init", sa.String(length=32), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("tv", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["content_sha256"], ["image.sha256"], name=op.f("fk_combination_content_sha256")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_combination_run_id")),
        sa.ForeignKeyConstraint(["style_sha256"], ["image.sha256"], name=op.f("fk_combination_style_sha256")),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_combination_sweep_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_combination")),
        sa.UniqueConstraint("sweep_id", "combination_key", name=op.f("uq_combination_sweep_id_combination_key")),
        sa.UniqueConstraint("sweep_id", "position", name=op.f("uq_combination_sweep_id_position")),
    )
    with op.batch_alter_table("combination", schema=None) as batch_op:
        batch_op.create_index("ix_combination_pair", ["sweep_id", "content_sha256", "style"], unique=False)
        batch_op.create_index(batch_op.f("ix_combination_run_id"), ["run_id"], unique=False)

    op.create_table(
        "loss_point",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content_loss", sa.Float(precision=53), nullable=False),
        sa.Column("style_loss", sa.Float(precision=53), nullable=False),
        sa.Column("tv_loss", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_loss_point_run_id")),
        sa.PrimaryKeyConstraint("run_id", "step", name=op.f("pk_loss_point")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshot",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("image", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["image"], ["image.sha256"], name=op.f("fk_snapshot_image")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_snapshot_run_id")),
        sa.PrimaryKeyConstraint("run_id", "step", name=op.f("pk_snapshot")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

"""Controls of the engine, as columns that people filter by."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    neutral = {"colors": "style", "loss": "relative", "style_loss": "gram", "pooling": "max", "padding": "zero"}
    with op.batch_alter_table("combination", recreate="always") as table:
        table.add_column(sa.Column("style_scale", sa.Float(53), nullable=False, server_default="1.0"))
        for name, value in neutral.items():
            table.add_column(sa.Column(name, sa.String(32), nullable=False, server_default=value))


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

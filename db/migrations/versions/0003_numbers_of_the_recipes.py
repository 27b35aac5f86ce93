"""The numbers of the recipes, early stops, sizes by area and number types, as columns that people filter by."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = ("later_steps", "levels", "smallest", "history")
    broken = ("learning_rate", "momentum", "variance_decay", "epsilon", "averaging", "factor")
    with op.batch_alter_table("combination", recreate="always") as table:
        table.add_column(sa.Column("size_by", sa.String(32), nullable=False, server_default="long_side"))
        table.add_column(sa.Column("stop", sa.String(64), nullable=False, server_default="off"))
        table.add_column(sa.Column("dtype", sa.String(32), nullable=False, server_default="float32"))
        for name in whole:
            table.add_column(sa.Column(name, sa.Integer, nullable=True))
        for name in broken:
            table.add_column(sa.Column(name, sa.Float(53), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

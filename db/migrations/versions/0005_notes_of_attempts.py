"""What had to be done differently to get an attempt through."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("attempt", recreate="always") as table:
        table.add_column(sa.Column("notes", sa.Text, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

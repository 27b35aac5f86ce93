"""What a picture looks like from afar, so that near-duplicates can be found."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("image", sa.Column("signature", sa.LargeBinary, nullable=True))


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

"""Every yardstick that the engine measures, not y1's five alone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ADDED = (
    *(f"d_style_{number}" for number in range(1, 6)),
    *("d_moments", "moments_gained", "content_kept_y2", "balance_y2", "d_structure", "structure_kept", "d_colour", "colour_gained"),
    *("sharpness", "clipped"),
)


def upgrade() -> None:
    with op.batch_alter_table("run", recreate="always") as table:
        for name in ADDED:
            table.add_column(sa.Column(name, sa.Float(53), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("schemas only move forward: restore a backup instead")

"""an index of the legs that failed, which are few among all that were ever paid"""

from __future__ import annotations

from alembic import op

revision = "settlement_0013"
down_revision = "settlement_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_settlement_leg_failed",
        "settlement_leg",
        ["status"],
        postgresql_where="status in ('rejected', 'returned')",
    )


def downgrade() -> None:
    op.drop_index("ix_settlement_leg_failed", "settlement_leg")

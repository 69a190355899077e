"""why statements of an account do not come in by themselves

The new column has a constant default, so the table is not rewritten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "settlement_0012"
down_revision = "settlement_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "settlement_bank_account",
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("settlement_bank_account", "trouble")

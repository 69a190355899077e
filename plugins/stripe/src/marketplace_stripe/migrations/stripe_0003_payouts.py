"""when a payout arrives, and how the bank's statement names it

The new columns are null, so the table is not rewritten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe_0003"
down_revision = "stripe_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stripe_line", sa.Column("arrives_on", sa.Date(), nullable=True))
    op.add_column("stripe_line", sa.Column("bank_reference", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("the balance's lines are never changed: restore a backup instead")

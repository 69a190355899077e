"""when points of a cancelled order are tried to be given back again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pretix_0002"
down_revision = "pretix_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pretix_order", sa.Column("give_back_due_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("pretix_order", "give_back_due_at")

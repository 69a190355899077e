"""reservations by key name whom they are for; how many somebody has is found by an index

Costs a moment: the column is empty, and the index is of reservations that are held just now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "conference_0004"
down_revision = "conference_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conference_reservation", sa.Column("buyer", sa.Text(), nullable=True))
    op.create_index(
        "ix_conference_reservation_caller_id",
        "conference_reservation",
        ["caller_id", "category_id"],
        unique=False,
        postgresql_where="state = 'held'",
    )

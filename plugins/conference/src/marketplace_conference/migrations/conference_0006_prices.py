"""a category may say at what price its offer is made

Costs a moment: two columns that are empty, checked at once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "conference_0006"
down_revision = "conference_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conference_category", sa.Column("points", sa.BigInteger(), nullable=True))
    op.add_column("conference_category", sa.Column("cost_micros", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_conference_category_price_is_whole"),
        "conference_category",
        "num_nonnulls(points, cost_micros) <> 1",
    )

"""how far sold places were compared with the exchange, for refunds that nobody told of

Costs a moment.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "conference_0009"
down_revision = "conference_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conference_comparison",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("compared_to", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_conference_comparison_comparison_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_comparison")),
        comment="How far sold places were compared with the exchange, round by round.",
    )
    op.execute("insert into conference_comparison (id, compared_to) values (1, '')")

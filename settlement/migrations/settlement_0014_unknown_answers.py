"""a break of what a bank says of a leg and nobody knows the meaning of; passes of the clock"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "settlement_0014"
down_revision = "settlement_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter type settlement_break_kind add value 'unknown_answer'")
    op.create_table(
        "settlement_clock_pass",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_settlement_clock_pass_clock_pass_is_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_clock_pass")),
    )


def downgrade() -> None:
    raise NotImplementedError("what banks said is on record: restore a backup instead")

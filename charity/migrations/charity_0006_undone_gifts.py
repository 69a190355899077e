"""gifts of which a dispute took money back

Two columns with constant defaults: no table is rewritten. Proving the new rule reads gifts once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "charity_0006"
down_revision = "charity_0005"
branch_labels = None
depends_on = None

COLUMNS = ("taken_back_points", "taken_back_micros")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column(
            "charity_gift", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.create_check_constraint(
        op.f("ck_charity_gift_dispute_is_within"),
        "charity_gift",
        "taken_back_points between 0 and points - refunded_points",
    )
    op.create_table(
        "charity_undone_gift",
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("burn_id", sa.Uuid(), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["burn_id"], ["charity_gift.burn_id"], name=op.f("fk_charity_undone_gift_burn_id")
        ),
        sa.PrimaryKeyConstraint("wallet_id", "line_id", name=op.f("pk_charity_undone_gift")),
    )
    op.create_index("ix_charity_undone_gift_burn_id", "charity_undone_gift", ["burn_id"])


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")

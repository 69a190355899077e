"""matches of which a dispute took money back

Columns that are null or a constant: no table is rewritten. Proving the new rule reads shares once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "charity_0007"
down_revision = "charity_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("charity_match", "charity_share"):
        op.add_column(table, sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "charity_share",
        sa.Column("taken_back_points", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column(
        "charity_share",
        sa.Column("untold", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_charity_share_dispute_is_within"),
        "charity_share",
        "taken_back_points between 0 and points - returned_points",
    )
    op.create_index(
        "ix_charity_share_untold", "charity_share", ["burn_id"], postgresql_where="untold"
    )
    op.create_table(
        "charity_undone_debt",
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_charity_undone_debt")),
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")

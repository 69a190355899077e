"""payments that failed, up to where surplus was reckoned

Small tables, and one column with a constant default: no table is rewritten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "charity_0004"
down_revision = "charity_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "charity_failed_payment",
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("charity_id", sa.Uuid(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["charity_id"],
            ["charity_charity.id"],
            name=op.f("fk_charity_failed_payment_charity_id"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_charity_failed_payment")),
    )
    op.create_index(
        "ix_charity_failed_payment_charity_id", "charity_failed_payment", ["charity_id"]
    )
    op.create_table(
        "charity_surplus_mark",
        sa.Column("charity_id", sa.Uuid(), nullable=False),
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charity_id"], ["charity_charity.id"], name=op.f("fk_charity_surplus_mark_charity_id")
        ),
        sa.PrimaryKeyConstraint("charity_id", "year", name=op.f("pk_charity_surplus_mark")),
    )
    op.add_column(
        "charity_campaign",
        sa.Column("surplus_waits", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index(
        "ix_charity_campaign_surplus_waits",
        "charity_campaign",
        ["charity_id"],
        postgresql_where="surplus_waits",
    )


def downgrade() -> None:
    raise NotImplementedError("the ledger is append-only: restore a backup instead")

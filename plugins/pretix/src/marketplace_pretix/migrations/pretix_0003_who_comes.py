"""who comes, what offers are like, orders that were certainly not taken"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pretix_0003"
down_revision = "pretix_0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NOW = sa.func.statement_timestamp()


def upgrade() -> None:
    op.add_column("pretix_order", sa.Column("untaken_at", MOMENT))
    op.add_column("pretix_order", sa.Column("noticed", sa.Text))
    op.create_table(
        "pretix_state",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("free", sa.Integer, nullable=False),
        sa.Column("trouble", sa.Text),
        sa.Column("asks", sa.LargeBinary, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("member_id", "sku", name="pk_pretix_state"),
        comment="What an offer's product was like when its event was last looked at.",
    )
    op.create_table(
        "pretix_told",
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("people", sa.LargeBinary, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False, server_default=NOW),
        sa.Column("reference", sa.Text),
        sa.PrimaryKeyConstraint("selection", name="pk_pretix_told"),
        sa.UniqueConstraint("reference", name="uq_pretix_told_reference"),
        sa.CheckConstraint("quantity > 0", name="ck_pretix_told_told_quantity_is_positive"),
        comment="Who comes, encrypted, said before the burn; forgotten once it is ordered.",
    )
    op.create_index("ix_pretix_told_made_at", "pretix_told", ["made_at"])


def downgrade() -> None:
    op.drop_table("pretix_told")
    op.drop_table("pretix_state")
    op.drop_column("pretix_order", "noticed")
    op.drop_column("pretix_order", "untaken_at")

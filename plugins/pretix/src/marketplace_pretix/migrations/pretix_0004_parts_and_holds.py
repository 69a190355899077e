"""parts of orders, tickets taken out of them, seats that are held, names in every language"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pretix_0004"
down_revision = "pretix_0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("pretix_order", _number("gone"))
    op.add_column("pretix_order", sa.Column("gone_at", MOMENT))
    op.add_column("pretix_order", _number("gone_given_back"))
    op.create_index(
        "ix_pretix_order_gone",
        "pretix_order",
        ["member_id"],
        postgresql_where=sa.text("gone > gone_given_back"),
    )
    op.create_table(
        "pretix_part",
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("standing", sa.Integer, nullable=False),
        sa.Column("taken_out", sa.Integer, nullable=False),
        sa.Column("is_moved", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("reference", "code", name="pk_pretix_part"),
        comment="Orders at a pretix that bear our reference: ours, and those split from it.",
    )
    op.add_column("pretix_state", sa.Column("names", sa.Text))
    op.add_column("pretix_told", sa.Column("cart", sa.Text))
    op.add_column("pretix_told", sa.Column("cart_places", sa.Text))
    op.add_column("pretix_told", sa.Column("held_until", MOMENT))
    op.add_column("pretix_told", sa.Column("held_by", sa.Uuid))
    op.create_index(
        "ix_pretix_told_held_by",
        "pretix_told",
        ["held_by", "sku"],
        postgresql_where=sa.text("held_until is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_pretix_told_held_by", "pretix_told")
    for name in ("held_by", "held_until", "cart_places", "cart"):
        op.drop_column("pretix_told", name)
    op.drop_column("pretix_state", "names")
    op.drop_table("pretix_part")
    op.drop_index("ix_pretix_order_gone", "pretix_order")
    for name in ("gone_given_back", "gone_at", "gone"):
        op.drop_column("pretix_order", name)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")

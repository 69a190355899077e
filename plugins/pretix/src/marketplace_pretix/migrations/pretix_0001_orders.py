"""orders at partners' pretix servers, how far servers were looked through, prices seen"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "pretix_0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "pretix_order",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        _now("begun_at"),
        sa.Column("delivered_at", MOMENT),
        sa.Column("cancel_asked_at", MOMENT),
        sa.Column("cancel_reason", sa.Text()),
        sa.Column("cancel_due_at", MOMENT),
        sa.Column("cancel_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancel_trouble", sa.Text()),
        sa.Column("cancelled_at", MOMENT),
        sa.Column("cancelled_by", sa.Text()),
        sa.Column("given_back_at", MOMENT),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_pretix_order_quantity_is_positive")),
        sa.CheckConstraint(
            "cancelled_by in ('us', 'them')", name=op.f("ck_pretix_order_canceller_is_known")
        ),
        sa.CheckConstraint(
            "num_nulls(cancelled_at, cancelled_by) in (0, 2)",
            name=op.f("ck_pretix_order_cancelled_by_one"),
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_pretix_order")),
        comment="An order that was sent to a pretix, from before the call on.",
    )
    op.create_index("ix_pretix_order_member_id", "pretix_order", ["member_id", "reference"])
    op.create_index("ix_pretix_order_sku", "pretix_order", ["sku", "delivered_at"])
    op.create_index(
        "ix_pretix_order_cancel_due_at",
        "pretix_order",
        ["cancel_due_at"],
        postgresql_where=sa.text("cancel_due_at is not null"),
    )
    op.create_index(
        "ix_pretix_order_not_given_back",
        "pretix_order",
        ["member_id"],
        postgresql_where=sa.text("cancelled_by = 'them' and given_back_at is null"),
    )
    op.create_table(
        "pretix_server",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("seen_until", MOMENT),
        sa.Column("swept_at", MOMENT),
        sa.Column("hinted_at", MOMENT),
        sa.Column("compared_to", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_pretix_server")),
        comment="How far a member's pretix was looked through for changes.",
    )
    op.create_table(
        "pretix_product",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        _now("seen_at"),
        sa.PrimaryKeyConstraint("member_id", "sku", name=op.f("pk_pretix_product")),
        comment="What a product cost when it was last looked at.",
    )


def downgrade() -> None:
    for table in ("pretix_product", "pretix_server", "pretix_order"):
        op.drop_table(table)


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, MOMENT, server_default=sa.text("statement_timestamp()"), nullable=False)

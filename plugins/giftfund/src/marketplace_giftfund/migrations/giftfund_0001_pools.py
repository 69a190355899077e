"""pools, codes and orders"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "giftfund_0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "giftfund_pool",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("low_at", sa.Integer(), server_default="10", nullable=False),
        sa.Column("low_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_giftfund_pool")),
        sa.CheckConstraint("low_at >= 0", name=op.f("ck_giftfund_pool_low_at_is_not_negative")),
        comment="One pool of codes per sku; low_since is set once its warning was given.",
    )
    op.create_table(
        "giftfund_order",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_giftfund_order")),
        comment="Every order answered, so that asking again answers the same.",
    )
    op.create_table(
        "giftfund_code",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=True),
        sa.Column("position", sa.SmallInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_giftfund_code")),
        sa.ForeignKeyConstraint(["sku"], ["giftfund_pool.sku"], name=op.f("fk_giftfund_code_sku")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_giftfund_code_fingerprint")),
        sa.UniqueConstraint(
            "order_reference", "position", name=op.f("uq_giftfund_code_order_reference_position")
        ),
        sa.CheckConstraint(
            "(order_reference is null) = (position is null)",
            name=op.f("ck_giftfund_code_given_codes_have_a_position"),
        ),
        comment="Codes, encrypted; the fingerprint keeps any code from being uploaded twice.",
    )
    op.create_index(
        "ix_giftfund_code_free",
        "giftfund_code",
        ["sku", "expires_on", "id"],
        postgresql_where="order_reference is null",
    )

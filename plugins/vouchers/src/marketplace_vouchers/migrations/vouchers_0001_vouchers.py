"""series, vouchers, locks, redemptions and what is remembered of requests"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "vouchers_0001"
down_revision = None
branch_labels = None
depends_on = None

INSERT_ONLY = ("vouchers_lock", "vouchers_redemption", "vouchers_request")


def upgrade() -> None:
    op.create_table(
        "vouchers_order",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_vouchers_order")),
        comment="Every order answered, so that asking again answers the same.",
    )
    op.create_table(
        "vouchers_request",
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("caller_id", "key", name=op.f("pk_vouchers_request")),
        comment="What a caller's Idempotency-Key made.",
    )
    op.create_table(
        "vouchers_series",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("use", sa.Text(), nullable=False),
        sa.Column("value_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "accepted_by in ('owner', 'listed', 'coalition')",
            name=op.f("ck_vouchers_series_acceptance"),
        ),
        sa.CheckConstraint(
            "use in ('single', 'stored')", name=op.f("ck_vouchers_series_use_is_known")
        ),
        sa.CheckConstraint(
            "num_nonnulls(ends_at, valid_days) = 1",
            name=op.f("ck_vouchers_series_has_one_kind_of_end"),
        ),
        sa.CheckConstraint(
            "valid_days > 0", name=op.f("ck_vouchers_series_valid_days_are_positive")
        ),
        sa.CheckConstraint("value_micros > 0", name=op.f("ck_vouchers_series_value_is_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouchers_series")),
        sa.UniqueConstraint("sku", name=op.f("uq_vouchers_series_sku")),
        comment="A kind of voucher: its owner, value, validity, and who accepts it.",
    )
    op.create_index("ix_vouchers_series_owner_id", "vouchers_series", ["owner_id"], unique=False)
    op.create_table(
        "vouchers_strike",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("lock_outs", sa.Integer(), server_default="0", nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_vouchers_strike")),
        comment="Wrong codes by till, member, address and over all, in the present window.",
    )
    op.create_table(
        "vouchers_acceptor",
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["vouchers_series.id"], name=op.f("fk_vouchers_acceptor_series_id")
        ),
        sa.PrimaryKeyConstraint("series_id", "member_id", name=op.f("pk_vouchers_acceptor")),
        comment="Members that accept a series, where it is accepted by some.",
    )
    op.create_table(
        "vouchers_batch",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), server_default="0", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("exported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "made between 0 and quantity", name=op.f("ck_vouchers_batch_made_is_within")
        ),
        sa.ForeignKeyConstraint(
            ["series_id"], ["vouchers_series.id"], name=op.f("fk_vouchers_batch_series_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouchers_batch")),
        comment="Vouchers issued in bulk; made counts how far it has come.",
    )
    op.create_index(
        "ix_vouchers_batch_unfinished",
        "vouchers_batch",
        ["created_at"],
        unique=False,
        postgresql_where="made < quantity and cancelled_at is null",
    )
    op.create_table(
        "vouchers_voucher",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value_micros", sa.BigInteger(), nullable=False),
        sa.Column("left_micros", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lock_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "left_micros between 0 and value_micros",
            name=op.f("ck_vouchers_voucher_left_is_within"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(order_reference, batch_id) = 1",
            name=op.f("ck_vouchers_voucher_has_one_origin"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["vouchers_batch.id"], name=op.f("fk_vouchers_voucher_batch_id")
        ),
        sa.ForeignKeyConstraint(
            ["series_id"], ["vouchers_series.id"], name=op.f("fk_vouchers_voucher_series_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouchers_voucher")),
        sa.UniqueConstraint(
            "batch_id", "position", name=op.f("uq_vouchers_voucher_batch_id_position")
        ),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_vouchers_voucher_fingerprint")),
        sa.UniqueConstraint(
            "order_reference", "position", name=op.f("uq_vouchers_voucher_order_reference_position")
        ),
        comment="One voucher: its code encrypted, the code's keyed fingerprint, and what is left.",
    )
    op.create_table(
        "vouchers_lock",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("voucher_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("till", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["voucher_id"], ["vouchers_voucher.id"], name=op.f("fk_vouchers_lock_voucher_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouchers_lock")),
        comment="A till has a voucher to itself; the voucher names the lock in force.",
    )
    op.create_index("ix_vouchers_lock_voucher_id", "vouchers_lock", ["voucher_id"], unique=False)
    op.create_table(
        "vouchers_redemption",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("voucher_id", sa.BigInteger(), nullable=False),
        sa.Column("undoes_id", sa.BigInteger(), nullable=True),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("till", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("left_micros", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(amount_micros > 0) = (undoes_id is null) and amount_micros <> 0",
            name=op.f("ck_vouchers_redemption_only_undoing_is_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["undoes_id"], ["vouchers_redemption.id"], name=op.f("fk_vouchers_redemption_undoes_id")
        ),
        sa.ForeignKeyConstraint(
            ["voucher_id"], ["vouchers_voucher.id"], name=op.f("fk_vouchers_redemption_voucher_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouchers_redemption")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_vouchers_redemption_undoes_id")),
        comment="Value taken off a voucher by the member that accepted it; negative rows undo one.",
    )
    op.create_index(
        "ix_vouchers_redemption_member_id_id",
        "vouchers_redemption",
        ["member_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_vouchers_redemption_voucher_id", "vouchers_redemption", ["voucher_id"], unique=False
    )
    for table in INSERT_ONLY:
        op.execute(
            f"create trigger insert_only before update or delete on {table} "
            "for each row execute function marketplace_forbid_change()"
        )
        op.execute(
            f"create trigger insert_only_truncate before truncate on {table} "
            "for each statement execute function marketplace_forbid_change()"
        )

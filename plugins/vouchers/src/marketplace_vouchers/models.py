"""Tables of the vouchers. Their names begin with the plugin's slug; no core table is touched."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace.api import plugin_metadata

metadata = plugin_metadata()

MOMENT = sa.DateTime(timezone=True)
INSERT_ONLY = {"insert_only": True}
"""Rows never change: the program's role may not, and a trigger refuses it."""

series = sa.Table(
    "vouchers_series",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("sku", sa.Text, nullable=False, unique=True),
    sa.Column("owner_id", sa.Uuid, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("use", sa.Text, nullable=False),
    sa.Column("value_micros", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.CHAR(3), nullable=False),
    sa.Column("starts_at", MOMENT),
    sa.Column("ends_at", MOMENT),
    sa.Column("valid_days", sa.Integer),
    sa.Column("accepted_by", sa.Text, nullable=False),
    sa.Column("closed_at", MOMENT),
    sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("value_micros > 0", name="value_is_positive"),
    sa.CheckConstraint("use in ('single', 'stored')", name="use_is_known"),
    sa.CheckConstraint("num_nonnulls(ends_at, valid_days) = 1", name="has_one_kind_of_end"),
    sa.CheckConstraint("valid_days > 0", name="valid_days_are_positive"),
    sa.CheckConstraint("accepted_by in ('owner', 'listed', 'coalition')", name="acceptance"),
    sa.Index("ix_vouchers_series_owner_id", "owner_id"),
    comment="A kind of voucher: its owner, value, validity, and who accepts it.",
)

acceptor = sa.Table(
    "vouchers_acceptor",
    metadata,
    sa.Column("series_id", sa.Uuid, sa.ForeignKey("vouchers_series.id"), primary_key=True),
    sa.Column("member_id", sa.Uuid, primary_key=True),
    comment="Members that accept a series, where it is accepted by some.",
)

order = sa.Table(
    "vouchers_order",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("refusal", sa.Text),
    sa.Column("answered_at", MOMENT, nullable=False, server_default=sa.func.now()),
    comment="Every order answered, so that asking again answers the same.",
)

batch = sa.Table(
    "vouchers_batch",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("series_id", sa.Uuid, sa.ForeignKey("vouchers_series.id"), nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("made", sa.Integer, nullable=False, server_default="0"),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
    sa.Column("exported_at", MOMENT),
    sa.Column("cancelled_at", MOMENT),
    sa.CheckConstraint("made between 0 and quantity", name="made_is_within"),
    sa.Index(
        "ix_vouchers_batch_unfinished",
        "created_at",
        postgresql_where="made < quantity and cancelled_at is null",
    ),
    comment="Vouchers issued in bulk; made counts how far it has come.",
)

voucher = sa.Table(
    "vouchers_voucher",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("series_id", sa.Uuid, sa.ForeignKey("vouchers_series.id"), nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("order_reference", sa.Text),
    sa.Column("batch_id", sa.Uuid, sa.ForeignKey("vouchers_batch.id")),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("value_micros", sa.BigInteger, nullable=False),
    sa.Column("left_micros", sa.BigInteger, nullable=False),
    sa.Column("starts_at", MOMENT),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("issued_at", MOMENT, nullable=False),
    sa.Column("cancelled_at", MOMENT),
    sa.Column("lock_id", sa.Uuid),
    sa.UniqueConstraint("order_reference", "position"),
    sa.UniqueConstraint("batch_id", "position"),
    sa.CheckConstraint("num_nonnulls(order_reference, batch_id) = 1", name="has_one_origin"),
    sa.CheckConstraint("left_micros between 0 and value_micros", name="left_is_within"),
    comment="One voucher: its code encrypted, the code's keyed fingerprint, and what is left.",
)

lock = sa.Table(
    "vouchers_lock",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("voucher_id", sa.BigInteger, sa.ForeignKey("vouchers_voucher.id"), nullable=False),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("caller_id", sa.Uuid, nullable=False),
    sa.Column("till", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Index("ix_vouchers_lock_voucher_id", "voucher_id"),
    comment="A till has a voucher to itself; the voucher names the lock in force.",
    info=INSERT_ONLY,
)

redemption = sa.Table(
    "vouchers_redemption",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("voucher_id", sa.BigInteger, sa.ForeignKey("vouchers_voucher.id"), nullable=False),
    sa.Column("undoes_id", sa.BigInteger, sa.ForeignKey("vouchers_redemption.id"), unique=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("till", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("amount_micros", sa.BigInteger, nullable=False),
    sa.Column("left_micros", sa.BigInteger, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.CheckConstraint(
        "(amount_micros > 0) = (undoes_id is null) and amount_micros <> 0",
        name="only_undoing_is_negative",
    ),
    sa.Index("ix_vouchers_redemption_voucher_id", "voucher_id"),
    sa.Index("ix_vouchers_redemption_member_id_id", "member_id", "id"),
    comment="Value taken off a voucher by the member that accepted it; negative rows undo one.",
    info=INSERT_ONLY,
)

request = sa.Table(
    "vouchers_request",
    metadata,
    sa.Column("caller_id", sa.Uuid, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_hash", sa.LargeBinary, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False, server_default=sa.func.now()),
    comment="What a caller's Idempotency-Key made.",
    info=INSERT_ONLY,
)

strike = sa.Table(
    "vouchers_strike",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("since", MOMENT, nullable=False),
    sa.Column("points", sa.Integer, nullable=False),
    sa.Column("lock_outs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("locked_until", MOMENT),
    comment="Wrong codes by till, member, address and over all, in the present window.",
)

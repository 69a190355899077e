"""Tables of the rail. Their names begin with the plugin's slug; no core table is touched."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace.api import plugin_metadata

metadata = plugin_metadata()

MOMENT = sa.DateTime(timezone=True)
INSERT_ONLY = {"insert_only": True}
"""Rows never change: the program's role may not, and a trigger refuses it."""

payment = sa.Table(
    "stripe_payment",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("part", sa.SmallInteger, primary_key=True, server_default="1"),
    sa.Column("parts", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.CHAR(3), nullable=False),
    sa.Column("party", sa.Text, nullable=False),
    sa.Column("account", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False, server_default="1"),
    sa.Column("first_sent_at", MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
    sa.Column("sent_at", MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
    sa.Column("object_id", sa.Text, unique=True),
    sa.Column("state", sa.Text, nullable=False, server_default=""),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("seen_at", MOMENT),
    sa.CheckConstraint("direction in ('collect', 'pay')", name="direction_is_known"),
    sa.CheckConstraint("amount_minor > 0", name="amount_is_positive"),
    sa.CheckConstraint("part between 1 and parts", name="part_is_one_of_its_parts"),
    comment="Every leg that was ever sent to Stripe, written before it was sent.",
)

event = sa.Table(
    "stripe_event",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("happened_at", MOMENT, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("received_at", MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
    sa.Index("ix_stripe_event_received_at", "received_at"),
    comment="What Stripe sent, its signature checked, encrypted; each once. Kept for evidence.",
    info=INSERT_ONLY,
)

account = sa.Table(
    "stripe_account",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False, unique=True),
    sa.Column("transfers", sa.Text, nullable=False, server_default="unknown"),
    sa.Column("payouts_enabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("wanted", sa.Text, nullable=False, server_default=""),
    sa.Column("stale", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("seen_at", MOMENT),
    comment="Connected accounts of members, and what they may do as Stripe last said.",
)

line = sa.Table(
    "stripe_line",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("fee_minor", sa.BigInteger, nullable=False),
    sa.Column("net_minor", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.CHAR(3), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Column("available_at", MOMENT, nullable=False),
    sa.Column("arrives_on", sa.Date),
    sa.Column("bank_reference", sa.Text),
    sa.Column("late_on", sa.Date),
    sa.CheckConstraint("net_minor = amount_minor - fee_minor", name="net_is_amount_less_fee"),
    sa.Index("ix_stripe_line_account_made_at", "account", "made_at"),
    sa.Index(
        "ix_stripe_line_late_on",
        "account",
        "late_on",
        postgresql_where=sa.text("late_on is not null"),
    ),
    comment="Every movement of the balance at Stripe, as its ledger has it; fees beside.",
    info=INSERT_ONLY,
)

sweep = sa.Table(
    "stripe_sweep",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("swept_to", MOMENT, nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("missed", sa.Integer, nullable=False),
    sa.Column("ended_at", MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
    comment="Passes over the balance that came to their end.",
    info=INSERT_ONLY,
)

written = sa.Table(
    "stripe_statement",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("currency", sa.CHAR(3), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("written_at", MOMENT, nullable=False, server_default=sa.func.clock_timestamp()),
    comment="Days of the balance that were written as statements: nothing is added to them.",
    info=INSERT_ONLY,
)

"""Tables: orders that may be at a pretix and what was split from them, how far each server was
looked through, prices seen, what products are like, who comes, seats to let go.
"""

from __future__ import annotations

import sqlalchemy as sa

from marketplace.api import plugin_metadata

metadata = plugin_metadata()

MOMENT = sa.DateTime(timezone=True)

order = sa.Table(
    "pretix_order",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("begun_at", MOMENT, nullable=False, server_default=sa.func.statement_timestamp()),
    sa.Column("delivered_at", MOMENT),
    sa.Column("cancel_asked_at", MOMENT),
    sa.Column("cancel_reason", sa.Text),
    sa.Column("cancel_due_at", MOMENT),
    sa.Column("cancel_tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cancel_trouble", sa.Text),
    sa.Column("cancelled_at", MOMENT),
    sa.Column("cancelled_by", sa.Text),
    sa.Column("give_back_due_at", MOMENT),
    sa.Column("given_back_at", MOMENT),
    sa.Column("untaken_at", MOMENT),
    sa.Column("noticed", sa.Text),
    sa.Column("gone", sa.Integer, nullable=False, server_default="0"),
    sa.Column("gone_at", MOMENT),
    sa.Column("gone_given_back", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint("quantity > 0", name="quantity_is_positive"),
    sa.CheckConstraint("cancelled_by in ('us', 'them')", name="canceller_is_known"),
    sa.CheckConstraint("num_nulls(cancelled_at, cancelled_by) in (0, 2)", name="cancelled_by_one"),
    sa.Index("ix_pretix_order_member_id", "member_id", "reference"),
    sa.Index("ix_pretix_order_sku", "sku", "delivered_at"),
    sa.Index(
        "ix_pretix_order_cancel_due_at",
        "cancel_due_at",
        postgresql_where=sa.text("cancel_due_at is not null"),
    ),
    sa.Index(
        "ix_pretix_order_not_given_back",
        "member_id",
        postgresql_where=sa.text("cancelled_by = 'them' and given_back_at is null"),
    ),
    sa.Index(
        "ix_pretix_order_gone",
        "member_id",
        postgresql_where=sa.text("gone > gone_given_back"),
    ),
    comment="An order that was sent to a pretix, from before the call on.",
)

part = sa.Table(
    "pretix_part",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("standing", sa.Integer, nullable=False),
    sa.Column("taken_out", sa.Integer, nullable=False),
    sa.Column("is_moved", sa.Boolean, nullable=False),
    comment="Orders at a pretix that bear our reference: ours, and those split from it.",
)

server = sa.Table(
    "pretix_server",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("seen_until", MOMENT),
    sa.Column("swept_at", MOMENT),
    sa.Column("hinted_at", MOMENT),
    sa.Column("compared_to", sa.Text, nullable=False, server_default=""),
    comment="How far a member's pretix was looked through for changes.",
)

product = sa.Table(
    "pretix_product",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("price_micros", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.CHAR(3), nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False, server_default=sa.func.statement_timestamp()),
    comment="What a product cost when it was last looked at.",
)

state = sa.Table(
    "pretix_state",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("free", sa.Integer, nullable=False),
    sa.Column("trouble", sa.Text),
    sa.Column("asks", sa.LargeBinary, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False, server_default=sa.func.statement_timestamp()),
    sa.Column("names", sa.Text),
    comment="What an offer's product was like when its event was last looked at.",
)

let_go = sa.Table(
    "pretix_let_go",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("place", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("due_at", MOMENT, nullable=False, server_default=sa.func.statement_timestamp()),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_pretix_let_go_due_at", "due_at"),
    comment="Places in carts that nobody will order: each is given back before its time is over.",
)

told = sa.Table(
    "pretix_told",
    metadata,
    sa.Column("selection", sa.Text, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("people", sa.LargeBinary, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False, server_default=sa.func.statement_timestamp()),
    sa.Column("reference", sa.Text, unique=True),
    sa.Column("cart", sa.Text),
    sa.Column("cart_places", sa.Text),
    sa.Column("held_until", MOMENT),
    sa.Column("held_by", sa.Uuid),
    sa.CheckConstraint("quantity > 0", name="told_quantity_is_positive"),
    sa.Index("ix_pretix_told_made_at", "made_at"),
    sa.Index(
        "ix_pretix_told_held_by",
        "held_by",
        "sku",
        postgresql_where=sa.text("held_until is not null"),
    ),
    comment="Who comes, encrypted, said before the burn; forgotten once it is ordered.",
)

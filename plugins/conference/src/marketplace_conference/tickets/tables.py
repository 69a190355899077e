"""Tables of tickets: one row for each place sold, the keys that sign them, refunds, moves."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from marketplace_conference.models import MOMENT, metadata

INSERT_ONLY = {"insert_only": True}

key = sa.Table(
    "conference_key",
    metadata,
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), primary_key=True),
    sa.Column("number", sa.SmallInteger, primary_key=True),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("number between 1 and 255", name="number_fits_a_code"),
    comment="Keys that sign the tickets of one event; the newest signs, all are believed.",
    info=INSERT_ONLY,
)

ticket = sa.Table(
    "conference_ticket",
    metadata,
    sa.Column("id", sa.BigInteger, sa.ForeignKey("conference_place.id"), primary_key=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("conference_session.id"), nullable=False),
    sa.Column("locator", sa.Text, nullable=False),
    sa.Column("key", sa.SmallInteger, nullable=False),
    sa.Column("edition", sa.SmallInteger, nullable=False, server_default="1"),
    sa.Column("tail", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("issued_at", MOMENT, nullable=False),
    sa.Column("changed_at", MOMENT, nullable=False),
    sa.Column("cancelled_at", MOMENT),
    sa.Column("switched_at", MOMENT),
    sa.UniqueConstraint("event_id", "locator"),
    sa.CheckConstraint("edition between 1 and 255", name="edition_fits_a_code"),
    sa.Index("ix_conference_ticket_event_id", "event_id", "id"),
    comment="A sold place's ticket, by its id: which edition is good, how its code ends.",
)

policy = sa.Table(
    "conference_policy",
    metadata,
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), primary_key=True),
    sa.Column("valid_from", MOMENT, primary_key=True),
    sa.Column("days_before", sa.Integer, primary_key=True),
    sa.Column("percent", sa.SmallInteger, nullable=False),
    sa.CheckConstraint("percent between 0 and 100", name="percent_is_one"),
    sa.CheckConstraint("days_before >= 0", name="days_are_before"),
    comment="Percent of points that come back so many days before; that of the sale holds.",
    info=INSERT_ONLY,
)

refund = sa.Table(
    "conference_refund",
    metadata,
    sa.Column("ticket_id", sa.BigInteger, sa.ForeignKey("conference_ticket.id"), primary_key=True),
    sa.Column("order_reference", sa.Text, nullable=False),
    sa.Column("percent", sa.SmallInteger, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("owed_at", MOMENT, nullable=False),
    sa.Column("paid_at", MOMENT),
    sa.Column("trouble", sa.Text, nullable=False, server_default=""),
    sa.CheckConstraint("points >= 0", name="points_are_not_negative"),
    sa.Index("ix_conference_refund_owed", "owed_at", postgresql_where="paid_at is null"),
    comment="Points owed for a cancelled ticket; paid once, by a refund of the exchange.",
)

switch_policy = sa.Table(
    "conference_switch_policy",
    metadata,
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), primary_key=True),
    sa.Column("valid_from", MOMENT, primary_key=True),
    sa.Column("days_before", sa.Integer, nullable=False),
    sa.CheckConstraint("days_before >= 0", name="days_are_before"),
    comment="Until when a ticket may change to another session; that of the sale holds.",
    info=INSERT_ONLY,
)

change = sa.Table(
    "conference_change",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("after_id", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("finished_at", MOMENT),
    sa.Column("sessions", JSONB, nullable=False, server_default="[]"),
    sa.Column("refund_until", MOMENT),
    sa.CheckConstraint("kind in ('moved', 'cancelled')", name="kind_is_known"),
    sa.Index("ix_conference_change_event_id", "event_id"),
    sa.Index("ix_conference_change_open", "made_at", postgresql_where="finished_at is null"),
    comment="An event that was moved or called off, and how far its tickets have been seen to.",
)

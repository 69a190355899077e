"""Tables of the box office. Their names begin with the plugin's slug; no core table is touched."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from marketplace.api import plugin_metadata

metadata = plugin_metadata()

MOMENT = sa.DateTime(timezone=True)


event = sa.Table(
    "conference_event",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("names", JSONB, nullable=False, server_default="{}"),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("venue", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("starts_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("organiser_id", sa.Uuid, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="draft"),
    sa.Column("hold_minutes", sa.Integer, nullable=False, server_default="10"),
    sa.Column("doors_open_minutes", sa.Integer, nullable=False, server_default="180"),
    sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
    sa.CheckConstraint("status in ('draft', 'published', 'cancelled')", name="status_is_known"),
    sa.CheckConstraint("hold_minutes between 1 and 1440", name="hold_is_within_a_day"),
    sa.CheckConstraint("doors_open_minutes between 0 and 10080", name="doors_open_within_a_week"),
    comment="What people come to; the organiser is the member that is paid.",
)

session = sa.Table(
    "conference_session",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("names", JSONB, nullable=False, server_default="{}"),
    sa.Column("starts_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("room", sa.Text, nullable=False, server_default=""),
    sa.Column("certified", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("event_id", "code"),
    sa.CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
    comment="A part of an event that seats are sold for.",
)

prerequisite = sa.Table(
    "conference_prerequisite",
    metadata,
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("conference_session.id"), primary_key=True),
    sa.Column("needs_id", sa.Uuid, sa.ForeignKey("conference_session.id"), primary_key=True),
    comment="A session is for who attended another one.",
)

question = sa.Table(
    "conference_question",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("options", JSONB, nullable=False, server_default="[]"),
    sa.Column("required", sa.Boolean, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.UniqueConstraint("event_id", "code"),
    sa.CheckConstraint("kind in ('text', 'number', 'choice', 'yes_no')", name="kind_is_known"),
    comment="What is asked about each person who comes.",
)

quota = sa.Table(
    "conference_quota",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.UniqueConstraint("event_id", "code"),
    sa.CheckConstraint("size >= 0", name="size_is_not_negative"),
    comment="Places that one category has, or several share.",
)

category = sa.Table(
    "conference_category",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("conference_session.id"), nullable=False),
    sa.Column("sku", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("names", JSONB, nullable=False, server_default="{}"),
    sa.Column("quota_id", sa.Uuid, sa.ForeignKey("conference_quota.id")),
    sa.Column("numbered", sa.Boolean, nullable=False),
    sa.Column("must_choose", sa.Boolean, nullable=False),
    sa.Column("most_at_once", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("points", sa.BigInteger),
    sa.Column("cost_micros", sa.BigInteger),
    sa.CheckConstraint("num_nonnulls(points, cost_micros) <> 1", name="price_is_whole"),
    sa.CheckConstraint("numbered or quota_id is not null", name="has_an_end"),
    sa.CheckConstraint("numbered or not must_choose", name="only_seats_are_chosen"),
    sa.CheckConstraint("most_at_once > 0", name="most_at_once_is_positive"),
    sa.Index("ix_conference_category_session_id", "session_id"),
    sa.Index("ix_conference_category_quota_id", "quota_id"),
    comment="Seats that are sold alike: its sku is that of the exchange's offer.",
)

allotment = sa.Table(
    "conference_allotment",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("category_id", sa.Uuid, sa.ForeignKey("conference_category.id"), nullable=False),
    sa.Column("firm_reference", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("releases_at", MOMENT, nullable=False),
    sa.UniqueConstraint("category_id", "firm_reference"),
    sa.CheckConstraint("size >= 0", name="size_is_not_negative"),
    comment="Places kept for the people of one firm until they are released to everybody.",
)

seat = sa.Table(
    "conference_seat",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("conference_session.id"), nullable=False),
    sa.Column("category_id", sa.Uuid, sa.ForeignKey("conference_category.id"), nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("block", sa.Text, nullable=False),
    sa.Column("row", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("x", sa.Integer, nullable=False),
    sa.Column("y", sa.Integer, nullable=False),
    sa.Column("held_by", sa.Text),
    sa.Column("held_until", MOMENT),
    sa.Column("sold", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("session_id", "label"),
    sa.CheckConstraint("num_nonnulls(held_by, held_until) <> 1", name="hold_has_an_end"),
    sa.Index("ix_conference_seat_unsold", "category_id", "id", postgresql_where="not sold"),
    sa.Index("ix_conference_seat_held_by", "held_by", postgresql_where="held_by is not null"),
    postgresql_with={"fillfactor": 70},
    comment="A numbered seat of a session: free, held by a reservation until then, or sold.",
)

waiter = sa.Table(
    "conference_waiter",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("token", sa.Text, nullable=False, unique=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("caller_id", sa.Uuid, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
    sa.Column("joined_at", MOMENT, nullable=False),
    sa.Column("offered_at", MOMENT),
    sa.Column("offer_ends_at", MOMENT),
    sa.Column("ended_at", MOMENT),
    sa.CheckConstraint("quantity > 0", name="quantity_is_positive"),
    sa.CheckConstraint(
        "state in ('waiting', 'offered', 'taken', 'declined', 'lapsed', 'left')",
        name="state_is_known",
    ),
    sa.Index("ix_conference_waiter_open", "id", postgresql_where="state = 'waiting'"),
    sa.Index("ix_conference_waiter_caller_id", "caller_id"),
    comment="Somebody who waits for places, in the order of joining.",
)

waiter_category = sa.Table(
    "conference_waiter_category",
    metadata,
    sa.Column("waiter_id", sa.BigInteger, sa.ForeignKey("conference_waiter.id"), primary_key=True),
    sa.Column("category_id", sa.Uuid, sa.ForeignKey("conference_category.id"), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Index("ix_conference_waiter_category_category_id", "category_id"),
    comment="What a waiter would take, dearest wish first.",
)

reservation = sa.Table(
    "conference_reservation",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("category_id", sa.Uuid, sa.ForeignKey("conference_category.id"), nullable=False),
    sa.Column("allotment_id", sa.Uuid, sa.ForeignKey("conference_allotment.id")),
    sa.Column("waiter_id", sa.BigInteger, sa.ForeignKey("conference_waiter.id")),
    sa.Column("caller_id", sa.Uuid, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("attendees", JSONB, nullable=False, server_default="[]"),
    sa.Column("state", sa.Text, nullable=False, server_default="held"),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("order_reference", sa.Text, unique=True),
    sa.Column("buyer", sa.Text),
    sa.CheckConstraint("quantity > 0", name="quantity_is_positive"),
    sa.CheckConstraint("state in ('held', 'sold', 'ended')", name="state_is_known"),
    sa.CheckConstraint(
        "(state = 'sold') = (order_reference is not null)", name="only_sold_has_an_order"
    ),
    sa.Index("ix_conference_reservation_held", "category_id", postgresql_where="state = 'held'"),
    sa.Index("ix_conference_reservation_waiter_id", "waiter_id"),
    sa.Index(
        "ix_conference_reservation_caller_id",
        "caller_id",
        "category_id",
        postgresql_where="state = 'held'",
    ),
    comment="Places somebody has to themselves for a while; a burn names it as its selection.",
)

order = sa.Table(
    "conference_order",
    metadata,
    sa.Column("reference", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("selection", sa.Text),
    sa.Column("refusal", sa.Text),
    sa.Column("answered_at", MOMENT, nullable=False, server_default=sa.func.now()),
    comment="Every order answered, so that asking again answers the same.",
)

place = sa.Table(
    "conference_place",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column(
        "order_reference", sa.Text, sa.ForeignKey("conference_order.reference"), nullable=False
    ),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("conference_session.id"), nullable=False),
    sa.Column("category_id", sa.Uuid, sa.ForeignKey("conference_category.id"), nullable=False),
    sa.Column("allotment_id", sa.Uuid, sa.ForeignKey("conference_allotment.id")),
    sa.Column("seat_id", sa.BigInteger, sa.ForeignKey("conference_seat.id")),
    sa.Column("attendee_name", sa.Text, nullable=False, server_default=""),
    sa.Column("attendee_email", sa.Text, nullable=False, server_default=""),
    sa.Column("answers", JSONB, nullable=False, server_default="{}"),
    sa.Column("sold_at", MOMENT, nullable=False),
    sa.Column("cancelled_at", MOMENT),
    sa.UniqueConstraint("order_reference", "position"),
    sa.Index(
        "uq_conference_place_seat_id",
        "seat_id",
        unique=True,
        postgresql_where="cancelled_at is null",
    ),
    sa.Index("ix_conference_place_live", "category_id", postgresql_where="cancelled_at is null"),
    sa.Index("ix_conference_place_session_id", "session_id"),
    comment="A sold place; no seat has two of them that were not cancelled.",
)

comparison = sa.Table(
    "conference_comparison",
    metadata,
    sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("compared_to", sa.Text, nullable=False),
    sa.CheckConstraint("id = 1", name="comparison_is_one_row"),
    comment="How far sold places were compared with the exchange, round by round.",
)

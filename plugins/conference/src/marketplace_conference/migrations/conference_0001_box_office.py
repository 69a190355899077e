"""events, seats, reservations, sold places, allotments and the waiting list"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "conference_0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conference_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("organiser_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column("hold_minutes", sa.Integer(), server_default="10", nullable=False),
        sa.Column(
            "created_at",
            MOMENT,
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status in ('draft', 'published', 'cancelled')",
            name=op.f("ck_conference_event_status_is_known"),
        ),
        sa.CheckConstraint(
            "ends_at > starts_at", name=op.f("ck_conference_event_ends_after_it_starts")
        ),
        sa.CheckConstraint(
            "hold_minutes between 1 and 1440", name=op.f("ck_conference_event_hold_is_within_a_day")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_event")),
        sa.UniqueConstraint("slug", name=op.f("uq_conference_event_slug")),
        comment="What people come to; the organiser is the member that is paid.",
    )
    op.create_table(
        "conference_order",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("selection", sa.Text(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column(
            "answered_at",
            MOMENT,
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_conference_order")),
        comment="Every order answered, so that asking again answers the same.",
    )
    op.create_table(
        "conference_question",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "options", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind in ('text', 'number', 'choice', 'yes_no')",
            name=op.f("ck_conference_question_kind_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_question_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_question")),
        sa.UniqueConstraint("event_id", "code", name=op.f("uq_conference_question_event_id_code")),
        comment="What is asked about each person who comes.",
    )
    op.create_table(
        "conference_quota",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_conference_quota_size_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_quota_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_quota")),
        sa.UniqueConstraint("event_id", "code", name=op.f("uq_conference_quota_event_id_code")),
        comment="Places that one category has, or several share.",
    )
    op.create_table(
        "conference_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("room", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "ends_at > starts_at", name=op.f("ck_conference_session_ends_after_it_starts")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_session_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_session")),
        sa.UniqueConstraint("event_id", "code", name=op.f("uq_conference_session_event_id_code")),
        comment="A part of an event that seats are sold for.",
    )
    op.create_table(
        "conference_waiter",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.Column("offered_at", MOMENT, nullable=True),
        sa.Column("offer_ends_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state in ('waiting', 'offered', 'taken', 'declined', 'lapsed', 'left')",
            name=op.f("ck_conference_waiter_state_is_known"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_conference_waiter_quantity_is_positive")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_waiter_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_waiter")),
        sa.UniqueConstraint("token", name=op.f("uq_conference_waiter_token")),
        comment="Somebody who waits for places, in the order of joining.",
    )
    op.create_index(
        "ix_conference_waiter_caller_id", "conference_waiter", ["caller_id"], unique=False
    )
    op.create_index(
        "ix_conference_waiter_open",
        "conference_waiter",
        ["id"],
        unique=False,
        postgresql_where="state = 'waiting'",
    )
    op.create_table(
        "conference_category",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("quota_id", sa.Uuid(), nullable=True),
        sa.Column("numbered", sa.Boolean(), nullable=False),
        sa.Column("must_choose", sa.Boolean(), nullable=False),
        sa.Column("most_at_once", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "most_at_once > 0", name=op.f("ck_conference_category_most_at_once_is_positive")
        ),
        sa.CheckConstraint(
            "numbered or not must_choose", name=op.f("ck_conference_category_only_seats_are_chosen")
        ),
        sa.CheckConstraint(
            "numbered or quota_id is not null", name=op.f("ck_conference_category_has_an_end")
        ),
        sa.ForeignKeyConstraint(
            ["quota_id"], ["conference_quota.id"], name=op.f("fk_conference_category_quota_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["conference_session.id"],
            name=op.f("fk_conference_category_session_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_category")),
        sa.UniqueConstraint("sku", name=op.f("uq_conference_category_sku")),
        comment="Seats that are sold alike: its sku is that of the exchange's offer.",
    )
    op.create_index(
        "ix_conference_category_quota_id", "conference_category", ["quota_id"], unique=False
    )
    op.create_index(
        "ix_conference_category_session_id", "conference_category", ["session_id"], unique=False
    )
    op.create_table(
        "conference_allotment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("firm_reference", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("releases_at", MOMENT, nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_conference_allotment_size_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["conference_category.id"],
            name=op.f("fk_conference_allotment_category_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_allotment")),
        sa.UniqueConstraint(
            "category_id",
            "firm_reference",
            name=op.f("uq_conference_allotment_category_id_firm_reference"),
        ),
        comment="Places kept for the people of one firm until they are released to everybody.",
    )
    op.create_table(
        "conference_seat",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("block", sa.Text(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("x", sa.Integer(), nullable=False),
        sa.Column("y", sa.Integer(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("held_until", MOMENT, nullable=True),
        sa.Column("sold", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(held_by, held_until) <> 1",
            name=op.f("ck_conference_seat_hold_has_an_end"),
        ),
        sa.ForeignKeyConstraint(
            ["category_id"], ["conference_category.id"], name=op.f("fk_conference_seat_category_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["conference_session.id"], name=op.f("fk_conference_seat_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_seat")),
        sa.UniqueConstraint(
            "session_id", "label", name=op.f("uq_conference_seat_session_id_label")
        ),
        comment="A numbered seat of a session: free, held by a reservation until then, or sold.",
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_conference_seat_held_by",
        "conference_seat",
        ["held_by"],
        unique=False,
        postgresql_where="held_by is not null",
    )
    op.create_index(
        "ix_conference_seat_unsold",
        "conference_seat",
        ["category_id", "id"],
        unique=False,
        postgresql_where="not sold",
    )
    op.create_table(
        "conference_waiter_category",
        sa.Column("waiter_id", sa.BigInteger(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["conference_category.id"],
            name=op.f("fk_conference_waiter_category_category_id"),
        ),
        sa.ForeignKeyConstraint(
            ["waiter_id"],
            ["conference_waiter.id"],
            name=op.f("fk_conference_waiter_category_waiter_id"),
        ),
        sa.PrimaryKeyConstraint(
            "waiter_id", "category_id", name=op.f("pk_conference_waiter_category")
        ),
        comment="What a waiter would take, dearest wish first.",
    )
    op.create_index(
        "ix_conference_waiter_category_category_id",
        "conference_waiter_category",
        ["category_id"],
        unique=False,
    )
    op.create_table(
        "conference_place",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("allotment_id", sa.Uuid(), nullable=True),
        sa.Column("seat_id", sa.BigInteger(), nullable=True),
        sa.Column("attendee_name", sa.Text(), server_default="", nullable=False),
        sa.Column("attendee_email", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "answers", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("sold_at", MOMENT, nullable=False),
        sa.Column("cancelled_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["allotment_id"],
            ["conference_allotment.id"],
            name=op.f("fk_conference_place_allotment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["conference_category.id"],
            name=op.f("fk_conference_place_category_id"),
        ),
        sa.ForeignKeyConstraint(
            ["order_reference"],
            ["conference_order.reference"],
            name=op.f("fk_conference_place_order_reference"),
        ),
        sa.ForeignKeyConstraint(
            ["seat_id"], ["conference_seat.id"], name=op.f("fk_conference_place_seat_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["conference_session.id"], name=op.f("fk_conference_place_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_place")),
        sa.UniqueConstraint(
            "order_reference", "position", name=op.f("uq_conference_place_order_reference_position")
        ),
        comment="A sold place; no seat has two of them that were not cancelled.",
    )
    op.create_index(
        "ix_conference_place_live",
        "conference_place",
        ["category_id"],
        unique=False,
        postgresql_where="cancelled_at is null",
    )
    op.create_index(
        "ix_conference_place_session_id", "conference_place", ["session_id"], unique=False
    )
    op.create_index(
        "uq_conference_place_seat_id",
        "conference_place",
        ["seat_id"],
        unique=True,
        postgresql_where="cancelled_at is null",
    )
    op.create_table(
        "conference_reservation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("allotment_id", sa.Uuid(), nullable=True),
        sa.Column("waiter_id", sa.BigInteger(), nullable=True),
        sa.Column("caller_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column(
            "attendees",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="[]",
            nullable=False,
        ),
        sa.Column("state", sa.Text(), server_default="held", nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'sold') = (order_reference is not null)",
            name=op.f("ck_conference_reservation_only_sold_has_an_order"),
        ),
        sa.CheckConstraint(
            "state in ('held', 'sold', 'ended')",
            name=op.f("ck_conference_reservation_state_is_known"),
        ),
        sa.CheckConstraint(
            "quantity > 0", name=op.f("ck_conference_reservation_quantity_is_positive")
        ),
        sa.ForeignKeyConstraint(
            ["allotment_id"],
            ["conference_allotment.id"],
            name=op.f("fk_conference_reservation_allotment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["category_id"],
            ["conference_category.id"],
            name=op.f("fk_conference_reservation_category_id"),
        ),
        sa.ForeignKeyConstraint(
            ["waiter_id"],
            ["conference_waiter.id"],
            name=op.f("fk_conference_reservation_waiter_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_reservation")),
        sa.UniqueConstraint(
            "order_reference", name=op.f("uq_conference_reservation_order_reference")
        ),
        comment="Places somebody has to themselves for a while; a burn names it as its selection.",
    )
    op.create_index(
        "ix_conference_reservation_held",
        "conference_reservation",
        ["category_id"],
        unique=False,
        postgresql_where="state = 'held'",
    )
    op.create_index(
        "ix_conference_reservation_waiter_id", "conference_reservation", ["waiter_id"], unique=False
    )

"""tickets and the keys that sign them, refunds, moves, doors and what they scanned"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "conference_0002"
down_revision = "conference_0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
INSERT_ONLY = ("conference_key", "conference_policy", "conference_scan")


def upgrade() -> None:
    op.create_table(
        "conference_key",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "number between 1 and 255", name=op.f("ck_conference_key_number_fits_a_code")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_key_event_id")
        ),
        sa.PrimaryKeyConstraint("event_id", "number", name=op.f("pk_conference_key")),
        comment="Keys that sign the tickets of one event; the newest signs, all are believed.",
    )
    op.create_table(
        "conference_ticket",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("key", sa.SmallInteger(), nullable=False),
        sa.Column("edition", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("tail", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("cancelled_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "edition between 1 and 255", name=op.f("ck_conference_ticket_edition_fits_a_code")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_ticket_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["id"], ["conference_place.id"], name=op.f("fk_conference_ticket_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["conference_session.id"], name=op.f("fk_conference_ticket_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_ticket")),
        sa.UniqueConstraint(
            "event_id", "locator", name=op.f("uq_conference_ticket_event_id_locator")
        ),
        comment="A sold place's ticket, by its id: which edition is good, how its code ends.",
    )
    op.create_index(
        "ix_conference_ticket_event_id", "conference_ticket", ["event_id", "id"], unique=False
    )
    op.create_table(
        "conference_policy",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("days_before", sa.Integer(), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("days_before >= 0", name=op.f("ck_conference_policy_days_are_before")),
        sa.CheckConstraint(
            "percent between 0 and 100", name=op.f("ck_conference_policy_percent_is_one")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_policy_event_id")
        ),
        sa.PrimaryKeyConstraint(
            "event_id", "valid_from", "days_before", name=op.f("pk_conference_policy")
        ),
        comment="Percent of points that come back so many days before; that of the sale holds.",
    )
    op.create_table(
        "conference_refund",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("order_reference", sa.Text(), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("owed_at", MOMENT, nullable=False),
        sa.Column("paid_at", MOMENT, nullable=True),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "points >= 0", name=op.f("ck_conference_refund_points_are_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["conference_ticket.id"], name=op.f("fk_conference_refund_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_conference_refund")),
        comment="Points owed for a cancelled ticket; paid once, by a refund of the exchange.",
    )
    op.create_index(
        "ix_conference_refund_owed",
        "conference_refund",
        ["owed_at"],
        unique=False,
        postgresql_where="paid_at is null",
    )
    op.create_table(
        "conference_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("after_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "kind in ('moved', 'cancelled')", name=op.f("ck_conference_change_kind_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_change_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_change")),
        comment="An event that was moved or called off, and how far its tickets have been seen to.",
    )
    op.create_index(
        "ix_conference_change_event_id", "conference_change", ["event_id"], unique=False
    )
    op.create_index(
        "ix_conference_change_open",
        "conference_change",
        ["made_at"],
        unique=False,
        postgresql_where="finished_at is null",
    )
    op.create_table(
        "conference_device",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["conference_event.id"], name=op.f("fk_conference_device_event_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_device")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_conference_device_fingerprint")),
        comment="A phone or scanner at a door of one event; its key is known by its fingerprint.",
    )
    op.create_index(
        "ix_conference_device_event_id", "conference_device", ["event_id"], unique=False
    )
    op.create_table(
        "conference_scan",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("nonce", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("scanned_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "finding <> 'good' or ticket_id is not null",
            name=op.f("ck_conference_scan_what_is_good_is_a_ticket"),
        ),
        sa.CheckConstraint(
            "finding in ('good', 'forged', 'void', 'other_session', 'unknown')",
            name=op.f("ck_conference_scan_finding_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["conference_device.id"], name=op.f("fk_conference_scan_device_id")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["conference_ticket.id"], name=op.f("fk_conference_scan_ticket_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conference_scan")),
        sa.UniqueConstraint("device_id", "nonce", name=op.f("uq_conference_scan_device_id_nonce")),
        comment="What a door scanned, once for each nonce; who was let in is in admission.",
    )
    op.create_index(
        "ix_conference_scan_ticket_id",
        "conference_scan",
        ["ticket_id", "scanned_at", "id"],
        unique=False,
    )
    op.create_table(
        "conference_admission",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("scan_id", sa.BigInteger(), nullable=False),
        sa.Column("scanned_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["scan_id"], ["conference_scan.id"], name=op.f("fk_conference_admission_scan_id")
        ),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["conference_ticket.id"], name=op.f("fk_conference_admission_ticket_id")
        ),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_conference_admission")),
        comment="The earliest good scan of a ticket: it let the holder in, others are doubles.",
    )
    op.create_index(
        "ix_conference_admission_session_id",
        "conference_admission",
        ["session_id", "scanned_at"],
        unique=False,
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

"""Tables of the door: its devices, every scan, and who was let in."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace_conference.models import MOMENT, metadata
from marketplace_conference.tickets.tables import INSERT_ONLY

device = sa.Table(
    "conference_device",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", MOMENT, nullable=False),
    sa.Column("revoked_at", MOMENT),
    sa.Index("ix_conference_device_event_id", "event_id"),
    comment="A phone or scanner at a door of one event; its key is known by its fingerprint.",
)

scan = sa.Table(
    "conference_scan",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("device_id", sa.Uuid, sa.ForeignKey("conference_device.id"), nullable=False),
    sa.Column("nonce", sa.Uuid, nullable=False),
    sa.Column("ticket_id", sa.BigInteger, sa.ForeignKey("conference_ticket.id")),
    sa.Column("session_id", sa.Uuid),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("scanned_at", MOMENT, nullable=False),
    sa.Column("received_at", MOMENT, nullable=False),
    sa.Column("overrode", sa.Text),
    sa.UniqueConstraint("device_id", "nonce"),
    sa.CheckConstraint(
        "finding in ('good', 'forged', 'void', 'other_session', 'unknown', 'too_early', 'closed')",
        name="finding_is_known",
    ),
    sa.CheckConstraint(
        "overrode is null or (finding = 'good' and overrode in ('too_early', 'closed'))",
        name="only_hours_are_overridden",
    ),
    sa.CheckConstraint(
        "finding <> 'good' or ticket_id is not null", name="what_is_good_is_a_ticket"
    ),
    sa.Index("ix_conference_scan_ticket_id", "ticket_id", "scanned_at", "id"),
    comment="What a door scanned, once for each nonce; who was let in is in admission.",
    info=INSERT_ONLY,
)

admission = sa.Table(
    "conference_admission",
    metadata,
    sa.Column("ticket_id", sa.BigInteger, sa.ForeignKey("conference_ticket.id"), primary_key=True),
    sa.Column("session_id", sa.Uuid, nullable=False),
    sa.Column("scan_id", sa.BigInteger, sa.ForeignKey("conference_scan.id"), nullable=False),
    sa.Column("scanned_at", MOMENT, nullable=False),
    sa.Index("ix_conference_admission_session_id", "session_id", "scanned_at"),
    comment="The earliest good scan of a ticket: it let the holder in, others are doubles.",
)

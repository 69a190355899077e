"""Table of certificates: what each says is written down once, and signed."""

from __future__ import annotations

import sqlalchemy as sa

from marketplace_conference.models import MOMENT, metadata
from marketplace_conference.tickets.tables import INSERT_ONLY

certificate = sa.Table(
    "conference_certificate",
    metadata,
    sa.Column("ticket_id", sa.BigInteger, sa.ForeignKey("conference_ticket.id"), primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("event_id", sa.Uuid, sa.ForeignKey("conference_event.id"), nullable=False),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("conference_session.id"), nullable=False),
    sa.Column("key", sa.SmallInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("event_name", sa.Text, nullable=False),
    sa.Column("session_name", sa.Text, nullable=False),
    sa.Column("starts_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("issued_at", MOMENT, nullable=False),
    comment="Somebody attended a session: what their certificate says, as it was then.",
    info=INSERT_ONLY,
)

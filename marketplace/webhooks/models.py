"""Tables of webhooks: endpoints, the messages due to them, and the log of their deliveries.

The rows of `webhook_message` that have a `due_at` are the queue. Real clock only, but for
`effective_at`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import Base, text_enum, utc_timestamp
from marketplace.webhooks.domain import EndpointStatus, MessageStatus


class WebhookEndpoint(Base):
    """An address of a member that is told of facts."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (sa.Index("ix_webhook_endpoint_member_id", "member_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(sa.ForeignKey("member.id"))
    url: Mapped[str]
    description: Mapped[str]
    events: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    status: Mapped[EndpointStatus] = mapped_column(
        text_enum(EndpointStatus, "webhook_endpoint_status"),
        server_default=EndpointStatus.ACTIVE.value,
    )
    secret: Mapped[bytes]
    """Encrypted."""
    previous_secret: Mapped[bytes | None]
    """Signs too until `previous_until`."""
    previous_until: Mapped[datetime | None] = mapped_column(utc_timestamp())
    failures: Mapped[int] = mapped_column(server_default="0")
    """Calls in a row that failed."""
    failing_since: Mapped[datetime | None] = mapped_column(utc_timestamp())
    paused_until: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """It failed too often and is left alone till then."""
    leased_until: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    lease: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """Counts who has called it: what one says whose lease has passed on is not believed."""
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class WebhookMessage(Base):
    """One event for one endpoint.

    The id comes from the database, unlike elsewhere: of two facts of one burn the later has the
    larger id whatever the clocks of two machines say.
    """

    __tablename__ = "webhook_message"
    __table_args__ = (
        sa.CheckConstraint("(status = 'due') = (due_at is not null)", name="due_has_a_time"),
        sa.Index(
            "ix_webhook_message_due", "endpoint_id", "id", postgresql_where="due_at is not null"
        ),
        sa.Index(
            "ix_webhook_message_due_of_subject",
            "endpoint_id",
            "subject_id",
            "id",
            postgresql_where="due_at is not null",
        ),
        sa.Index("ix_webhook_message_created_at", "created_at", postgresql_using="brin"),
    )

    endpoint_id: Mapped[UUID] = mapped_column(primary_key=True)
    """No foreign key: captures of many burns must not all lock one endpoint."""
    id: Mapped[int] = mapped_column(
        sa.BigInteger, sa.Identity(always=True), primary_key=True, autoincrement=True
    )
    type: Mapped[str]
    subject_id: Mapped[UUID | None]
    """The burn it is about: a later message of a burn waits for the earlier."""
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    """When it happened, business time."""
    status: Mapped[MessageStatus] = mapped_column(
        text_enum(MessageStatus, "webhook_message_status"), server_default=MessageStatus.DUE.value
    )
    due_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    give_up_at: Mapped[datetime] = mapped_column(utc_timestamp())
    attempts: Mapped[int] = mapped_column(server_default="0")
    """Of this delivery; a replay counts from nought."""
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    delivered_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class WebhookAttempt(Base):
    """One call, for the delivery log."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["endpoint_id", "message_id"],
            ["webhook_message.endpoint_id", "webhook_message.id"],
            ondelete="CASCADE",
        ),
    )

    endpoint_id: Mapped[UUID] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    duration_ms: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str | None]
    answer: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )

"""Tables of notices: what people are told, what carries it, and what they want to hear.

Every key holds `person_id`. The rows of `mail` and `notice_delivery` that have a `due_at` are the
queues.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import Base, text_enum, utc_timestamp
from marketplace.notices.domain import Email, MailStatus


class Notice(Base):
    """One thing a person is told. `once_key` keeps the same thing from being told twice."""

    __tablename__ = "notice"
    __table_args__ = (
        sa.UniqueConstraint("person_id", "once_key"),
        # The inbox: unread first, each part newest first.
        sa.Index(
            "ix_notice_inbox",
            "person_id",
            sa.text("(read_at is not null)"),
            sa.text("id desc"),
            postgresql_where="in_app",
        ),
        sa.Index(
            "ix_notice_to_digest",
            "email",
            "person_id",
            postgresql_where="email in ('daily', 'weekly') and digest_id is null",
        ),
        sa.Index("ix_notice_digest_id", "digest_id", postgresql_where="digest_id is not null"),
        sa.Index("ix_notice_created_at", "created_at", postgresql_using="brin"),
    )

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    """A key of `marketplace.notices.kinds.KINDS`."""
    category: Mapped[str]
    context: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """The fields of the kind, unformatted; put into words where it is shown."""
    once_key: Mapped[str]
    in_app: Mapped[bool]
    """Whether the inbox shows it."""
    email: Mapped[Email] = mapped_column(text_enum(Email, "notice_email"))
    """How it is mailed, by the person's wish when it was made."""
    digest_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The mail of the digest that carries it."""
    effective_at: Mapped[datetime] = mapped_column(utc_timestamp())
    """When it happened, business time."""
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    read_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class Mail(Base):
    """One mail to one person: of the notice with the same key, or a digest. Real clock only."""

    __tablename__ = "mail"
    __table_args__ = (
        sa.CheckConstraint("(status = 'due') = (due_at is not null)", name="due_has_a_time"),
        sa.Index("ix_mail_due", "due_at", postgresql_where="due_at is not null"),
        sa.Index("ix_mail_created_at", "created_at"),
    )

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    """A kind of notice, or `digest_daily`, `digest_weekly`."""
    status: Mapped[MailStatus] = mapped_column(
        text_enum(MailStatus, "mail_status"), server_default=MailStatus.DUE.value
    )
    due_at: Mapped[datetime | None] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    """When it is tried next; also the end of the lease of who is sending it."""
    give_up_at: Mapped[datetime] = mapped_column(utc_timestamp())
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    secret: Mapped[bytes | None]
    """What only the mail shows, encrypted; taken away when the mail is sent or dropped."""
    address: Mapped[str | None]
    """Where it was last sent to."""
    error: Mapped[str | None]
    """What the mail server said to the last try that failed."""
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    sent_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class NoticePreference(Base):
    """What a person chose for a category; without a row its defaults hold."""

    __tablename__ = "notice_preference"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    in_app: Mapped[bool]
    email: Mapped[Email] = mapped_column(text_enum(Email, "notice_email"))


class NoticeChannel(Base):
    """Where a person wants to be told over a plugin's channel, once they confirmed it is theirs."""

    __tablename__ = "notice_channel"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    """As in `marketplace.api.Notifier.channel`."""
    address: Mapped[str]
    categories: Mapped[list[str]] = mapped_column(ARRAY(sa.String))
    """What they want to hear there."""
    confirmed_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class NoticeDelivery(Base):
    """A notice on its way over a channel, or the question whether an address is right."""

    __tablename__ = "notice_delivery"
    __table_args__ = (
        sa.CheckConstraint("(status = 'due') = (due_at is not null)", name="due_has_a_time"),
        sa.Index(
            "ix_notice_delivery_due", "channel", "due_at", postgresql_where="due_at is not null"
        ),
        sa.Index("ix_notice_delivery_created_at", "created_at"),
    )

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    """Of the notice; a number of its own where `asks`."""
    channel: Mapped[str] = mapped_column(primary_key=True)
    asks: Mapped[bool] = mapped_column(server_default=sa.false())
    """It asks to confirm the address."""
    status: Mapped[MailStatus] = mapped_column(
        text_enum(MailStatus, "mail_status"), server_default=MailStatus.DUE.value
    )
    due_at: Mapped[datetime | None] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    """When it is tried next; also the end of the lease of who is sending it."""
    give_up_at: Mapped[datetime] = mapped_column(utc_timestamp())
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    error: Mapped[str | None]
    """What the channel said to the last try that failed."""
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    sent_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class NoticeSubscription(Base):
    """Somebody asked a plugin for something, and may be told what becomes of it."""

    __tablename__ = "notice_subscription"
    __table_args__ = (sa.Index("ix_notice_subscription_created_at", "created_at"),)

    plugin: Mapped[str] = mapped_column(primary_key=True)
    about: Mapped[str] = mapped_column(primary_key=True)
    """By a name of the plugin's own."""
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class ExpiryWarning(Base):
    """Until which expiry date a person has been warned, `days` days ahead."""

    __tablename__ = "expiry_warning"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    days: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    warned_until: Mapped[datetime] = mapped_column(utc_timestamp())

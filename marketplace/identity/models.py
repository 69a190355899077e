"""Tables of identity: people, sessions, API keys, and the audit trail of who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import INSERT_ONLY, Base, utc_timestamp


class Person(Base):
    """Somebody who can sign in; a participant, or staff of a firm or member."""

    __tablename__ = "person"
    __table_args__ = (
        sa.Index("uq_person_email", sa.text("lower(email)"), unique=True),
        sa.Index("ix_person_participant_id", "participant_id"),
        sa.CheckConstraint("theme in ('auto', 'light', 'dark')", name="theme_is_known"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    """Values of `marketplace.identity.domain.Role`."""
    participant_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("participant.id"))
    firm_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("firm.id"))
    """The firm a firm manager manages."""
    member_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    """The member a partner, finance or operator person works for."""
    locale: Mapped[str | None]
    """Language of pages and mails: en, ru, pl or it; null follows the browser."""
    theme: Mapped[str] = mapped_column(server_default="auto")
    """auto (as the device is set), light or dark."""
    guide_seen_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When the first-visit guide was put away."""
    disabled_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    created_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())


class SignIn(Base):
    """A server-side session; the browser holds a random token, the table its SHA-256."""

    __tablename__ = "sign_in"
    __table_args__ = (sa.Index("ix_sign_in_person_id", "person_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    device: Mapped[str | None]
    """What it was opened on, in a few words ("Firefox on Windows"); null is not a browser."""
    created_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())
    expires_at: Mapped[datetime] = mapped_column(utc_timestamp())
    revoked_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class SignInLink(Base):
    """A link that was mailed to sign in with: works once, the table holds its token's SHA-256."""

    __tablename__ = "sign_in_link"
    __table_args__ = (sa.Index("ix_sign_in_link_person_id_created_at", "person_id", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    next_path: Mapped[str]
    """The page to show after signing in; a path of our own."""
    created_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())
    expires_at: Mapped[datetime] = mapped_column(utc_timestamp())
    used_at: Mapped[datetime | None] = mapped_column(utc_timestamp())


class SignInFailure(Base):
    """A failed password, kept to slow guessing down."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (sa.Index("ix_sign_in_failure_email_at", sa.text("lower(email)"), "at"),)

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    email: Mapped[str]
    at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())


class ApiKey(Base):
    """A member's key: shown once, kept as SHA-256 of 256 random bits."""

    __tablename__ = "api_key"
    __table_args__ = (sa.Index("ix_api_key_member_id", "member_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(sa.ForeignKey("member.id"))
    label: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    hint: Mapped[str]
    """Its first characters, to recognise it by."""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(sa.Text))
    """Values of `marketplace.identity.domain.Scope`."""
    created_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())
    revoked_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    last_used_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """To the minute."""


class AuditEntry(Base):
    """Who did what to what, and when."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        sa.Index("ix_audit_entry_subject", "subject_kind", "subject_id", "id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )
    actor: Mapped[str]
    """`person:<id>`, `key:<id>`, `cli:<system user>` or `system:<what>`."""
    action: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")

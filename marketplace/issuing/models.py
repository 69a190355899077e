"""Tables of issuing: files that members sent, until they are written."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.issuing.domain import UploadState
from marketplace.models import Base, text_enum, utc_timestamp


class IssueUpload(Base):
    """A file of issuances a member sent, and how far it has come. All times by the real clock."""

    __tablename__ = "issue_upload"
    __table_args__ = (
        sa.Index("ix_issue_upload_member_id", "member_id", "id"),
        sa.Index(
            "ix_issue_upload_to_do", "id", postgresql_where="state in ('received', 'ordered')"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(sa.ForeignKey("member.id"))
    """Whose points they are."""
    actor: Mapped[str]
    """Who sent it, as in the audit trail, and `name` for people."""
    name: Mapped[str]
    file_name: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[UploadState] = mapped_column(text_enum(UploadState, "upload_state"))
    read_bytes: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    """How far the work at hand has read."""
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    """The last `ImportReport`."""
    attempts: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    """How often work at the present state was begun."""
    claimed_until: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """A worker that stays away longer than that is taken for dead."""
    created_at: Mapped[datetime] = mapped_column(utc_timestamp(), server_default=sa.func.now())
    finished_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    """When it was written, withdrawn or given up."""


class IssueUploadPart(Base):
    """A piece of the file; gone when the file is finished."""

    __tablename__ = "issue_upload_part"

    upload_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("issue_upload.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes]

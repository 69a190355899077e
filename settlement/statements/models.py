"""Statements that were issued: their place in the chain of their member, and what they come to."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import INSERT_ONLY, utc_timestamp
from settlement.base import SettlementBase


class MemberStatement(SettlementBase):
    """One statement of one member. Its content is made again from the ledger, and must fit."""

    __tablename__ = "settlement_statement"
    __table_args__ = (
        sa.CheckConstraint("num_nonnulls(window_id, settlement_id) = 1", name="has_one_subject"),
        sa.UniqueConstraint("member_id", "number"),
        sa.UniqueConstraint("member_id", "window_id"),
        sa.UniqueConstraint("member_id", "settlement_id"),
        {"info": INSERT_ONLY},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    number: Mapped[int]
    """Counts the member's statements from 1."""
    window_id: Mapped[UUID | None]
    settlement_id: Mapped[UUID | None]
    prior_sha256: Mapped[str | None]
    """Digest of the statement before; null of the first."""
    sha256: Mapped[str]
    public_key: Mapped[str]
    signature: Mapped[str]
    head: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """`records.Head`: names, terms and legs as they were when it was issued."""
    lines: Mapped[int] = mapped_column(sa.BigInteger)
    sums: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """`domain.Sum` by currency."""
    issued_at: Mapped[datetime] = mapped_column(utc_timestamp())
    issued_by: Mapped[str]

"""Tables of fulfilment: what suppliers confirmed and delivered, and how they are doing."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.models import INSERT_ONLY, Base, utc_timestamp


class SupplierConfirmation(Base):
    """The supplier's word that it delivered a burn; exactly one per captured burn."""

    __tablename__ = "supplier_confirmation"
    __table_args__ = ({"info": INSERT_ONLY},)

    burn_id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    plugin: Mapped[str]
    supplier_reference: Mapped[str]
    """The supplier's own id of the order."""
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class Artefact(Base):
    """A code, ticket or receipt, encrypted. Revealed only with an audit entry."""

    __tablename__ = "artefact"

    burn_id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str]
    label: Mapped[str]
    secret: Mapped[bytes]
    """Encrypted with the vault; rotation re-encrypts it, so the table is not insert-only."""
    expires_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    posted_at: Mapped[datetime] = mapped_column(
        utc_timestamp(), server_default=sa.func.statement_timestamp()
    )


class OrderTrouble(Base):
    """What suppliers last said about a held burn that did not go well; gone once it is resolved."""

    __tablename__ = "order_trouble"

    burn_id: Mapped[UUID] = mapped_column(primary_key=True)
    wallet_id: Mapped[UUID] = mapped_column(primary_key=True)
    answers: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """The last few, latest first: attempt, outcome, words, at."""


class SupplierHealth(Base):
    """The circuit breaker of one plugin: open while `open_until` is ahead."""

    __tablename__ = "supplier_health"

    plugin: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(server_default="0")
    """Failed chunks in a row."""
    open_until: Mapped[datetime | None] = mapped_column(utc_timestamp())
    last_error: Mapped[str | None]
    last_failure_at: Mapped[datetime | None] = mapped_column(utc_timestamp())
    last_success_at: Mapped[datetime | None] = mapped_column(utc_timestamp())

"""Facts that observers are told, after commit."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class BurnFact(msgspec.Struct, frozen=True, kw_only=True):
    """A burn that was captured or voided."""

    burn_id: UUID
    wallet_id: UUID
    offer_id: UUID
    acceptor_id: UUID
    plugin: str
    quantity: int
    points: int
    cost_micros: int
    currency: str
    reason: str
    """Why, for a void; empty for a capture."""
    effective_at: datetime


class RefundFact(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a captured burn given back."""

    refund_id: UUID
    burn_id: UUID
    wallet_id: UUID
    points: int
    reason: str
    effective_at: datetime


class IssueFact(msgspec.Struct, frozen=True, kw_only=True):
    """Points issued together in one request or file."""

    issuer_id: UUID
    issuances: int
    points: int


class WindowFact(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement window that takes no more money."""

    window_id: UUID
    opened_at: datetime
    closed_at: datetime
    """UTC; the next window was opened at the same moment."""
    obligations: int
    """Obligations and debts in it; a window without any is settled at once."""

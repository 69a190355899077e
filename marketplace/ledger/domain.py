"""Accounts, transfer codes and the arithmetic of lots, without I/O."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

POINTS = "POINTS"
"""The unit of points transfers; money transfers carry an ISO 4217 code."""


DRAW_ORDER = "expires_at, effective_at, id"
"""Columns of a lot in the order burns take points: soonest expiry, then oldest, then as issued."""


class Account(StrEnum):
    """Kinds of account. An account is a kind and its owner (a wallet or a member)."""

    WALLET_AVAILABLE = "wallet_available"
    WALLET_HELD = "wallet_held"
    ISSUER_ISSUED = "issuer_issued"
    ISSUER_REDEEMED = "issuer_redeemed"
    ISSUER_EXPIRED = "issuer_expired"
    ISSUER_RECEIVABLE = "issuer_receivable"
    ISSUER_POOL = "issuer_pool"
    ISSUER_BREAKAGE = "issuer_breakage"
    ACCEPTOR_PAYABLE = "acceptor_payable"
    OPERATOR_MARGIN = "operator_margin"
    OPERATOR_BREAKAGE = "operator_breakage"
    MEMBER_CLEARING = "member_clearing"


class TransferCode(StrEnum):
    """Why a transfer was made."""

    ISSUE = "issue"
    HOLD = "hold"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    EXPIRE = "expire"
    OWE = "owe"


class DrawKind(StrEnum):
    """A draw takes points from a lot; a restore gives them back to the same lot."""

    DRAW = "draw"
    RESTORE = "restore"


class ObligationKind(StrEnum):
    """The event that created an obligation."""

    ISSUANCE = "issuance"
    CAPTURE = "capture"
    REFUND = "refund"
    EXPIRY = "expiry"


class WindowStatus(StrEnum):
    """Life of a settlement window; exactly one is open."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    IN_SETTLEMENT = "in_settlement"
    SETTLED = "settled"


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """Points to be issued to one wallet by one issuer."""

    reference: str
    """The issuer's own reference, unique per issuer for ever: the idempotency key."""
    wallet_id: UUID
    points: int
    effective_at: datetime | None = None
    """When the points were earned; None is now. Never in the future."""
    expires_at: datetime | None = None
    """None: by the contract's `points_valid_days`, or never."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """What issuing did."""

    issued: int
    """New lots."""
    points: int
    """Points in the new lots."""
    already: int
    """Issuances that had been made before with the same content."""


class Example(msgspec.Struct, frozen=True):
    """One violation of a check."""

    subject: str
    expected: str
    found: str


class Finding(msgspec.Struct, frozen=True):
    """An invariant that does not hold: some examples, and how many violations there are in all."""

    check: str
    explanation: str
    examples: tuple[Example, ...]
    total: int

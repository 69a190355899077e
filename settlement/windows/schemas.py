"""Windows as JSON. Money is integer micros of a currency, times are aware UTC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from marketplace.ledger.domain import WindowStatus
from settlement.domain import PartyKind


class WindowView(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement window."""

    id: UUID
    status: WindowStatus
    opened_at: datetime
    closed_at: datetime | None


class WindowPage(msgspec.Struct, frozen=True):
    """Windows, newest first."""

    items: list[WindowView]
    next: str | None


class CurrencyTotal(msgspec.Struct, frozen=True, kw_only=True):
    """All that a window holds of one currency and kind."""

    currency: str
    kind: str
    """`capture`, `refund`, `issuance`, `expiry`, or `debt` (between members, outside burns)."""
    count: int
    points: int
    funded_micros: int
    cost_micros: int


class PartyView(msgspec.Struct, frozen=True, kw_only=True):
    """Who owes or is owed."""

    kind: PartyKind
    member: str | None
    """Slug of the member, or of the issuer of the pool; none of the operator's margin."""


class CellView(msgspec.Struct, frozen=True, kw_only=True):
    """What one owes another, before netting."""

    currency: str
    debtor: PartyView
    creditor: PartyView
    count: int
    micros: int


class LagView(msgspec.Struct, frozen=True, kw_only=True):
    """How far running totals are behind."""

    rows: int
    """Obligations and debts that are in no total yet."""
    rolled_at: datetime


class WindowDetail(WindowView, frozen=True, kw_only=True):
    """A window with what is in it: final unless it is open or closing."""

    totals: list[CurrencyTotal]
    matrix: list[CellView]
    lag: LagView | None
    """Of a window that is open or closing: what the figures lack."""


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """One obligation or debt."""

    line: str
    """`<wallet>:<id>` of an obligation, `debt:<id>` of a debt."""
    kind: str
    currency: str
    debtor: str
    """Slug of the issuer whose points they are, or of who owes the debt."""
    creditor: str | None
    """Slug of the acceptor, or of who is owed the debt; none where nobody but the operator is."""
    burn_id: UUID | None
    lot_id: str | None
    points: int
    funded_micros: int
    cost_micros: int
    effective_at: datetime
    reference: str
    """The issuer's reference of the lot; of a debt `<plugin>:<reference>`."""
    reason: str


class LinePage(msgspec.Struct, frozen=True):
    """Lines in the order in which they were written."""

    items: list[LineView]
    next: str | None


class CloseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a window is closed."""

    note: str = ""


class ClosedView(msgspec.Struct, frozen=True, kw_only=True):
    """A window that was closed."""

    window_id: UUID
    opened_id: UUID
    """The window that is open instead."""
    closed_at: datetime
    settled: bool
    """Nothing was in it, so there is nothing to settle."""
    obligations: int
    """Obligations and debts in it."""

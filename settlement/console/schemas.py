"""What a member reads of itself over HTTP. Money in micros of its currency, times in UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from marketplace.ledger.domain import WindowStatus
from settlement.clearing.domain import LegStatus, PayAccountStatus, SettlementStatus
from settlement.clearing.models import PayAccount
from settlement.clearing.schemas import Currency
from settlement.console.lines import Seen
from settlement.console.standing import Payment, Settled, Share, Standing
from settlement.domain import PartyKind
from settlement.statements.domain import Line


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    """What the member (`member`), its pool (`pool`) or, of the operator, the margin (`operator`)
    comes to: `net = credit - debit - fee`; above zero it is owed.
    """

    party: PartyKind
    currency: str
    debit_micros: int
    credit_micros: int
    fee_micros: int
    net_micros: int


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of a settlement that the member makes or gets."""

    reference: str
    currency: str
    collects: bool
    """Whether the member pays."""
    micros: int
    counterparty: str | None
    """Slug of the other member; null: the clearing house."""
    status: LegStatus
    due_on: date
    booked_on: date | None
    reason: str
    """Why it failed."""
    again: bool
    """Whether another payment was made for it since."""


class OwnSettlement(msgspec.Struct, frozen=True, kw_only=True):
    """The settlement of a window, as far as it concerns the member."""

    reference: str
    status: SettlementStatus
    due_on: date
    payments: list[PaymentView]


class OwnWindow(msgspec.Struct, frozen=True, kw_only=True):
    """How the member stands in a window."""

    id: UUID
    status: WindowStatus
    opened_at: datetime
    closed_at: datetime | None
    shares: list[ShareView]
    """Of an open window as far as it is counted; disputed lines count."""
    settlement: OwnSettlement | None
    dispute_until: datetime | None
    """Null: the window is not closed, or the time is over."""
    disputed: int
    """Lines that the member disputes and nobody has decided about."""


class OwnWindows(msgspec.Struct, frozen=True):
    """Windows, newest first."""

    items: list[OwnWindow]
    next: str | None


class OwnLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line as in the signed statement, and the dispute about it."""

    line: Line
    disputed: bool
    """Whether it is or was under dispute: it cannot be disputed again."""
    dispute: UUID | None
    """The member's own dispute of it."""


class OwnLines(msgspec.Struct, frozen=True):
    """Lines in the order in which they were written."""

    items: list[OwnLine]
    next: str | None


class OwnAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Where the member pays from and is paid to in one currency."""

    id: UUID
    currency: str
    rail: str
    account: dict[str, Any]
    status: PayAccountStatus
    made_at: datetime


class OwnAccounts(msgspec.Struct, frozen=True):
    """Accounts, newest first."""

    accounts: list[OwnAccount]


class OwnAccountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account to be put forward, as its rail asks for it."""

    currency: Currency
    rail: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    account: dict[str, Any]


class OwnCap(msgspec.Struct, frozen=True, kw_only=True):
    """How much the member may owe by its contract and what it has paid ahead."""

    currency: str
    used_micros: int
    cap_micros: int
    """With what is paid ahead."""
    alert_bps: int
    alarming: bool


class PaidAhead(msgspec.Struct, frozen=True):
    """What the member has paid ahead in one currency."""

    currency: str
    amount_micros: int


class OwnCaps(msgspec.Struct, frozen=True):
    """Empty where the contract sets no cap, and nothing is paid ahead."""

    caps: list[OwnCap]
    paid_ahead: list[PaidAhead]


def window_view(found: Standing) -> OwnWindow:
    """A standing as it is told."""
    return OwnWindow(
        id=found.id,
        status=found.status,
        opened_at=found.opened_at,
        closed_at=found.closed_at,
        shares=[_share(each) for each in found.shares],
        settlement=None if found.settlement is None else _settled(found.settlement),
        dispute_until=found.dispute_until,
        disputed=found.disputed,
    )


def _share(found: Share) -> ShareView:
    return ShareView(**msgspec.structs.asdict(found))


def _settled(found: Settled) -> OwnSettlement:
    return OwnSettlement(
        reference=found.reference,
        status=found.status,
        due_on=found.due_on,
        payments=[_payment(each) for each in found.payments],
    )


def _payment(found: Payment) -> PaymentView:
    return PaymentView(**msgspec.structs.asdict(found))


def line_view(found: Seen, member_id: UUID) -> OwnLine:
    """A line, with the dispute where it is the member's own."""
    own = found.dispute is not None and found.dispute.member_id == member_id
    return OwnLine(
        line=found.line,
        disputed=found.dispute is not None,
        dispute=found.dispute.id if found.dispute and own else None,
    )


def account_view(row: PayAccount) -> OwnAccount:
    """An account of the member."""
    return OwnAccount(
        id=row.id,
        currency=row.currency,
        rail=row.rail,
        account=row.account,
        status=row.status,
        made_at=row.made_at,
    )

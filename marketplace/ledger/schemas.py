"""What the routes of wallets and of locked periods take and answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from marketplace.ledger.domain import TransferCode
from marketplace.ledger.models import PeriodLock


class ExpiryView(msgspec.Struct, frozen=True):
    """Points that expire at one moment."""

    expires_at: datetime
    points: int


class WalletView(msgspec.Struct, frozen=True):
    """What a wallet has at business time."""

    id: UUID
    available: int
    """Points that may be burnt now."""
    held: int
    """Points of burns whose reward is not delivered yet."""
    next_expiries: tuple[ExpiryView, ...]
    """The soonest dates on which available points expire, five at most."""


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """Points that were issued together and are not all burnt yet."""

    id: str
    """A string, because it does not fit a JavaScript number."""
    issuer: str
    """Name of the member that issued them."""
    reference: str
    """The issuer's own."""
    points: int
    """As issued."""
    remaining: int
    currency: str
    """ISO 4217: what they settle in; they can be burnt on offers of that currency."""
    effective_at: datetime
    expires_at: datetime | None
    """Null: never."""


class LotPage(msgspec.Struct, frozen=True):
    """Lots in the order in which a burn takes them."""

    items: list[LotView]
    more: bool
    """Whether there are more than the 200 that are listed."""


class HistoryLine(msgspec.Struct, frozen=True):
    """One event of a wallet."""

    id: str
    """Of the transfer; a string, because it does not fit a JavaScript number."""
    code: TransferCode
    points: int
    """Signed: what came into the wallet (issue, refund, void) or left it."""
    available: int
    """Effect on the available balance."""
    held: int
    """Effect on the held balance."""
    burn_id: UUID | None
    offer: str | None
    """Name of the offer that was burnt on."""
    offer_id: UUID | None
    title: str | None
    """The offer as people know it, in the language asked for; else its name."""
    lot: str | None
    """The issuer's reference of the points, for an issue or expiry."""
    issuer: str | None
    """Slug of the points' issuer, where the event concerns one issuer."""
    effective_at: datetime


class HistoryPage(msgspec.Struct, frozen=True):
    """Events of a wallet, newest first."""

    items: list[HistoryLine]
    next: str | None
    """Cursor of the next page; null on the last one."""


class PeriodChange(msgspec.Struct, frozen=True):
    """One lock or unlock."""

    locked_until: datetime | None
    """Null: nothing was locked from then on."""
    actor: str
    reason: str
    at: datetime


class PeriodsView(msgspec.Struct, frozen=True):
    """What is locked, and how it came to be."""

    locked_until: datetime | None
    """Nothing may be dated before this moment; null: nothing is locked."""
    changes: list[PeriodChange]
    """Newest first."""


class LockBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to lock."""

    until: Annotated[
        datetime, msgspec.Meta(description="Exclusive; no later than the open window's beginning")
    ]
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class UnlockBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to open again."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    until: Annotated[
        datetime | None, msgspec.Meta(description="What is before this stays locked")
    ] = None


def periods_view(rows: Sequence[PeriodLock]) -> PeriodsView:
    """The locks and unlocks, newest first, as they are shown."""
    changes = [PeriodChange(row.locked_until, row.actor, row.reason, row.at) for row in rows]
    return PeriodsView(changes[0].locked_until if changes else None, changes)

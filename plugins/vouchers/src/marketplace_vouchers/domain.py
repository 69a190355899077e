"""What a voucher is and what may be done with it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from marketplace_vouchers.errors import (
    VoucherCancelled,
    VoucherExpired,
    VoucherNotYetValid,
    VoucherSingleUse,
    VoucherTooLittleLeft,
    VoucherUsed,
    WrongCurrency,
)


class Use(StrEnum):
    """How a voucher is used."""

    SINGLE = "single"
    """Once, for all it is worth."""
    STORED = "stored"
    """In parts, until nothing is left."""


class AcceptedBy(StrEnum):
    """Who accepts a series."""

    OWNER = "owner"
    LISTED = "listed"
    """The owner and the members it lists."""
    COALITION = "coalition"
    """Every member."""


class State(StrEnum):
    """How a voucher stands at a moment."""

    USABLE = "usable"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    USED = "used"
    CANCELLED = "cancelled"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of voucher."""

    id: UUID
    sku: str
    owner_id: UUID
    """Whose voucher it is: paid when points are burnt for it, and answers for its value."""
    name: str
    use: Use
    value_micros: int
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    valid_days: int | None
    accepted_by: AcceptedBy
    closed_at: datetime | None

    def end_of_one_issued(self, at: datetime) -> datetime:
        """When a voucher that is issued now stops being valid: never before it begins to be."""
        if self.ends_at is not None:
            return self.ends_at
        return max(at, self.starts_at or at) + timedelta(days=self.valid_days or 0)

    def issues(self, at: datetime) -> bool:
        """Whether vouchers of it can still be issued."""
        return self.closed_at is None and self.end_of_one_issued(at) > at


class Voucher(msgspec.Struct, frozen=True, kw_only=True):
    """One voucher, with the lock in force."""

    id: int
    series: Series
    order_reference: str | None
    value_micros: int
    left_micros: int
    starts_at: datetime | None
    ends_at: datetime
    cancelled_at: datetime | None
    lock_id: UUID | None
    locked_until: datetime | None
    lock_caller_id: UUID | None
    lock_till: str | None

    def state(self, now: datetime) -> State:
        """How it stands."""
        if self.cancelled_at is not None:
            return State.CANCELLED
        if self.left_micros == 0:
            return State.USED
        if now >= self.ends_at:
            return State.EXPIRED
        if self.starts_at is not None and now < self.starts_at:
            return State.NOT_YET_VALID
        return State.USABLE

    def locked_for(self, caller_id: UUID, till: str, now: datetime) -> datetime | None:
        """Until when another till has it to itself; None where none has."""
        if self.locked_until is None or self.locked_until <= now:
            return None
        mine = (self.lock_caller_id, self.lock_till) == (caller_id, till)
        return None if mine else self.locked_until

    def require_usable(self, now: datetime) -> None:
        """Raise what says why it cannot be used now."""
        match self.state(now):
            case State.CANCELLED:
                raise VoucherCancelled
            case State.USED:
                raise VoucherUsed
            case State.EXPIRED:
                raise VoucherExpired(self.ends_at)
            case State.NOT_YET_VALID:
                raise VoucherNotYetValid(self.starts_at or now)
            case State.USABLE:
                return

    def amount_to_take(self, amount_micros: int | None, currency: str | None) -> int:
        """What is taken when so much is asked (None: all that is left), or a raise."""
        if currency is not None and currency != self.series.currency:
            raise WrongCurrency(self.series.currency)
        if amount_micros is None:
            return self.left_micros
        if amount_micros > self.left_micros:
            raise VoucherTooLittleLeft(self.left_micros, self.series.currency)
        if self.series.use is Use.SINGLE and amount_micros != self.left_micros:
            raise VoucherSingleUse(self.left_micros, self.series.currency)
        return amount_micros

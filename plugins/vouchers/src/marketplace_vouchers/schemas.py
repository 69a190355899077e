"""What goes in and out of the routes and commands of vouchers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from marketplace_vouchers.domain import AcceptedBy, State, Use

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Name = Annotated[str, msgspec.Meta(max_length=100)]
"""Of a till; empty where a member has one."""
Amount = Annotated[int, msgspec.Meta(gt=0, le=10**15)]
LOCK_S = 120
Seconds = Annotated[int, msgspec.Meta(ge=5, le=900)]


class NewSeries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of voucher to be made."""

    sku: str
    """As offers of the plugin `vouchers` name it."""
    name: str
    """What the participant and the till read."""
    value_micros: int
    """What one voucher is worth, in micros of `currency`."""
    currency: str
    use: Use = Use.STORED
    starts_on: date | None = None
    """First day of validity, UTC; absent: at once."""
    ends_on: date | None = None
    """Last day of validity, UTC."""
    valid_days: int | None = None
    """Or so many days from issue, or from the first day of validity where that comes later."""
    accepted_by: AcceptedBy = AcceptedBy.OWNER
    acceptors: list[str] = []
    """Slugs of the members that accept it besides its owner, where `accepted_by` is `listed`."""
    owner: str | None = None
    """Slug of the member whose voucher it is; for the operator, absent: the caller's own."""


class SeriesView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of voucher."""

    sku: str
    owner: str
    name: str
    use: Use
    value_micros: int
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    valid_days: int | None
    accepted_by: AcceptedBy
    acceptors: list[str]
    closed_at: datetime | None


class NewBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vouchers to be issued in bulk."""

    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """Vouchers issued in bulk, and how far that has come."""

    id: UUID
    sku: str
    quantity: int
    made: int
    created_at: datetime
    exported_at: datetime | None
    cancelled_at: datetime | None


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code to look at."""

    code: Code


class NewLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voucher to keep for this till."""

    code: Code
    till: Name = ""
    seconds: Seconds = LOCK_S


class VoucherView(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher as a till sees it."""

    voucher_id: int
    """Not the code: for receipts and questions."""
    sku: str
    name: str
    issued_by: str
    """Slug of its owner."""
    use: Use
    value_micros: int
    left_micros: int
    currency: str
    starts_at: datetime | None
    ends_at: datetime
    """It is valid before this moment."""
    state: State
    locked_until: datetime | None
    """Another till has it until then."""


class LockView(msgspec.Struct, frozen=True, kw_only=True):
    """A voucher that a till has to itself."""

    lock_id: UUID
    expires_at: datetime
    voucher: VoucherView


class NewRedemption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to take off a voucher: by its code, or by the lock that this till has."""

    code: Code | None = None
    lock_id: UUID | None = None
    amount_micros: Amount | None = None
    """Absent: all that is left."""
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] | None = None
    """Of the amount; absent: the voucher's."""
    till: Name = ""
    reference: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Your own, e.g. of the receipt."""


class NewRollback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By the till that redeemed."""

    till: Name = ""
    reference: Annotated[str, msgspec.Meta(max_length=200)] = ""


class RedemptionView(msgspec.Struct, frozen=True, kw_only=True):
    """A redemption, or (negative, with `undoes`) the rollback of one."""

    id: int
    voucher_id: int
    sku: str
    name: str
    issued_by: str
    accepted_by: str
    till: str
    reference: str
    amount_micros: int
    currency: str
    left_micros: int
    """On the voucher, right after."""
    made_at: datetime
    undoes: int | None
    rolled_back_by: int | None


class RedemptionPage(msgspec.Struct, frozen=True):
    """Redemptions, newest first."""

    items: list[RedemptionView]
    next: int | None
    """Pass it as `before` for the next page."""

"""Liability for points that are outstanding, and what covers it. Pure."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

import msgspec

from marketplace.coalition.domain import BPS

AGES: Final = (30, 90, 180, 365)
"""Upper ends of the classes of age, in days since the points were earned."""
OLDER: Final = f"over {AGES[-1]} days"
AGE_NAMES: Final = (
    f"up to {AGES[0]} days",
    *(f"{low + 1} to {high} days" for low, high in pairwise(AGES)),
    OLDER,
)
NEVER: Final = "never"


class Outstanding(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one issuer that may still be burnt, or are held by burns, of one class."""

    issuer: str
    """Slug."""
    currency: str
    group: str
    """The class: an age of AGE_NAMES, or the month of expiry (`2027-01`, `never`)."""
    points: int
    value_micros: int
    """At the price they were issued under."""
    pooled_micros: int
    """The part of it that is in the pool already."""
    expected_breakage_micros: int
    """The part of the value that will expire, if as much does as has so far."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one issuer so far."""

    issuer: str
    issued: int
    redeemed: int
    """Less what was refunded."""
    expired: int

    @property
    def breakage_bps(self) -> int:
        """Share of the points that are gone that expired, in basis points; 0 where none are."""
        gone = self.redeemed + self.expired
        return self.expired * BPS // gone if gone > 0 else 0


class Liability(msgspec.Struct, frozen=True):
    """What all issuers owe for outstanding points, by age and by month of expiry."""

    by_age: list[Outstanding]
    by_expiry: list[Outstanding]
    history: list[History]


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """What stands against a member's liability, in one currency."""

    currency: str
    points: int
    value_micros: int
    pool_micros: int
    """In its pool, by the ledger."""
    prefund_micros: int
    """Paid ahead."""
    due_micros: int
    """From settlements: owed to it (positive), or by it and not paid yet (negative)."""
    unsettled_micros: int
    """Its net of windows that are not settled yet; positive is owed to it."""
    expected_breakage_micros: int
    needed_micros: int
    """What is lacking so that every point can be burnt: 0 where all is covered."""


def needed(value: int, pool: int, prefund: int, due: int, unsettled: int) -> int:
    """What a member still has to bring: its points' value and debts, less what is there."""
    return max(0, value - pool - prefund - due - unsettled)


class RunOff(msgspec.Struct, frozen=True, kw_only=True):
    """A member that leaves: what is left of its points, and the figures of its last statement."""

    member: str
    member_id: UUID
    at: datetime
    """Business time of the figures."""
    issues_until: datetime | None
    """When its contract ends, exclusive; None: it has no end, or has ended."""
    issues_now: bool
    redeemable_until: datetime | None
    """When its last outstanding point expires; None: there is none, or one that never expires."""
    never_expires_points: int
    """Outstanding points without an expiry: somebody has to end or cover them."""
    history: History
    by_age: list[Outstanding]
    by_expiry: list[Outstanding]
    cover: list[Cover]

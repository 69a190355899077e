"""What can be wrong with the ledger's requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from marketplace.errors import MarketplaceError
from marketplace.money import MAX_POINTS

MAX_REFERENCE = 200
"""Most characters of an issuance's reference."""


class IssueFault(StrEnum):
    """What can be wrong with one issuance."""

    INVALID_REFERENCE = "invalid_reference"
    INVALID_POINTS = "invalid_points"
    INVALID_TIME = "invalid_time"
    UNKNOWN_WALLET = "unknown_wallet"
    EFFECTIVE_IN_FUTURE = "effective_in_future"
    PERIOD_LOCKED = "period_locked"
    NO_ISSUING_CONTRACT = "no_issuing_contract"
    INVALID_EXPIRY = "invalid_expiry"
    VALUE_TOO_LARGE = "value_too_large"
    REFERENCE_REUSED = "reference_reused"
    REFERENCE_REPEATED = "reference_repeated"
    """In a file, a reference stands on an earlier line, whatever that says."""

    def detail(self, reference: str = "") -> str:
        """What to tell the issuer."""
        return _DETAILS[self].format(reference=reference)


_DETAILS = {
    IssueFault.INVALID_REFERENCE: f"a reference is 1 to {MAX_REFERENCE} characters, none of them "
    "a control character",
    IssueFault.INVALID_POINTS: f"points must be a whole number from 1 to {MAX_POINTS:,}",
    IssueFault.INVALID_TIME: "a time must have an offset from UTC and lie between 1970 and 9000",
    IssueFault.UNKNOWN_WALLET: "there is no such wallet",
    IssueFault.EFFECTIVE_IN_FUTURE: "effective_at is in the future",
    IssueFault.PERIOD_LOCKED: "effective_at lies in a period that is locked",
    IssueFault.NO_ISSUING_CONTRACT: "no contract in force at that time lets this member issue",
    IssueFault.INVALID_EXPIRY: "expires_at is not after effective_at",
    IssueFault.VALUE_TOO_LARGE: "points times the contract's price is more than can be booked",
    IssueFault.REFERENCE_REUSED: "reference {reference!r} was used before with other content",
    IssueFault.REFERENCE_REPEATED: "reference {reference!r} is on an earlier line already",
}


class IssueError(msgspec.Struct, frozen=True):
    """One issuance that is wrong: which, why (stable), and in words."""

    index: int
    """Its place in what was given, from 0; of a file, its line."""
    code: IssueFault
    detail: str


class IssuancesRefused(MarketplaceError):
    """Some items are wrong, so nothing was issued. `errors` lists the first 1,000, in order."""

    code = "issuances_refused"
    title = "Some issuances are wrong; none was made"
    status = 422

    def __init__(self, errors: Sequence[IssueError], total: int | None = None) -> None:
        self.errors = list(errors)
        self.total = len(self.errors) if total is None else total
        """How many are wrong, also beyond those listed."""
        super().__init__(
            f"{self.total} of the issuances {'is' if self.total == 1 else 'are'} wrong: "
            f"item {self.errors[0].index}: {self.errors[0].detail}.",
            errors=self.errors,
        )


class PeriodLocked(MarketplaceError):
    """It would be dated into a period that finance has locked."""

    code = "period_locked"
    title = "The period is locked"
    status = 409

    def __init__(self, locked_until: datetime) -> None:
        super().__init__(
            f"Nothing may be dated before {locked_until.isoformat()} any more.",
            locked_until=locked_until,
        )

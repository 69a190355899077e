"""The one thing that a member's people do next about its money. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from settlement.clearing.caps import Use
from settlement.console.frame import ACCOUNTS, CAP, WINDOWS
from settlement.console.standing import Payment, Settled, Standing

SOON: Final = timedelta(days=7)
"""So long before the time for disputes is over the page says so first."""


class Act(StrEnum):
    """What there is to do, the most pressing first."""

    FAILED = "failed"
    """A payment was rejected or came back."""
    CAP = "cap"
    """So much of the cap is used that the contract has it told."""
    ACCOUNT = "account"
    """Money is due in a currency without an account."""
    LOOK = "look"
    """Lines can be disputed for some days more."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, and where."""

    act: Act
    path: str
    payment: Payment | None = None
    use: Use | None = None
    currency: str = ""
    window_id: UUID | None = None
    until: datetime | None = None


def what_next(
    standings: Sequence[Standing],
    others: Sequence[Settled],
    uses: Sequence[Use],
    missing: Sequence[str],
    *,
    now: datetime,
) -> Task | None:
    """The most pressing thing; None where nothing waits.

    `standings` newest first; `others`: settlements of no window; `missing`: currencies without an
    account.
    """
    settled = [each.settlement for each in standings if each.settlement is not None]
    failed = [payment for each in [*settled, *others] for payment in each.failed]
    if failed:
        return Task(act=Act.FAILED, path=ACCOUNTS, payment=failed[0])
    alarming = [each for each in uses if each.alarming]
    if alarming:
        return Task(act=Act.CAP, path=CAP, use=alarming[0])
    if missing:
        return Task(act=Act.ACCOUNT, path=ACCOUNTS, currency=missing[0])
    ending = [
        each
        for each in standings
        if each.shares and each.dispute_until is not None and each.dispute_until - now <= SOON
    ]
    if ending:
        last = ending[-1]
        path = f"{WINDOWS}/{last.id}"
        return Task(act=Act.LOOK, path=path, window_id=last.id, until=last.dispute_until)
    return None

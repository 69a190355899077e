"""What finance does next: the one thing that others wait for, and what comes after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from marketplace.ledger.domain import WindowStatus
from settlement.clearing.domain import SettlementStatus

LONG: Final = timedelta(days=31)
"""A window that is open for longer is worth closing."""


class Act(StrEnum):
    """Something to do, in the order in which others wait for it."""

    TROUBLE = "trouble"
    """Legs cannot go to their rail."""
    FAILED = "failed"
    """A payment was rejected or came back."""
    APPROVE = "approve"
    """Every member waits for its money until a second person has looked."""
    SEND = "send"
    CHECK = "check"
    BREAKS = "breaks"
    """Something does not match."""
    DISPUTES = "disputes"
    """A member says that lines are wrong; the contract decides where nobody does."""
    ACCOUNTS = "accounts"
    """A second person has to approve accounts of members."""
    SUGGESTIONS = "suggestions"
    """Matches that are not certain."""
    NET = "net"
    """Closed windows are in no settlement."""
    CLOSE = "close"
    WAIT_SECOND = "wait_second"
    """Only somebody else can go on."""
    WAIT_BANK = "wait_bank"
    """The bank statement will show the money."""


class Task(msgspec.Struct, frozen=True):
    """One thing to do, and where."""

    act: Act
    path: str
    name: str = ""
    """Reference of the settlement."""
    count: int = 0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A settlement that is not finished, as the outlook sees it."""

    reference: str
    status: SettlementStatus
    recorded_by: str | None
    trouble: str
    failed: int
    """Legs that were rejected or came back and are not paid again."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits beside windows and settlements."""

    breaks: int = 0
    suggestions: int = 0
    disputes: int = 0
    accounts: int = 0
    """Proposed by somebody else than the reader."""


class Window(msgspec.Struct, frozen=True):
    """A window as the outlook sees it."""

    id: str
    status: WindowStatus
    opened_at: datetime
    is_empty: bool


BY_STATUS: Final = {
    SettlementStatus.PENDING: Act.CHECK,
    SettlementStatus.APPROVED: Act.SEND,
    SettlementStatus.SUBMITTED: Act.WAIT_BANK,
    SettlementStatus.SETTLING: Act.WAIT_BANK,
}


def tasks(
    settlements: Sequence[Standing],
    windows: Sequence[Window],
    waiting: Waiting | None = None,
    *,
    reader: str,
    now: datetime,
) -> list[Task]:
    """What there is to do, the most urgent first. `reader` is the actor who asks."""
    found = []
    for each in settlements:
        path = f"/settlement/settlements/{each.reference}"
        if each.trouble:
            found.append(Task(Act.TROUBLE, path, each.reference))
        if each.failed:
            found.append(Task(Act.FAILED, path, each.reference, each.failed))
        if each.status is SettlementStatus.RECORDED:
            act = Act.WAIT_SECOND if each.recorded_by == reader else Act.APPROVE
            found.append(Task(act, path, each.reference))
        elif each.status in BY_STATUS:
            found.append(Task(BY_STATUS[each.status], path, each.reference))
    closed = [one for one in windows if one.status is WindowStatus.CLOSED]
    if closed:
        found.append(Task(Act.NET, "/settlement/windows", count=len(closed)))
    for window in windows:
        long = now - window.opened_at > LONG and not window.is_empty
        if window.status is WindowStatus.OPEN and long:
            found.append(Task(Act.CLOSE, f"/settlement/windows/{window.id}"))
    found += _waiting(waiting or Waiting())
    order = list(Act)
    return sorted(found, key=lambda task: (order.index(task.act), task.name))


def _waiting(waiting: Waiting) -> list[Task]:
    counts = (
        (Act.BREAKS, "/settlement/breaks", waiting.breaks),
        (Act.DISPUTES, "/settlement/disputes", waiting.disputes),
        (Act.ACCOUNTS, "/settlement/accounts", waiting.accounts),
        (Act.SUGGESTIONS, "/settlement/bank/reconcile", waiting.suggestions),
    )
    return [Task(act, path, count=count) for act, path, count in counts if count]

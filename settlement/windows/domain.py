"""When windows are closed by themselves, and who owes whom in one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind
from marketplace.ledger.totals import DEBT, Total
from settlement.domain import PartyKind


class Every(StrEnum):
    """How often windows are closed by themselves, by the calendar in UTC."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    """On Mondays."""
    MONTHLY = "monthly"

    def began(self, now: datetime) -> datetime:
        """When the period that `now` (UTC) is in began."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if self is Every.WEEKLY:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Every.MONTHLY else day


class Side(msgspec.Struct, frozen=True, order=True):
    """Who owes or is owed: a member, the pool of an issuer, or the operator's margin."""

    kind: PartyKind
    member_id: UUID | None
    """None of the margin."""


class Cell(msgspec.Struct, frozen=True):
    """What one owes another in one window and currency, before netting."""

    currency: str
    debtor: Side
    creditor: Side
    count: int
    """Obligations and debts that make it up."""
    micros: int
    """Below zero where refunds outweigh, or (the margin's) where rewards cost more than points."""


MARGIN = Side(PartyKind.OPERATOR, None)


def owed(total: Total) -> list[tuple[Side, Side, int]]:
    """(debtor, creditor, micros) of what a total adds up; as in `settlement.domain.legs`."""
    issuer = Side(PartyKind.MEMBER, total.issuer_id)
    acceptor = None if total.acceptor_id is None else Side(PartyKind.MEMBER, total.acceptor_id)
    if total.kind == DEBT:
        return [] if acceptor is None else [(issuer, acceptor, total.funded_micros)]
    pool = Side(PartyKind.POOL, total.issuer_id)
    if total.kind is ObligationKind.ISSUANCE:
        return [(issuer, pool, total.funded_micros)]
    pooled = total.kind is ObligationKind.EXPIRY or total.funding is Funding.ISSUANCE
    payer = pool if pooled else issuer
    found = [(payer, MARGIN, total.funded_micros - total.cost_micros)]
    if acceptor is not None:
        found.append((payer, acceptor, total.cost_micros))
    return found


def matrix(totals: Iterable[Total]) -> list[Cell]:
    """The gross obligations of every debtor to every creditor, in order."""
    found: dict[tuple[str, Side, Side], tuple[int, int]] = {}
    for total in totals:
        for debtor, creditor, micros in owed(total):
            key = (total.currency, debtor, creditor)
            count, sum_micros = found.get(key, (0, 0))
            found[key] = (count + total.count, sum_micros + micros)
    return [
        Cell(*key, *found[key]) for key in sorted(found, key=lambda key: (key[0], str(key[1:])))
    ]

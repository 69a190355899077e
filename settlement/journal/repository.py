"""SQL of journals: obligations, debts and postings from server-side cursors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import Funding
from marketplace.coalition.models import Member
from marketplace.db import raw_connection
from marketplace.ledger.domain import ObligationKind
from settlement.clearing.domain import AccountKind, PostingCode
from settlement.clearing.models import SettlementLeg
from settlement.domain import DebtFlow, Flow
from settlement.journal.domain import DebtFacts, Names, ObligationFacts, PostingFacts

PREFETCH: Final = 2_000
DAY: Final = "(effective_at at time zone 'UTC')::date"

# Points of a mixed contract are in two obligations, and booked with that of the redemption.
OBLIGATIONS: Final = f"""
select wallet_id, id, window_id, {DAY}, currency, kind::text, funding::text, issuer_id, acceptor_id,
       funded_micros, cost_micros, burn_id, lot_id,
       case when funding = 'issuance' and kind in ('capture', 'refund')
                 and (select c.funding from contract c where c.id = contract_id) = 'mixed'
            then 0 else points end
from obligation where {{where}} order by effective_at, id, wallet_id
"""
DEBTS: Final = f"""
select id, window_id, {DAY}, currency, debtor_id, creditor_id, amount_micros, plugin, reference
from member_debt where {{where}} order by effective_at, id
"""
POSTINGS: Final = f"""
select p.id, {DAY}, code::text, debit_account::text, debit_owner, credit_account::text,
       credit_owner, p.currency, amount_micros, s.reference, l.reference, entry_id
from settlement_posting p
left join settlement_settlement s on s.id = p.settlement_id
left join settlement_leg l on l.id = p.leg_id
where {{where}} order by effective_at, p.id
"""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal holds: windows, a settlement with its windows, or days (UTC, inclusive)."""

    window_ids: Sequence[UUID] | None = None
    settlement_id: UUID | None = None
    first: date | None = None
    last: date | None = None

    def lines(self) -> tuple[str, list[Any]]:
        """Condition and parameters for obligations and debts."""
        if self.window_ids is not None:
            return "window_id = any($1)", [list(self.window_ids)]
        return self._days()

    def postings(self) -> tuple[str, list[Any]]:
        """Condition and parameters for the clearing house's own postings."""
        if self.settlement_id is not None:
            return "p.settlement_id = $1", [self.settlement_id]
        if self.window_ids is not None:
            # Windows are settled together: postings belong to the settlement, or to a day.
            return "false", []
        return self._days()

    def _days(self) -> tuple[str, list[Any]]:
        day = "(effective_at at time zone 'UTC')::date"
        return f"{day} between $1 and $2", [self.first or date.min, self.last or date.max]


async def names(session: AsyncSession) -> Names:
    """What owners of accounts are called."""
    members = (await session.execute(sa.select(Member.id, Member.slug, Member.is_operator))).all()
    legs = await session.execute(sa.select(SettlementLeg.id, SettlementLeg.reference))
    operator = next(each.id for each in members if each.is_operator)
    slugs = {each.id: each.slug for each in members}
    return Names(slugs, {row.id: row.reference for row in legs}, operator)


async def obligations(
    session: AsyncSession, chosen: Chosen, slugs: Names
) -> AsyncIterator[ObligationFacts]:
    """Obligations in the order of their business time."""
    where, given = chosen.lines()
    connection = await raw_connection(session)
    query = OBLIGATIONS.format(where=where)
    async for row in connection.cursor(query, *given, prefetch=PREFETCH):
        yield ObligationFacts(
            wallet_id=row[0],
            id=row[1],
            window_id=row[2],
            day=row[3],
            flow=Flow(
                str(row[2]),
                row[4],
                ObligationKind(row[5]),
                Funding(row[6]),
                slugs.slugs[row[7]],
                slugs.slugs[row[8]] if row[8] else None,
                row[9],
                row[10],
            ),
            issuer_id=row[7],
            acceptor_id=row[8],
            burn_id=row[11],
            lot_id=row[12],
            points=row[13],
        )


async def debts(
    session: AsyncSession, chosen: Chosen, slugs: Names
) -> AsyncIterator[tuple[DebtFacts, tuple[UUID, UUID]]]:
    """Debts, each with the ids of debtor and creditor."""
    where, given = chosen.lines()
    connection = await raw_connection(session)
    query = DEBTS.format(where=where)
    async for row in connection.cursor(query, *given, prefetch=PREFETCH):
        flow = DebtFlow(str(row[1]), row[3], slugs.slugs[row[4]], slugs.slugs[row[5]], row[6])
        facts = DebtFacts(
            id=row[0], window_id=row[1], day=row[2], flow=flow, plugin=row[7], reference=row[8]
        )
        yield facts, (row[4], row[5])


async def postings(session: AsyncSession, chosen: Chosen) -> AsyncIterator[PostingFacts]:
    """Postings of the clearing house's own books."""
    where, given = chosen.postings()
    connection = await raw_connection(session)
    query = POSTINGS.format(where=where)
    async for row in connection.cursor(query, *given, prefetch=PREFETCH):
        yield PostingFacts(
            id=row[0],
            day=row[1],
            code=PostingCode(row[2]),
            debit=(AccountKind(row[3]), row[4]),
            credit=(AccountKind(row[5]), row[6]),
            currency=row[7],
            amount_micros=row[8],
            settlement=row[9],
            leg=row[10],
            entry_id=row[11],
        )

"""Payments to members that failed, and what disputes undid, by burns, for other rooms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.api import FailedPayout, UndoneDebt, UndoneLine
from marketplace.coalition.models import Member
from marketplace.contract.rails import Direction
from marketplace.db import raw_connection
from marketplace.host import PluginHost
from settlement.clearing.domain import LegStatus
from settlement.clearing.models import SettlementLeg
from settlement.clearing.repository import FAILED, legs_by_reference
from settlement.disputes.domain import NO_WALLET, line_id
from settlement.statements import frozen, repository
from settlement.statements.domain import Reader

AT_ONCE: Final = 1_000
"""Burns of a payment that are answered at once."""

# Of a line that a dispute kept out the money goes with a later settlement, which takes it in.
BURNS: Final = """
select distinct burn_id from (
    select o.burn_id, o.issuer_id from obligation o
    where o.txid between $1 and $2 and o.window_id = any($3) and o.acceptor_id = $4
      and o.currency = $5 and o.kind = 'capture'
      and (o.wallet_id, o.id) not in (select * from unnest($6::uuid[], $7::bigint[]))
    union all
    select o.burn_id, o.issuer_id from obligation o
    where (o.wallet_id, o.id) in (select * from unnest($8::uuid[], $9::bigint[]))
      and o.acceptor_id = $4 and o.currency = $5 and o.kind = 'capture'
) found
where burn_id > $10 and ($12::uuid is null or issuer_id = $12)
order by burn_id limit $11
"""


UNDONE: Final = """
with undone as (
    select distinct o.burn_id, o.wallet_id, o.id
    from settlement_adjustment a
    join obligation o on o.wallet_id = a.wallet_id and o.id = a.line_id
    where o.kind = 'capture' and o.acceptor_id = any($1) and o.burn_id > $2
)
select * from undone
where burn_id in (select distinct burn_id from undone order by burn_id limit $3)
order by burn_id, id
"""
# A debt that undoes another is no debt of its own.
UNDONE_DEBTS: Final = """
select d.id, d.reference, min(b.effective_at) as undone_at
from settlement_adjustment a
join member_debt d on d.id = a.line_id
join member_debt b on b.id = a.debt_id
where a.wallet_id = $1 and d.plugin = $2 and d.undoes_id is null and d.id > $3
group by d.id, d.reference
order by d.id limit $4
"""


class SettlementPayouts:
    """Asked by the clock of rooms whose people want to know that money has not arrived."""

    def __init__(self, host: PluginHost) -> None:
        self._host = host

    def failed(self, payee_ids: Sequence[UUID]) -> Sequence[FailedPayout]:
        """See `marketplace.api.PayoutTracer.failed`."""

        async def work(session: AsyncSession) -> list[FailedPayout]:
            legs = list(await session.scalars(_failed(payee_ids)))
            later = await _later(session, legs)
            return [_told(leg, later) for leg in legs]

        return self._host.transact(work)

    def burns(self, reference: str, after: UUID | None) -> Sequence[UUID]:
        """See `marketplace.api.PayoutTracer.burns`."""

        async def work(session: AsyncSession) -> list[UUID]:
            leg = (await legs_by_reference(session, [reference])).get(reference)
            return [] if leg is None else await _burns(session, leg, after or UUID(int=0))

        return self._host.transact(work)

    def undone(self, payee_ids: Sequence[UUID], after: UUID | None) -> Sequence[UndoneLine]:
        """See `marketplace.api.PayoutTracer.undone`."""

        async def work(session: AsyncSession) -> list[UndoneLine]:
            connection = await raw_connection(session)
            first = after or UUID(int=0)
            rows = await connection.fetch(UNDONE, list(payee_ids), first, AT_ONCE)
            return [
                UndoneLine(burn_id=row["burn_id"], wallet_id=row["wallet_id"], line_id=row["id"])
                for row in rows
            ]

        return self._host.transact(work)

    def undone_debts(self, plugin: str, after: int | None) -> Sequence[UndoneDebt]:
        """See `marketplace.api.PayoutTracer.undone_debts`."""

        async def work(session: AsyncSession) -> list[UndoneDebt]:
            connection = await raw_connection(session)
            rows = await connection.fetch(UNDONE_DEBTS, NO_WALLET, plugin, after or 0, AT_ONCE)
            return [UndoneDebt(**row) for row in rows]

        return self._host.transact(work)


def _failed(payee_ids: Sequence[UUID]) -> sa.Select[SettlementLeg]:
    """Legs that were to pay them: by the clearing house, or bilaterally by another member."""
    house_pays = sa.and_(
        SettlementLeg.member_id.in_(payee_ids),
        SettlementLeg.counterparty_id.is_(None),
        SettlementLeg.direction == Direction.PAY,
    )
    return (
        sa.select(SettlementLeg)
        .where(
            SettlementLeg.status.in_(FAILED),
            sa.or_(house_pays, SettlementLeg.counterparty_id.in_(payee_ids)),
        )
        .order_by(SettlementLeg.id)
    )


async def _later(
    session: AsyncSession, legs: Sequence[SettlementLeg]
) -> Mapping[UUID, SettlementLeg]:
    """Legs that pay these anew, and those that pay them anew, by the leg that each replaces."""
    found: dict[UUID, SettlementLeg] = {}
    asked = [leg.id for leg in legs]
    while asked:
        query = sa.select(SettlementLeg).where(SettlementLeg.replaces_id.in_(asked))
        news = [leg for leg in await session.scalars(query) if leg.replaces_id not in found]
        found |= {leg.replaces_id: leg for leg in news if leg.replaces_id is not None}
        asked = [leg.id for leg in news]
    return found


def _told(leg: SettlementLeg, later: Mapping[UUID, SettlementLeg]) -> FailedPayout:
    last = leg
    while last.id in later:
        last = later[last.id]
    booked = last.status is LegStatus.BOOKED
    return FailedPayout(
        reference=leg.reference,
        payee_id=leg.counterparty_id or leg.member_id,
        paid_by=last.reference if booked else None,
        paid_on=last.booked_on if booked else None,
    )


async def _burns(session: AsyncSession, leg: SettlementLeg, after: UUID) -> list[UUID]:
    payee = await session.get_one(Member, leg.counterparty_id or leg.member_id)
    windows = await repository.covered(session, leg.settlement_id)
    reader = Reader(payee.id, payee.slug, payee.is_operator)
    extent = await repository.extent(session, windows, reader)
    left_out = await frozen.left_out(session, leg.settlement_id, payee.id)
    taken_in = await frozen.taken_in(session, leg.settlement_id, payee.id)
    connection = await raw_connection(session)
    rows = await connection.fetch(
        BURNS,
        extent.first_txid,
        extent.last_txid,
        windows,
        payee.id,
        leg.currency,
        *_places(left_out),
        *_places(taken_in),
        after,
        AT_ONCE,
        leg.member_id if leg.counterparty_id else None,  # bilaterally one debtor's alone
    )
    return [row[0] for row in rows]


def _places(lines: Collection[str]) -> tuple[list[UUID], list[int]]:
    """Wallets and numbers of lines that are no debts."""
    found = [each for each in map(line_id, lines) if not each.is_debt]
    return [each.wallet_id for each in found], [each.id for each in found]

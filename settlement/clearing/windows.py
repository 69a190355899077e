"""What windows come to: their obligations and debts, summed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import Funding
from marketplace.ledger.domain import ObligationKind

DEBT: Final = "debt"
TotalKind: TypeAlias = ObligationKind | Literal["debt"]


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Obligations of one sort in one window, summed. Refunds and contras are below zero.

    Of debts `issuer_id` is the debtor, `acceptor_id` the creditor, and both sums the amount.
    """

    window_id: UUID
    currency: str
    kind: TotalKind
    funding: Funding | None
    issuer_id: UUID
    acceptor_id: UUID | None
    contract_id: UUID | None
    """The issuer's, of the lot."""
    acceptor_contract_id: UUID | None
    """The acceptor's, in force when the burn was captured."""
    count: int
    points: int
    funded_micros: int
    cost_micros: int


TOTALS: Final = """
with summed as (
    select o.window_id, o.currency, o.kind::text as kind, o.funding::text as funding,
           o.issuer_id, o.acceptor_id, o.contract_id,
           coalesce(o.acceptor_contract_id, c.id) as acceptor_contract_id,
           count(*) as number, sum(o.points) as points, sum(o.funded_micros) as funded,
           sum(o.cost_micros) as cost
    from obligation o
    left join contract c on o.kind in ('capture', 'refund') and c.member_id = o.acceptor_id
     and c.valid_from <= o.effective_at and (c.valid_to is null or c.valid_to > o.effective_at)
    where o.window_id = any(:ids)
    group by 1, 2, 3, 4, 5, 6, 7, 8
    union all
    select window_id, currency, 'debt', null, debtor_id, creditor_id, null, null,
           count(*), 0, sum(amount_micros), sum(amount_micros)
    from member_debt where window_id = any(:ids)
    group by window_id, currency, debtor_id, creditor_id
)
select * from summed
"""


async def totals(session: AsyncSession, window_ids: Sequence[UUID]) -> list[Total]:
    """Everything in these windows, which are closed."""
    rows = await session.execute(sa.text(TOTALS), {"ids": list(window_ids)})
    return [
        Total(
            window_id=row.window_id,
            currency=row.currency,
            kind="debt" if row.kind == DEBT else ObligationKind(row.kind),
            funding=None if row.funding is None else Funding(row.funding),
            issuer_id=row.issuer_id,
            acceptor_id=row.acceptor_id,
            contract_id=row.contract_id,
            acceptor_contract_id=row.acceptor_contract_id,
            count=row.number,
            points=int(row.points),
            funded_micros=int(row.funded),
            cost_micros=int(row.cost),
        )
        for row in rows
    ]

"""SQL of liability and run-off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.models import Contract
from marketplace.ledger.domain import Account, WindowStatus
from marketplace.ledger.models import SettlementWindow, Transfer
from settlement.clearing.domain import AccountKind
from settlement.clearing.models import Posting
from settlement.runoff.domain import AGE_NAMES, AGES, NEVER, OLDER, History, Outstanding

# What is in lots, and what held burns took from them and may bring back.
_LEFT: Final = """
    select l.issuer_id, l.currency, l.price_micros, l.pooled_price_micros, l.effective_at,
           l.expires_at, l.remaining as points
    from lot l
    where l.open and (cast(:issuer as uuid) is null or l.issuer_id = :issuer)
    union all
    select l.issuer_id, l.currency, l.price_micros, l.pooled_price_micros, l.effective_at,
           l.expires_at, case d.kind when 'draw' then d.points else -d.points end
    from burn b
    join draw d on d.burn_id = b.id and d.wallet_id = b.wallet_id
    join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
    where b.status = 'held' and (cast(:issuer as uuid) is null or l.issuer_id = :issuer)
"""
_AGE: Final = "case {} else '{}' end".format(
    " ".join(
        f"when marketplace_now() - effective_at <= interval '{days} days' then '{name}'"
        for days, name in zip(AGES, AGE_NAMES, strict=False)
    ),
    OLDER,
)
_EXPIRY: Final = f"""
case when isfinite(expires_at) then to_char(timezone('UTC', expires_at), 'YYYY-MM')
     else '{NEVER}' end
"""


def _grouped(group: str) -> str:
    return f"""
select m.slug, u.currency::text, u.class, u.points, u.value, u.pooled
from (
    select issuer_id, currency, {group} as class, sum(points) as points,
           sum(points::numeric * price_micros) as value,
           sum(points::numeric * pooled_price_micros) as pooled
    from ({_LEFT}) as left_over group by 1, 2, 3
) u
join member m on m.id = u.issuer_id
where u.points > 0
order by 1, 2, 3
"""


BY_AGE: Final = _grouped(_AGE)
BY_EXPIRY: Final = _grouped(_EXPIRY)
LAST_EXPIRY: Final = f"""
select max(expires_at) filter (where isfinite(expires_at)),
       coalesce(sum(points) filter (where not isfinite(expires_at)), 0)
from ({_LEFT}) as left_over
"""

HISTORY: Final = """
select m.slug, sum(a.issued), sum(a.redeemed), sum(a.expired)
from (
    select debit_owner as id, amount as issued, 0 as redeemed, 0 as expired
    from transfer where unit = 'POINTS' and debit_account = 'issuer_issued'
    union all
    select credit_owner, 0, amount, 0
    from transfer where unit = 'POINTS' and credit_account = 'issuer_redeemed'
    union all
    select debit_owner, 0, -amount, 0
    from transfer where unit = 'POINTS' and debit_account = 'issuer_redeemed'
    union all
    select credit_owner, 0, 0, amount
    from transfer where unit = 'POINTS' and credit_account = 'issuer_expired'
) a
join member m on m.id = a.id
where cast(:issuer as uuid) is null or a.id = :issuer
group by m.slug order by m.slug
"""


async def history(session: AsyncSession, issuer_id: UUID | None = None) -> list[History]:
    """Points issued, redeemed and expired so far, of one issuer or of all."""
    rows = await session.execute(sa.text(HISTORY), {"issuer": issuer_id})
    return [
        History(issuer=row[0], issued=int(row[1]), redeemed=int(row[2]), expired=int(row[3]))
        for row in rows
    ]


async def outstanding(
    session: AsyncSession, statement: str, issuer_id: UUID | None, bps: dict[str, int]
) -> list[Outstanding]:
    """Outstanding points by BY_AGE or BY_EXPIRY; `bps` is each issuer's rate of breakage."""
    rows = await session.execute(sa.text(statement), {"issuer": issuer_id})
    return [
        Outstanding(
            issuer=slug,
            currency=currency,
            group=group,
            points=int(points),
            value_micros=int(value),
            pooled_micros=int(pooled),
            # What never expires cannot be breakage.
            expected_breakage_micros=0
            if group == NEVER
            else int(value) * bps.get(slug, 0) // 10_000,
        )
        for slug, currency, group, points, value, pooled in rows
    ]


async def last_expiry(session: AsyncSession, issuer_id: UUID) -> tuple[datetime | None, int]:
    """When the last outstanding point expires, and how many never do."""
    row = (await session.execute(sa.text(LAST_EXPIRY), {"issuer": issuer_id})).one()
    return row[0], int(row[1])


async def contract_ends(
    session: AsyncSession, member_id: UUID, at: datetime
) -> tuple[bool, datetime | None]:
    """Whether a contract that lets it issue is in force, and when the last one of all ends."""
    rows = (
        await session.scalars(
            sa.select(Contract)
            .where(Contract.member_id == member_id)
            .order_by(Contract.valid_from.desc())
        )
    ).all()
    now = [
        row
        for row in rows
        if row.role.issues and row.valid_from <= at and (row.valid_to is None or row.valid_to > at)
    ]
    return bool(now), rows[0].valid_to if rows else None


async def pools(session: AsyncSession, issuer_id: UUID) -> dict[str, int]:
    """What is in the issuer's pool, by currency."""
    into = sa.case((Transfer.credit_account == Account.ISSUER_POOL, Transfer.amount), else_=0)
    out = sa.case((Transfer.debit_account == Account.ISSUER_POOL, Transfer.amount), else_=0)
    rows = await session.execute(
        sa.select(Transfer.unit, sa.func.sum(into - out))
        .where(
            sa.or_(
                sa.and_(
                    Transfer.credit_account == Account.ISSUER_POOL,
                    Transfer.credit_owner == issuer_id,
                ),
                sa.and_(
                    Transfer.debit_account == Account.ISSUER_POOL,
                    Transfer.debit_owner == issuer_id,
                ),
            )
        )
        .group_by(Transfer.unit)
    )
    return {unit: int(micros) for unit, micros in rows}


async def book_balances(session: AsyncSession, account: AccountKind, owner: UUID) -> dict[str, int]:
    """A balance in the clearing house's own books, by currency: credits less debits."""
    debit = sa.and_(Posting.debit_account == account, Posting.debit_owner == owner)
    credit = sa.and_(Posting.credit_account == account, Posting.credit_owner == owner)
    signed = sa.case((credit, Posting.amount_micros), else_=0) - sa.case(
        (debit, Posting.amount_micros), else_=0
    )
    rows = await session.execute(
        sa.select(Posting.currency, sa.func.sum(signed))
        .where(sa.or_(debit, credit))
        .group_by(Posting.currency)
    )
    return {currency: int(micros) for currency, micros in rows}


async def unsettled_windows(session: AsyncSession) -> Sequence[UUID]:
    """Windows that no settlement has taken up: what they hold is in no due yet."""
    free = (WindowStatus.OPEN, WindowStatus.CLOSING, WindowStatus.CLOSED)
    query: sa.Select[Any] = sa.select(SettlementWindow.id).where(SettlementWindow.status.in_(free))
    return (await session.scalars(query)).all()

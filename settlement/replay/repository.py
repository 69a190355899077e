"""SQL of replays: points that moved in windows, from burns, lots and transfers of points."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition.domain import Breakage
from marketplace.coalition.models import Contract, Member
from marketplace.ledger.domain import ObligationKind, WindowStatus
from marketplace.ledger.models import MemberDebt, SettlementWindow
from settlement.domain import DebtFlow
from settlement.replay.domain import Moved, Terms

# Points of burns, by the window that holds their money. Both obligations of a draw from a mixed
# lot name the same points: they count once.
BURNT: Final = """
select o.window_id, o.currency::text, o.kind::text, o.issuer_id, o.acceptor_id, o.contract_id,
       o.their_contract_id, l.price_micros, l.pooled_price_micros, c.breakage::text,
       sum(o.points) filter (where l.funding <> 'mixed' or o.funding = 'redemption'),
       1, sum(o.cost_micros)
from (
    select o.*, coalesce(o.acceptor_contract_id, a.id) as their_contract_id
    from obligation o
    left join contract a on o.acceptor_contract_id is null and a.member_id = o.acceptor_id
     and a.valid_from <= o.effective_at and (a.valid_to is null or a.valid_to > o.effective_at)
    where o.window_id = any(:ids) and o.kind in ('capture', 'refund')
) o
join lot l on l.wallet_id = o.wallet_id and l.id = o.lot_id
join contract c on c.id = l.contract_id
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""

# Points issued and expired whose money is in a window, because some of it was pooled.
POOLED: Final = """
select o.window_id, o.currency::text, o.kind::text, o.issuer_id, null::uuid, o.contract_id,
       null::uuid, l.price_micros, l.pooled_price_micros, c.breakage::text, o.points, count(*), 0
from obligation o
join lot l on l.wallet_id = o.wallet_id and l.id = o.lot_id
join contract c on c.id = l.contract_id
where o.window_id = any(:ids) and o.kind in ('issuance', 'expiry')
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""

# Points issued and expired without any money, by when a window was open.
UNPOOLED: Final = """
select w.id, l.currency::text, case t.code when 'issue' then 'issuance' else 'expiry' end,
       l.issuer_id, null::uuid, l.contract_id, null::uuid, l.price_micros, 0, c.breakage::text,
       t.amount, count(*), 0
from unnest(cast(:ids as uuid[]), cast(:starts as timestamptz[]), cast(:stops as timestamptz[]))
     as w(id, start, stop)
join transfer t on t.posted_at >= w.start and t.posted_at < w.stop
 and t.code in ('issue', 'expire') and t.unit = 'POINTS'
join lot l on l.wallet_id = t.wallet_id and l.id = t.lot_id
 and l.issuer_id = any(:issuers) and l.pooled_price_micros = 0
join contract c on c.id = l.contract_id
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9000, 1, 1, tzinfo=UTC)
UUID7: Final = 7


async def windows(session: AsyncSession) -> Sequence[SettlementWindow]:
    """Every window, oldest first."""
    order = (SettlementWindow.opened_at, SettlementWindow.id)
    return (await session.scalars(sa.select(SettlementWindow).order_by(*order))).all()


async def moved(
    session: AsyncSession, window_ids: Sequence[UUID], issuers: Sequence[UUID]
) -> list[Moved]:
    """All points that moved in these windows; of `issuers` also those without money as yet."""
    slugs = await slugs_by_id(session)
    found: list[Moved] = []
    spans = await _spans(session, window_ids)
    asked = {"ids": list(window_ids)}
    timed = {
        "ids": list(spans),
        "starts": [start for start, _ in spans.values()],
        "stops": [stop for _, stop in spans.values()],
        "issuers": list(issuers),
    }
    for statement, values in ((BURNT, asked), (POOLED, asked), (UNPOOLED, timed)):
        rows = await session.execute(sa.text(statement), values)
        found += [_moved(row, slugs) for row in rows]
    return found


def _moved(row: Any, slugs: dict[UUID, str]) -> Moved:
    kind = ObligationKind(row[2])
    points, lots = int(row[10]), int(row[11])
    # What is issued adds up; what expires is shared lot by lot.
    of_each = kind is ObligationKind.EXPIRY
    return Moved(
        window_id=row[0],
        currency=row[1],
        kind=kind,
        issuer=slugs[row[3]],
        acceptor=None if row[4] is None else slugs[row[4]],
        contract_id=row[5],
        acceptor_contract_id=row[6],
        terms=Terms(row[7], row[8], Breakage(row[9])),
        points=points if of_each else points * lots,
        lots=lots if of_each else 1,
        cost_micros=int(row[12]),
    )


async def _spans(
    session: AsyncSession, window_ids: Sequence[UUID]
) -> dict[UUID, tuple[datetime, datetime]]:
    """When each of these windows was open, by the real clock, which `posted_at` is read from.

    A window is opened as its id is made, when the one before is closed; `opened_at` is business
    time, which tests and replays may set.
    """
    found = {}
    rows = await windows(session)
    for number, row in enumerate(rows):
        if row.id in window_ids:
            start = EVER if number == 0 else _made_at(row)
            stop = _made_at(rows[number + 1]) if number + 1 < len(rows) else NEVER
            found[row.id] = (start, stop)
    return found


def _made_at(window: SettlementWindow) -> datetime:
    number = int(window.id)
    if number >> 76 & 0xF != UUID7:
        return window.opened_at
    return datetime.fromtimestamp((number >> 80) / 1000, tz=UTC)


async def debts(session: AsyncSession, window_ids: Sequence[UUID]) -> list[DebtFlow]:
    """Debts of these windows, which no contract of points changes."""
    slugs = await slugs_by_id(session)
    rows = await session.execute(
        sa.select(
            MemberDebt.currency,
            MemberDebt.debtor_id,
            MemberDebt.creditor_id,
            sa.func.sum(MemberDebt.amount_micros),
        )
        .where(MemberDebt.window_id.in_(window_ids))
        .group_by(MemberDebt.currency, MemberDebt.debtor_id, MemberDebt.creditor_id)
    )
    return [
        DebtFlow("", currency, slugs[debtor], slugs[creditor], int(micros))
        for currency, debtor, creditor, micros in rows
    ]


async def slugs_by_id(session: AsyncSession) -> dict[UUID, str]:
    """Every member's slug."""
    rows = await session.execute(sa.select(Member.id, Member.slug))
    return {row.id: row.slug for row in rows}


async def fee_bps(session: AsyncSession) -> dict[UUID, int]:
    """The fee of every contract, in basis points."""
    rows = await session.execute(sa.select(Contract.id, Contract.fee_bps))
    return {row.id: row.fee_bps for row in rows}


OPEN: Final = (WindowStatus.OPEN, WindowStatus.CLOSING)

"""SQL of the first page: orders that wait, stock, points given and orders by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

DAYS: Final = 30
"""How far back the page looks."""


class Waiting(msgspec.Struct, frozen=True):
    """Orders of a member whose reward has not come."""

    held: int
    unknown: int
    """Of them, those where nobody knows whether the reward was ordered."""
    dead: int
    """Of them, those that wait for a person."""
    oldest_at: datetime | None


class Stock(msgspec.Struct, frozen=True):
    """An offer on sale with limited stock."""

    offer_id: UUID
    name: str
    remaining: int
    taken: int
    """Units ordered in DAYS."""

    @property
    def days_left(self) -> int | None:
        """How long it lasts at the rate of late; None where nobody takes it."""
        return self.remaining * DAYS // self.taken if self.taken else None


class Day(msgspec.Struct, frozen=True):
    """What happened on one day, UTC."""

    day: date
    first: int
    second: int


# Every held burn has a due time, and the index of those is small.
WAITING: Final = sa.text("""
with held as (
    select fulfilment, effective_at from burn
    where due_at is not null and status = 'held' and acceptor_id = :member
)
select count(*) as held, count(*) filter (where fulfilment = 'unknown') as unknown,
       count(*) filter (where fulfilment = 'dead') as dead, min(effective_at) as oldest_at
from held
""")

STOCK: Final = sa.text("""
select o.id as offer_id, o.name, s.remaining, coalesce(t.taken, 0)::bigint as taken
from offer o join offer_stock s on s.offer_id = o.id
left join (
    select offer_id, sum(quantity) as taken from burn
    where acceptor_id = :member and status = 'captured'
      and effective_at > marketplace_now() - make_interval(days => :days)
    group by offer_id
) t on t.offer_id = o.id
where o.acceptor_id = :member and o.status = 'on_sale'
  and (o.ends_at is null or o.ends_at > marketplace_now())
order by s.remaining, o.name
""")

EVERY_DAY: Final = """
select d::date as day, coalesce(f.first, 0)::bigint as first,
       coalesce(f.second, 0)::bigint as second
from generate_series((marketplace_now() at time zone 'UTC')::date - (:days - 1),
                     (marketplace_now() at time zone 'UTC')::date, interval '1 day') d
left join ({found}) f on f.day = d::date
order by d
"""

ORDERS_BY_DAY: Final = sa.text(
    EVERY_DAY.format(
        found="""
    select (effective_at at time zone 'UTC')::date as day,
           count(*) filter (where status = 'captured') as first,
           count(*) filter (where status = 'voided') as second
    from burn where acceptor_id = :member and status in ('captured', 'voided')
      and effective_at > marketplace_now() - make_interval(days => :days)
    group by 1"""
    )
)

# Nothing is posted before the business time it counts for, so the small index on `posted_at` helps.
POINTS_BY_DAY: Final = sa.text(
    EVERY_DAY.format(
        found="""
    select (effective_at at time zone 'UTC')::date as day,
           sum(amount) filter (where code = 'issue') as first,
           sum(amount) filter (where code = 'capture') as second
    from transfer
    where unit = 'POINTS' and posted_at > statement_timestamp() - make_interval(days => :days)
      and effective_at > marketplace_now() - make_interval(days => :days)
      and ((code = 'issue' and debit_owner = :member)
           or (code = 'capture' and credit_owner = :member))
    group by 1"""
    )
)


async def waiting(session: AsyncSession, member_id: UUID) -> Waiting:
    """Orders of a member that are held."""
    row = (await session.execute(WAITING, {"member": member_id})).mappings().one()
    return Waiting(**row)


async def stock(session: AsyncSession, member_id: UUID) -> Sequence[Stock]:
    """Offers of a member that are on sale and may run out, fewest first."""
    rows = await session.execute(STOCK, {"member": member_id, "days": DAYS})
    return [Stock(**row) for row in rows.mappings()]


async def orders_by_day(session: AsyncSession, member_id: UUID) -> Sequence[Day]:
    """(delivered, not come) on each of the last DAYS days."""
    rows = await session.execute(ORDERS_BY_DAY, {"member": member_id, "days": DAYS})
    return [Day(**row) for row in rows.mappings()]


async def points_by_day(session: AsyncSession, member_id: UUID) -> Sequence[Day]:
    """(issued, burnt) points of a member on each of the last DAYS days."""
    rows = await session.execute(POINTS_BY_DAY, {"member": member_id, "days": DAYS})
    return [Day(**row) for row in rows.mappings()]

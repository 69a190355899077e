"""Orders of a member counted by day and by offer, for charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.exchange.orders import OrderQuery

MOST_DAYS: Final = 92
"""Longer spans are counted by month."""
USUAL_DAYS: Final = 30
LONGEST: Final = timedelta(days=366 * 5)


class Span(msgspec.Struct, frozen=True):
    """The days that are counted, both included."""

    first: date
    last: date

    @property
    def unit(self) -> str:
        """`day` or `month`."""
        return "day" if (self.last - self.first).days < MOST_DAYS else "month"


class Count(msgspec.Struct, frozen=True):
    """Orders of a day or month."""

    day: date
    waiting: int
    delivered: int
    returned: int


def span_of(query: OrderQuery, today: date) -> Span:
    """What is counted for a query: its days, else the last USUAL_DAYS."""
    last = min(query.until or today, today)
    first = query.since or last - timedelta(days=USUAL_DAYS - 1)
    return Span(max(min(first, last), last - LONGEST), last)


# As in orders.py: what has ended by its index, what is open by that of due burns.
ORDERS: Final = """
select effective_at, offer_id, status, quantity from burn
where acceptor_id = :member and status in ('captured', 'voided')
  and effective_at >= :first and effective_at < :past
  and (cast(:offer as uuid) is null or offer_id = :offer)
union all
select effective_at, offer_id, status, quantity from burn
where due_at is not null and status = 'held' and acceptor_id = :member
  and effective_at >= :first and effective_at < :past
  and (cast(:offer as uuid) is null or offer_id = :offer)
"""
BY_TIME: Final = sa.text(f"""
with found as ({ORDERS}), counted as (
    select date_trunc(:unit, effective_at at time zone 'UTC') as at,
           count(*) filter (where status = 'held') as waiting,
           count(*) filter (where status = 'captured') as delivered,
           count(*) filter (where status = 'voided') as returned
    from found group by 1
)
select d::date as day, coalesce(waiting, 0) as waiting, coalesce(delivered, 0) as delivered,
       coalesce(returned, 0) as returned
from generate_series(date_trunc(:unit, cast(:first as timestamptz) at time zone 'UTC'),
                     cast(:past as timestamptz) at time zone 'UTC' - interval '1 second',
                     cast('1 ' || :unit as interval)) d
left join counted on counted.at = d
order by d
""")
BY_OFFER: Final = sa.text(f"""
with found as ({ORDERS})
select o.name, count(*) as orders from found join offer o on o.id = found.offer_id
group by o.id, o.name order by orders desc, o.name limit :limit
""")


def _asked(member_id: UUID, query: OrderQuery, span: Span) -> dict[str, object]:
    return {
        "member": member_id,
        "offer": query.offer_id,
        "first": midnight(span.first),
        "past": midnight(span.last + timedelta(days=1)),
    }


def midnight(day: date) -> datetime:
    """The moment a day begins, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def by_time(
    session: AsyncSession, member_id: UUID, query: OrderQuery, span: Span
) -> Sequence[Count]:
    """Orders of each day or month of the span."""
    rows = await session.execute(BY_TIME, {**_asked(member_id, query, span), "unit": span.unit})
    return [Count(**row) for row in rows.mappings()]


async def by_offer(
    session: AsyncSession, member_id: UUID, query: OrderQuery, span: Span, limit: int
) -> Sequence[tuple[str, int]]:
    """(offer, orders) of the span, most ordered first."""
    rows = await session.execute(BY_OFFER, {**_asked(member_id, query, span), "limit": limit})
    return [(row.name, row.orders) for row in rows]

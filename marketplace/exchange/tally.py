"""Burns of offers by the hour, for the people who sell them: counted in the background, once each.

Ids of burns rise with the real clocks of API processes. All below the watermark are counted; what
is younger than LAG by the database's clock, the one that all workers share, may still be on its way
into the database, so it waits for the next round. A watermark in the future says that this clock
was set back: which of the burns below it are counted nobody knows, so all are counted afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.exchange.models import OfferTally

log = logging.getLogger(__name__)

LAG_S: Final = 60
"""Longer than a burn takes to be committed, and than clocks of machines differ."""
LATELY: Final = timedelta(days=30)

REAL_TIME: Final = sa.text("select extract(epoch from clock_timestamp())::float8")

MARK: Final = sa.text("select counted_to from offer_tally_mark")

FORGET: Final = (
    sa.text("delete from offer_tally"),
    sa.text("update offer_tally_mark set counted_to = '00000000-0000-0000-0000-000000000000'"),
)

COUNT: Final = sa.text("""
with mark as (select counted_to from offer_tally_mark for update),
counted as (
    select offer_id, date_trunc('hour', effective_at at time zone 'utc') at time zone 'utc' as hour,
           count(*) as burns, sum(quantity) as units, sum(points) as points
    from burn, mark
    where id >= mark.counted_to and id < :until and status <> 'rejected'
    group by 1, 2
),
added as (
    insert into offer_tally (offer_id, hour, burns, units, points)
    select offer_id, hour, burns, units, points from counted
    on conflict (offer_id, hour) do update
    set burns = offer_tally.burns + excluded.burns, units = offer_tally.units + excluded.units,
        points = offer_tally.points + excluded.points
    returning 1
),
moved as (
    update offer_tally_mark set counted_to = :until
    where counted_to < :until returning 1
)
select coalesce(sum(burns), 0) from counted
""")


class Taken(msgspec.Struct, frozen=True):
    """What was burnt on an offer."""

    burns: int = 0
    units: int = 0
    points: int = 0


def floor_of(seconds: float) -> UUID:
    """The smallest UUIDv7 of that moment (seconds since 1970)."""
    return UUID(int=int(seconds * 1_000) << 80)


async def count_burns(session: AsyncSession, *, until: UUID | None = None) -> int:
    """Count the burns that are new behind the watermark (`until` this id); returns how many.

    Whoever counts at the same time waits, and finds nothing left to count. Where the watermark lies
    in the future all below the horizon are counted again, and what is above it waits.
    """
    lock = sa.text("select pg_advisory_xact_lock(hashtextextended('count burns', 0))")
    await session.execute(lock)
    now_s: float = (await session.execute(REAL_TIME)).scalar_one()
    horizon = until or floor_of(now_s - LAG_S)
    mark: UUID = (await session.execute(MARK)).scalar_one()
    if mark > (until or floor_of(now_s)):
        log.warning("the database's clock was set back: all burns of offers are counted afresh")
        for statement in FORGET:
            await session.execute(statement)
    counted: int = (await session.execute(COUNT, {"until": horizon})).scalar_one()
    return int(counted)


async def taken_lately(session: AsyncSession, offers: Collection[UUID]) -> dict[UUID, Taken]:
    """What was burnt on these offers in the last 30 days; without those that had no burns."""
    rows = await session.execute(
        sa.select(
            OfferTally.offer_id,
            sa.func.sum(OfferTally.burns),
            sa.func.sum(OfferTally.units),
            sa.func.sum(OfferTally.points),
        )
        .where(OfferTally.offer_id.in_(offers), OfferTally.hour > NOW - LATELY)
        .group_by(OfferTally.offer_id)
    )
    return {
        offer: Taken(int(burns), int(units), int(points)) for offer, burns, units, points in rows
    }


async def units_by_day(session: AsyncSession, offer_id: UUID) -> dict[datetime, int]:
    """Units burnt on each of the last 30 days, today included; days begin at midnight UTC."""
    day = sa.func.date_trunc("day", OfferTally.hour, "UTC")
    today = sa.func.date_trunc("day", NOW, "UTC")
    first = today - LATELY + timedelta(days=1)
    rows = await session.execute(
        sa.select(day, sa.func.sum(OfferTally.units))
        .where(OfferTally.offer_id == offer_id, OfferTally.hour >= first)
        .group_by(day)
    )
    found = {begin: int(units) for begin, units in rows}
    last: datetime = (await session.execute(sa.select(today))).scalar_one()
    days = [last - timedelta(days=back) for back in reversed(range(LATELY.days))]
    return {begin: found.get(begin, 0) for begin in days}

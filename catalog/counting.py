"""Counts who took what lately: popularity, and what is liked in a firm or a role."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.domain import POPULAR_DAYS
from catalog.writing import forget_words, touch

# People, not burns: who takes ten coffees likes coffee once.
TAKEN = """
create temporary table catalog_took on commit drop as
select distinct d.listing_id, w.participant_id, p.firm_id, p.role
from burn b
join offer o on o.id = b.offer_id
join catalog_denomination d on d.offer_reference = o.reference
join wallet w on w.id = b.wallet_id
join participant p on p.id = w.participant_id
where b.status in ('held', 'captured') and b.refunded_points < b.points
  and b.effective_at > marketplace_now() - make_interval(days => :days)
"""
BY_GROUP = """
insert into catalog_taken_by (grouping, member, listing_id, people)
select 'firm', firm_id::text, listing_id, count(*) from catalog_took group by firm_id, listing_id
union all
select 'role', role, listing_id, count(*) from catalog_took group by role, listing_id
"""
POPULARITY = """
with counted as (select listing_id, count(*) as people from catalog_took group by listing_id)
update catalog_listing l set taken = coalesce(c.people, 0)
from catalog_listing every left join counted c on c.listing_id = every.id
where l.id = every.id and l.taken <> coalesce(c.people, 0)
"""


async def count_taken(session: AsyncSession) -> None:
    """Count afresh; what is shown changes only where an order of popularity does."""
    await session.execute(sa.text("select pg_advisory_xact_lock(hashtext('catalog counting'))"))
    await session.execute(sa.text("drop table if exists pg_temp.catalog_took"))
    await session.execute(sa.text(TAKEN), {"days": POPULAR_DAYS})
    await session.execute(sa.text("delete from catalog_taken_by"))
    await session.execute(sa.text(BY_GROUP))
    changed = await session.execute(sa.text(POPULARITY))
    await forget_words(session)
    if changed.rowcount:  # type: ignore[attr-defined]
        await touch(session)

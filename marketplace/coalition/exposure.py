"""The exposure rows of issuers whose contract has a cap."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection

WITHOUT_ROW = """
select id from unnest($1::uuid[]) as m(id)
where not exists (select 1 from exposure where member_id = id)
"""

OPEN = """
insert into exposure (member_id, used_micros)
select m.id, coalesce(sum(case d.kind when 'draw' then d.points else -d.points end
                          * l.price_micros), 0)
from unnest($1::uuid[]) as m(id)
left join draw d on d.issuer_id = m.id
left join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
group by m.id
"""


async def open_exposures(session: AsyncSession, member_ids: Collection[UUID]) -> None:
    """Give each of these members an exposure row, from what is held and captured so far.

    A burn that is being written took a member without a row for uncapped; holding back all draws
    until this transaction ends keeps the sum right, and the burn's own check sees the new row.
    """
    await session.flush()
    connection = await raw_connection(session)
    rows = await connection.fetch(WITHOUT_ROW, list(member_ids))
    if rows:
        await connection.execute("select marketplace_lock_draws()")
        await connection.execute(OPEN, [row["id"] for row in rows])

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
select m.id, coalesce(drawn.micros, 0) - coalesce(settled.micros, 0)
from unnest($1::uuid[]) as m(id)
left join lateral (
    select sum(case d.kind when 'draw' then d.points else -d.points end * l.price_micros) as micros
    from draw d join lot l on l.wallet_id = d.wallet_id and l.id = d.lot_id
    where d.issuer_id = m.id
) drawn on true
left join lateral (
    select sum(o.funded_micros) as micros
    from obligation o join settlement_window w on w.id = o.window_id
    where o.issuer_id = m.id and o.kind in ('capture', 'refund') and w.status = 'settled'
) settled on true
"""
# Whoever settles a window now waits, and then finds the new rows to lower.
KEEP_WINDOWS = "select 1 from settlement_window where status = 'in_settlement' for share"


async def open_exposures(session: AsyncSession, member_ids: Collection[UUID]) -> None:
    """Give each of these members an exposure row: what is held, and captured and not settled.

    A burn that is being written took a member without a row for uncapped; holding back all draws
    until this transaction ends keeps the sum right, and the burn's own check sees the new row.
    """
    await session.flush()
    connection = await raw_connection(session)
    rows = await connection.fetch(WITHOUT_ROW, list(member_ids))
    if rows:
        await connection.execute(KEEP_WINDOWS)
        await connection.execute("select marketplace_lock_draws()")
        await connection.execute(OPEN, [row["id"] for row in rows])

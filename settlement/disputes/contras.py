"""Lines that undo a line whose dispute was upheld: they are undone as well.

A line that was upheld is undone whole, by adjustments. A refund of it, or the contra of a debt,
takes the same money back once more, before or after. The core, which refunds, knows no disputes;
so what it books is put right here: by whoever decides, and by the clock for what comes later.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from settlement.disputes.domain import LineId
from settlement.disputes.models import ClockPass

SAME_PASS: Final = timedelta(minutes=4)
"""The clock may pass twice at once, and passes every five minutes."""

# Lines of the same lot and payer are the same points. A debt is undone whole, once at most.
CONTRAS = """
with undone as (select distinct dispute_id, wallet_id, line_id from settlement_adjustment)
select u.dispute_id, r.wallet_id, r.id as line_id
from undone u
join obligation c on c.wallet_id = u.wallet_id and c.id = u.line_id and c.kind = 'capture'
join obligation r on r.wallet_id = c.wallet_id and r.burn_id = c.burn_id and r.kind = 'refund'
 and r.lot_id = c.lot_id and r.funding = c.funding
where not exists (select 1 from settlement_adjustment a
                  where a.wallet_id = r.wallet_id and a.line_id = r.id)
  and (r.funded_micros <> 0 or r.cost_micros <> 0)
union all
select u.dispute_id, u.wallet_id, r.id
from undone u
join member_debt r on r.undoes_id = u.line_id
where u.wallet_id = :no_wallet
  and not exists (select 1 from settlement_adjustment a
                  where a.wallet_id = u.wallet_id and a.line_id = r.id)
order by 3
"""


async def one_at_a_time(session: AsyncSession) -> None:
    """Wait for whoever else undoes lines, until the end of the transaction."""
    await session.execute(sa.text("select pg_advisory_xact_lock(hashtext('settlement adjusts'))"))


async def standing(session: AsyncSession) -> list[tuple[UUID, LineId]]:
    """Refunds and contras that undo a second time what a dispute has undone, with that dispute."""
    rows = await session.execute(sa.text(CONTRAS), {"no_wallet": UUID(int=0)})
    return [(row.dispute_id, LineId(row.wallet_id, row.line_id)) for row in rows]


async def begin_pass(session: AsyncSession) -> None:
    """Keep that the clock passes now, whatever comes of it: what was there when it passed before
    is put right, or else `marketplace ledger verify` says so."""
    now = sa.func.statement_timestamp()
    new = insert(ClockPass).values(id=1, began_at=now)
    await session.execute(
        new.on_conflict_do_update(
            index_elements=["id"],
            set_={"before_at": ClockPass.began_at, "began_at": now},
            where=ClockPass.began_at < now - SAME_PASS,
        )
    )

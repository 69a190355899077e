"""The replay's report, read from the product's own database and positions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bench.journey_months import net_micros
from bench.server import BenchError
from settlement.domain import by_name
from settlement.repository import By
from settlement.service import positions

CURRENCY = "EUR"

ISSUED = """
select m.slug, count(*) as issuances, sum(l.points)::bigint as points
from lot l join member m on m.id = l.issuer_id group by m.slug order by m.slug
"""
BURNS = "select status::text as status, count(*) as burns from burn group by status"
DRAWN = """
select m.slug, sum(d.points)::bigint as points
from draw d join member m on m.id = d.issuer_id
where d.kind = 'draw' group by m.slug order by m.slug
"""
ACCEPTED = """
select m.slug, count(*) as burns
from burn b join member m on m.id = b.acceptor_id
where b.status = 'captured' group by m.slug order by m.slug
"""


async def make_report(session: AsyncSession, months: dict[str, UUID]) -> dict[str, Any]:
    """The report; `months` has the settlement of each.

    BenchError where a burn is neither captured nor rejected, or where the positions of settlements
    are not those of the obligations.
    """
    issued = (await session.execute(sa.text(ISSUED))).all()
    burns = {row.status: row.burns for row in await session.execute(sa.text(BURNS))}
    if strange := burns.keys() - {"captured", "rejected"}:
        raise BenchError(f"there are burns that are {', '.join(sorted(strange))}")
    drawn = await session.execute(sa.text(DRAWN))
    accepted = await session.execute(sa.text(ACCEPTED))
    return {
        "issuances": sum(row.issuances for row in issued),
        "points_issued": sum(row.points for row in issued),
        "issued_by_member": {row.slug: row.points for row in issued},
        "burns_accepted": burns.get("captured", 0),
        "burns_rejected": burns.get("rejected", 0),
        "drawn_by_issuer": {row.slug: row.points for row in drawn},
        "accepted_by_member": {row.slug: row.burns for row in accepted},
        "net_micros": await _net_micros(session, months),
    }


async def _net_micros(session: AsyncSession, months: dict[str, UUID]) -> dict[str, dict[str, int]]:
    """Of the settlements, which must agree with the obligations summed by month."""
    settled = await net_micros(session, months, CURRENCY)
    found = await positions(session, By.MONTH)
    summed = {month: dict(sorted(by_name(net).items())) for (month, _), net in found.items()}
    if settled != summed:
        raise BenchError("settlements and obligations have different positions")
    return settled

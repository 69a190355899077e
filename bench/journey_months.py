"""Months of the replay, closed by the product: window, netting, two people, positions."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bench.server import BenchError
from marketplace.coalition.models import Member
from marketplace.runtime import Runtime
from settlement.clearing import repository, service
from settlement.domain import OPERATOR, PartyKind
from settlement.windows.closing import close_window
from settlement.windows.tasks import teller

ACCOUNTANT: Final = "cli:accountant"
CONTROLLER: Final = "cli:controller"


async def settle_month(runtime: Runtime, month: str) -> UUID | None:
    """Close the open window, net it, have two people vouch; None where nothing was in it."""
    closed = await close_window(
        runtime.database.begin, teller(runtime.tell), actor=ACCOUNTANT, note=month
    )
    if closed.settled:
        return None
    async with runtime.database.begin() as session:
        made = await service.draft(session, [closed.window_id], actor=ACCOUNTANT, note=month)
        await service.record(session, made.id, actor=ACCOUNTANT)
    async with runtime.database.begin() as session:
        await service.approve(session, made.id, actor=CONTROLLER)
    return made.id


async def net_micros(
    session: AsyncSession, months: dict[str, UUID], currency: str
) -> dict[str, dict[str, int]]:
    """Positions of the settlement of each month by member, its margin as the operator's."""
    slugs: dict[Any, str] = dict((await session.execute(sa.select(Member.id, Member.slug))).all())
    found = {}
    for month, settlement_id in sorted(months.items()):
        net: dict[str, int] = {}
        for each in await repository.positions(session, settlement_id):
            if each.currency != currency:
                raise BenchError(f"there are positions in {each.currency}")
            margin = each.party is PartyKind.OPERATOR
            name = OPERATOR if margin else slugs[each.member_id]
            net[name] = net.get(name, 0) + each.net_micros
        found[month] = {name: micros for name, micros in sorted(net.items()) if micros}
    return found

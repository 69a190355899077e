"""What members owe each other."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from settlement import repository
from settlement.domain import Positions, net
from settlement.repository import By


async def positions(
    session: AsyncSession, by: By, since: datetime | None = None
) -> dict[tuple[str, str], Positions]:
    """Net positions of every party by (period, currency), of all obligations and debts; by month
    also of those since then.
    """
    if by is By.WINDOW:
        return net(await repository.window_flows(session))
    flows = await repository.flows(session, since)
    return net([*flows, *await repository.debt_flows(session, since)])

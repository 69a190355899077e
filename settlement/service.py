"""What members owe each other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from settlement import repository
from settlement.domain import Positions, net
from settlement.repository import By


async def positions(session: AsyncSession, by: By) -> dict[tuple[str, str], Positions]:
    """Net positions of every party by (period, currency), from all obligations and debts so far."""
    flows = await repository.flows(session, by)
    return net([*flows, *await repository.debt_flows(session, by)])

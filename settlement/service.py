"""What members owe each other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from settlement import repository
from settlement.domain import Positions, net
from settlement.repository import By


async def positions(session: AsyncSession, by: By) -> dict[tuple[str, str], Positions]:
    """Net positions of every party by (period, currency), from all obligations so far."""
    return net(await repository.flows(session, by))

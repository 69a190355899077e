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
    """Net positions of every party by (period, currency), from obligations since then, or all."""
    return net(await repository.flows(session, by, since))

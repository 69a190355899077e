"""Which lines are under dispute, and what settlements did with them; the room of disputes fills it.

Each answers for one member: lines that do not concern it are left out.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


async def disputed(
    session: AsyncSession, window_ids: Collection[UUID], member_id: UUID
) -> frozenset[str]:
    """Lines (`Line.line`) of these windows that are under dispute now."""
    return frozenset()


async def left_out(session: AsyncSession, settlement_id: UUID, member_id: UUID) -> frozenset[str]:
    """Lines that were under dispute when the settlement was made."""
    return frozenset()


async def taken_in(session: AsyncSession, settlement_id: UUID, member_id: UUID) -> frozenset[str]:
    """Lines of earlier windows, left out of their own settlement, that this one settles."""
    return frozenset()

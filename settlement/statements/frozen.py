"""Which lines are under dispute; the room of disputes fills this in."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession


async def disputed(
    session: AsyncSession, window_ids: Collection[UUID], member_id: UUID
) -> frozenset[str]:
    """Lines (`Line.line`) of these windows and this member that are under dispute now."""
    return frozenset()


async def left_out(session: AsyncSession, settlement_id: UUID, member_id: UUID) -> frozenset[str]:
    """Lines of this member that were under dispute when the settlement was made."""
    return frozenset()

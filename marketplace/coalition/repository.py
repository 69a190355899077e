"""SQL of the coalition that other rooms need."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.clock import NOW
from marketplace.coalition.models import Contract, Member


async def member_by_slug(session: AsyncSession, slug: str) -> Member | None:
    """The member with this slug."""
    return await session.scalar(sa.select(Member).where(Member.slug == slug))


async def contract_in_force(
    session: AsyncSession, member_id: UUID, at: datetime | None = None
) -> Contract | None:
    """The contract of a member in force at a moment (None: now, in business time)."""
    moment = NOW if at is None else sa.literal(at, sa.DateTime(timezone=True))
    return await session.scalar(
        sa.select(Contract).where(
            Contract.member_id == member_id,
            Contract.valid_from <= moment,
            sa.or_(Contract.valid_to.is_(None), Contract.valid_to > moment),
        )
    )

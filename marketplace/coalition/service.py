"""What other rooms ask the coalition."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.coalition import repository
from marketplace.coalition.errors import NoContract
from marketplace.coalition.models import Contract, Member
from marketplace.errors import NotFound


async def get_member(session: AsyncSession, slug: str) -> Member:
    """The member with this slug; NotFound where there is none."""
    member = await repository.member_by_slug(session, slug)
    if member is None:
        raise NotFound(f"There is no member {slug!r}.")
    return member


async def get_contract(
    session: AsyncSession, member_id: UUID, at: datetime | None = None
) -> Contract:
    """The contract of a member in force at a moment (None: now); NoContract where there is none."""
    contract = await repository.contract_in_force(session, member_id, at)
    if contract is None:
        raise NoContract
    return contract

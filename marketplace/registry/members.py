"""Which members a caller may see and change settings of."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import NotAllowed, NotFound
from marketplace.identity.domain import Principal
from marketplace.registry import repository


def own_member(principal: Principal) -> UUID | None:
    """The one member that a partner may see; None for the operator, who sees all."""
    if principal.is_operator:
        return None
    if principal.member_id is None:
        raise NotAllowed("This is for people who work for a member.")
    return principal.member_id


async def member_of(session: AsyncSession, principal: Principal, slug: str) -> UUID:
    """The id of a member; NotFound where there is none, or it is not a partner's own."""
    found = await repository.member_id(session, slug)
    if own_member(principal) not in (None, found):
        raise NotFound(f"There is no member {slug!r}.")
    return found

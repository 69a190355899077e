"""Who looks after what: the operator after everything, a charity's member after its own words."""

from __future__ import annotations

from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, drafts
from charity.errors import UnknownCause
from charity.models import Campaign, Charity, Draft
from marketplace.identity.domain import Principal, Role


class Cared(msgspec.Struct, frozen=True):
    """A campaign or its draft, with its charity."""

    charity: Charity
    campaign: Campaign | None
    draft: Draft | None

    @property
    def id(self) -> UUID:
        row = self.campaign or self.draft
        assert row is not None  # noqa: S101 - `cared_for` finds one or raises
        return row.id


def runs_all(principal: Principal) -> bool:
    """Whether somebody keeps the registry."""
    return Role.OPERATOR in principal.roles


def require_own(principal: Principal, charity: Charity) -> None:
    """UnknownCause where a charity is neither the operator's to look after nor one's own."""
    if not runs_all(principal) and charity.member_id != principal.member_id:
        raise UnknownCause(f"There is no charity {charity.slug!r} of yours.")


async def own_charity(session: AsyncSession, member_id: UUID) -> Charity | None:
    """The charity that a member is; None where it is none."""
    return await session.scalar(sa.select(Charity).where(Charity.member_id == member_id))


async def cared_for(
    session: AsyncSession, principal: Principal, slug: str, *, lock: bool = False
) -> Cared:
    """The campaign or draft that somebody looks after; UnknownCause where it is none of theirs."""
    campaign = draft = None
    try:
        campaign = await campaigns.find(session, slug, lock=lock)
    except UnknownCause:
        draft = await drafts.find(session, slug, lock=lock)
    row = campaign or draft
    assert row is not None  # noqa: S101 - one of them was found
    charity = await session.get_one(Charity, row.charity_id)
    require_own(principal, charity)
    return Cared(charity, campaign, draft)

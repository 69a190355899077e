"""What a campaign has beyond its goal is designated elsewhere once it is over (decision 40).

The money itself is paid to the charity with every gift and match; what moves is what it is for.
Rows name where it was raised and where it goes, and are never changed: a refund that makes a
surplus smaller writes one below zero. Campaigns are settled under their own lock, oldest first, so
that what one passes on can be part of what the next one has.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns
from charity.domain import SLUG, Surplus
from charity.models import Campaign, CampaignText, SurplusMove
from charity.notes import SYSTEM
from marketplace.clock import now
from marketplace.identity.audit import audit
from marketplace.ids import uuid7


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """What came to a campaign from others, and went from it. Micros of its currency."""

    came_micros: int = 0
    went_micros: int = 0


async def settle(session: AsyncSession, campaign: Campaign, *, actor: str = SYSTEM) -> int:
    """Bring what a closed campaign has passed on to what it has beyond its goal; the difference.

    The campaign must be locked. Nothing happens while it is open, or where the next campaign it
    waits for has not been started.
    """
    if campaign.closed_at is None:
        return 0
    raised = (await campaigns.raised(session, [campaign]))[campaign.id]
    flow = (await flows(session, [campaign.id]))[campaign.id]
    beyond = max(0, raised.total_micros + flow.came_micros - campaign.goal_micros)
    difference = beyond - flow.went_micros
    if difference == 0:
        return 0
    target = None
    if campaign.surplus is Surplus.NEXT_CAMPAIGN:
        target = await _target(session, campaign)
        if target is None:
            return 0
    session.add(
        SurplusMove(
            id=uuid7(),
            campaign_id=campaign.id,
            to_campaign_id=target,
            amount_micros=difference,
            moved_at=await now(session),
        )
    )
    await session.flush()
    details = {"to": str(target) if target else "general_fund", "amount_micros": difference}
    await audit(session, actor, "charity.surplus_moved", SLUG, campaign.id, **details)
    return difference


async def _target(session: AsyncSession, campaign: Campaign) -> UUID | None:
    """Where its surplus went before; else the first campaign of its charity started after it.

    It must still be open then, and collect in the same currency.
    """
    before = sa.select(SurplusMove.to_campaign_id).where(SurplusMove.campaign_id == campaign.id)
    known = await session.scalar(before.order_by(SurplusMove.id).limit(1))
    if known is not None:
        return known
    following = (
        sa.select(Campaign.id)
        .where(
            Campaign.charity_id == campaign.charity_id,
            Campaign.currency == campaign.currency,
            sa.tuple_(Campaign.starts_at, Campaign.id)
            > sa.tuple_(sa.literal(campaign.starts_at), sa.literal(campaign.id)),
            Campaign.closed_at.is_(None),
        )
        .order_by(Campaign.starts_at, Campaign.id)
        .limit(1)
    )
    return await session.scalar(following)


async def settle_all(session: AsyncSession) -> int:
    """Settle every closed campaign whose gifts came or went back since; how many changed."""
    query = (
        sa.select(Campaign)
        .where(Campaign.closed_at.is_not(None))
        .order_by(Campaign.starts_at, Campaign.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return sum([bool(await settle(session, each)) for each in await session.scalars(query)])


async def flows(session: AsyncSession, wanted: Iterable[UUID]) -> dict[UUID, Flow]:
    """What came to campaigns and went from them, by id."""
    ids = list(wanted)

    async def sums(column: sa.ColumnElement[UUID]) -> dict[UUID, int]:
        query = (
            sa.select(column, sa.func.sum(SurplusMove.amount_micros))
            .where(column.in_(ids))
            .group_by(column)
        )
        return {row[0]: int(row[1]) for row in await session.execute(query)}

    came = await sums(SurplusMove.__table__.c.to_campaign_id)
    went = await sums(SurplusMove.__table__.c.campaign_id)
    return {
        each: Flow(came_micros=came.get(each, 0), went_micros=went.get(each, 0)) for each in ids
    }


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """Money that was designated elsewhere: of this campaign, or to it."""

    slug: str | None
    """Of the other campaign; None: the charity's general fund."""
    title: str
    amount_micros: int


async def passed(
    session: AsyncSession, campaign_id: UUID, language: str
) -> tuple[list[Passed], list[Passed]]:
    """(what came to a campaign by origin, what went from it by destination)."""
    table = SurplusMove.__table__.c
    came = await _by_other(
        session, table.campaign_id, SurplusMove.to_campaign_id == campaign_id, language
    )
    went = await _by_other(
        session, table.to_campaign_id, SurplusMove.campaign_id == campaign_id, language
    )
    return came, went


async def _by_other(
    session: AsyncSession,
    other: sa.ColumnElement[UUID | None],
    which: sa.ColumnElement[bool],
    language: str,
) -> list[Passed]:
    amount = sa.func.sum(SurplusMove.amount_micros).label("amount")
    query = (
        sa.select(other.label("other"), amount)
        .where(which)
        .group_by(other)
        .having(amount != 0)
        .order_by(sa.desc("amount"))
    )
    rows = (await session.execute(query)).all()
    ids = [row.other for row in rows if row.other is not None]
    found = list(await session.scalars(sa.select(Campaign).where(Campaign.id.in_(ids))))
    texts: dict[UUID, CampaignText] = await campaigns.texts_of(session, found, language)
    slugs = {each.id: each.slug for each in found}
    return [
        Passed(
            slug=slugs.get(row.other),
            title=texts[row.other].title if row.other in texts else "",
            amount_micros=int(row.amount),
        )
        for row in rows
    ]

"""What the clock finds to tell: goals that were reached, verifications that end or have ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, registry, telling
from charity.domain import Verification
from charity.models import Campaign, Charity
from marketplace.clock import now

REVIEW_AHEAD: Final = (30, 7)
"""Days before a review is due on which the operator hears of it."""


async def goals(session: AsyncSession) -> int:
    """Tell givers of campaigns that have come to their goals; how many campaigns. Once each: what
    is refunded afterwards takes no word back.

    Reckoning takes its time, and gifts that come meanwhile wait for nobody: a campaign is locked
    only where there is something to tell, and not against gifts.
    """
    query = sa.select(Campaign).where(Campaign.reached_at.is_(None), Campaign.closed_at.is_(None))
    found = list(await session.scalars(query.order_by(Campaign.id)))
    raised = await campaigns.raised(session, found)
    there = [each.id for each in found if raised[each.id].total_micros >= each.goal_micros]
    return sum([await _reached(session, each) for each in there])


async def _reached(session: AsyncSession, campaign_id: UUID) -> bool:
    """Tell it of one campaign, unless somebody else does, or has done so."""
    campaign = await session.scalar(
        sa.select(Campaign)
        .where(Campaign.id == campaign_id, Campaign.reached_at.is_(None))
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if campaign is None:
        return False
    campaign.reached_at = await now(session)
    await session.run_sync(telling.reached, campaign)
    return True


async def verifications(session: AsyncSession) -> int:
    """Bring offers in line with verifications, and tell the operator of those that are due or
    have lapsed; how many offers changed."""
    changed = await registry.bring_in_line(session)
    today = (await now(session)).date()
    everybody = await registry.charities(session)
    verified = [each for each in everybody if each.state is Verification.VERIFIED]
    for days in REVIEW_AHEAD:
        due = _due_by(verified, today, days)
        await session.run_sync(telling.review_due, due, days)
    lapsed = [each for each in verified if registry.why_not(each, today) is not None]
    await session.run_sync(telling.lapsed, lapsed)
    return changed


def _due_by(verified: Sequence[Charity], today: date, days: int) -> list[Charity]:
    """Charities whose review is due within so many days, but not sooner than is told later."""
    sooner = max((each for each in REVIEW_AHEAD if each < days), default=0)
    first, last = today + timedelta(days=sooner), today + timedelta(days=days)
    return [
        each
        for each in verified
        if each.review_due_on is not None and first < each.review_due_on <= last
    ]

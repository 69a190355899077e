"""Closing campaigns, early or at their end, and passing on what they have beyond their goals."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from charity import campaigns, surplus, telling
from charity.domain import LONGEST_REASON
from charity.errors import CampaignOver
from charity.models import Campaign
from charity.notes import SYSTEM
from marketplace.clock import now
from marketplace.errors import InvalidRequest
from marketplace.identity.domain import Principal
from marketplace.letters import require_shown


async def close(session: AsyncSession, principal: Principal, slug: str, *, reason: str) -> Campaign:
    """Close a campaign early: no more gifts, matches end, its surplus is passed on. Gifts stay.

    Raises UnknownCause, CampaignOver, InvalidRequest (no reason).
    """
    reason = require_shown(reason, "reason", LONGEST_REASON)
    if not reason:
        raise InvalidRequest("Say why; givers read it.", field="reason")
    campaign = await campaigns.find(session, slug, lock=True)
    if campaign.closed_at is not None:
        raise CampaignOver(f"It was closed at {campaign.closed_at.isoformat()}.")
    await campaigns.shut(session, campaign, reason=reason, actor=principal.actor)
    await session.run_sync(telling.closed, campaign)
    await surplus.settle(session, campaign, actor=principal.actor)
    return campaign


async def close_ended(session: AsyncSession) -> list[Campaign]:
    """Close campaigns that have reached their last day, without a reason; which.

    Their prefunded matches end with them, and what was not given comes back.
    """
    query = (
        sa.select(Campaign)
        .where(Campaign.closed_at.is_(None), Campaign.ends_at <= await now(session))
        .order_by(Campaign.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    ended = list(await session.scalars(query))
    for campaign in ended:
        await campaigns.shut(session, campaign, reason="", actor=SYSTEM)
    return ended


async def tidy(session: AsyncSession) -> int:
    """By the clock: close what has ended, then settle what changed; how many did."""
    ended = await close_ended(session)
    return len(ended) + await surplus.settle_all(session, [each.id for each in ended])

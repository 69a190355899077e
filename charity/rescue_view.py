"""What a participant asked for about points that expire, and what was announced, as they see it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity import rescues, telling
from charity.domain import PlanStatus
from charity.models import Campaign
from charity.rescue_models import Rescue, RescuePlan
from marketplace.identity.domain import Principal
from marketplace.ledger.models import Lot

MOST: Final = 20


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one lot that were announced."""

    reference: str
    remaining: int
    """Left now."""
    expires_at: datetime


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """A gift that was announced."""

    id: UUID
    points: int
    """Announced; fewer are given where some were spent meanwhile."""
    until: datetime
    """When the last of them expire."""
    give_at: datetime
    status: PlanStatus
    reason: str
    gift_id: UUID | None
    lots: list[LotView]


class RescueView(msgspec.Struct, frozen=True, kw_only=True):
    """What a participant asked for."""

    campaign: str
    title: str
    fallback: bool
    fund: str | None
    """Title of the general fund that takes the campaign's place when it is closed."""
    notice_days: int
    anonymous: bool
    made_at: datetime
    stopped_at: datetime | None
    plans: list[PlanView]
    """Newest first."""


def of(session: Session, principal: Principal, language: str) -> RescueView | None:
    """What the caller asked for last; None: nothing ever."""
    rescue = rescues.latest_of(session, principal)
    if rescue is None:
        return None
    campaign = session.get_one(Campaign, rescue.campaign_id)
    fund = rescues.general_fund(session, campaign) if rescue.fallback else None
    return RescueView(
        campaign=campaign.slug,
        title=telling.title_of(session, campaign, language),
        fallback=rescue.fallback,
        fund=None if fund is None else telling.title_of(session, fund, language),
        notice_days=rescue.notice_days,
        anonymous=rescue.anonymous,
        made_at=rescue.made_at,
        stopped_at=rescue.stopped_at,
        plans=_plans(session, rescue),
    )


def _plans(session: Session, rescue: Rescue) -> list[PlanView]:
    query = sa.select(RescuePlan).where(RescuePlan.rescue_id == rescue.id)
    found = list(session.scalars(query.order_by(RescuePlan.give_at.desc()).limit(MOST)))
    ids = {lot_id for plan in found for lot_id in plan.lot_ids}
    lots = session.scalars(
        sa.select(Lot)
        .where(Lot.wallet_id == rescue.wallet_id, Lot.id.in_(ids))
        .order_by(Lot.expires_at, Lot.id)
    ).all()
    return [
        PlanView(
            id=plan.id,
            points=plan.points,
            until=plan.last_until,
            give_at=plan.give_at,
            status=plan.status,
            reason=plan.reason,
            gift_id=plan.burn_id,
            lots=[
                LotView(reference=lot.reference, remaining=lot.remaining, expires_at=lot.expires_at)
                for lot in lots
                if lot.id in plan.lot_ids
            ],
        )
        for plan in found
    ]

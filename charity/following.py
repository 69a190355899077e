"""Brings gifts to what became of their burns: captured, voided, refused, refunded.

Facts are told after commit and may be lost, so the clock asks as well. Whoever follows first wins;
the others find nothing left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from charity import matching, receipts
from charity.domain import OPEN, GiftStatus, Origin
from charity.models import Gift
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, BurnResolution

AT_ONCE = 100
NEVER_BURNT = "never_burnt"
GIVE_UP_AFTER = "10 minutes"
"""A gift whose burn was not made by then: the process that asked for it is gone."""

_SAME = sa.and_(Burn.id == Gift.burn_id, Burn.wallet_id == Gift.wallet_id)


def behind(session: Session) -> Sequence[UUID]:
    """Gifts that are not where their burns are, some at once."""
    old = sa.func.statement_timestamp() - sa.text(f"interval '{GIVE_UP_AFTER}'")
    moved = (
        sa.select(Gift.burn_id)
        .join(Burn, _SAME)
        .where(Gift.status.in_(OPEN), Burn.status != BurnStatus.HELD)
    )
    refunded = (
        sa.select(Gift.burn_id)
        .join(Burn, _SAME)
        .where(Gift.status == GiftStatus.CAPTURED, Burn.refunded_points > Gift.refunded_points)
    )
    lost = sa.select(Gift.burn_id).where(
        Gift.status == GiftStatus.ASKED,
        Gift.asked_at < old,
        ~sa.exists().where(_SAME),
    )
    return list(session.scalars(sa.union(moved, refunded, lost).limit(AT_ONCE)))


def follow(session: Session, burn_id: UUID) -> None:
    """Bring one gift to where its burn is, with its match and its receipt."""
    gift = session.get(Gift, burn_id, with_for_update=True, populate_existing=True)
    if gift is None:
        return
    burn = session.scalar(
        sa.select(Burn).where(Burn.id == burn_id, Burn.wallet_id == gift.wallet_id)
    )
    if burn is None:
        _give_up(session, gift)
    elif gift.status in OPEN:
        _resolve(session, gift, burn)
    elif gift.status is GiftStatus.CAPTURED and burn.refunded_points > gift.refunded_points:
        gift.refunded_points = burn.refunded_points
        session.flush()
        receipts.issue(session, gift, matching.settle(session, gift))
    if gift.origin is Origin.MATCH:
        matching.follow_fund(session, gift)


def _give_up(session: Session, gift: Gift) -> None:
    if gift.status is GiftStatus.ASKED:
        gift.status, gift.reason = GiftStatus.REFUSED, NEVER_BURNT
        session.flush()
        matching.settle(session, gift)


def _resolve(session: Session, gift: Gift, burn: Burn) -> None:
    if burn.status is BurnStatus.REJECTED:
        gift.status, gift.reason = GiftStatus.REFUSED, burn.rejection or ""
    elif burn.status is BurnStatus.VOIDED:
        gift.status = GiftStatus.VOIDED
        gift.reason = gift.reason or _reason(session, burn)
    elif burn.status is BurnStatus.CAPTURED:
        gift.status = GiftStatus.CAPTURED
        gift.refunded_points = 0
        gift.captured_at = session.scalar(
            sa.select(BurnResolution.effective_at).where(
                BurnResolution.burn_id == burn.id, BurnResolution.wallet_id == burn.wallet_id
            )
        )
    else:
        return
    session.flush()
    matched_points = matching.settle(session, gift)
    if gift.status is GiftStatus.CAPTURED:
        receipts.issue(session, gift, matched_points)


def _reason(session: Session, burn: Burn) -> str:
    return (
        session.scalar(
            sa.select(BurnResolution.reason).where(
                BurnResolution.burn_id == burn.id, BurnResolution.wallet_id == burn.wallet_id
            )
        )
        or ""
    )

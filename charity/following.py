"""Brings gifts to what became of their burns: captured, voided, refused, refunded; and of their
matches.

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
from charity.models import Campaign, Gift, Match, Share
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, BurnResolution, Refund

AT_ONCE = 500
FIRST = UUID(int=0)
"""Before the ids of all gifts and refunds."""
NEVER_BURNT = "never_burnt"
GIVE_UP_AFTER = "10 minutes"
"""A gift whose burn was not made by then: the process that asked for it is gone."""

# Of undone lines, without the refunds of the same lot and payer: those are undone with them.
TAKEN_BACK = """
select coalesce(sum(o.cost_micros), 0)::bigint
from charity_undone_gift u
join obligation c on c.wallet_id = u.wallet_id and c.id = u.line_id
join obligation o on o.wallet_id = c.wallet_id and o.burn_id = c.burn_id
 and o.lot_id = c.lot_id and o.funding = c.funding and o.kind in ('capture', 'refund')
where u.burn_id = :burn_id
"""

_SAME = sa.and_(Burn.id == Gift.burn_id, Burn.wallet_id == Gift.wallet_id)


def behind(
    session: Session, *, after: UUID = FIRST, refunded_since: UUID = FIRST
) -> Sequence[UUID]:
    """Gifts that are not where their burns are, some at once, by id after one.

    Of refunds only those with ids from `refunded_since` on are looked at: all there ever were are
    many.
    """
    old = sa.func.statement_timestamp() - sa.text(f"interval '{GIVE_UP_AFTER}'")
    moved = (
        sa.select(Gift.burn_id)
        .join(Burn, _SAME)
        .where(Gift.status.in_(OPEN), Burn.status != BurnStatus.HELD)
    )
    refunded = (
        sa.select(Gift.burn_id)
        .join(Refund, sa.and_(Refund.burn_id == Gift.burn_id, Refund.wallet_id == Gift.wallet_id))
        .join(Burn, _SAME)
        .where(
            Refund.id >= refunded_since,
            Gift.status == GiftStatus.CAPTURED,
            Burn.refunded_points > Gift.refunded_points,
        )
    )
    lost = sa.select(Gift.burn_id).where(
        Gift.status == GiftStatus.ASKED,
        Gift.asked_at < old,
        ~sa.exists().where(_SAME),
    )
    untold = (
        sa.select(Gift.burn_id)
        .join(Share, Share.burn_id == Gift.burn_id)
        .where(Share.untold, Gift.status == GiftStatus.CAPTURED)
    )
    # Of gifts behind matches that were taken back before matches followed them.
    unlevelled = (
        sa.select(Gift.burn_id)
        .join(Match, Match.fund_id == Gift.burn_id)
        .join(Share, Share.match_id == Match.id)
        .where(Gift.status == GiftStatus.CAPTURED, Gift.taken_back_points > 0)
        .group_by(Gift.burn_id, Gift.wallet_id)
        .having(sa.func.sum(Share.kept_points) > sa.func.max(Gift.kept_points))
    )
    found = sa.union(moved, refunded, lost, untold, unlevelled).subquery()
    query = sa.select(found.c.burn_id).where(found.c.burn_id > after)
    return list(session.scalars(query.order_by(found.c.burn_id).limit(AT_ONCE)))


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
    elif gift.status is GiftStatus.CAPTURED:
        changed = _brought(session, gift, burn.refunded_points)
        if changed or matching.is_untold(session, gift):
            receipts.issue(session, gift, matching.settle(session, gift))
    if gift.origin is Origin.MATCH:
        matching.follow_fund(session, gift)


def _brought(session: Session, gift: Gift, refunded_points: int) -> bool:
    """Whether a gift had other points refunded, or taken back after disputes, than it said.

    Those of an undone line that were refunded are not taken back: nobody gave them in the end.
    """
    micros: int = session.execute(sa.text(TAKEN_BACK), {"burn_id": gift.burn_id}).scalar_one()
    campaign = session.get_one(Campaign, gift.campaign_id)
    points = -(-micros // campaign.rate_micros)
    before = (gift.refunded_points, gift.taken_back_points, gift.taken_back_micros)
    gift.refunded_points = refunded_points
    gift.taken_back_points, gift.taken_back_micros = points, micros
    session.flush()
    return before != (refunded_points, points, micros)


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
        gift.captured_at = session.scalar(
            sa.select(BurnResolution.effective_at).where(
                BurnResolution.burn_id == burn.id, BurnResolution.wallet_id == burn.wallet_id
            )
        )
    else:
        return
    session.flush()
    if gift.status is GiftStatus.CAPTURED:
        _brought(session, gift, 0)
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

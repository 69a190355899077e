"""The supplier of gifts: waits until a gift can no longer be taken back, then promises it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from charity import giving, matching, registry, rescues
from charity.domain import SLUG, GiftStatus, Origin
from charity.models import Campaign, Charity, Gift
from charity.notes import now_of
from marketplace import api

TAKEN_BACK = "it was cancelled."


class GiftSupplier:
    """Delivers nothing but the promise; the receipt is made when the points are spent."""

    slug = SLUG

    def __init__(self, host: api.Host) -> None:
        self._host = host

    def fulfil(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """Promise what is due; the rest waits for the end of its time of grace."""
        return [self._answer(order.reference) for order in orders]

    def lookup(self, orders: Sequence[api.Order]) -> Sequence[api.Outcome]:
        """The same: an order that we have not seen is written down by looking at it."""
        return self.fulfil(orders)

    def health(self) -> api.Health:
        """It is as well as the database."""
        with self._host.transaction() as session:
            self._host.now(session)
        return api.Health(ok=True)

    def _answer(self, reference: str) -> api.Outcome:
        # A transaction for each: their matches are locked for a moment only.
        with self._host.transaction() as session:
            gift = giving.adopt(session, UUID(reference))
            if gift is None:
                return api.Rejected(reference=reference, reason="There is no such campaign.")
            return _outcome(session, gift, reference)


def _outcome(session: Session, gift: Gift, reference: str) -> api.Outcome:
    if gift.status in (GiftStatus.CANCELLED, GiftStatus.VOIDED):
        return api.Rejected(reference=reference, reason=gift.reason or TAKEN_BACK)
    if gift.status is GiftStatus.HELD:
        wrong = rescues.why_wrong(session, gift) if gift.origin is Origin.EXPIRING else None
        if wrong is not None:
            return _refuse(session, gift, reference, wrong)
        now = now_of(session)
        left_s = (gift.grace_until - now).total_seconds()
        if left_s > 0:
            return api.Pending(reference=reference, after_s=int(left_s) + 1)
        campaign = session.get_one(Campaign, gift.campaign_id)
        words = registry.why_not(session.get_one(Charity, campaign.charity_id), now.date())
        if words is not None:
            return _refuse(session, gift, reference, words)
        gift.status = GiftStatus.GIVEN
        session.flush()
    return api.Fulfilled(reference=reference, supplier_reference=f"gift-{gift.burn_id}")


def _refuse(session: Session, gift: Gift, reference: str, why: str) -> api.Outcome:
    gift.status, gift.reason = GiftStatus.CANCELLED, why
    session.flush()
    matching.settle(session, gift)
    return api.Rejected(reference=reference, reason=why)

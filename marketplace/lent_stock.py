"""The stock of a plugin's offers, made what the plugin can deliver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from marketplace.contract.host import OpenOrder
from marketplace.exchange.domain import BurnStatus
from marketplace.exchange.models import Burn, Offer, OfferStock


def align(
    session: Session, slug: str, sku: str, free_units: Callable[[Sequence[OpenOrder]], int]
) -> int:
    """See `marketplace.api.Host.align_stock`."""
    offers = lock(session, slug, [sku])
    if not offers:
        return 0
    # A new statement: it sees every burn that was held before the stock was locked.
    held = session.execute(
        sa.select(Burn.id, Burn.quantity).where(
            # All held burns have a due time, and the index of those is small.
            Burn.due_at.is_not(None),
            Burn.status == BurnStatus.HELD,
            Burn.offer_id.in_(offers),
        )
    ).all()
    orders = [OpenOrder(reference=str(row.id), quantity=row.quantity) for row in held]
    session.execute(
        sa.update(OfferStock)
        .where(OfferStock.offer_id.in_(offers))
        .values(remaining=max(free_units(orders), 0))
    )
    return len(offers)


def lock(session: Session, slug: str, skus: Collection[str]) -> Sequence[UUID]:
    """Lock the stock of a plugin's offers of these skus, in the order of the burn engine: by id.

    Makes rows that are missing; returns the offers.
    """
    offers = session.scalars(
        sa.select(Offer.id).where(Offer.plugin == slug, Offer.sku.in_(skus)).order_by(Offer.id)
    ).all()
    if offers:
        _lock_rows(session, offers)
    return offers


def _lock_rows(session: Session, offers: Sequence[UUID]) -> None:
    rows = [{"offer_id": offer_id, "remaining": 0} for offer_id in offers]
    session.execute(insert(OfferStock).values(rows).on_conflict_do_nothing())
    session.execute(
        sa.select(OfferStock.offer_id)
        .where(OfferStock.offer_id.in_(offers))
        .order_by(OfferStock.offer_id)
        .with_for_update()
    )

"""Keeps the stock of the exchange's offers at what is not sold.

What is held, allotted or waited for stays in the stock, for those whom it is kept for have to be
able to burn; the box office itself keeps it from others. Of what is hidden, called off or over
nothing is sold, so the stock is none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.api import Host, OpenOrder
from marketplace_conference import counting
from marketplace_conference.models import category, event, place
from marketplace_conference.models import session as sessions


def align(host: Host, session: Session, category_ids: Collection[UUID]) -> None:
    """Align categories and all that share their quotas."""
    now = host.now(session)
    skus = {
        each.sku: each.id
        for category_id in category_ids
        for each in counting.of_pool(session, category_id, now)
    }
    host.lock_stock(session, skus)
    for sku in sorted(skus):
        _align_one(host, session, sku, skus[sku])


def _align_one(host: Host, session: Session, sku: str, category_id: UUID) -> None:
    def free_units(orders: Sequence[OpenOrder]) -> int:
        if not _is_sold(host, session, category_id):
            return 0
        counts = counting.of_pool(session, category_id, host.now(session))
        references = [each.reference for each in orders]
        sold = set(
            session.scalars(
                sa.select(place.c.order_reference).where(
                    place.c.order_reference.in_(references), place.c.cancelled_at.is_(None)
                )
            )
        )
        promised = sum(each.quantity for each in orders if each.reference not in sold)
        return counting.sellable(category_id, counts) - promised

    host.align_stock(session, sku, free_units)


def _is_sold(host: Host, session: Session, category_id: UUID) -> bool:
    """Whether anybody may have places of it now."""
    found = session.scalar(
        sa.select(event.c.id)
        .join(sessions, sessions.c.event_id == event.c.id)
        .join(category, category.c.session_id == sessions.c.id)
        .where(
            category.c.id == category_id,
            event.c.status == "published",
            event.c.ends_at > host.now(session),
        )
    )
    return found is not None

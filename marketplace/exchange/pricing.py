"""Changes what an offer costs: points, and what the acceptor is paid. Audited, seen at once.

Burns made before keep what they were made at; the version tells every burn engine to read anew.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.errors import InvalidRequest, NotFound
from marketplace.exchange.models import Offer
from marketplace.identity.audit import audit
from marketplace.money import MAX_MICROS, MAX_POINTS
from marketplace.plugins import BESIDE_THE_CORE


def is_amount(offer: Offer) -> bool:
    """Whether it is a room's of ours and its unit a single point, so that a quantity is an amount,
    as of a donation. What was agreed by amount (gifts, matches, receipts) would be wrong at another
    price."""
    return offer.points == 1 and offer.plugin in BESIDE_THE_CORE


async def change_price(
    session: AsyncSession,
    reference: str,
    *,
    actor: str,
    points: int | None = None,
    cost_micros: int | None = None,
) -> UUID:
    """Set points and cost (micros of the offer's currency) of one unit; None leaves one as it is.

    Returns the offer's id. Raises NotFound for no such offer, InvalidRequest for a price that none
    can have, or an offer whose price never changes (`is_amount`). Nothing happens where it costs
    just that already.
    """
    if points is not None and not 0 < points <= MAX_POINTS:
        raise InvalidRequest(f"An offer costs 1 to {MAX_POINTS:,} points.")
    if cost_micros is not None and not 0 <= cost_micros <= MAX_MICROS:
        raise InvalidRequest("The cost of an offer is not below zero, nor beyond all measure.")
    offer = await session.scalar(
        sa.select(Offer).where(Offer.reference == reference).with_for_update()
    )
    if offer is None:
        raise NotFound(f"There is no offer {reference!r}.")
    before = (offer.points, offer.cost_micros)
    after = (
        offer.points if points is None else points,
        offer.cost_micros if cost_micros is None else cost_micros,
    )
    if after == before:
        return offer.id
    if is_amount(offer):
        raise InvalidRequest(f"{reference!r} is burnt point by point: what a point pays stays.")
    offer.points, offer.cost_micros = after
    offer.version += 1
    await session.flush()
    details = {"points": after[0], "cost_micros": after[1], "before": list(before)}
    await audit(session, actor, "offer.price", "offer", offer.id, **details)
    return offer.id

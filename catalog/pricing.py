"""Prices to come: announced with a date, applied by a periodic task when it has come."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.errors import BadPriceChange
from catalog.models import PointPrice, PriceChange
from catalog.writing import touch
from marketplace.clock import NOW, now
from marketplace.errors import InvalidRequest
from marketplace.exchange.models import Offer
from marketplace.exchange.pricing import change_price, is_amount
from marketplace.identity.audit import audit
from marketplace.ids import uuid7
from marketplace.money import MAX_MICROS, MAX_POINTS

SYSTEM = "system:catalog"
AT_ONCE = 500
"""Prices applied in one transaction."""


async def announce(
    session: AsyncSession,
    reference: str,
    *,
    at: datetime,
    actor: str,
    points: int | None = None,
    cost_micros: int | None = None,
) -> UUID:
    """Announce that an offer costs something else from `at` on; BadPriceChange says why not."""
    if points is None and cost_micros is None:
        raise BadPriceChange("Say what changes: points, cost or both.")
    if points is not None and not 0 < points <= MAX_POINTS:
        raise BadPriceChange(f"An offer costs 1 to {MAX_POINTS:,} points.")
    if cost_micros is not None and not 0 <= cost_micros <= MAX_MICROS:
        raise BadPriceChange("The cost is not below zero, nor beyond all measure.")
    if at <= await now(session):
        raise BadPriceChange(f"{at.isoformat()} is not ahead; a price changes in the future.")
    offer = await session.scalar(sa.select(Offer).where(Offer.reference == reference))
    if offer is None:
        raise BadPriceChange(f"There is no offer {reference!r}.")
    if is_amount(offer):
        raise BadPriceChange(
            f"{reference!r} is burnt point by point: what a point pays stays.", field="offer"
        )
    change = PriceChange(
        id=uuid7(),
        offer_reference=reference,
        points=points,
        cost_micros=cost_micros,
        at=at,
        made_by=actor,
    )
    try:
        async with session.begin_nested():
            session.add(change)
            await session.flush()
    except IntegrityError:
        raise BadPriceChange(
            f"Another price of {reference!r} is announced for {at.isoformat()}; cancel it first."
        ) from None
    details = {"at": at.isoformat(), "points": points, "cost_micros": cost_micros}
    await audit(session, actor, "catalog.price_announced", "offer", reference, **details)
    return change.id


async def publish_point_price(
    session: AsyncSession, currency: str, price_micros: int, *, actor: str
) -> None:
    """Publish what a point is worth to participants in offers of a currency (0: not any more).

    It values the points of listings that state no value of their own; BadPriceChange where it is
    no price.
    """
    if not 0 <= price_micros <= MAX_MICROS:
        raise BadPriceChange("A price of a point is not below zero, nor beyond all measure.")
    if price_micros:
        new = insert(PointPrice).values(currency=currency, price_micros=price_micros)
        await session.execute(
            new.on_conflict_do_update(
                index_elements=["currency"], set_={"price_micros": price_micros}
            )
        )
    else:
        await session.execute(sa.delete(PointPrice).where(PointPrice.currency == currency))
    await touch(session)
    details = {"price_micros": price_micros}
    await audit(session, actor, "catalog.point_price", "currency", currency, **details)


async def cancel(session: AsyncSession, change_id: UUID, *, actor: str) -> None:
    """Take an announced price back; BadPriceChange where it is not waiting any more."""
    reference = await session.scalar(
        sa.update(PriceChange)
        .where(
            PriceChange.id == change_id,
            PriceChange.applied_at.is_(None),
            PriceChange.cancelled_at.is_(None),
        )
        .values(cancelled_at=NOW)
        .returning(PriceChange.offer_reference)
    )
    if reference is None:
        raise BadPriceChange(f"No announced price {change_id} is waiting.")
    await audit(session, actor, "catalog.price_cancelled", "offer", reference)


async def apply_due(session: AsyncSession) -> int:
    """Apply the prices whose moment has come, in their order; returns how many.

    Safe to run twice at once: what another applies meanwhile is left to it.
    """
    due = (
        await session.scalars(
            sa.select(PriceChange)
            .where(
                PriceChange.at <= NOW,
                PriceChange.applied_at.is_(None),
                PriceChange.cancelled_at.is_(None),
            )
            .order_by(PriceChange.at, PriceChange.id)
            .limit(AT_ONCE)
            .with_for_update()
        )
    ).all()
    moment = await now(session)
    for change in due:
        try:
            await change_price(
                session,
                change.offer_reference,
                actor=change.made_by,
                points=change.points,
                cost_micros=change.cost_micros,
            )
        except InvalidRequest as error:
            # Announced when that could be; it holds up no other.
            change.cancelled_at = moment
            details = {"why": error.detail}
            reference = change.offer_reference
            await audit(session, SYSTEM, "catalog.price_cancelled", "offer", reference, **details)
            continue
        change.applied_at = moment
    if due:
        await session.flush()
        await touch(session)
    return len(due)


async def waiting(session: AsyncSession) -> list[PriceChange]:
    """Announced prices that have not come, soonest first."""
    rows = await session.scalars(
        sa.select(PriceChange)
        .where(PriceChange.applied_at.is_(None), PriceChange.cancelled_at.is_(None))
        .order_by(PriceChange.at, PriceChange.id)
    )
    return list(rows)

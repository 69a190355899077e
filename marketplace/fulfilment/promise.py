"""How long a supplier takes, from what it did lately: what may honestly be said beforehand."""

from __future__ import annotations

from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.fulfilment.models import SupplierHealth

LOOK_BACK: Final = 1_000
"""Burns of all suppliers, newest first, among which a supplier's deliveries are looked for."""
ENOUGH: Final = 5
"""Deliveries below which nothing is said."""

# By primary key, which is in order of time: never more than LOOK_BACK rows, however many there are.
LATELY = sa.text("""
select percentile_disc(0.9) within group (
           order by extract(epoch from r.posted_at - b.posted_at)::float8),
       count(*)
from (select id, wallet_id, plugin, posted_at from burn order by id desc limit :look_back) b
join burn_resolution r on r.burn_id = b.id and r.wallet_id = b.wallet_id and r.outcome = 'captured'
where b.plugin = :plugin
""")


class DeliveryPromise(msgspec.Struct, frozen=True):
    """What can be said about when a reward comes."""

    within_s: float | None
    """Nine of ten lately came within so many seconds; null: too few to tell."""
    orders: int
    """Deliveries that this is drawn from."""
    waits: bool
    """The supplier does not answer at present: an order would wait until it does."""


async def delivery_promise(session: AsyncSession, plugin: str) -> DeliveryPromise:
    """How a plugin delivers, by its last orders."""
    parameters = {"look_back": LOOK_BACK, "plugin": plugin}
    within_s, orders = (await session.execute(LATELY, parameters)).one()
    is_open = SupplierHealth.open_until > sa.func.clock_timestamp()
    waits = await session.scalar(sa.select(is_open).where(SupplierHealth.plugin == plugin))
    return DeliveryPromise(within_s if orders >= ENOUGH else None, orders, bool(waits))

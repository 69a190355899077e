"""Cancelling: the participant changes their mind before the order has gone out."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace import api
from marketplace.exchange import queries
from marketplace.exchange.domain import BurnStatus, FulfilmentState
from marketplace.exchange.errors import AlreadyOrdered, BurnNotHeld, GiftAccepted
from marketplace.exchange.gift_queries import lock_gift_of
from marketplace.exchange.resolution import VoidRequest, void
from marketplace.exchange.schemas import BurnView
from marketplace.identity.domain import Principal

CANCELLED = "cancelled"


class Ordered(Protocol):
    """A held burn, as far as its order goes."""

    @property
    def fulfilment(self) -> str: ...

    @property
    def attempts(self) -> int: ...


def may_be_with_supplier(burn: Ordered) -> bool:
    """Whether the supplier may have the order: then only its word ends the burn."""
    untouched = burn.fulfilment == FulfilmentState.QUEUED and burn.attempts == 0
    refused = burn.fulfilment == FulfilmentState.RETRY
    return not (untouched or refused)


async def cancel(
    session: AsyncSession, principal: Principal, burn_id: UUID, *, grace: timedelta
) -> tuple[BurnView, api.BurnFact | None]:
    """Void a burn whose order has not gone out; repeating it changes nothing.

    Returns the burn as it is now, and the fact to tell if this call voided it. Raises NotFound,
    AlreadyOrdered, GiftAccepted, BurnNotHeld (captured or rejected).
    """
    burn = await queries.find_burnable(session, principal, burn_id)
    await session.refresh(burn, with_for_update=True)
    gift = await lock_gift_of(session, burn_id)
    if gift is not None and gift.accepted_at is not None:
        raise GiftAccepted("It is given to a colleague, who has accepted it.")
    facts = await void(
        session,
        [VoidRequest(burn_id, burn.wallet_id, CANCELLED)],
        grace=grace,
        unless=may_be_with_supplier,
    )
    await session.refresh(burn)
    if not facts and burn.status is BurnStatus.HELD:
        raise AlreadyOrdered("The partner may already have the order; it can be refunded later.")
    if burn.status is not BurnStatus.VOIDED:
        raise BurnNotHeld(f"The burn is {burn.status.value}.")
    return await queries.burn_view(session, burn), facts[0] if facts else None

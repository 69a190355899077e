"""What the core lends a plugin of offers and firms: offers made for a member, names it may know."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from marketplace.api import InvalidRequest, MarketplaceError, NewOffer
from marketplace.exchange.errors import OfferTaken
from marketplace.exchange.models import Offer
from marketplace.exchange.resolution import Delivery, capture
from marketplace.host import PluginHost
from marketplace.identity.models import AuditEntry
from marketplace.runtime import Runtime
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, counter

__all__ = ["counter"]

SEAT = NewOffer(
    reference="tickets/row",
    kind="seat",
    name="Forum, row",
    sku="row",
    points=1_000,
    cost_micros=8_000_000,
)


@pytest.fixture
def host(runtime: Runtime) -> PluginHost:
    """What the box office is lent."""
    return PluginHost("conference", lambda: runtime.database, lambda: runtime.vault)


def make(host: PluginHost, coalition: Coalition, new: NewOffer = SEAT, **more: Any) -> Any:
    """Ask for an offer of Tickets."""
    return host.make_offer(coalition.members["tickets"], new, actor="person:staff", **more)


async def test_an_offer_is_made_as_by_the_member_itself(
    host: PluginHost, coalition: Coalition
) -> None:
    await asyncio.to_thread(make, host, coalition, dry_run=True)
    async with coalition.runtime.database.begin() as session:
        assert await session.scalar(sa.select(Offer).where(Offer.sku == "row")) is None
    made = await asyncio.to_thread(make, host, coalition)
    assert (made.reference, made.points, made.is_on_sale) == ("tickets/row", 1_000, True)
    async with coalition.runtime.database.begin() as session:
        offer = await session.scalar(sa.select(Offer).where(Offer.sku == "row"))
        assert offer is not None
        assert (offer.plugin, offer.currency, offer.cost_micros) == ("conference", "EUR", 8_000_000)
        entry = sa.select(AuditEntry.actor).where(AuditEntry.action == "offer.made")
        assert await session.scalar(entry) == "person:staff"
    with host.transaction() as session:
        (seen,) = host.offers(session, sku="row")
        assert seen.is_on_sale


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"cost_micros": 8_000_001}, MarketplaceError, "cost"),
        ({"points": 0}, InvalidRequest, "points"),
        ({"reference": "card"}, OfferTaken, "reference"),
        ({"name": "a\u202eb"}, InvalidRequest, "name"),
        ({"sku": "x" * 201}, InvalidRequest, "sku"),
    ],
)
async def test_what_no_offer_can_be_is_refused_by_field(
    host: PluginHost,
    coalition: Coalition,
    change: dict[str, Any],
    error: type[MarketplaceError],
    field: str,
) -> None:
    fields = {name: getattr(SEAT, name) for name in SEAT.__struct_fields__}
    wrong = NewOffer(**{**fields, **change})
    with pytest.raises(error) as caught:
        await asyncio.to_thread(make, host, coalition, wrong)
    assert caught.value.extra["field"] == field


async def test_names_are_told_of_firms_that_a_member_deals_with(
    host: PluginHost, coalition: Coalition, counter: Counter
) -> None:
    await coalition.add_firm("glaz", sponsor="beta")

    def names(member: str, *asked: str) -> dict[str, str]:
        with host.transaction() as session:
            of: UUID = coalition.members[member]
            return dict(host.firm_names(session, asked or None, member_id=of))

    assert names("alpha", "acme", "glaz", "nobody") == {"acme": "Acme"}
    assert names("beta") == {"glaz": "Glaz"}
    assert names("shop", "acme", "glaz") == {}
    ((burn_id, wallet_id),) = await counter.burn(offer="card")
    assert names("shop", "acme") == {}
    async with coalition.runtime.database.begin() as session:
        done = [Delivery(UUID(burn_id), UUID(wallet_id), "giftfund", "x", ())]
        assert await capture(session, done, vault=coalition.runtime.vault)
    assert names("shop", "acme", "glaz") == {"acme": "Acme"}
    assert names("shop") == {"acme": "Acme"}
    assert names("tickets") == {}

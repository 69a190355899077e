"""The first page: the one thing to do next, what runs low, how things go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from marketplace.console.outlook import is_low
from marketplace.console.queries import Stock
from marketplace.exchange.domain import FulfilmentState
from marketplace.exchange.models import Burn
from marketplace.exchange.resolution import VoidRequest, void
from marketplace.identity.domain import Role
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.exchange.test_http import deliver
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]


class Shop:
    """Ann, who burns, and the partner's browser."""

    def __init__(self, coalition: Coalition, ann: Browser, partner: Browser) -> None:
        self.coalition = coalition
        self.ann = ann
        self.partner = partner

    async def burn(self, offer: str = "card") -> str:
        await self.ann.open(f"/burn/{offer}")
        await self.ann.send(f"/burn/{offer}")
        return self.ann.address.removeprefix("/rewards/")

    async def is_at(self, burn: str, state: FulfilmentState) -> None:
        async with self.coalition.runtime.database.begin() as session:
            ours = sa.update(Burn).where(Burn.id == UUID(burn))
            due = sa.literal("infinity").cast(sa.DateTime(timezone=True))
            more = {"due_at": due} if state is FulfilmentState.DEAD else {}
            await session.execute(ours.values(fulfilment=state, attempts=3, **more))


@pytest.fixture
async def shop(coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn) -> Shop:
    await coalition.issue("ann", 20_000)
    ann = Browser(client, await sign_in(Role.PARTICIPANT, "ann"))
    return Shop(coalition, ann, Browser(client, await sign_in(Role.PARTNER, "shop")))


async def test_where_nothing_waits_all_is_well(shop: Shop, sign_in: SignIn) -> None:
    said = await shop.partner.open("/partner")
    assert "All is well" in said
    assert "Nothing in this time." in said
    assert "Your points, day by day" not in said
    issuer = Browser(shop.partner.client, await sign_in(Role.PARTNER, "alpha"))
    said = await issuer.open("/partner")
    assert "Issued 20,000 points" in said
    assert "Burnt 0 points" in said
    assert 'href="/partner/issue"' in issuer.html


async def test_what_presses_most_comes_first(shop: Shop) -> None:
    await shop.coalition.add_offer("mug", acceptor="shop", stock=6)
    await shop.coalition.add_offer("seat", acceptor="tickets", stock=0)
    said = await shop.partner.open("/partner")
    assert "All is well" in said
    first = await shop.burn("mug")
    said = await shop.partner.open("/partner")
    assert "Mug runs low" in said
    assert "Left: 5." in said
    unclear = await shop.burn()
    await shop.is_at(unclear, FulfilmentState.UNKNOWN)
    said = await shop.partner.open("/partner")
    assert "Some orders are not confirmed" in said
    assert 'href="/partner/orders?state=waiting"' in shop.partner.html
    await shop.is_at(unclear, FulfilmentState.DEAD)
    said = await shop.partner.open("/partner")
    assert "An order waits for a person" in said
    assert "Waiting now 2 orders" in said
    assert "Seat" not in said
    await deliver(shop.coalition.runtime, first)
    await shop.partner.open("/partner/orders?state=stuck")
    assert unclear in shop.partner.html
    assert first not in shop.partner.html


async def test_orders_and_points_are_counted_by_day(shop: Shop, sign_in: SignIn) -> None:
    came, went = await shop.burn(), await shop.burn()
    await deliver(shop.coalition.runtime, came)
    async with shop.coalition.runtime.database.begin() as session:
        asked = [VoidRequest(UUID(went), shop.coalition.wallets["ann"], "Closed.")]
        await void(session, asked, grace=timedelta(days=1))
    said = await shop.partner.open("/partner")
    assert "Delivered 1 order" in said
    assert "Most: 2 (" in shop.partner.html
    issuer = Browser(shop.partner.client, await sign_in(Role.PARTNER, "alpha"))
    assert "Burnt 1,000 points" in await issuer.open("/partner")
    other = Browser(shop.partner.client, await sign_in(Role.PARTNER, "beta"))
    assert "Issued 0 points Burnt 0 points" in await other.open("/partner")


@pytest.mark.parametrize(
    ("remaining", "taken", "low"),
    [(0, 0, True), (5, 0, True), (6, 0, False), (50, 120, True), (50, 30, False)],
)
def test_stock_is_low_by_what_is_left_or_by_how_fast_it_goes(
    remaining: int, taken: int, low: bool
) -> None:
    assert is_low(Stock(UUID(int=1), "Mug", remaining, taken)) is low

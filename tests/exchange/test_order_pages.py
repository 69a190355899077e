"""Orders as the member sees them that is paid: found, explained, refunded, taken away as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from marketplace import api
from marketplace.exchange.domain import FulfilmentState
from marketplace.exchange.models import Burn
from marketplace.exchange.resolution import Delivery, VoidRequest, capture, void
from marketplace.identity.domain import Role
from marketplace.ledger.models import Wallet
from marketplace.ledger.verify import verify
from tests.conftest import Headers
from tests.exchange.browsing import Browser
from tests.factories import Coalition

SignIn = Callable[..., Awaitable[Headers]]
ORDERS = "/partner/orders"
SECRET = "XMAS-2026-CODE"


class Shop:
    """Ann, who burns, the partner's browser, and what the partner's system does."""

    def __init__(self, coalition: Coalition, ann: Browser, partner: Browser) -> None:
        self.coalition = coalition
        self.ann = ann
        self.partner = partner

    async def burn(self, offer: str = "card") -> str:
        await self.ann.open(f"/burn/{offer}")
        await self.ann.send(f"/burn/{offer}")
        return self.ann.address.removeprefix("/rewards/")

    async def deliver(self, burn: str, reference: str = "GF-1") -> None:
        code = api.Artefact(kind="code", label="Card of ten", secret=SECRET)
        wallet = self.coalition.wallets["ann"]
        done = Delivery(UUID(burn), wallet, "giftfund", reference, (code,))
        async with self.coalition.runtime.database.begin() as session:
            assert await capture(session, [done], vault=self.coalition.runtime.vault)

    async def refuse(self, burn: str, reason: str = "=cmd|closed") -> None:
        async with self.coalition.runtime.database.begin() as session:
            asked = [VoidRequest(UUID(burn), self.coalition.wallets["ann"], reason)]
            assert await void(session, asked, grace=timedelta(days=1))

    async def kill(self, burn: str) -> None:
        """The order is given up: a person must look."""
        never = sa.literal("infinity").cast(sa.DateTime(timezone=True))
        values = {"fulfilment": FulfilmentState.DEAD, "due_at": never, "attempts": 9}
        async with self.coalition.runtime.database.begin() as session:
            await session.execute(sa.update(Burn).where(Burn.id == UUID(burn)).values(values))

    async def listed(self, **filters: str) -> set[str]:
        """Orders that the list shows with these filters."""
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        await self.partner.open(f"{ORDERS}?{query}")
        hrefs = self.partner.html.split(f'href="{ORDERS}/')[1:]
        return {href[:36] for href in hrefs}


@pytest.fixture
async def shop(coalition: Coalition, client: httpx.AsyncClient, sign_in: SignIn) -> Shop:
    await coalition.issue("ann", 50_000)
    await coalition.add_offer("mug", acceptor="shop", name="Blue mug")
    await coalition.add_offer("seat", acceptor="tickets")
    ann = Browser(client, await sign_in(Role.PARTICIPANT, "ann"))
    return Shop(coalition, ann, Browser(client, await sign_in(Role.PARTNER, "shop")))


async def test_orders_are_found_by_how_they_stand_and_what_they_are(shop: Shop) -> None:
    assert "No orders yet" in await shop.partner.open(ORDERS)
    waiting, stuck, came, back, mug = [
        await shop.burn(offer) for offer in ("card", "card", "card", "card", "mug")
    ]
    theirs = await shop.burn("seat")
    await shop.kill(stuck)
    await shop.deliver(came)
    await shop.refuse(back)
    await shop.deliver(mug, "GF-77")
    assert await shop.listed() == {waiting, stuck, came, back, mug}
    assert await shop.listed(state="waiting") == {waiting}
    assert await shop.listed(state="stuck") == {stuck}
    assert await shop.listed(state="delivered") == {came, mug}
    assert await shop.listed(state="returned") == {back}
    assert await shop.listed(state="refunded") == set()
    assert "No order fits" in await shop.partner.open(f"{ORDERS}?state=refunded")
    assert await shop.listed(offer=str(shop.coalition.offers["mug"])) == {mug}
    assert await shop.listed(offer=str(shop.coalition.offers["seat"])) == set()
    assert await shop.listed(q="blue") == {mug}
    assert await shop.listed(q="GF-77") == {mug}
    assert await shop.listed(q=came[-12:].upper()) == {came}
    assert await shop.listed(q=theirs) == set()
    assert await shop.listed(q="%25") == set()
    assert await shop.listed(since="2020-01-01", until="2020-01-02") == set()
    assert len(await shop.listed(since="2020-01-01")) == 5
    # What makes no sense is left out.
    nonsense = {"state": "lost", "offer": "x", "since": "soon", "until": "9999-12-31", "q": "%00"}
    assert len(await shop.listed(**nonsense)) == 5
    assert "Orders a month" in await shop.partner.open(f"{ORDERS}?since=2025-01-01")


async def test_a_long_list_is_cut_into_pages(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.exchange.order_pages.ON_A_PAGE", 2)
    burnt = [await shop.burn() for _ in range(5)]
    for burn in burnt[1:4]:
        await shop.deliver(burn)
    seen: list[str] = []
    address = ORDERS
    for _ in range(3):
        await shop.partner.open(address)
        html = shop.partner.html
        seen += [href[:36] for href in html.split(f'href="{ORDERS}/')[1:]]
        more = html.split('href="/partner/orders?cursor=')
        address = f"{ORDERS}?cursor={more[1].split(chr(34))[0]}" if len(more) > 1 else ""
    assert seen == burnt[::-1]
    assert address == ""
    await shop.partner.open(f"{ORDERS}?cursor=nonsense", 400)


async def test_an_order_is_explained_and_hides_what_is_anns(shop: Shop) -> None:
    burn = await shop.burn()
    said = await shop.partner.open(f"{ORDERS}/{burn}")
    assert "Waiting for you" in said
    assert "€7.00 once delivered" in said
    await shop.kill(burn)
    said = await shop.partner.open(f"{ORDERS}/{burn}")
    assert "Nobody can say what became of it" in said
    await shop.deliver(burn)
    said = await shop.partner.open(f"{ORDERS}/{burn}")
    assert "Delivered" in said
    assert "Card of ten" in said
    assert "GF-1" in said
    for secret in (SECRET, "Ann", "ann@", str(shop.coalition.wallets["ann"])):
        assert secret not in shop.partner.html
    gone = await shop.burn()
    await shop.refuse(gone, "Closed for a month.")
    said = await shop.partner.open(f"{ORDERS}/{gone}")
    assert "The points went back. Reason: Closed for a month." in said


async def test_points_are_given_back_in_part_after_a_look_at_the_cost_and_once(
    shop: Shop,
) -> None:
    burn = await shop.burn()
    await shop.deliver(burn)
    path = f"{ORDERS}/{burn}/refund"
    await shop.partner.open(path)
    said = await shop.partner.send(path, 422, points="1001", reason="")
    assert "A whole number from 1 to 1,000." in said
    assert "Say why" in said
    said = await shop.partner.send(path, 200, points="250", reason="One was broken")
    assert "You pay back €1.75" in said
    form = shop.partner.form(path)
    said = await shop.partner.send(path)
    assert "250 points are given back." in said
    assert "by partner of shop: One was broken" in said
    assert "You are paid €5.25 of €7.00; the rest was refunded" in said
    again = await shop.partner.post(path, **form)
    assert again.status_code == 303
    async with shop.coalition.runtime.database.begin() as session:
        wallet = await session.get_one(Wallet, shop.coalition.wallets["ann"])
        assert wallet.available == 49_250
    async with shop.coalition.runtime.database.begin() as session:
        assert await verify(session) == []
    assert await shop.listed(state="refunded") == {burn}
    await shop.partner.open(path)
    await shop.partner.send(path, 200, reason="All of it")
    await shop.partner.send(path)
    assert not shop.partner.has(path)
    assert "There is nothing left to give back." in await _led(shop, path)
    tampered = await shop.partner.post(path, points="1", reason="x")
    assert tampered.status_code == 400


async def _led(shop: Shop, path: str) -> str:
    answer = await shop.partner.client.get(path, headers=shop.partner.who)
    assert answer.status_code == 303
    return await shop.partner.open(answer.headers["location"])


async def test_orders_are_taken_away_as_a_file(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.exchange.order_pages.AT_ONCE", 2)
    burnt = [await shop.burn() for _ in range(3)]
    await shop.deliver(burnt[0], "=1+1")
    await shop.refuse(burnt[1])
    answer = await shop.partner.client.get(f"{ORDERS}.csv", headers=shop.partner.who)
    assert answer.status_code == 200
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["order"] for row in rows] == burnt[::-1]
    assert [row["state"] for row in rows] == ["waiting", "returned", "delivered"]
    assert rows[2]["paid"] == "7.00"
    assert rows[2]["supplier_reference"] == "'=1+1"
    assert rows[1]["reason"] == "'=cmd|closed"
    assert SECRET not in answer.text
    some = await shop.partner.client.get(f"{ORDERS}.csv?state=waiting", headers=shop.partner.who)
    assert burnt[2] in some.text
    assert burnt[0] not in some.text


async def test_a_reason_is_given_however_the_form_is_sent(shop: Shop) -> None:
    burn = await shop.burn()
    await shop.deliver(burn)
    for reason in ("", "x" * 501, "two\nlines"):
        form = {"key": "k", "points": "1", "reason": reason, "confirmed": "yes"}
        answer = await shop.partner.post(f"{ORDERS}/{burn}/refund", **form)
        assert (answer.status_code, "Say why" in answer.text) == (422, True)


async def test_orders_of_others_are_neither_seen_nor_refunded(shop: Shop, sign_in: SignIn) -> None:
    burn = await shop.burn()
    await shop.deliver(burn)
    other = Browser(shop.partner.client, await sign_in(Role.PARTNER, "tickets"))
    assert "No orders yet" in await other.open(ORDERS)
    for path in (f"{ORDERS}/{burn}", f"{ORDERS}/{burn}/refund"):
        await other.open(path, 404)
    form = {"key": "k", "points": "1", "reason": "x", "confirmed": "yes"}
    assert (await other.post(f"{ORDERS}/{burn}/refund", **form)).status_code == 404
    answer = await other.client.get(f"{ORDERS}.csv", headers=other.who)
    assert burn not in answer.text
    operator = Browser(other.client, await sign_in(Role.OPERATOR))
    await operator.open(f"{ORDERS}/{burn}?member=tickets", 404)
    await operator.open(f"{ORDERS}/{burn}?member=shop")
    refused = await operator.post(f"{ORDERS}/{burn}/refund", **form)
    assert refused.status_code == 409

"""Whoever burns for a seat says who comes first, on a page, in their language."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest_asyncio
from marketplace_pretix import domain, letting_go, stock
from marketplace_pretix.double.server import Double
from marketplace_pretix.plugin import marketplace_register_settings
from marketplace_pretix.rehearsal import settings_of

from marketplace.fulfilment.home import Home
from marketplace.host import PluginHost
from marketplace.identity.domain import Role
from marketplace.registry import service as registry
from marketplace.settings import Settings
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Worker, counter
from tests.pretix.test_giving_back import double, settings

__all__ = ["counter", "double", "settings"]

POLISH = {"Accept-Language": "pl"}


@dataclass
class Sale:
    """A seat of shop's pretix, on sale, whose organizer wants to know who comes."""

    client: httpx.AsyncClient
    host: PluginHost
    double: Double
    counter: Counter
    worker: Worker
    ann: dict[str, str]
    shop: dict[str, str]
    item: int

    async def look(self) -> None:
        """What the worker does every half minute."""
        await asyncio.to_thread(stock.keep, self.host)

    async def get(self, path: str, **more: str) -> httpx.Response:
        """A page, as Ann sees it."""
        return await self.client.get(path, headers={**self.ann, **more})

    async def say(self, **fields: Any) -> httpx.Response:
        """Ann fills in the form for one ticket; `q_1` is the question 1."""
        data = {f"1-{name.replace('_', '-', 1)}": value for name, value in fields.items()}
        path = "/pretix/who/seat?quantity=1"
        return await self.client.post(path, data=data, headers={**self.ann, **POLISH})


@pytest_asyncio.fixture
async def sale(
    settings: Settings,
    double: Double,
    client: httpx.AsyncClient,
    coalition: Coalition,
    counter: Counter,
    sign_in: Callable[..., Awaitable[dict[str, str]]],
) -> AsyncIterator[Sale]:
    runtime = coalition.runtime
    item = double.world.add(10)
    double.world.items[item]["personalized"] = True
    double.world.settings["attendee_names_required"] = True
    double.world.ask("Diet", "C", item, options=["vegan", "anything"])
    async with runtime.database.begin() as session:
        await registry.configure(
            session,
            runtime,
            "pretix",
            msgspec.to_builtins(settings_of(double)),
            actor="test",
            member_id=coalition.members["shop"],
        )
    await coalition.activate("pretix", "shop")
    await coalition.add_offer(
        "seat", acceptor="shop", kind="seat", plugin="pretix", sku=f"summit/{item}"
    )
    home = Home(settings)
    await asyncio.to_thread(home.open)
    host = PluginHost(
        "pretix",
        lambda: runtime.database,
        lambda: runtime.vault,
        asked=marketplace_register_settings,
        outbound=lambda: runtime.outbound,
    )
    ann = await sign_in(Role.PARTICIPANT, "ann")
    shop = await sign_in(Role.PARTNER)
    sale = Sale(client, host, double, counter, Worker(home), ann, shop, item)
    await sale.look()
    yield sale
    await asyncio.to_thread(home.close)


async def test_who_comes_is_asked_before_points_are_burnt(sale: Sale) -> None:
    led = await sale.get("/burn/seat?quantity=1")
    assert (led.status_code, led.headers["location"]) == (303, "/pretix/who/seat?quantity=1")
    asked = await sale.get("/pretix/who/seat?quantity=2", **POLISH)
    assert asked.status_code == 200
    for words in ("Kto przyjdzie?", "Bilet 2", "Diet", "vegan", "2-name-full_name"):
        assert words in asked.text
    lacking = await sale.say(name_full_name="Ann Lee")
    assert lacking.status_code == 409
    assert "To pole jest wymagane." in lacking.text
    assert "Ann Lee" in lacking.text
    said = await sale.say(name_full_name="Ann Lee", q_1="100")
    address = said.headers["location"]
    assert address.startswith("/burn/seat?quantity=1&selection=")
    assert (await sale.get(address)).status_code == 200
    burnt = await sale.client.post(
        "/burn/seat",
        data={
            "key": "once",
            "quantity": "1",
            "expected_points": "1000",
            "selection": address.rpartition("=")[2],
        },
        headers=sale.ann,
    )
    reference = burnt.headers["location"].rpartition("/")[2]
    pairs = [(reference, str(sale.counter.coalition.wallets["ann"]))]
    await sale.worker.fulfil(pairs, "pretix")
    assert await sale.counter.states(pairs) == [("captured", "done")]
    (position,) = sale.double.world.orders[domain.order_code(reference)]["positions"]
    assert position["attendee_name_parts"]["full_name"] == "Ann Lee"
    assert position["answers"][0]["options"] == [100]
    assert await sale.counter.verified()


async def test_who_burns_without_saying_it_has_the_points_back_and_reads_why(sale: Sale) -> None:
    """Over HTTP nobody is led to a page."""
    pairs = await sale.counter.burn(offer="seat")
    await sale.worker.fulfil(pairs, "pretix")
    assert await sale.counter.states(pairs) == [("voided", "done")]
    told = await sale.get(f"/rewards/{pairs[0][0]}", **POLISH)
    assert "Organizator chce wiedzieć, kto przyjdzie" in told.text
    assert sale.double.world.orders == {}


async def test_where_nothing_has_to_be_said_nobody_is_led_anywhere(sale: Sale) -> None:
    sale.double.world.settings["attendee_names_required"] = False
    sale.double.world.questions.clear()
    await sale.look()
    assert (await sale.get("/burn/seat?quantity=1")).status_code == 200
    sale.double.world.items[sale.item]["min_per_order"] = 2
    await sale.look()
    led = await sale.get("/burn/seat?quantity=1")
    assert led.headers["location"] == "/pretix/who/seat?quantity=1"
    asked = await sale.get(led.headers["location"])
    assert "At least so many at once: 2." in asked.text


async def test_seats_are_chosen_from_those_that_are_free(sale: Sale) -> None:
    sale.double.world.seat(sale.item, "A1", "B2")
    sale.double.world.seats["A1"]["orderposition"] = 7
    await sale.look()
    asked = await sale.get("/pretix/who/seat?quantity=1")
    assert "Stalls · B · 2" in asked.text
    assert "Stalls · A · 1" not in asked.text
    gone = await sale.say(name_full_name="Ann", q_1="100", seat="A1")
    assert gone.status_code == 409


async def test_a_burn_that_is_cancelled_before_it_is_ordered_frees_its_seat_at_once(
    sale: Sale,
) -> None:
    sale.double.world.seat(sale.item, "A1", "A2")
    await sale.look()
    said = await sale.say(name_full_name="Ann", q_1="100", seat="A1")
    body = {
        "wallet_id": str(sale.counter.coalition.wallets["ann"]),
        "offer_id": str(sale.counter.coalition.offers["seat"]),
        "selection": said.headers["location"].rpartition("=")[2],
    }
    headers = {**sale.ann, "Idempotency-Key": "once"}
    burnt = await sale.client.post("/v1/burns", json=body, headers=headers)
    assert burnt.status_code == 201, burnt.text
    assert len(sale.double.world.live_carts()) == 1
    cancel = f"/v1/burns/{burnt.json()['id']}/cancel"
    gone = await sale.client.post(cancel, headers=sale.ann)
    assert gone.status_code == 200, gone.text
    await asyncio.to_thread(letting_go.run, sale.host)
    assert sale.double.world.live_carts() == []
    free = {each["seat_guid"] for each in sale.double.world.free_seats()}
    assert free == {"A1", "A2"}


async def test_the_partner_reads_why_something_is_not_sold(sale: Sale) -> None:
    seen = await sale.client.get("/pretix/partner", headers={**sale.shop, **POLISH})
    assert "najpierw podaje się, kto przyjdzie" in seen.text
    sale.double.world.items[sale.item]["require_voucher"] = True
    await sale.look()
    seen = await sale.client.get("/pretix/partner", headers={**sale.shop, **POLISH})
    assert "Produkt jest sprzedawany tylko z voucherem." in seen.text
    burn = await sale.get("/burn/seat?quantity=1")
    assert "It is sold out." in burn.text
    asked = await sale.get("/pretix/who/seat?quantity=1")
    assert "The organizer does not sell this at the moment." in asked.text


async def test_other_offers_and_servers_that_fail_have_no_page(sale: Sale) -> None:
    assert (await sale.get("/pretix/who/nothing-like-it")).status_code == 404
    sale.double.world.seat(sale.item, "A1")
    await sale.look()
    sale.double.stop()
    assert (await sale.get("/pretix/who/seat")).status_code == 502

"""A ticket from the burn to paper, calendar, another attendee and its points back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import vobject
from marketplace_conference import telling
from marketplace_conference.tickets import cancelling

from marketplace.fulfilment.home import Home
from marketplace.host import PluginHost
from marketplace.identity.domain import Role, Scope
from marketplace.runtime import Runtime
from marketplace.settings import Settings
from tests.conftest import ROOT, Headers
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Worker, counter
from tests.web.problems import problem

sys.path.insert(0, str(ROOT / "plugins" / "conference" / "tests" / "tickets"))

from box import Box

__all__ = ["counter"]

Make = Callable[..., Awaitable[Headers]]


@pytest_asyncio.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """A worker that knows the plugins installed."""
    home = Home(settings)
    await asyncio.to_thread(home.open)
    yield Worker(home)
    await asyncio.to_thread(home.close)


@dataclass
class Sale:
    """Three places of one burn of Ann's, 1,000 points each, 45 days before the event."""

    box: Box
    host: PluginHost
    burn_id: str
    ann: Headers
    shop: Headers
    client: httpx.AsyncClient
    counter: Counter

    def path(self, rest: str = "") -> str:
        """An address below the order's."""
        return f"/v1/conference/tickets/{self.burn_id}{rest}"

    async def tickets(self) -> list[dict[str, Any]]:
        """The tickets as Ann sees them."""
        answer = await self.client.get(self.path(), headers=self.ann)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def give_up(self, position: int, points: int) -> httpx.Response:
        """Ann gives one up for so many points."""
        return await self.client.post(
            self.path(f"/{position}/refund"), json={"points": points}, headers=self.ann
        )


@pytest_asyncio.fixture
async def sale(
    counter: Counter,
    worker: Worker,
    client: httpx.AsyncClient,
    sign_in: Make,
    api_key: Make,
    coalition: Coalition,
    runtime: Runtime,
) -> Sale:
    """What Ann bought."""
    host = PluginHost("conference", lambda: runtime.database, lambda: runtime.vault)
    starts_at = datetime.now(UTC) + timedelta(days=45, hours=1)
    shop_id = coalition.members["shop"]
    box = await asyncio.to_thread(lambda: Box(host, shop_id, starts_at=starts_at))
    await coalition.add_offer(
        "seat", acceptor="shop", kind="seat", plugin="conference", sku=f"{box.slug}-1"
    )
    shop = await api_key("shop", Scope.STOCK_WRITE)
    terms = [{"days_before": 30, "percent": 80}, {"days_before": 7, "percent": 25}]
    answer = await client.put(
        f"/v1/conference/events/{box.slug}/refund-policy", json={"terms": terms}, headers=shop
    )
    assert answer.status_code == 204, answer.text
    ((burn_id, _),) = pairs = await counter.burn(offer="seat", quantity=3)
    await worker.fulfil(pairs, "conference")
    assert await counter.states(pairs) == [("captured", "done")]
    ann = await sign_in(Role.PARTICIPANT)
    return Sale(box, host, burn_id, ann, shop, client, counter)


async def test_a_holder_has_tickets_on_paper_and_in_the_calendar(sale: Sale, sign_in: Make) -> None:
    path = f'href="/conference/tickets/{sale.burn_id}"'
    reward = f"/rewards/{sale.burn_id}"
    assert path not in (await sale.client.get(reward, headers=sale.ann)).text
    found = await sale.tickets()
    assert path in (await sale.client.get(reward, headers=sale.ann)).text
    assert [each["position"] for each in found] == [1, 2, 3]
    assert len({each["code"] for each in found}) == 3
    revealed = await sale.client.post(f"/v1/burns/{sale.burn_id}/reveal", headers=sale.ann)
    assert [each["secret"] for each in revealed.json()["artefacts"]] == [
        each["code"] for each in found
    ]
    paper = await sale.client.get(sale.path("/tickets.pdf"), headers=sale.ann)
    assert b"/Type/Pages/Count 3/" in paper.content
    entries = await sale.client.get(sale.path("/tickets.ics"), headers=sale.ann)
    assert entries.headers["content-type"] == "text/calendar; charset=utf-8"
    assert len(vobject.readOne(entries.text).vevent_list) == 3
    page = f"/conference/tickets/{sale.burn_id}/tickets.ics"
    beside = await sale.client.get(page, headers=sale.ann)
    assert beside.headers.get_list("content-type") == ["text/calendar; charset=utf-8"]
    for who in (sale.shop, await sign_in(Role.PARTNER), await sign_in(Role.OPERATOR)):
        for rest in ("", "/tickets.pdf", "/tickets.ics"):
            refused = await sale.client.get(sale.path(rest), headers=who)
            assert refused.status_code == 403, refused.text
    unknown = await sale.client.get(f"/v1/conference/tickets/{uuid4()}", headers=sale.ann)
    problem(unknown, 404, "not_found")


async def test_another_attendee_needs_no_other_code(sale: Sale) -> None:
    before = await sale.tickets()
    done = await sale.client.put(
        sale.path("/2/attendee"), json={"name": "Łucja Żółkiewska"}, headers=sale.ann
    )
    assert done.status_code == 204, done.text
    after = await sale.tickets()
    assert after[1]["attendee"] == "Łucja Żółkiewska"
    assert [each["code"] for each in after] == [each["code"] for each in before]


async def test_a_ticket_given_up_gives_back_what_was_promised_at_the_sale(sale: Sale) -> None:
    available, _ = await sale.counter.balance()
    worse = {"terms": [{"days_before": 0, "percent": 1}]}
    path = f"/v1/conference/events/{sale.box.slug}/refund-policy"
    assert (await sale.client.put(path, json=worse, headers=sale.shop)).status_code == 204
    quote = (await sale.client.get(sale.path("/2/refund"), headers=sale.ann)).json()
    assert quote == {"percent": 80, "points": 800}
    problem(await sale.give_up(2, 1_000), 409, "conference_refund_changed")
    for _ in range(2):
        assert (await sale.give_up(2, 800)).json() == {"points": 800}
    assert await sale.counter.balance() == (available + 800, 0)
    assert [each["cancelled"] for each in await sale.tickets()] == [False, True, False]
    assert await sale.counter.verified()
    renamed = await sale.client.put(sale.path("/2/attendee"), json={"name": "X"}, headers=sale.ann)
    problem(renamed, 409, "conference_ticket_void")


async def test_an_event_called_off_gives_everything_back_once(sale: Sale) -> None:
    available, _ = await sale.counter.balance()
    assert (await sale.give_up(1, 800)).status_code == 200
    path = f"/v1/conference/events/{sale.box.slug}/call-off"
    body = {"reason": "The hall is flooded."}
    assert (await sale.client.post(path, json=body, headers=sale.shop)).status_code == 202
    problem(await sale.client.post(path, json=body, headers=sale.shop), 409, "conference_event_off")
    for _ in range(2):
        await asyncio.to_thread(cancelling.pay_all, sale.host)
    assert await sale.counter.balance() == (available + 2_800, 0)
    told = (await sale.client.get(path, headers=sale.shop)).json()
    assert (told["tickets"], told["cancelled"], told["owed"]) == (3, 3, 0)
    assert all(each["cancelled"] for each in await sale.tickets())
    assert await sale.counter.verified()


async def test_a_process_that_dies_after_the_refund_pays_it_once(
    sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    available, _ = await sale.counter.balance()
    paid = PluginHost.refund

    def die(self: PluginHost, *given: Any, **more: Any) -> None:
        paid(self, *given, **more)
        raise SystemExit("the machine is gone")

    monkeypatch.setattr(PluginHost, "refund", die)
    path = f"/v1/conference/events/{sale.box.slug}/call-off"
    await sale.client.post(path, json={"reason": "Flooded."}, headers=sale.shop)
    with pytest.raises(SystemExit, match="the machine is gone"):
        await asyncio.to_thread(cancelling.pay_all, sale.host)
    monkeypatch.undo()
    for _ in range(2):
        await asyncio.to_thread(cancelling.pay_all, sale.host)
    assert await sale.counter.balance() == (available + 3_000, 0)


async def test_an_order_that_somebody_keeps_locked_holds_up_no_other_refund(
    sale: Sale, worker: Worker, coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    await coalition.issue("bob", 5_000)
    pairs = await sale.counter.burn(offer="seat", quantity=2, who="bob")
    await worker.fulfil(pairs, "conference")
    monkeypatch.setattr("marketplace.host.LOCK_S", 0.5)
    path = f"/v1/conference/events/{sale.box.slug}/call-off"
    await sale.client.post(path, json={"reason": "Flooded."}, headers=sale.shop)
    available, _ = await sale.counter.balance()
    stale = await coalition.runtime.database.connect_raw()
    async with stale.transaction():
        await stale.fetch("select 1 from burn where id = $1 for update", UUID(sale.burn_id))
        work = asyncio.to_thread(cancelling.pay_all, sale.host)
        assert await asyncio.wait_for(work, 60) == 2
        assert await sale.counter.balance("bob") == (5_000, 0)
        assert await sale.counter.balance() == (available, 0)
    await stale.close()
    assert await asyncio.to_thread(cancelling.pay_all, sale.host) == 3
    assert await sale.counter.balance() == (available + 3_000, 0)
    assert await sale.counter.verified()


async def test_an_event_that_cannot_be_seen_to_holds_up_no_other(
    sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    available, _ = await sale.counter.balance()
    shop_id = sale.counter.coalition.members["shop"]
    first = await asyncio.to_thread(lambda: Box(sale.host, shop_id))
    await asyncio.to_thread(first.sell, "Eve")
    for slug in (first.slug, sale.box.slug):
        path = f"/v1/conference/events/{slug}/call-off"
        answer = await sale.client.post(path, json={"reason": "Flooded."}, headers=sale.shop)
        assert answer.status_code == 202
    called_off = telling.called_off

    def fail(host: Any, session: Any, event: Any, reason: str, **whom: Any) -> None:
        if whom["orders"] != [sale.burn_id]:
            raise ZeroDivisionError
        called_off(host, session, event, reason, **whom)

    monkeypatch.setattr(telling, "called_off", fail)
    assert await asyncio.to_thread(cancelling.pay_all, sale.host) == 3
    assert await sale.counter.balance() == (available + 3_000, 0)

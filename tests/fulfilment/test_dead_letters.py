"""Orders that were given up: why, tried again by whom they concern, and what the figures say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from marketplace.db import Database, raw_connection
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.fulfilment import breaker, service
from marketplace.identity.domain import Role, Scope
from marketplace.metrics.repository import troubles
from marketplace.runtime import Runtime
from tests.factories import Coalition
from tests.fulfilment.conftest import Counter, Pairs, Worker
from tests.fulfilment.shop import FakeShop

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]
DONE = ("captured", "done")


@pytest_asyncio.fixture
async def dead(counter: Counter, worker: Worker, shop: FakeShop, owner: Database) -> Pairs:
    """Two orders of the shop's offer "gift" that were tried for four days and given up."""
    pairs = await counter.burn(2)
    shop.moods = ["unknown"]
    await worker.fulfil(pairs)
    connection = await owner.connect_raw()
    await connection.execute(
        "update burn set attempts = 49, posted_at = posted_at - interval '4 days'"
    )
    await connection.close()
    shop.lookup_moods = ["raise"]
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [("held", "dead")] * 2
    return pairs


async def test_the_partner_sees_why_its_orders_are_dead_and_replays_them(
    counter: Counter,
    worker: Worker,
    dead: Pairs,
    client: httpx.AsyncClient,
    sign_in: SignIn,
) -> None:
    shop = await sign_in(Role.PARTNER)
    found = (await client.get("/v1/dead-letters?plugin=fake", headers=shop)).json()
    assert {each["burn_id"] for each in found["items"]} == {burn_id for burn_id, _ in dead}
    first = found["items"][0]
    assert (first["offer"], first["member"], first["attempts"]) == ("gift", "shop", 50)
    assert first["waiting_s"] >= 4 * 86_400
    last, before = first["answers"]
    assert "the shop is closed" in last["words"]
    assert (before["attempt"], before["words"]) == (1, "who knows")

    page = (await client.get("/v1/dead-letters?limit=1", headers=shop)).json()
    rest = (await client.get(f"/v1/dead-letters?cursor={page['next']}", headers=shop)).json()
    paged = [page["items"][0], *rest["items"]]
    for each in (*paged, *found["items"]):
        each.pop("waiting_s")  # a second may have passed meanwhile
    assert paged == found["items"]

    # Another member's partner neither sees nor replays them.
    stranger = await sign_in(Role.PARTNER, of="tickets")
    assert (await client.get("/v1/dead-letters", headers=stranger)).json()["items"] == []
    one = {"burn_ids": [dead[0][0]]}
    again = "/v1/dead-letters/replay"
    assert (await client.post(again, json=one, headers=stranger)).status_code == 404
    assert (await client.post(again, json={"all": True}, headers=stranger)).json() == {
        "burn_ids": []
    }

    done = await client.post(again, json=one, headers=shop)
    assert (done.status_code, done.json()) == (200, one)
    assert (await client.post(again, json=one, headers=shop)).status_code == 404
    for wrong in ({}, {"all": True, "plugin": "fake"}):
        assert (await client.post(again, json=wrong, headers=shop)).status_code == 400
    assert len((await client.post(again, json={"plugin": "fake"}, headers=shop)).json()) == 1
    await worker.fulfil(dead)
    assert await counter.states(dead) == [DONE] * 2
    assert await counter.verified()


async def test_what_was_said_is_forgotten_when_the_order_is_over(
    counter: Counter, worker: Worker, shop: FakeShop, owner: Database
) -> None:
    pairs = await counter.burn(1)
    shop.moods = ["retry"] * 7
    for _ in range(7):
        await worker.fulfil(pairs)
    connection = await owner.connect_raw()
    kept = "select jsonb_array_length(answers) from order_trouble"
    assert await connection.fetchval(kept) == 5
    await worker.fulfil(pairs)
    assert await counter.states(pairs) == [DONE]
    assert await connection.fetchval(kept) is None
    await connection.close()


async def test_an_open_breaker_closes_the_offers_and_a_success_opens_them(
    runtime: Runtime, coalition: Coalition
) -> None:
    async def causes() -> list[Cause]:
        async with runtime.database.begin() as session:
            return [each.cause for each in await closures.closures_of(session, "giftfund")]

    for _ in range(breaker.FAILURES_TO_OPEN):
        assert await causes() == []
        async with runtime.database.begin() as session:
            await service.record_chunk(session, "giftfund", ["away\x00"])
    assert await causes() == [Cause.BREAKER]
    async with runtime.database.begin() as session:
        await service.record_chunk(session, "giftfund", [])
    assert await causes() == []


async def test_a_supplier_without_orders_is_tried_by_its_health(
    worker: Worker, shop: FakeShop, runtime: Runtime, coalition: Coalition, owner: Database
) -> None:
    for _ in range(breaker.FAILURES_TO_OPEN):
        async with runtime.database.begin() as session:
            await service.record_chunk(session, "fake", ["away"])

    async def tried() -> bool:
        """Whether the breaker is closed once its time is over and idle suppliers are tried."""
        connection = await owner.connect_raw()
        await connection.execute("update supplier_health set open_until = clock_timestamp()")
        await connection.close()
        await worker.do(worker.work.try_idle)
        async with runtime.database.begin() as session:
            return await closures.closures_of(session, "fake") == []

    await worker.do(worker.work.try_idle)  # not due yet
    shop.ill = True
    assert not await tried()
    shop.ill = False
    assert await tried()


async def test_monitoring_reads_what_every_process_counted(
    counter: Counter,
    worker: Worker,
    shop: FakeShop,
    dead: Pairs,
    client: httpx.AsyncClient,
    sign_in: SignIn,
    api_key: Callable[..., Awaitable[Headers]],
) -> None:
    tally = worker.home.runtime.tally
    tally.note_process("fake", "started", "")
    tally.note_process("fake", "memory", "its process was killed: it used 900 MB of memory")
    database = worker.home.runtime.database
    await worker.do(lambda: worker.home.run(tally.flush(database)))
    tally.add("plugin_starts", plugin="fake")
    await worker.do(lambda: worker.home.run(tally.flush(database)))

    answer = await client.get("/metrics", headers=await api_key("operator", Scope.METRICS_READ))
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    plugin = ("plugin", "fake")
    assert samples["marketplace_plugin_starts_total", plugin] == 2
    assert samples["marketplace_plugin_ends_total", plugin, ("reason", "memory")] == 1
    assert samples["marketplace_plugin_dead_orders", plugin] == 2
    assert samples["marketplace_plugin_state", plugin, ("state", "missing")] == 1
    assert samples["marketplace_plugin_breaker", ("breaker", "closed"), plugin] == 1
    assert samples["marketplace_plugin_chunk_seconds_count", plugin] == 2

    stranger = await api_key("alpha", Scope.METRICS_READ)
    assert (await client.get("/metrics", headers=stranger)).status_code == 403
    assert (await client.get("/metrics")).status_code == 401

    states = (await client.get("/v1/suppliers", headers=await sign_in(Role.OPERATOR))).json()
    (wrong,) = (each["wrong"] for each in states if each["plugin"] == "fake")
    assert any("2 orders were given up" in words for words in wrong)
    assert any("it used 900 MB of memory" in words for words in wrong)


async def test_words_that_no_database_takes_do_not_keep_a_process_from_counting(
    runtime: Runtime,
) -> None:
    words = "it does not load: ValueError: \x00 is no\nbyte"
    runtime.tally.note_process("fake", "not_started", words)
    await runtime.tally.flush(runtime.database)
    async with runtime.database.begin() as session:
        (trouble,) = (await troubles(await raw_connection(session)))["fake"]
    assert trouble["words"] == "it does not load: ValueError: is no byte"

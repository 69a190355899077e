"""The relay publishes what is due, once if it can, again if it must."""

from __future__ import annotations

import asyncio
import time

import pytest
from msgspec.structs import replace

from marketplace.db import Database, raw_connection
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.fulfilment import breaker, health, repository, service
from marketplace.fulfilment.relay import Relay
from marketplace.runtime import Runtime
from tests.fulfilment.conftest import Counter, Mailbox, Worker, make_due
from tests.fulfilment.shop import FakeShop


async def fail(runtime: Runtime, times: int, plugin: str = "fake") -> None:
    """So many failed chunks in a row."""
    for _ in range(times):
        async with runtime.database.begin() as session:
            await service.record_chunk(session, plugin, ["fulfil: the shop is closed"])


async def open_again(owner: Database) -> None:
    """Let the time pass for which breakers are open."""
    connection = await owner.connect_raw()
    await connection.execute("update supplier_health set open_until = clock_timestamp()")
    await connection.close()


async def test_due_burns_are_published_in_chunks_and_only_once(
    counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox
) -> None:
    runtime.settings = replace(runtime.settings, relay_chunk=4)
    runtime.suppliers[shop.slug] = shop
    pairs = await counter.burn(10)
    relays = [Relay(runtime, mailbox.publish) for _ in range(3)]
    await asyncio.gather(*(relay.round() for relay in relays))
    assert sorted(mailbox.burns()) == sorted(burn_id for burn_id, _ in pairs)
    assert sorted(len(chunk) for _, chunk in mailbox.messages) == [2, 4, 4]
    assert [await relay.round() for relay in relays] == [0, 0, 0]


async def test_a_lone_burn_goes_at_once_and_those_after_it_wait_for_each_other(
    counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox
) -> None:
    runtime.settings = replace(runtime.settings, relay_chunk=4)
    runtime.suppliers[shop.slug] = shop
    relay = Relay(runtime, mailbox.publish, fill_s=3600.0)
    sizes = [(1, 1), (3, 0), (2, 4), (7, 8)]
    # The remainder of one round makes the messages of the next one full.
    assert [await _burn_and_relay(counter, relay, burns) for burns, _ in sizes] == [
        sent for _, sent in sizes
    ]
    assert [len(chunk) for _, chunk in mailbox.messages] == [1, 4, 4, 4]
    assert len(set(mailbox.burns())) == 13


async def _burn_and_relay(counter: Counter, relay: Relay, burns: int) -> int:
    await counter.burn(burns)
    return await relay.round()


async def test_a_burn_waits_for_a_full_message_no_longer_than_it_was_said(
    counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox
) -> None:
    runtime.suppliers[shop.slug] = shop
    relay = Relay(runtime, mailbox.publish, fill_s=0.2)
    await _burn_and_relay(counter, relay, 1)
    began = time.monotonic()
    await counter.burn(2)
    while not await relay.round():
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.01)
    assert [len(chunk) for _, chunk in mailbox.messages] == [1, 2]


async def test_a_message_that_the_broker_refused_keeps_nobody_waiting(
    counter: Counter, runtime: Runtime, shop: FakeShop, mailbox: Mailbox
) -> None:
    runtime.suppliers[shop.slug] = shop
    relay = Relay(runtime, mailbox.publish, fill_s=3600.0)
    mailbox.down = True
    with pytest.raises(ConnectionError):
        await _burn_and_relay(counter, relay, 2)
    mailbox.down = False
    assert await relay.round() == 2


async def test_a_wiped_broker_loses_nothing(
    counter: Counter, relay: Relay, mailbox: Mailbox, worker: Worker, owner: Database
) -> None:
    pairs = await counter.burn(5)
    await relay.round()
    mailbox.messages.clear()  # the broker forgets everything
    assert await relay.round() == 0
    assert all(85 < seconds <= 90 for seconds in await counter.seconds_to_due(pairs))
    await make_due(owner)
    await relay.round()
    for plugin, chunk in mailbox.messages:
        await worker.fulfil(chunk, plugin)
    assert await counter.states(pairs) == [("captured", "done")] * 5
    assert await counter.verified()


@pytest.mark.parametrize("cause", [Cause.NOT_ACTIVE, Cause.OPERATOR])
async def test_orders_of_a_plugin_that_is_not_active_wait_and_go_on_when_it_is(
    cause: Cause,
    counter: Counter,
    relay: Relay,
    mailbox: Mailbox,
    worker: Worker,
    runtime: Runtime,
    owner: Database,
) -> None:
    pairs = await counter.burn(3)
    await relay.round()
    ((plugin, sent),) = mailbox.messages
    async with runtime.database.begin() as session:
        await closures.close(session, "fake", cause, actor="test", words="An upgrade.")
    # The message is in the queue already: no worker takes it up.
    assert await worker.fulfil(sent, plugin) == 0
    await make_due(owner)
    assert await relay.round() == 3
    assert len(mailbox.messages) == 1
    assert all(10 < seconds <= 15 for seconds in await counter.seconds_to_due(pairs))
    async with runtime.database.begin() as session:
        (fake,) = [e for e in await health.suppliers(session, runtime) if e.plugin == "fake"]
    assert fake.state == ("inactive" if cause is Cause.NOT_ACTIVE else "stopped")
    assert (fake.reason or "").startswith("An upgrade.")

    async with runtime.database.begin() as session:
        await closures.reopen(session, "fake", cause, actor="test")
    await make_due(owner)
    await relay.round()
    assert await worker.fulfil(mailbox.messages[-1][1], plugin) == 3
    assert await counter.states(pairs) == [("captured", "done")] * 3
    assert await counter.verified()


async def test_a_broker_that_refuses_leaves_the_burns_due(
    counter: Counter, relay: Relay, mailbox: Mailbox
) -> None:
    pairs = await counter.burn(2)
    mailbox.down = True
    with pytest.raises(ConnectionError):
        await relay.round()
    mailbox.down = False
    assert await relay.round() == 2
    assert sorted(mailbox.burns()) == sorted(burn_id for burn_id, _ in pairs)


async def test_a_lapsed_lease_is_asked_for_not_ordered_again(
    counter: Counter,
    relay: Relay,
    mailbox: Mailbox,
    runtime: Runtime,
    owner: Database,
    worker: Worker,
    shop: FakeShop,
) -> None:
    pairs = await counter.burn(1)
    # A worker claims, orders, and is killed before it can write anything down.
    async with runtime.database.begin() as session:
        ids = [(row["id"], row["wallet_id"]) for row in await counter.rows(pairs, "wallet_id")]
        (claimed,) = await service.claim(session, "fake", ids, runtime.settings)
    shop.fulfil([claimed.order])
    assert await counter.states(pairs) == [("held", "ordering")]
    await relay.round()
    assert mailbox.burns() == []  # it is leased
    await make_due(owner)
    await relay.round()
    assert await counter.states(pairs) == [("held", "unknown")]
    await worker.fulfil(mailbox.messages[0][1])
    assert [name for name, _ in shop.calls] == ["fulfil", "lookup"]
    assert await counter.states(pairs) == [("captured", "done")]
    assert await counter.verified()


async def test_a_claim_lasts_for_its_lease_whatever_time_its_order_had(
    counter: Counter, relay: Relay, runtime: Runtime, owner: Database
) -> None:
    soon, far, past = await counter.burn(1), await counter.burn(1), await counter.burn(1)
    await relay.round()
    (published,) = await counter.rows(soon, "due_at")
    connection = await owner.connect_raw()
    for pairs, days in ((far, 1), (past, -1)):
        await connection.execute(
            "update burn set fulfilment = 'pending', due_at = due_at + $1 * interval '1 day'"
            " where id = $2::uuid",
            *(days, pairs[0][0]),
        )
    await connection.close()
    every = [*soon, *far, *past]
    async with runtime.database.begin() as session:
        ids = [(row["id"], row["wallet_id"]) for row in await counter.rows(every, "wallet_id")]
        assert len(await service.claim(session, "fake", ids, runtime.settings)) == 3
    # The lease is 75 seconds; what the relay said is a little more, and stays.
    assert [row["due_at"] for row in await counter.rows(soon, "due_at")] == [published["due_at"]]
    assert all(60 < seconds <= 75 for seconds in await counter.seconds_to_due([*far, *past]))


async def test_an_open_breaker_holds_orders_back_until_a_probe_succeeds(
    counter: Counter,
    relay: Relay,
    mailbox: Mailbox,
    runtime: Runtime,
    owner: Database,
    worker: Worker,
) -> None:
    pairs = await counter.burn(12)
    await fail(runtime, breaker.FAILURES_TO_OPEN)
    async with runtime.database.begin() as session:
        assert await service.open_breakers(session) == {"fake"}
        (state,) = [s for s in await health.suppliers(session, runtime) if s.plugin == "fake"]
    assert (state.breaker, state.waiting, state.reason) == (
        "open",
        12,
        "fulfil: the shop is closed",
    )
    await relay.round()
    assert mailbox.burns() == []
    assert all(10 < seconds < 20 for seconds in await counter.seconds_to_due(pairs))

    await open_again(owner)
    await make_due(owner)
    await relay.round()
    assert len(mailbox.burns()) == breaker.PROBE_ORDERS
    await make_due(owner)
    await relay.round()
    assert len(mailbox.burns()) == breaker.PROBE_ORDERS  # one probe, not two
    assert await worker.fulfil(mailbox.messages[0][1]) == 0  # what came before it is left alone
    await worker.fulfil(mailbox.messages[0][1], probe=mailbox.probes[0])
    await make_due(owner)
    await relay.round()
    assert len(mailbox.burns()) == 12
    assert set(mailbox.burns()) == {burn_id for burn_id, _ in pairs}


async def test_a_success_while_the_breaker_opens_leaves_no_offer_closed(
    counter: Counter, runtime: Runtime
) -> None:
    await fail(runtime, breaker.FAILURES_TO_OPEN - 1)

    async def succeed() -> None:
        async with runtime.database.begin() as session:
            await service.record_chunk(session, "fake", [])

    async with runtime.database.begin() as session:
        await service.record_chunk(session, "fake", ["fulfil: the shop is closed"])
        succeeding = asyncio.create_task(succeed())
        await asyncio.sleep(0.5)  # it waits for us
        assert not succeeding.done()
    await succeeding
    async with runtime.database.begin() as session:
        assert await service.open_breakers(session) == set()
        assert await closures.closures_of(session, "fake") == []


async def test_a_failed_probe_opens_the_breaker_for_longer(
    runtime: Runtime, coalition: object
) -> None:
    await fail(runtime, breaker.FAILURES_TO_OPEN + 2)
    async with runtime.database.begin() as session:
        row = (await repository.health(await raw_connection(session)))["fake"]
    assert row["open_s"] == pytest.approx(60, abs=2)


async def test_a_supplier_that_fails_trips_its_breaker(
    counter: Counter, worker: Worker, shop: FakeShop, runtime: Runtime
) -> None:
    pairs = await counter.burn(breaker.FAILURES_TO_OPEN)
    shop.moods = ["raise"] * breaker.FAILURES_TO_OPEN
    for pair in pairs:
        await worker.fulfil([pair])
    async with runtime.database.begin() as session:
        assert await service.open_breakers(session) == {"fake"}


async def test_orders_of_a_plugin_that_is_not_installed_wait_and_others_do_not(
    counter: Counter,
    relay: Relay,
    mailbox: Mailbox,
    runtime: Runtime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await counter.coalition.add_offer("strange", acceptor="shop", plugin="absent")
    strange = await counter.burn(2, offer="strange")
    await counter.burn(1)
    await relay.round()
    assert {plugin for plugin, _ in mailbox.messages} == {"fake"}
    assert await counter.states(strange) == [("held", "queued")] * 2
    assert caplog.text.count("orders wait for plugin absent") == 1
    async with runtime.database.begin() as session:
        states = {s.plugin: s for s in await health.suppliers(session, runtime)}
    assert (states["absent"].state, states["absent"].waiting) == ("missing", 2)

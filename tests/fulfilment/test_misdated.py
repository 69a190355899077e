"""The clock of the database was set back: what was written before does not wait for it."""

from __future__ import annotations

import pytest

from marketplace.db import Database, raw_connection
from marketplace.fulfilment import misdated, repository, service
from marketplace.fulfilment.domain import JITTER, MAX_PENDING_S
from marketplace.fulfilment.relay import Relay
from marketplace.runtime import Runtime
from tests.fulfilment.conftest import Counter, Mailbox, Pairs, Worker


async def put_off(owner: Database, pairs: Pairs, state: str, wait: str) -> None:
    """Give burns this state and the time at which they are due."""
    connection = await owner.connect_raw()
    await connection.execute(
        "update burn set fulfilment = $1::text::fulfilment_state,"
        " due_at = clock_timestamp() + $2::text::interval where id = any($3::text[]::uuid[])",
        *(state, wait, [burn_id for burn_id, _ in pairs]),
    )
    await connection.close()


@pytest.mark.parametrize("wait", ["15 minutes", "6 hours", "2 days", "400 days"])
async def test_orders_of_a_clock_that_was_set_back_are_published_in_one_round(
    wait: str,
    counter: Counter,
    relay: Relay,
    mailbox: Mailbox,
    worker: Worker,
    owner: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pairs = await counter.burn(3)
    await put_off(owner, pairs, "queued", wait)
    assert await relay.round() == 3
    assert "3 orders" in caplog.text
    for plugin, chunk in mailbox.messages:
        await worker.fulfil(chunk, plugin)
    assert await counter.states(pairs) == [("captured", "done")] * 3
    assert await counter.verified()


async def test_an_order_in_hand_keeps_a_whole_lease_and_no_more(
    counter: Counter, relay: Relay, runtime: Runtime, owner: Database, mailbox: Mailbox
) -> None:
    pairs = await counter.burn(1)
    async with runtime.database.begin() as session:
        ids = [(row["id"], row["wallet_id"]) for row in await counter.rows(pairs, "wallet_id")]
        (_,) = await service.claim(session, "fake", ids, runtime.settings)
    await put_off(owner, pairs, "ordering", "6 hours")
    assert await relay.round() == 0
    (seconds,) = await counter.seconds_to_due(pairs)
    assert 45 < seconds <= 75
    assert await counter.states(pairs) == [("held", "ordering")]
    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("state", "wait"),
    [
        ("queued", "12 minutes"),
        ("ordering", "80 seconds"),
        ("pending", "6 hours"),
        ("unknown", "72 minutes"),
        ("retry", f"{MAX_PENDING_S * (1 + JITTER)} seconds"),
        ("dead", "infinity"),
    ],
)
async def test_a_time_that_may_be_meant_is_left_alone(
    state: str, wait: str, counter: Counter, relay: Relay, owner: Database, mailbox: Mailbox
) -> None:
    pairs = await counter.burn(1)
    if wait == "infinity":
        connection = await owner.connect_raw()
        await connection.execute("update burn set fulfilment = 'dead', due_at = 'infinity'")
        await connection.close()
    else:
        await put_off(owner, pairs, state, wait)
    before = await counter.rows(pairs, "due_at::text")
    assert await relay.round() == 0
    assert await counter.rows(pairs, "due_at::text") == before
    assert mailbox.messages == []


@pytest.mark.parametrize("state", ["pending", "unknown", "retry"])
async def test_no_supplier_can_have_asked_for_two_days(
    state: str, counter: Counter, relay: Relay, owner: Database, mailbox: Mailbox
) -> None:
    pairs = await counter.burn(2)
    await put_off(owner, pairs, state, "2 days")
    assert await relay.round() == 2
    assert sorted(mailbox.burns()) == sorted(burn_id for burn_id, _ in pairs)
    assert await counter.states(pairs) == [("held", state)] * 2


async def test_a_breaker_is_not_open_for_longer_than_ever_asked_for(
    counter: Counter, relay: Relay, runtime: Runtime, owner: Database, mailbox: Mailbox
) -> None:
    await counter.burn(1)
    async with runtime.database.begin() as session:
        for _ in range(3):
            await service.record_chunk(session, "fake", ["fulfil: the shop is closed"])
    connection = await owner.connect_raw()
    await connection.execute("update supplier_health set open_until = open_until + '6 hours'")
    await connection.close()
    assert await relay.round() == 1
    assert mailbox.probes == [True]


async def test_a_breaker_that_is_open_stays_so(
    counter: Counter, relay: Relay, runtime: Runtime, mailbox: Mailbox
) -> None:
    await counter.burn(1)
    async with runtime.database.begin() as session:
        for _ in range(40):
            await service.record_chunk(session, "fake", ["fulfil: the shop is closed"])
    assert await relay.round() == 1
    assert mailbox.messages == []
    async with runtime.database.begin() as session:
        row = (await repository.health(await raw_connection(session)))["fake"]
    assert row["is_open"]


async def test_orders_met_by_such_a_breaker_wait_no_longer_than_for_any_other(
    counter: Counter, relay: Relay, runtime: Runtime, owner: Database, mailbox: Mailbox
) -> None:
    await relay.round()  # looked just now, so it does not look again
    pairs = await counter.burn(1)
    connection = await owner.connect_raw()
    await connection.execute(
        "insert into supplier_health (plugin, failures, open_until)"
        " values ('fake', 3, clock_timestamp() + interval '6 hours')"
    )
    await connection.close()
    assert await relay.round() == 1
    assert mailbox.messages == []
    (seconds,) = await counter.seconds_to_due(pairs)
    assert seconds < 13 * 60


async def test_many_are_brought_back_in_several_rounds(
    counter: Counter,
    relay: Relay,
    owner: Database,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(misdated, "AT_ONCE", 2)
    pairs = await counter.burn(5)
    await put_off(owner, pairs, "queued", "6 hours")
    assert [await relay.round() for _ in range(4)] == [2, 2, 1, 0]
    assert sorted(mailbox.burns()) == sorted(burn_id for burn_id, _ in pairs)


async def test_the_look_for_such_orders_reads_the_index_of_open_ones(runtime: Runtime) -> None:
    async with runtime.database.begin() as session:
        connection = await raw_connection(session)
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(f"explain {misdated.ORDERS}", 780.0, 103_740.0, 75.0, 10)
    text = "\n".join(row[0] for row in plan)
    assert "ix_burn_due" in text or "due_at_idx" in text
    assert "Seq Scan" not in text

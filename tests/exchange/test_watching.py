"""Who waits for news of a burn hears of each change, and costs no connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from marketplace.errors import TooManyRequests
from marketplace.exchange.domain import BurnStatus, FulfilmentState
from marketplace.exchange.watching import MOST_PER_PERSON, BurnWatch
from marketplace.ids import uuid7
from marketplace.runtime import Runtime
from tests.factories import Coalition
from tests.ledger.driver import Driver


@pytest_asyncio.fixture
async def watch(runtime: Runtime) -> AsyncIterator[BurnWatch]:
    made = BurnWatch(runtime.database, every_s=0.02)
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def drive(coalition: Coalition) -> AsyncIterator[Driver]:
    await coalition.issue("ann", 5_000)
    async with Driver.start(coalition) as started:
        yield started


async def test_a_listener_hears_the_state_and_each_change(
    watch: BurnWatch, drive: Driver, coalition: Coalition
) -> None:
    burn_id = await drive.burn("ann", "card")
    async with watch.listen(uuid7(), (burn_id, coalition.wallets["ann"])) as listener:
        first = await listener.next(60)
        assert first is not None
        assert (first.status, first.fulfilment) == (BurnStatus.HELD, FulfilmentState.QUEUED)
        assert not first.is_over
        with pytest.raises(TimeoutError):
            await listener.next(0.2)
        await drive.capture("ann", burn_id)
        last = await listener.next(60)
        assert last is not None
        assert (last.status, last.is_over) == (BurnStatus.CAPTURED, True)


async def test_many_listeners_share_one_query(
    watch: BurnWatch, drive: Driver, coalition: Coalition, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    states = watch._states

    async def count() -> object:
        nonlocal asked
        asked += 1
        return await states()

    monkeypatch.setattr(watch, "_states", count)
    burn_id = await drive.burn("ann", "card")
    pair = (burn_id, coalition.wallets["ann"])

    async def hear() -> None:
        async with watch.listen(uuid7(), pair) as listener:
            await listener.next(60)

    # More than there are connections in the pool.
    await asyncio.gather(*(hear() for _ in range(100)))
    assert asked <= 2
    await asyncio.sleep(0.1)
    before = asked
    await asyncio.sleep(0.1)
    assert asked == before, "nobody listens, nobody asks"


async def test_one_person_listens_a_few_times_only(watch: BurnWatch) -> None:
    person, pair = uuid7(), (uuid7(), uuid7())
    async with asyncio.TaskGroup() as group:
        ready = asyncio.Semaphore(0)
        leave = asyncio.Event()

        async def wait() -> None:
            async with watch.listen(person, pair):
                ready.release()
                await leave.wait()

        for _ in range(MOST_PER_PERSON):
            group.create_task(wait())
            await ready.acquire()
        with pytest.raises(TooManyRequests):
            async with watch.listen(person, pair):
                pass
        async with watch.listen(uuid7(), pair):
            leave.set()
    async with watch.listen(person, pair):
        pass


async def test_a_watch_that_stops_sends_everybody_away(watch: BurnWatch) -> None:
    async with watch.listen(uuid7(), (uuid7(), uuid7())) as listener:
        await watch.stop()
        assert await listener.next(1) is None

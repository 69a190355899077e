"""Somebody else keeps the breaker of one plugin locked: the others' orders go out all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from marketplace.db import Database
from marketplace.fulfilment import breaker, service
from marketplace.fulfilment.relay import Relay
from marketplace.runtime import Runtime
from tests.fulfilment.conftest import Counter, Mailbox, Worker
from tests.fulfilment.test_locked_wallet import DONE, PATIENCE_S, impatient, locked

__all__ = ["impatient"]

BREAKER_OF = "select 1 from supplier_health where plugin = $1"


async def half_open(runtime: Runtime, owner: Database, *plugins: str, ahead: str = "0") -> None:
    """Breakers that opened, and whose time is over, or lies as far ahead as a clock went back."""
    for plugin in plugins:
        for _ in range(breaker.FAILURES_TO_OPEN):
            async with runtime.database.begin() as session:
                await service.record_chunk(session, plugin, ["the shop is closed"])
    connection = await owner.connect_raw()
    await connection.execute(
        "update supplier_health set open_until = clock_timestamp() + $1::text::interval", ahead
    )
    await connection.close()


@pytest.mark.parametrize("ahead", ["0", "6 hours"])
async def test_others_are_published_while_a_breaker_is_locked(
    ahead: str,
    impatient: None,
    counter: Counter,
    relay: Relay,
    mailbox: Mailbox,
    runtime: Runtime,
    owner: Database,
) -> None:
    runtime.suppliers["other"] = runtime.suppliers["fake"]
    await counter.coalition.add_offer("others", acceptor="shop", plugin="other")
    stuck, others = await counter.burn(2), await counter.burn(2, offer="others")
    await half_open(runtime, owner, "fake", ahead=ahead)
    async with locked(owner, BREAKER_OF, "fake"), asyncio.timeout(PATIENCE_S):
        await relay.round()
    assert sorted(mailbox.burns()) == sorted(burn_id for burn_id, _ in others)
    assert await counter.states(stuck) == [("held", "queued")] * 2


async def test_another_idle_supplier_is_asked_while_a_breaker_is_locked(
    impatient: None, counter: Counter, runtime: Runtime, owner: Database
) -> None:
    await half_open(runtime, owner, "fake", "other")
    async with locked(owner, BREAKER_OF, "fake"), runtime.database.begin() as session:
        assert await service.take_idle_probes(session) == ["other"]
    async with runtime.database.begin() as session:
        assert await service.take_idle_probes(session) == ["fake"]


async def test_observers_hear_of_what_is_captured_while_the_breaker_is_locked(
    impatient: None,
    counter: Counter,
    worker: Worker,
    runtime: Runtime,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(worker.home.runtime, "tell", told.extend)
    burns = await counter.burn(1)
    await half_open(runtime, owner, "fake")
    async with locked(owner, BREAKER_OF, "fake"), asyncio.timeout(PATIENCE_S):
        with pytest.raises(asyncpg.LockNotAvailableError):
            await worker.fulfil(burns, probe=True)
    assert await counter.states(burns) == [DONE]
    assert [name for name, _ in told] == ["marketplace_after_burn_fulfilled"]

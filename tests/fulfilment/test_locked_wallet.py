"""Somebody else keeps one wallet, or one burn, locked: those who need no lock of theirs go on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from marketplace import db
from marketplace.app import create_app
from marketplace.db import Database, open_database, wait_for_locks
from marketplace.fulfilment import service
from marketplace.identity.domain import Scope
from marketplace.runtime import Runtime
from marketplace.secrets import Vault
from marketplace.settings import Settings
from tests.conftest import SECRET_KEY, run_lifespan
from tests.fulfilment.conftest import Counter, Worker, make_due

HELD = "held"
DONE = ("captured", "done")
PATIENCE_S = 120
"""Far longer than any lock is waited for, on a busy machine too."""


@asynccontextmanager
async def locked(owner: Database, statement: str, *values: Any) -> AsyncIterator[None]:
    """Rows that somebody has locked and forgotten."""
    connection = await owner.connect_raw()
    try:
        async with connection.transaction():
            assert await connection.fetch(f"{statement} for update", *values)
            yield
    finally:
        await connection.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are given up sooner than in the house; opened before everything else here."""
    monkeypatch.setattr(db, "LOCK_S", 1.0)


async def test_orders_of_others_are_delivered_while_a_wallet_is_locked(
    impatient: None, counter: Counter, worker: Worker, owner: Database
) -> None:
    await counter.coalition.issue("bob", 10_000)
    stuck = await counter.burn(1)
    others = await counter.burn(3, who="bob")
    wallet = "select 1 from wallet where id = $1"
    async with locked(owner, wallet, counter.coalition.wallets["ann"]):
        async with asyncio.timeout(PATIENCE_S):
            await worker.fulfil([*stuck, *others])
        assert await counter.states(others) == [DONE] * 3
        assert [status for status, _ in await counter.states(stuck)] == [HELD]
    await make_due(owner)
    await counter.verified()


@pytest.mark.parametrize("at_once", [2, 500])
async def test_holds_that_ran_out_end_while_a_wallet_is_locked(
    at_once: int,
    impatient: None,
    counter: Counter,
    worker: Worker,
    owner: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "SWEEP_LIMIT", at_once)
    await counter.coalition.issue("bob", 10_000)
    stuck = await counter.burn(4)  # the first by their ids
    others = await counter.burn(3, who="bob")
    await make_due(owner, hold_over=True)
    wallet = "select 1 from wallet where id = $1"
    async with locked(owner, wallet, counter.coalition.wallets["ann"]):
        async with asyncio.timeout(PATIENCE_S):
            assert await worker.do(worker.work.void_timed_out) == 3
        assert await counter.states(others) == [("voided", "done")] * 3
        assert [status for status, _ in await counter.states(stuck)] == [HELD] * 4
    assert await worker.do(worker.work.void_timed_out) == 4
    assert await counter.verified()


async def test_a_locked_burn_waits_and_the_others_of_its_message_are_delivered(
    impatient: None, counter: Counter, worker: Worker, owner: Database
) -> None:
    stuck, other = await counter.burn(1), await counter.burn(1)
    one = "select 1 from burn where id = $1::text::uuid"
    async with locked(owner, one, stuck[0][0]):
        async with asyncio.timeout(PATIENCE_S):
            assert await worker.fulfil([*stuck, *other]) == 1
    assert await counter.states([*stuck, *other]) == [(HELD, "queued"), DONE]
    assert await worker.fulfil(stuck) == 1
    assert await counter.states(stuck) == [DONE]
    assert await counter.verified()


async def test_refunds_of_a_locked_wallet_are_503_and_others_are_served(
    impatient: None,
    settings: Settings,
    counter: Counter,
    worker: Worker,
    owner: Database,
    api_key: Callable[..., Awaitable[dict[str, str]]],
) -> None:
    await counter.coalition.issue("bob", 10_000)
    anns, bobs = await counter.burn(12), await counter.burn(1, who="bob")
    await worker.fulfil([*anns, *bobs])
    shop = await api_key("shop", Scope.REFUNDS_WRITE)
    database = open_database(settings, serving=True)
    app = create_app(Runtime(settings, database, Vault([SECRET_KEY])))
    transport = httpx.ASGITransport(app=app)
    try:
        async with (
            run_lifespan(app),
            httpx.AsyncClient(transport=transport, base_url="http://marketplace.test") as client,
        ):

            async def refund(burn_id: str) -> int:
                headers = {**shop, "Idempotency-Key": secrets.token_hex(8)}
                path, body = f"/v1/burns/{burn_id}/refunds", {"reason": "broken"}
                return (await client.post(path, json=body, headers=headers)).status_code

            wallet = "select 1 from wallet where id = $1"
            async with (
                asyncio.timeout(PATIENCE_S),
                locked(owner, wallet, counter.coalition.wallets["ann"]),
            ):
                waiting = [asyncio.create_task(refund(burn_id)) for burn_id, _ in anns]
                assert await refund(bobs[0][0]) == 201
                assert await asyncio.gather(*waiting) == [503] * len(anns)
            assert await refund(anns[0][0]) == 201
    finally:
        await database.close()
    assert await counter.verified()


async def test_only_what_serves_and_works_is_impatient(settings: Settings) -> None:
    async def waits(database: Database) -> tuple[str, str]:
        async with database.begin() as session:
            connection = await db.raw_connection(session)
            before = await connection.fetchval("show lock_timeout")
            await wait_for_locks(session)
            after = await connection.fetchval("show lock_timeout")
        await database.close()
        return before, after

    assert await waits(open_database(settings, serving=True)) == ("1s", "0")
    assert await waits(open_database(settings, working=True)) == ("1s", "0")
    assert await waits(open_database(settings)) == ("0", "0")
    assert await waits(open_database(settings, as_owner=True)) == ("0", "0")

"""Somebody has set another isolation for the database than all statements are written for."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from marketplace.db import Database
from marketplace.fulfilment import service
from marketplace.runtime import Runtime
from tests.fulfilment.conftest import Counter, Worker
from tests.fulfilment.test_locked_wallet import DONE

SHOWN = "show transaction_isolation"


async def test_every_connection_reads_what_is_committed(runtime: Runtime, owner: Database) -> None:
    connection = await owner.connect_raw()
    name = await connection.fetchval("select current_database()")
    await connection.execute(
        f"alter database {name} set default_transaction_isolation = serializable"
    )
    await connection.close()
    for each in (runtime.database, owner):
        database = Database(each.url.render_as_string(False), role=each.role)
        raw = await database.connect_raw()
        assert await raw.fetchval(SHOWN) == "read committed"
        await raw.close()
        async with database.begin() as session:
            assert await session.scalar(sa.text(SHOWN)) == "read committed"
        with database.sync_engine.connect() as lent:
            assert lent.scalar(sa.text(SHOWN)) == "read committed"
        await database.close()


async def test_a_claim_that_collides_is_made_again(
    counter: Counter, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, collisions = service.claim, ["40001", "40P01"]

    async def collides(session: Any, *given: Any, **more: Any) -> Any:
        if collisions:
            state = collisions.pop()
            await session.execute(
                sa.text(f"do $$ begin raise exception sqlstate '{state}'; end $$")
            )
        return await claim(session, *given, **more)

    monkeypatch.setattr(service, "claim", collides)
    pairs = await counter.burn(2)
    assert await worker.fulfil(pairs) == 2
    assert await counter.states(pairs) == [DONE] * 2
    assert await counter.verified()

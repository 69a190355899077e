"""The database is in trouble: burns are refused for now, never lost, and others go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from typing import Any

import asyncpg
import pytest

from marketplace.db import Database
from marketplace.exchange import holding_repository, repository
from marketplace.exchange import lane as lane_module
from marketplace.exchange.engine import BurnEngine
from marketplace.runtime import Runtime
from tests.conftest import execute
from tests.exchange.conftest import HOLD_FOR, Ask, code, make_engine
from tests.factories import Coalition

FULL = """
create function full_disk() returns trigger language plpgsql as
$$ begin raise exception 'it will not hold this' using errcode = '%s'; end $$;
create trigger full_disk before insert on transfer for each statement execute function full_disk()
"""


@pytest.mark.parametrize(
    "sqlstate", ["53100", "58030", "25006", "54000", "57P04", "25P04", "40003"]
)
async def test_a_full_or_broken_disk_refuses_for_now_and_the_same_keys_burn_once_it_has_room(
    owner: Database,
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
    sqlstate: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_S", 0.0)
    await coalition.issue("ann", 50_000)
    await coalition.issue("bob", 50_000)
    assert code(await engine.submit(ask("bob"))) == "held"  # the offer is known now
    connection = await owner.connect_raw()
    await connection.execute(FULL % sqlstate)
    alone = await engine.submit(ask("bob"))
    assert code(alone) == "busy"
    keys = [f"k{number}" for number in range(5)]
    answers = await asyncio.gather(*(engine.submit(ask("ann", key=key)) for key in keys))
    assert [code(answer) for answer in answers] == ["busy"] * 5
    assert answers[0].error is not None
    assert answers[0].error.headers["Retry-After"] == "1"
    await connection.execute("drop trigger full_disk on transfer")
    await connection.close()
    answers = await asyncio.gather(*(engine.submit(ask("ann", key=key)) for key in keys))
    assert [(code(answer), answer.replayed) for answer in answers] == [("held", False)] * 5


@pytest.mark.parametrize(
    ("statement", "whose"),
    [
        ("select 1 from wallet where id = $1 for update", "ann"),
        ("select 1 from offer_stock where offer_id = $1 for update", "rare"),
    ],
)
async def test_a_lock_that_nobody_lets_go_of_holds_up_only_whom_it_concerns(
    statement: str,
    whose: str,
    owner: Database,
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
) -> None:
    await coalition.add_offer("rare", acceptor="shop", stock=50)
    for name in ("ann", "bob"):
        await coalition.issue(name, 50_000)
    connection = await owner.connect_raw()
    await connection.execute("begin")
    await connection.execute(statement, {**coalition.wallets, **coalition.offers}[whose])
    asked = [
        *(ask("ann", "rare", key=f"a{number}") for number in range(10)),
        *(ask("bob", "card", key=f"b{number}") for number in range(10)),
    ]
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert [code(answer) for answer in answers] == ["busy"] * 10 + ["held"] * 10
    await connection.close()
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert Counter((code(answer), answer.replayed) for answer in answers) == {
        ("held", False): 10,
        ("held", True): 10,
    }


async def test_a_locked_table_costs_a_batch_a_few_waits_and_not_one_for_each_offer(
    owner: Database,
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await coalition.issue("ann", 50_000)
    offers = [f"offer-{number}" for number in range(8)]
    for offer in offers:
        await coalition.add_offer(offer, acceptor="shop")
    waited = 0
    send = holding_repository.send

    async def count(*given: Any) -> Any:
        nonlocal waited
        try:
            return await send(*given)
        except asyncpg.LockNotAvailableError:
            waited += 1
            raise

    monkeypatch.setattr(holding_repository, "send", count)
    asked = [ask("ann", offer, key=offer) for offer in offers]
    connection = await owner.connect_raw()
    await connection.execute("begin; lock table burn in share mode")
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert [code(answer) for answer in answers] == ["busy"] * 8
    assert waited == 1 + lane_module.MOST_IN_VAIN
    await connection.close()
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert [code(answer) for answer in answers] == ["held"] * 8


async def test_a_database_closed_for_maintenance_refuses_for_now(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_S", 0.0)
    await coalition.issue("ann", 50_000)
    asked = [ask("ann", key=f"k{number}") for number in range(5)]
    name = runtime.database.url.database
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = "
    await execute(postgres_url, f"alter database {name} allow_connections false", f"{end}'{name}'")
    answers = await asyncio.gather(*map(engine.submit, asked))
    await execute(postgres_url, f"alter database {name} allow_connections true")
    assert [code(answer) for answer in answers] == ["busy"] * 5
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert [(code(answer), answer.replayed) for answer in answers] == [("held", False)] * 5


WAITS = """
select exists (select 1 from pg_locks join pg_stat_activity using (pid)
               where not granted and locktype = 'transactionid' and datname = current_database())
"""


async def test_stock_is_locked_after_all_else_of_a_batch_is_written(
    owner: Database, coalition: Coalition, engine: BurnEngine, ask: Ask
) -> None:
    await coalition.add_offer("rare", acceptor="shop", stock=50)
    await coalition.issue("ann", 50_000)
    holder, other = await owner.connect_raw(), await owner.connect_raw()
    await holder.execute("begin")
    await holder.execute("select 1 from offer_stock for update")
    asked = ask("ann", "rare")
    burning = asyncio.create_task(engine.submit(asked))
    while not await other.fetchval(WAITS):  # noqa: ASYNC110 - the server has no event
        await asyncio.sleep(0.01)
    await other.execute("set lock_timeout = '100ms'")
    with pytest.raises(asyncpg.LockNotAvailableError):  # for its key is written already
        await other.execute(
            "insert into idempotency_key (caller_id, key, request_hash, subject_id, wallet_id)"
            " values ($1, $2, $3, $4, $5)",
            asked.principal.caller_id,
            asked.key,
            asked.request_hash,
            asked.burn_id,
            asked.wallet_id,
        )
    await holder.close()
    assert code(await burning) == "held"
    await other.close()


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
    ],
)
async def test_a_database_that_takes_no_connection_is_waited_for(
    error: Exception, runtime: Runtime, coalition: Coalition, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    refusals: list[Exception] = []
    made: list[Any] = []

    async def connect() -> Any:
        if refusals:
            raise refusals.pop()
        made.append(await runtime.database.connect_raw())
        return made[-1]

    engine = make_engine(runtime, connect=connect)
    await engine.start()
    refusals += [error, error]
    made[0].terminate()
    answers = await asyncio.gather(*(engine.submit(ask("ann")) for _ in range(10)))
    assert [code(answer) for answer in answers] == ["held"] * 10
    assert not refusals
    await engine.stop()


async def test_a_database_that_stays_away_refuses_every_burn_and_the_engine_lives_on(
    runtime: Runtime, coalition: Coalition, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "RECONNECT_S", 0.0)
    await coalition.issue("ann", 50_000)
    away = False
    made: list[Any] = []

    async def connect() -> Any:
        if away:
            raise ConnectionRefusedError("connection refused")
        made.append(await runtime.database.connect_raw())
        return made[-1]

    engine = make_engine(runtime, connect=connect)
    await engine.start()
    away = True
    made[0].terminate()
    asked = [ask("ann", key=f"k{number}") for number in range(10)]
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert [code(answer) for answer in answers] == ["busy"] * 10
    away = False
    answers = await asyncio.gather(*map(engine.submit, asked))
    assert [code(answer) for answer in answers] == ["held"] * 10
    await engine.stop()


@pytest.mark.parametrize(
    "reason", ["AdminShutdownError", "CrashShutdownError", "InternalClientError"]
)
async def test_one_burn_whose_session_is_ended_is_made_on_the_next(
    reason: str, runtime: Runtime, coalition: Coalition, ask: Ask
) -> None:
    await coalition.issue("ann", 50_000)
    shutdowns = [getattr(asyncpg, reason)("terminating connection")]
    engine = make_engine(runtime, connect=Troubled(runtime, shutdowns).connect)
    await engine.start()
    assert code(await engine.submit(ask("ann"))) == "held"
    assert not shutdowns
    await engine.stop()


async def test_a_process_without_memory_for_the_answer_finds_the_burn_by_its_key(
    runtime: Runtime,
    coalition: Coalition,
    engine: BurnEngine,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await coalition.issue("ann", 50_000)
    send, short = holding_repository.send, [MemoryError()]

    async def send_and_run_short(*given: Any) -> Any:
        found = await send(*given)
        if short:
            raise short.pop()
        return found

    monkeypatch.setattr(holding_repository, "send", send_and_run_short)
    assert code(await engine.submit(ask("ann"))) == "held"
    assert not short
    balance = await runtime.database.connect_raw()
    assert await balance.fetchval("select sum(held) from wallet") == 1_000
    await balance.close()


async def test_a_connection_that_answers_no_more_is_given_up_and_the_burn_found_by_its_key(
    runtime: Runtime, coalition: Coalition, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "ANSWER_S", 1.0)
    await coalition.issue("ann", 50_000)
    silences: list[Exception | None] = [None]
    engine = make_engine(runtime, connect=Troubled(runtime, silences).connect)
    await engine.start()
    answers = await asyncio.gather(*(engine.submit(ask("ann")) for _ in range(10)))
    assert [code(answer) for answer in answers] == ["held"] * 10
    assert not silences
    balance = await runtime.database.connect_raw()
    assert await balance.fetchval("select sum(held) from wallet") == 10_000
    await balance.close()
    await engine.stop()


async def test_a_session_that_stands_still_with_a_lock_is_given_up_and_others_are_served(
    runtime: Runtime, coalition: Coalition, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "ANSWER_S", 0.5)
    for name in ("ann", "bob"):
        await coalition.issue(name, 50_000)
    made: list[Any] = []

    async def connect() -> Any:
        made.append(await runtime.database.connect_raw())
        return made[-1]

    engine = BurnEngine(
        connect, queue_limit=99, batch_limit=64, hold_for=HOLD_FOR, rules={}, locks_first=True
    )
    await engine.start()
    stopped: list[int] = []
    read = repository.read

    async def stand_still_once(connection: Any, *more: Any, **named: Any) -> Any:
        if not stopped:
            stopped.append(connection.get_server_pid())
            os.kill(stopped[0], signal.SIGSTOP)
        return await read(connection, *more, **named)

    monkeypatch.setattr(repository, "read", stand_still_once)
    asked = ask("ann")
    try:
        # Her wallet is locked by the session that stands still; his is not.
        assert code(await asyncio.wait_for(engine.submit(asked), 15)) == "busy"
        assert code(await asyncio.wait_for(engine.submit(ask("bob")), 15)) == "held"
    finally:
        os.kill(stopped[0], signal.SIGCONT)
    answer = await asyncio.wait_for(engine.submit(asked), 15)
    assert (code(answer), answer.replayed) == ("held", False)
    assert len(made) > 1
    await engine.stop()


async def test_a_batch_is_not_tried_for_minutes(
    runtime: Runtime, coalition: Coalition, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "ANSWER_S", 1.0)
    monkeypatch.setattr(lane_module, "TRIED_S", 0.0)
    await coalition.issue("ann", 50_000)
    silences: list[Exception | None] = [None] * 9
    engine = make_engine(runtime, connect=Troubled(runtime, silences).connect)
    await engine.start()
    asked = ask("ann")
    assert code(await engine.submit(asked)) == "busy"
    assert len(silences) == 8
    silences.clear()
    answer = await engine.submit(asked)
    assert (code(answer), answer.replayed) == ("held", True)
    await engine.stop()


class Troubled:
    """Connections whose writes commit, then raise what is in `troubles`, or say nothing (None)."""

    def __init__(self, runtime: Runtime, troubles: list[Any], real: Any = None) -> None:
        self._runtime, self._troubles, self._real = runtime, troubles, real

    async def connect(self) -> Any:
        real = await self._runtime.database.connect_raw()
        return Troubled(self._runtime, self._troubles, real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def fetchrow(self, *arguments: Any) -> Any:
        result = await self._real.fetchrow(*arguments)
        if not self._troubles:
            return result
        trouble = self._troubles.pop()
        if trouble is not None:
            raise trouble
        while not self._real.is_closed():  # noqa: ASYNC110 - it is silent
            await asyncio.sleep(0.01)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")

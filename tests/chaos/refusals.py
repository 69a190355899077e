"""Faults of servers that are there: they take nothing, forget, wait, or have no patience."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import asyncpg

from tests.chaos.arena import Arena
from tests.chaos.broker import Broker
from tests.chaos.faults import fault
from tests.chaos.proxy import Proxy

FULL_S = 12.0
"""Longer than a publisher waits to hear that a message is there."""
WAITED_S = 8.0
SLOW_S = 6.0
PATIENCE = {
    "statement_timeout": "50ms",
    "idle_session_timeout": "1s",
    "idle_in_transaction_session_timeout": "50ms",
    "transaction_timeout": "50ms",
}
SINCE = {"transaction_timeout": 17}
"""Major versions of PostgreSQL that know the setting."""

# -- the broker -----------------------------------------------------------------------------------


@fault("the broker has no memory for messages for 12 s, then it has", needs_broker=True)
async def broker_full(arena: Arena) -> int:
    broker = _broker(arena)
    await asyncio.to_thread(broker.fill)
    try:
        await asyncio.sleep(FULL_S)
    finally:
        await asyncio.to_thread(broker.make_room)
    return 1


@fault("the broker lets nobody in (Redis: takes nothing, as a replica) for 6 s", needs_broker=True)
async def broker_closed(arena: Arena) -> int:
    broker = _broker(arena)
    await asyncio.to_thread(broker.refuse)
    try:
        await asyncio.sleep(SLOW_S)
    finally:
        await asyncio.to_thread(broker.admit)
    return 1


@fault("somebody deletes the broker's queues and exchange, connections stay", needs_broker=True)
async def queues_deleted(arena: Arena) -> int:
    await asyncio.to_thread(_broker(arena).forget)
    return 1


@fault("a slow broker: 50 ms on all that is said, which comes in pieces of 3 B", needs_broker=True)
async def slow_broker(arena: Arena) -> int:
    assert arena.broker_proxy is not None
    return await _slow(arena.broker_proxy, 0.05, 3)


def _broker(arena: Arena) -> Broker:
    assert arena.ground.broker is not None
    return arena.ground.broker


async def _slow(proxy: Proxy, delay_s: float, piece_bytes: int) -> int:
    proxy.delay_s, proxy.piece_bytes = delay_s, piece_bytes
    await asyncio.sleep(SLOW_S)
    proxy.delay_s, proxy.piece_bytes = 0.0, 0
    return 1


# -- the database ---------------------------------------------------------------------------------


@fault("all that is said to the database and by it comes in pieces of 7 B")
async def split_messages(arena: Arena) -> int:
    return await _slow(arena.database_proxy, 0.0, 7)


@fault("commits wait 8 s for a standby that is not there; some are cancelled, sessions ended")
async def standby_gone(arena: Arena) -> int:
    """What waits is durable here and seen by nobody; whoever is told off has committed."""
    connection = await arena.connect()
    waiting = 0
    try:
        await _configure(connection, {"synchronous_standby_names": "nobody"})
        for way in ("pg_cancel_backend", "pg_terminate_backend"):
            await asyncio.sleep(WAITED_S / 2)
            waiting += await connection.fetchval(
                f"select count(*) filter (where {way}(pid)) from (select pid from pg_stat_activity"
                " where datname = current_database() and wait_event = 'SyncRep'"
                " order by random() limit 3) as found"
            )
    finally:
        await _configure(connection, {"synchronous_standby_names": None})
        await connection.close()
    return int(waiting > 0)


@fault("the database ends statements and transactions after 50 ms, idle sessions after 1 s")
async def impatient_database(arena: Arena) -> int:
    connection = await arena.connect()
    version = connection.get_server_version().major
    settings = {name: words for name, words in PATIENCE.items() if version >= SINCE.get(name, 0)}
    try:
        for name in settings:
            await connection.execute(f"set {name} = 0")
        await _configure(connection, settings)
        await asyncio.sleep(WAITED_S)
    finally:
        await _configure(connection, dict.fromkeys(settings))
        await connection.close()
    return 1


async def _configure(connection: asyncpg.Connection, settings: Mapping[str, str | None]) -> None:
    """Have the server heed these from now on, in sessions that are open too; None: no more."""
    for name, words in settings.items():
        change = f"set {name} = '{words}'" if words is not None else f"reset {name}"
        await connection.execute(f"alter system {change}")
    await connection.execute("select pg_reload_conf()")


@fault("the tables of wallets and burns locked by somebody who alters them, 6 s each")
async def tables_locked(arena: Arena) -> int:
    connection = await arena.connect()
    try:
        for table in ("wallet", "burn"):
            async with connection.transaction():
                await connection.execute(f"lock table {table} in access exclusive mode")
                await asyncio.sleep(SLOW_S)
    finally:
        await connection.close()
    return 1


@fault("plans and types that connections know are no longer so: a column and an index come and go")
async def schema_touched(arena: Arena) -> int:
    connection = await arena.connect()
    try:
        for statement in (
            "alter table burn add column chaos text",
            "create index chaos_by_offer on burn (offer_id)",
            "analyze",
            "drop index chaos_by_offer",
            "alter table burn drop column chaos",
        ):
            await connection.execute(statement)
            await asyncio.sleep(1)
    finally:
        await connection.close()
    return 1

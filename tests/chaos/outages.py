"""Faults of the database, the broker, and the network between them and the product."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from marketplace.db import UNACKNOWLEDGED_S
from marketplace.fulfilment.schedule import BEAT_LOCK
from marketplace.worker import make_app, publisher, queue_of
from tests.chaos.arena import DATABASE, Arena
from tests.chaos.faults import all_killed, fault

AWAY_S = 10.0
"""Longer than a burn engine tries."""
STILL_S = 12.0
FROZEN_S = 25.0
"""Longer than a burn engine waits for an answer."""

# -- the database ---------------------------------------------------------------------------------


@fault("PostgreSQL killed, all of it, and started again")
async def database_killed(arena: Arena) -> int:
    postgres = arena.ground.postgres
    postgres.kill()
    await asyncio.sleep(1)
    await asyncio.to_thread(postgres.start)
    return 1


@fault("one session of PostgreSQL killed: it drops every other and recovers")
async def session_killed(arena: Arena) -> int:
    await asyncio.to_thread(arena.ground.postgres.kill_backend)
    return 1


@fault("PostgreSQL stopped (fast) and started")
async def database_restarted(arena: Arena) -> int:
    return await _restart(arena, "fast")


@fault("PostgreSQL stopped (immediate) and started")
async def database_crashed(arena: Arena) -> int:
    return await _restart(arena, "immediate")


async def _restart(arena: Arena, mode: str, seconds: float = 1.0) -> int:
    postgres = arena.ground.postgres
    await asyncio.to_thread(postgres.stop, mode)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(postgres.start)
    return 1


@fault("a power cut: every process, the database and the broker killed at once")
async def power_cut(arena: Arena) -> int:
    ground = arena.ground
    await all_killed(arena)
    ground.postgres.kill()
    if ground.broker is not None:
        await asyncio.to_thread(ground.broker.kill)
        await asyncio.to_thread(ground.broker.start)
    await asyncio.to_thread(ground.postgres.start)
    return 1


@fault("PostgreSQL away for longer than anybody tries")
async def database_away(arena: Arena) -> int:
    return await _restart(arena, "fast", AWAY_S)


@fault("every connection to the database cut mid-transaction, four times")
async def connections_cut(arena: Arena) -> int:
    cut = 0
    for _ in range(4):
        await asyncio.sleep(0.5)
        cut += arena.database_proxy.cut() > 0
    return int(cut > 0)


@fault(
    "connections to the database half open: silent until the kernel gives them up, new ones work"
)
async def half_open(arena: Arena) -> int:
    """A proxy cannot withhold what the kernel acknowledges, so it does what the kernel would."""
    forgotten = arena.database_proxy.forget()
    await asyncio.sleep(UNACKNOWLEDGED_S)
    arena.database_proxy.cut(only_forgotten=True)
    return int(forgotten > 0)


@fault("every session of PostgreSQL stands still for 25 s, with what it has locked; new ones work")
async def sessions_frozen(arena: Arena) -> int:
    postgres = arena.ground.postgres
    frozen = await asyncio.to_thread(postgres.pause_backends)
    await asyncio.sleep(FROZEN_S)
    postgres.resume_backends(frozen)
    return int(len(frozen) > 0)


@fault("the postmaster stands still for 12 s and every connection is cut: new ones say nothing")
async def postmaster_paused(arena: Arena) -> int:
    pid = arena.ground.postgres.pid
    arena.house.send(signal.SIGSTOP, pid)
    cut = arena.database_proxy.cut()
    await asyncio.sleep(STILL_S)
    arena.house.send(signal.SIGCONT, pid)
    return int(cut > 0)


@fault("every statement that is seen cancelled, for 4 s")
async def statements_cancelled(arena: Arena) -> int:
    connection = await arena.connect()
    cancelled = 0
    try:
        for _ in range(80):
            cancelled += await connection.fetchval(
                "select count(*) filter (where pg_cancel_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and state = 'active'"
                " and pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.05)
    finally:
        await connection.close()
    return int(cancelled > 0)


@fault("the database only reads for 4 s, as a standby does")
async def database_read_only(arena: Arena) -> int:
    connection = await arena.connect()
    try:
        for only_reads in ("on", "off"):
            await connection.execute(
                f"alter database {DATABASE} set default_transaction_read_only = {only_reads}"
            )
            ended = await connection.fetchval(
                "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            await asyncio.sleep(4)
    finally:
        await connection.close()
    return int(ended > 0)


@fault("the database takes no session for 4 s, as in maintenance, and ends those it had")
async def database_closed(arena: Arena) -> int:
    connection = await arena.ground.postgres.connect("template1")
    try:
        await connection.execute(f"alter database {DATABASE} allow_connections false")
        ended = await connection.fetchval(
            "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity"
            " where datname = $1",
            DATABASE,
        )
        await asyncio.sleep(4)
    finally:
        await connection.execute(f"alter database {DATABASE} allow_connections true")
        await connection.close()
    return int(ended > 0)


@fault("a slow database: 100 ms on every message")
async def slow_database(arena: Arena) -> int:
    arena.database_proxy.delay_s = 0.1
    await asyncio.sleep(5)
    arena.database_proxy.delay_s = 0.0
    return 1


@fault("the disk of the database full for 3 s")
async def disk_full(arena: Arena) -> int:
    """Every statement that posts a transfer is refused as PostgreSQL does on a full disk."""
    connection = await arena.connect()
    try:
        await connection.execute(
            "create or replace function chaos_full() returns trigger language plpgsql as"
            " $$ begin raise exception 'could not extend file: No space left on device'"
            " using errcode = '53100'; end $$;"
            "create trigger chaos_full before insert on transfer"
            " for each statement execute function chaos_full()"
        )
        await asyncio.sleep(3)
        await connection.execute("drop trigger chaos_full on transfer")
    finally:
        await connection.close()
    return 1


@fault("no connection left in the database for 4 s")
async def connections_exhausted(arena: Arena) -> int:
    taken: list[asyncpg.Connection] = []
    arena.database_proxy.cut()
    try:
        for _ in range(250):
            taken.append(await asyncpg.connect(**_as_program(arena)))
    except asyncpg.PostgresError:
        await asyncio.sleep(4)
        return 1
    finally:
        for each in taken:
            each.terminate()
    return 0


def _as_program(arena: Arena) -> dict[str, Any]:
    url = make_url(arena.ground.settings.database_url or "")
    return {"host": url.query["host"], "user": url.username, "database": url.database}


@fault("somebody's forgotten transaction locks wallets and due burns for 8 s; beat's lock is taken")
async def stale_lock(arena: Arena) -> int:
    connection = await arena.connect()
    arena.house.send(signal.SIGKILL, *arena.house.pids("beat")[:1])
    try:
        await connection.execute("select pg_advisory_lock_shared(1)")
        await connection.execute("begin")
        # What is locked already is left out: to wait for it would be a deadlock now and then.
        skipping = "for update skip locked"
        locked = await connection.fetch(f"select id from wallet order by id limit 20 {skipping}")
        await connection.fetch(f"select id from burn where due_at is not null limit 50 {skipping}")
        await connection.fetchval("select pg_try_advisory_lock($1)", BEAT_LOCK)
        await asyncio.sleep(8)
    finally:
        await connection.close()
    return int(len(locked) > 0)


@fault("business time stepped a day forward, then a day back")
async def clock_stepped(arena: Arena) -> int:
    connection = await arena.connect()
    try:
        for days in (1, -1, 0):
            await connection.execute(f"update clock set shift = interval '{days} days'")
            await asyncio.sleep(2)
    finally:
        await connection.close()
    return 1


# -- the broker ------------------------------------------------------------------------------------


@fault("the broker killed and started again", needs_broker=True)
async def broker_killed(arena: Arena) -> int:
    broker = arena.ground.broker
    assert broker is not None
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    return 1


@fault("the broker killed, its disk wiped, started empty", needs_broker=True)
async def broker_wiped(arena: Arena) -> int:
    broker = arena.ground.broker
    assert broker is not None
    await asyncio.to_thread(broker.wipe)
    await asyncio.to_thread(broker.start)
    return 1


@fault("the broker stands still for 12 s", needs_broker=True)
async def broker_paused(arena: Arena) -> int:
    broker = arena.ground.broker
    assert broker is not None
    broker.pause()
    await asyncio.sleep(12)
    broker.resume()
    return 1


@fault("every connection to the broker cut, four times", needs_broker=True)
async def broker_cut(arena: Arena) -> int:
    assert arena.broker_proxy is not None
    cut = 0
    for _ in range(4):
        await asyncio.sleep(0.5)
        cut += arena.broker_proxy.cut() > 0
    return int(cut > 0)


@fault(
    "every connection to the broker silent for 25 s, then reset; new ones work", needs_broker=True
)
async def broker_silent(arena: Arena) -> int:
    assert arena.broker_proxy is not None
    forgotten = arena.broker_proxy.forget()
    await asyncio.sleep(FROZEN_S)
    arena.broker_proxy.cut(only_forgotten=True)
    return int(forgotten > 0)


@fault("messages that nobody can read in the queues of both workers", needs_broker=True)
async def broker_poisoned(arena: Arena) -> int:
    return await asyncio.to_thread(poison, arena)


UNREADABLE: tuple[tuple[Any, dict[str, Any], str | None], ...] = (
    (b"", {"task": "fulfil", "id": "1"}, "application/json"),
    (b"null", {"task": "fulfil", "id": "2"}, "application/json"),
    (b"[5", {"task": "fulfil", "id": "3"}, "application/json"),
    (b"[]", {"task": "fulfil", "id": "4"}, None),
    (b'[[], {}, {"chain": 7}]', {"task": "fulfil"}, "application/json"),
    (bytes(range(256)), {}, "application/x-python-serialize"),
)
"""Bodies, headers and content types."""


def poison(arena: Arena) -> int:
    """Put each of them four times where orders of the gift fund wait."""
    assert arena.ground.broker is not None
    app = make_app(arena.ground.broker.url, ["giftfund"])
    with app.connection_for_write() as connection, connection.channel() as channel:
        for body, headers, content_type in UNREADABLE * 4:
            message = channel.prepare_message(
                body, content_type=content_type, content_encoding="utf-8", headers=headers
            )
            channel.basic_publish(message, exchange="", routing_key=queue_of("giftfund"))
    return 1


@fault("each due burn published three more times, at once, by a stranger", needs_broker=True)
async def delivered_twice(arena: Arena) -> int:
    return await publish_again(arena)


async def publish_again(arena: Arena) -> int:
    """Send messages of held burns to two workers in parallel, several times over."""
    broker = arena.ground.broker
    assert broker is not None
    publish = publisher(make_app(broker.url, ["giftfund"]), 60.0)
    connection = await arena.connect()
    sent = 0
    try:
        for _ in range(20):
            rows = await connection.fetch(
                "select id::text, wallet_id::text from burn where status in ('held', 'captured')"
                " order by id desc limit 30"
            )
            pairs = [(row["id"], row["wallet_id"]) for row in rows]
            for _ in range(3 if pairs else 0):
                await asyncio.to_thread(publish, "giftfund", pairs, False)
                sent += 1
            await asyncio.sleep(0.1)
    finally:
        await connection.close()
    return int(sent > 0)

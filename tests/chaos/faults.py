"""The faults, by name: each does something bad while clients burn, and says how often it did."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

from marketplace.db import UNACKNOWLEDGED_S
from tests.chaos import failpoints
from tests.chaos.arena import SUPPLIER_TIMEOUT_S, Arena

FIRE_S = 40.0
"""Longest until a failpoint is passed under load."""
AWAY_S = 10.0

Act = Callable[[Arena], Awaitable[int]]


class Fault(NamedTuple):
    """What is done, in words, and whether it needs a broker of its own."""

    words: str
    act: Act
    needs_broker: bool = False


FAULTS: dict[str, Fault] = {}


def fault(words: str, *, needs_broker: bool = False) -> Callable[[Act], Act]:
    """Register a fault under its function's name."""

    def register(act: Act) -> Act:
        name = act.__name__.replace("_", "-")
        FAULTS[name] = Fault(words, act, needs_broker)
        return act

    return register


# -- killed at a named point ----------------------------------------------------------------------


def at(point: str, action: failpoints.Action = "kill") -> Act:
    """Arm the point and wait until it has fired."""

    async def act(arena: Arena) -> int:
        return await passed(arena, point, action)

    return act


async def passed(arena: Arena, point: str, action: failpoints.Action, times: int = 1) -> int:
    """How often the point has fired since it was armed so often."""
    before = len(failpoints.fired(arena.points, point))
    failpoints.arm(arena.points, point, action, times)
    deadline = time.monotonic() + FIRE_S
    while len(failpoints.fired(arena.points, point)) < before + times:
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.02)
    failpoints.disarm(arena.points)
    return len(failpoints.fired(arena.points, point)) - before


for name, point, words in (
    ("api-before-commit", "engine.before_commit", "API process killed before a batch is sent"),
    ("api-during-commit", "engine.during_commit", "API process killed while a batch commits"),
    ("api-after-commit", "engine.after_commit", "API process killed after commit, before answers"),
    ("api-half-answered", "engine.half_answered", "API process killed mid batch, half answered"),
    ("relay-before-publish", "relay.before_publish", "relay killed with burns locked"),
    ("relay-after-publish", "relay.after_publish", "relay killed after publish, before the mark"),
    ("relay-before-commit", "relay.before_commit", "relay killed after the mark, before commit"),
    ("worker-claimed", "worker.claimed", "worker killed with a claim, before it asks"),
    ("worker-delivered", "worker.delivered", "worker killed after delivery, before capture"),
    ("worker-before-commit", "worker.before_commit", "worker killed in capture, before commit"),
    ("worker-after-commit", "worker.after_commit", "worker killed after capture, before the ack"),
    ("plugin-delivered", "plugin.delivered", "plugin killed after delivery, before its answer"),
):
    FAULTS[name] = Fault(words, at(point))

FAULTS["supplier-too-late"] = Fault(
    "supplier answers after the time limit",
    at("plugin.delivered", f"sleep:{2 * SUPPLIER_TIMEOUT_S}"),
)


# -- processes ------------------------------------------------------------------------------------


def killed(role: str) -> Act:
    """Kill -9 one process of a role at a random moment."""

    async def act(arena: Arena) -> int:
        await asyncio.sleep(random.random())
        pids = arena.house.pids(role)
        return arena.house.send(signal.SIGKILL, random.choice(pids)) if pids else 0

    return act


for role, words in (
    ("api", "one API process killed"),
    ("serve", "the parent of the API processes killed"),
    ("beat", "a relay and its schedule killed"),
    ("worker", "a worker killed, orders in work and prefetched"),
    ("plugin", "a plugin's process killed"),
):
    FAULTS[f"{role}-killed"] = Fault(words, killed(role))


@fault("every process of the product killed at once")
async def all_killed(arena: Arena) -> int:
    pids = [pid for role in ("serve", "beat", "worker") for pid in arena.house.pids(role)]
    pids += arena.house.pids("api")
    return int(arena.house.send(signal.SIGKILL, *pids) > 0)


async def paused(arena: Arena, pid: int, seconds: float) -> int:
    """A process stands still, and goes on long after others took over."""
    sent = arena.house.send(signal.SIGSTOP, pid)
    await asyncio.sleep(seconds)
    arena.house.send(signal.SIGCONT, pid)
    return sent


@fault("an API process stands still for 12 s")
async def api_paused(arena: Arena) -> int:
    return await paused(arena, random.choice(arena.house.pids("api")), 12)


@fault("a worker stands still with a claim until its lease is over, another one takes its orders")
async def worker_paused(arena: Arena) -> int:
    count = await passed(arena, "worker.claimed", "stop")
    await _resume(arena, "worker.claimed", past_leases=True)
    return count


@fault("a worker stands still after delivery until its lease is over, then captures too")
async def worker_late(arena: Arena) -> int:
    count = await passed(arena, "worker.delivered", "stop")
    await _resume(arena, "worker.delivered", past_leases=True)
    return count


@fault("a relay stands still with burns published, locked and not marked, for 12 s")
async def relay_paused(arena: Arena) -> int:
    count = await passed(arena, "relay.after_publish", "stop")
    await asyncio.sleep(12)
    await _resume(arena, "relay.after_publish")
    return count


async def _resume(arena: Arena, point: str, *, past_leases: bool = False) -> None:
    if past_leases:
        await asyncio.sleep(1)
        await pass_time(arena)
        await asyncio.sleep(3)
    arena.house.send(signal.SIGCONT, *failpoints.fired(arena.points, point))


async def pass_time(arena: Arena) -> None:
    """Let the time pass that orders wait for: leases, retries, what the broker should have."""
    connection = await arena.connect()
    try:
        await connection.execute(
            "update burn set due_at = clock_timestamp()"
            " where due_at > clock_timestamp() and due_at < 'infinity'"
        )
    finally:
        await connection.close()


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
    from sqlalchemy.engine import make_url

    url = make_url(arena.ground.settings.database_url or "")
    return {"host": url.query["host"], "user": url.username, "database": url.database}


@fault("somebody's forgotten transaction locks wallets and due burns for 8 s; beat's lock is taken")
async def stale_lock(arena: Arena) -> int:
    from marketplace.fulfilment.schedule import BEAT_LOCK

    connection = await arena.connect()
    arena.house.send(signal.SIGKILL, *arena.house.pids("beat")[:1])
    try:
        await connection.execute("select pg_advisory_lock_shared(1)")
        await connection.execute("begin")
        locked = await connection.fetch("select id from wallet order by id limit 20 for update")
        await connection.fetch("select id from burn where due_at is not null limit 50 for update")
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


@fault("each due burn published three more times, at once, by a stranger", needs_broker=True)
async def delivered_twice(arena: Arena) -> int:
    return await publish_again(arena)


async def publish_again(arena: Arena) -> int:
    """Send messages of held burns to two workers in parallel, several times over."""
    from marketplace.worker import make_app, publisher

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

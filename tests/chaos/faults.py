"""The faults, by name: each does something bad while clients burn, and says how often it did.

Here are those of the processes of the product; `outages.py` has those of servers and network.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import psutil

from tests.chaos import failpoints
from tests.chaos.arena import SUPPLIER_TIMEOUT_S, Arena

FIRE_S = 40.0
"""Longest until a failpoint is passed under load."""
REPLACED_S = 60.0
"""Longest until a process that stands still is replaced."""

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


@fault("one API process killed, half a second after the last, twelve times")
async def api_killed_often(arena: Arena) -> int:
    sent = 0
    for _ in range(12):
        if pids := arena.house.pids("api"):
            sent += arena.house.send(signal.SIGKILL, random.choice(pids))
        await asyncio.sleep(0.5)
    return int(sent > 0)


async def paused(arena: Arena, pid: int, seconds: float) -> int:
    """A process stands still, and goes on long after others took over."""
    sent = arena.house.send(signal.SIGSTOP, pid)
    await asyncio.sleep(seconds)
    arena.house.send(signal.SIGCONT, pid)
    return sent


@fault("an API process stands still for 12 s")
async def api_paused(arena: Arena) -> int:
    return await paused(arena, random.choice(arena.house.pids("api")), 12)


@fault("an API process stands still for good: it is killed and replaced after half a minute")
async def api_stuck(arena: Arena) -> int:
    pid = random.choice(arena.house.pids("api"))
    arena.house.send(signal.SIGSTOP, pid)
    deadline = time.monotonic() + REPLACED_S
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid):
            return 1
        await asyncio.sleep(0.5)
    arena.house.send(signal.SIGCONT, pid)
    return 0


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


@fault("a plugin's process stands still for longer than its worker waits")
async def plugin_paused(arena: Arena) -> int:
    pids = arena.house.pids("plugin")
    return await paused(arena, random.choice(pids), 3 * SUPPLIER_TIMEOUT_S) if pids else 0


@fault("a relay and its schedule stand still for 8 s")
async def beat_paused(arena: Arena) -> int:
    return await paused(arena, random.choice(arena.house.pids("beat")), 8)


@fault("every process told to stop and started anew, one after the other")
async def rolling_restart(arena: Arena) -> int:
    pids = [pid for role in ("worker", "beat", "serve") for pid in arena.house.pids(role)]
    sent = 0
    for pid in pids:
        sent += arena.house.send(signal.SIGTERM, pid)
        await asyncio.sleep(1.5)
    return int(sent == len(pids))


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

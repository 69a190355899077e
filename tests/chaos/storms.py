"""A fault that is two others at once, of two kinds, as the seed has it."""

from __future__ import annotations

import asyncio
import random

from tests.chaos.arena import Arena
from tests.chaos.faults import FAULTS, fault

KINDS = {
    "processes": (
        *("api-killed", "serve-killed", "worker-killed", "beat-killed", "plugin-killed"),
        *("all-killed", "plugin-paused"),
    ),
    "broker": ("broker-killed", "broker-wiped", "broker-cut", "queues-deleted"),
    "database": (
        *("database-restarted", "database-crashed", "session-killed", "connections-cut"),
        *("statements-cancelled", "database-read-only", "disk-full", "stale-lock"),
    ),
}
"""Two of one kind would be in each other's way; one of the first two needs no database itself."""
PAIRS = 4


@fault("two at once of two kinds (processes, broker, database), four times, drawn by the seed")
async def storm(arena: Arena) -> int:
    kinds = [kind for kind in KINDS if kind != "broker" or arena.ground.broker is not None]
    struck = 0
    for _ in range(PAIRS):
        names = [random.choice(KINDS[kind]) for kind in random.sample(kinds, 2)]
        struck += sum(await asyncio.gather(*(FAULTS[name].act(arena) for name in names))) > 0
        await arena.house.until_ready()
    return int(struck == PAIRS)

"""The work on points that expire: announces what is near, gives what is due, again and again.

It goes by what is left, a transaction a step: whoever goes on after a crash finds just that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from uuid import UUID

import msgspec

from charity import giving, rescues
from charity.engine import engine_for
from marketplace.api import EligibilityRule
from marketplace.db import Database
from marketplace.errors import MarketplaceError

log = logging.getLogger(__name__)


class Done(msgspec.Struct):
    """What one run came to."""

    announced: int = 0
    looked_at: int = 0
    """Announced gifts whose time had come."""
    made: int = 0
    """Gifts whose points are held now, to be promised by the supplier."""


async def run(
    database: Database, rules: dict[str, EligibilityRule], told: Callable[[int], None]
) -> Done:
    """Announce and give until nothing is left to do now; `told` hears of each that is done."""
    done = Done()
    await _announce(database, done, told)
    await _give(database, rules, done, told)
    return done


async def waiting(database: Database) -> int:
    """How many steps a run would find at first, some thousands at most."""
    async with database.begin() as session:
        return len(await session.run_sync(rescues.to_announce)) + len(
            await session.run_sync(rescues.due)
        )


async def _announce(database: Database, done: Done, told: Callable[[int], None]) -> None:
    seen: set[UUID] = set()
    while True:
        async with database.begin() as session:
            found = await session.run_sync(rescues.to_announce)
        new = [each for each in found if each not in seen]
        for rescue_id in new:
            done.announced += await _announce_one(database, rescue_id)
            told(1)
        seen.update(new)
        if not new:
            return


async def _announce_one(database: Database, rescue_id: UUID) -> bool:
    """Whether something was announced. One that cannot be keeps no other from it."""
    try:
        async with database.begin() as session:
            return await session.run_sync(rescues.announce, rescue_id) is not None
    except Exception:
        log.exception("points of wish %s could not be announced", rescue_id)
        return False


async def _give(
    database: Database,
    rules: dict[str, EligibilityRule],
    done: Done,
    told: Callable[[int], None],
) -> None:
    seen: set[UUID] = set()
    new = await _due(database, seen)
    if not new:
        return
    async with engine_for(database, rules) as engine:
        while new:
            for plan_id in new:
                done.made += await _give_one(database, engine, plan_id)
                done.looked_at += 1
                told(1)
            seen.update(new)
            new = await _due(database, seen)


async def _due(database: Database, seen: Collection[UUID]) -> list[UUID]:
    async with database.begin() as session:
        return [each for each in await session.run_sync(rescues.due) if each not in seen]


async def _give_one(database: Database, engine: giving.Engine, plan_id: UUID) -> bool:
    """One announced gift; whether its points are held. Trouble of the moment leaves it due, and
    holds up no other."""
    try:
        async with database.begin() as session:
            asked = await session.run_sync(rescues.next_step, plan_id)
        if asked is None:
            return False
        given = await giving.give(database, engine, *asked)
        return given.error is None
    except MarketplaceError as error:
        log.warning("plan %s is tried again: %s", plan_id, error.code)
        async with database.begin() as session:
            await session.run_sync(rescues.put_off, plan_id, error.code)
        return False
    except Exception:
        log.exception("what was announced by plan %s could not be given; it stays due", plan_id)
        return False

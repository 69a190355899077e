"""The circuit breaker of a plugin: a supplier in trouble is left alone, then probed.

closed -> (FAILURES_TO_OPEN failed chunks in a row) -> open -> (time over) -> half-open: one small
chunk -> closed where it succeeds, open for twice as long where it fails. Its state is one row of
`supplier_health`, shared by all processes.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from marketplace.db import raw_connection
from marketplace.exchange import closures
from marketplace.exchange.domain import Cause
from marketplace.fulfilment import repository
from marketplace.letters import shown

FAILURES_TO_OPEN = 3
FIRST_OPEN = timedelta(seconds=15)
LONGEST_OPEN = timedelta(minutes=10)
PROBE_ORDERS = 5
"""Orders in the one chunk that tries a supplier out."""
LONGEST_ERROR = 500
ACTOR = "system:breaker"


class Breaker(StrEnum):
    """What may be sent to a supplier."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


def state_of(row: Any | None) -> Breaker:
    """The breaker of a `repository.health` row; no row is closed."""
    if row is None or row["open_until"] is None:
        return Breaker.CLOSED
    return Breaker.OPEN if row["is_open"] else Breaker.HALF_OPEN


def open_for(failures: int) -> timedelta | None:
    """How long to stay away after so many failed chunks in a row; None: not yet."""
    if failures < FAILURES_TO_OPEN:
        return None
    doublings: int = 1 << min(failures - FAILURES_TO_OPEN, 16)
    return min(FIRST_OPEN * doublings, LONGEST_OPEN)


async def record(session: AsyncSession, plugin: str, faults: list[str]) -> None:
    """Count one chunk: a success where `faults` is empty."""
    connection = await raw_connection(session)
    if not faults:
        if await repository.record_success(connection, plugin):
            await closures.reopen(session, plugin, Cause.BREAKER, actor=ACTOR)
        return
    failures = await repository.record_failure(connection, plugin, shown(faults[0], LONGEST_ERROR))
    length = open_for(failures)
    if length is not None:
        await repository.open_breaker(connection, plugin, length)
        await closures.close(session, plugin, Cause.BREAKER, actor=ACTOR)

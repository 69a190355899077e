"""The burn engine of work by the clock: the exchange's own, for as long as there is work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from marketplace.api import EligibilityRule
from marketplace.db import Database
from marketplace.exchange.engine import BurnEngine
from marketplace.settings import load

QUEUE = 200


@asynccontextmanager
async def engine_for(
    database: Database, rules: dict[str, EligibilityRule]
) -> AsyncIterator[BurnEngine]:
    """An engine that takes one burn at a time, stopped at the end of the block."""
    engine = BurnEngine(
        database.connect_raw,
        queue_limit=QUEUE,
        batch_limit=1,
        hold_for=timedelta(minutes=load().hold_minutes),
        rules=rules,
    )
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()

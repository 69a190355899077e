"""What identity does in the background of an API process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from litestar import Litestar

from marketplace.identity import sessions
from marketplace.identity.authenticator import Authenticator
from marketplace.runtime import Runtime

log = logging.getLogger(__name__)

WRITE_EVERY_S = 20
FORGET_EVERY = 180
"""Rounds between two clean-ups: an hour."""


async def _keep_house(runtime: Runtime, authenticator: Authenticator) -> None:
    rounds = 0
    while True:
        await asyncio.sleep(WRITE_EVERY_S)
        rounds += 1
        try:
            await authenticator.write_last_used()
            if rounds % FORGET_EVERY == 0:
                async with runtime.database.begin() as session:
                    await sessions.forget_stale(session)
        except Exception:
            # The database may be away for a while; the next round tries again.
            log.exception("identity housekeeping failed")


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Write when keys were last used while the app runs, and once more when it stops."""
    authenticator: Authenticator = app.state.authenticator
    task = asyncio.create_task(_keep_house(app.state.runtime, authenticator))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(Exception):
            await authenticator.write_last_used()

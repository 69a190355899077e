"""`marketplace ledger expire` sweeps until nothing is due."""

from __future__ import annotations

import asyncio

from click.testing import CliRunner, Result

from marketplace.cli import main
from marketplace.clock import now
from tests.conftest import SECRET_KEY
from tests.factories import Coalition, days
from tests.ledger.driver import Driver


async def test_the_command_expires_everything_that_is_due(
    coalition: Coalition, drive: Driver, database_url: str
) -> None:
    async with coalition.runtime.database.begin() as session:
        start = await now(session)
    for name in ("ann", "bob", "bob"):
        await coalition.issue(name, 100, expires_at=start + days(1))
    await drive.later(days(2))
    environment = {
        "MARKETPLACE_DATABASE_URL": database_url,
        "MARKETPLACE_SECRET_KEYS": SECRET_KEY,
    }

    async def expire() -> Result:
        # A thread of its own, because a command runs its own event loop.
        return await asyncio.to_thread(
            CliRunner(env=environment).invoke, main, ["ledger", "expire"]
        )

    first, second = await expire(), await expire()
    assert (first.exit_code, first.stdout) == (0, "3 lots expired.\n")
    assert (second.exit_code, second.stdout) == (0, "0 lots expired.\n")

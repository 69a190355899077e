"""Kill -9 at every named point between a burn and its code: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys

import marketplace_giftfund.service as giftfund

from marketplace.host import PluginHost
from marketplace.runtime import Runtime
from tests.chaos.failpoints import POINTS
from tests.chaos.killed import BURNS
from tests.conftest import ROOT
from tests.exchange.conftest import make_key
from tests.factories import Coalition


async def test_a_burn_whose_processes_are_killed_anywhere_is_made_once_and_delivered_once(
    coalition: Coalition, runtime: Runtime, database_url: str
) -> None:
    await coalition.issue("ann", 1_000 * BURNS * len(POINTS))
    host = PluginHost("giftfund", lambda: runtime.database, lambda: runtime.vault)
    codes = "\n".join(["code", *(secrets.token_hex(8) for _ in range(BURNS * len(POINTS)))])
    await asyncio.to_thread(giftfund.upload, host, "card", codes, actor="cli:test")
    operator = await make_key(coalition, "operator")
    given = [
        database_url,
        *map(str, (coalition.wallets["ann"], coalition.offers["card"])),
        *map(str, (operator.credential_id, operator.caller_id)),
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.chaos.killed", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(POINTS)

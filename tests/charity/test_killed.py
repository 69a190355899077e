"""Kill -9 at every statement from the tap to the receipt: one gift, numbers without gaps."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from charity.domain import MatchMode
from tests.charity.conftest import Cause
from tests.conftest import ROOT


async def test_a_gift_whose_processes_are_killed_anywhere_is_made_once(
    cause: Cause, database_url: str
) -> None:
    match = await cause.match("alpha", cap=700, mode=MatchMode.BILLED)
    ann = await cause.person("ann")
    given = [
        database_url,
        *map(str, (cause.coalition.wallets["ann"], ann.caller_id)),
        *map(str, (ann.credential_id, ann.participant_id)),
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.charity.killed", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30
    assert await cause.used(match) == min(700, 30 * (int(done.stdout) + 1))
    assert await cause.findings() == []
